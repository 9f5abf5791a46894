"""What runs inside the sandboxes: the standard library alone, no file of ours but these."""
