"""The commands `keys`, `verify` and `decode`."""
