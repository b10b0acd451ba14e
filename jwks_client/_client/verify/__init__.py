"""One verification, from the token to the verdict."""
