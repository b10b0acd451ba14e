"""Keys for the tests of the core: real ones, made once a run, and RSA numbers of any size."""

from __future__ import annotations

import base64
import functools
import json
from typing import Any

from jwks_client.testing._keys.signing_key import SigningKey, make_key


@functools.cache
def signer(algorithm: str) -> SigningKey:
    """The one signing key of an algorithm; its kid is ``k1``."""
    return make_key(algorithm, "k1", borrower=signer)


def jwk(algorithm: str, *without: str, **members: Any) -> dict[str, Any]:
    """The public JWK of `signer`, without some of its members and with others."""
    made = {**signer(algorithm).jwk(), **members}
    return {name: value for name, value in made.items() if name not in without}


def rsa_jwk(bits: int = 2048, *, which: int = 0, e: int = 65537, **members: Any) -> dict[str, Any]:
    """An RSA JWK of a modulus that is just a number of that size; ``which`` tells two of them apart."""
    modulus = (1 << (bits - 1)) + 2 * which + 1
    return {"kty": "RSA", "n": of_number(modulus), "e": of_number(e), **members}


def of_number(value: int, width: int | None = None) -> str:
    """A number as base64url of its big-endian octets."""
    return to_text(value.to_bytes(width or (value.bit_length() + 7) // 8, "big"))


def to_text(octets: bytes) -> str:
    """Base64url without padding."""
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()


def to_octets(text: str) -> bytes:
    """The octets of base64url without padding."""
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def document(*entries: object, **members: object) -> bytes:
    """A key set of these entries as a provider would serve it."""
    return json.dumps({"keys": list(entries), **members}).encode()
