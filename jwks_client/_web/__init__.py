"""What all integrations share, between a request and the rules: nothing here knows a framework."""
