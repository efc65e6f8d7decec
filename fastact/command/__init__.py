"""The console command `fastact`."""
