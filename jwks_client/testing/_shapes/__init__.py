"""Tokens in the shape of a provider's."""
