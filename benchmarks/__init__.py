"""How fast this library verifies, beside raw cryptography and its peers, as ratios in one run.

All is measured as after a plain install, but for the rows that name the extra `fast`: importing
any of this turns that off.
"""

from jwks_client._core import encoding

encoding._quick_octets = encoding._quick_object = None  # noqa: SLF001 (as where it is not)
