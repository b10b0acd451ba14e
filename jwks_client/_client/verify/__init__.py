"""One verification, from the token to its verdict."""
