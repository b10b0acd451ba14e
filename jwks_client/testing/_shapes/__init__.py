"""Tokens in the shape of a particular provider."""
