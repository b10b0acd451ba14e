"""Tokens that must be refused."""
