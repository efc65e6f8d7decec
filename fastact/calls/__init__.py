"""The calls of public functions, the same for both backends: reading and checking arguments, choosing the evaluator, errors."""
