"""Completions on the move: our own recorded format, in and out of a cache."""
