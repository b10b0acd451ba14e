"""The parts that all integrations share, between a request and the rules."""
