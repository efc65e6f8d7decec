"""The compiled backend: the generator of its C, and its binding."""
