"""Fetch what a provider publishes, and keep a record of it."""
