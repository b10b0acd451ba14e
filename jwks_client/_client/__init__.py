"""The two clients: carry out what the core decides."""
