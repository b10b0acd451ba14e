"""How many examples property tests try: all of them, or half of them in `make test`.

`make test` selects the Hypothesis profile ``half``. All other runs, such as `make test-all`,
`make coverage`, `make mutants` and plain pytest, use the default profile.
"""

from __future__ import annotations

from hypothesis import settings

ALL = settings.default.max_examples
settings.register_profile("half", max_examples=ALL // 2)


def share_of(examples: int) -> int:
    """Return this number of examples, or half of it under the profile ``half``."""
    return max(1, examples * settings.default.max_examples // ALL)
