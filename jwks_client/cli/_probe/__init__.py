"""Fetch the documents that a provider publishes, and record every exchange."""
