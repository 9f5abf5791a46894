"""One small file a command; `cli.group` imports a file when its command is used."""
