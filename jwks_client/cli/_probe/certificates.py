"""What a key's certificate and thumbprints say, to be compared with the key itself.

Owns: reading ``x5c``, ``x5t`` and ``x5t#S256`` (RFC 7517, sections 4.7 to 4.9). May not know: what
a disagreement means. The library itself neither uses nor trusts any of it, so that this is the only
place which reads them, and only for showing.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import urllib.parse
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from ..._core.encoding import to_base64url

if TYPE_CHECKING:
    from ..._core.keysets.algorithms import PublicKey

__all__ = ["THUMBPRINTS", "Certificate", "Unreadable", "leaf_of", "spelling_of"]

# The member, the hash it names, and the name it should have.
THUMBPRINTS: Final[Mapping[str, tuple[str, str]]] = {
    "x5t": ("sha1", "x5t"),
    "x5t#S256": ("sha256", "x5t#S256"),
    "x5tS256": ("sha256", "x5t#S256"),
    "x5t_S256": ("sha256", "x5t#S256"),
}
_LONGEST: Final = 64 * 1024


class Unreadable(ValueError):
    """An ``x5c`` that holds no certificate, and why."""


@dataclass(frozen=True, slots=True)
class Certificate:
    """The first certificate of an ``x5c``: its octets, its key and when it ends."""

    octets: bytes
    public_key: bytes | None
    ends: float

    def is_for(self, key: PublicKey) -> bool | None:
        """Whether it is for this key; None if its own cannot be read."""
        return None if self.public_key is None else self.public_key == _octets_of(key)


def leaf_of(jwk: Mapping[str, Any]) -> Certificate | None:
    """The first certificate of an entry's ``x5c``; None if it has none. Raises `Unreadable`."""
    from cryptography import x509

    if "x5c" not in jwk:
        return None
    chain = jwk["x5c"]
    if not isinstance(chain, list) or not chain or not isinstance(chain[0], str):
        raise Unreadable("x5c is no list of certificates")
    try:
        octets = base64.b64decode(chain[0][:_LONGEST], validate=True)
    except (binascii.Error, ValueError):
        raise Unreadable("x5c does not begin with standard base64") from None
    try:
        with warnings.catch_warnings(action="ignore"):  # of old certificates' small oddities
            certificate = x509.load_der_x509_certificate(octets)
            ends = certificate.not_valid_after_utc.timestamp()
            return Certificate(octets, _public_key_of(certificate), ends)
    except Exception:  # noqa: BLE001 (whatever hostile octets cause)
        raise Unreadable("x5c does not begin with a certificate") from None


def _public_key_of(certificate: Any) -> bytes | None:
    try:
        return _octets_of(certificate.public_key())
    except Exception:  # noqa: BLE001 (a key of a kind that cryptography does not know)
        return None


def _octets_of(key: Any) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    octets: bytes = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return octets


def spelling_of(member: str, value: str, certificate: Certificate) -> str:
    """How a thumbprint stands to the certificate: ``right``, ``padded``, ``hex`` or ``wrong``."""
    digest = hashlib.new(THUMBPRINTS[member][0], certificate.octets, usedforsecurity=False)
    right = to_base64url(digest.digest())
    if value == right:
        return "right"
    plain = urllib.parse.unquote(value).rstrip("=").replace("+", "-").replace("/", "_")
    if plain == right:
        return "padded"
    hexed = digest.hexdigest()
    digits = {to_base64url(text.encode()) for text in (hexed, hexed.upper())}
    return "hex" if plain in digits or value.replace(":", "").lower() == hexed else "wrong"
