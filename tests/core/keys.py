"""Keys for the core's tests: real ones, made once per run, and RSA numbers of any size."""

from __future__ import annotations

import base64
import functools
import json
from typing import Any

from jwks_client.testing._keys.signing_key import SigningKey, make_key


@functools.cache
def signer(algorithm: str) -> SigningKey:
    """Return the one signing key of an algorithm; its kid is ``k1``."""
    return make_key(algorithm, "k1", borrower=signer)


def jwk(algorithm: str, *without: str, **members: Any) -> dict[str, Any]:
    """Return the public JWK of `signer`, with some members removed and others added."""
    made = {**signer(algorithm).jwk(), **members}
    return {name: value for name, value in made.items() if name not in without}


def rsa_jwk(bits: int = 2048, *, which: int = 0, e: int = 65537, **members: Any) -> dict[str, Any]:
    """Return an RSA JWK whose modulus is just a number of that size; ``which`` distinguishes two of them."""
    modulus = (1 << (bits - 1)) + 2 * which + 1
    return {"kty": "RSA", "n": of_number(modulus), "e": of_number(e), **members}


def of_number(value: int, width: int | None = None) -> str:
    """Encode a number as base64url of its big-endian octets."""
    return to_text(value.to_bytes(width or (value.bit_length() + 7) // 8, "big"))


def to_text(octets: bytes) -> str:
    """Encode base64url without padding."""
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()


def to_octets(text: str) -> bytes:
    """Decode base64url without padding."""
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def document(*entries: object, **members: object) -> bytes:
    """Return a key set of these entries as a provider would serve it."""
    return json.dumps({"keys": list(entries), **members}).encode()
