"""Signing keys, rings of them and certificates."""
