"""Which issuer a token belongs to: configured providers and resolved tenants."""
