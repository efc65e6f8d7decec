"""The backend in pure NumPy."""
