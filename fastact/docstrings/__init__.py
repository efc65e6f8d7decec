"""The docstrings, made from the declarations."""
