"""The two clients, which carry out what the core decides."""
