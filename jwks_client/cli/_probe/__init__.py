"""What a visit to a provider finds out."""
