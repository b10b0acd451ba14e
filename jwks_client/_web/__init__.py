"""The parts that all integrations share: they connect requests with the rules."""
