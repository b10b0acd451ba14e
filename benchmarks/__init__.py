"""Measure how fast this library verifies, relative to raw cryptography and to other libraries.

Importing this package turns the extra `fast` off, so that everything is measured as after a plain
install, except for the rows that name the extra.
"""

from jwks_client._core import encoding

encoding._quick_octets = encoding._quick_object = None  # noqa: SLF001 (as if the extra were missing)
