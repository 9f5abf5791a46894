"""What decides right or wrong: one Protocol, one module per kind of answer, a pool of processes."""
