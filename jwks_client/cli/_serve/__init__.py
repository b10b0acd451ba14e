"""`jwks-client serve`: a development provider."""
