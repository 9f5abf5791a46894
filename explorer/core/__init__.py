"""Pure ideas, no I/O: problems, completions, arm keys, metrics, answers, alignment."""
