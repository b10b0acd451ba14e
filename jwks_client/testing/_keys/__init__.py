"""Signing keys, key rings and certificates."""
