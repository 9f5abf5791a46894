"""Arguments and printing only: every command imports its work inside its function."""
