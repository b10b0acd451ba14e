"""A fake provider's responses, in process and over loopback."""
