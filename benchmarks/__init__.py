"""How fast this library verifies, beside raw cryptography and its peers, as ratios in one run."""
