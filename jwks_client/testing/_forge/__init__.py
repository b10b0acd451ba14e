"""Forged tokens, which must be refused."""
