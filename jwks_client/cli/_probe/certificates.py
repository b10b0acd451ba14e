"""Read the certificate and thumbprints of a key, ``x5c``, ``x5t`` and ``x5t#S256``.

See RFC 7517, sections 4.7 to 4.9. The library neither uses nor trusts them. Only this module reads
them, to print and compare them.
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

# Each spelling of the member, with its hash and the correct name.
THUMBPRINTS: Final[Mapping[str, tuple[str, str]]] = {
    "x5t": ("sha1", "x5t"),
    "x5t#S256": ("sha256", "x5t#S256"),
    "x5tS256": ("sha256", "x5t#S256"),
    "x5t_S256": ("sha256", "x5t#S256"),
}
_LONGEST: Final = 64 * 1024


class Unreadable(ValueError):
    """An ``x5c`` without a readable certificate, and why."""


@dataclass(frozen=True, slots=True)
class Certificate:
    """The first certificate of an ``x5c``: its octets, its key, and its expiry."""

    octets: bytes
    public_key: bytes | None
    ends: float

    def is_for(self, key: PublicKey) -> bool | None:
        """Return whether it certifies this key; None if its own key cannot be read."""
        return None if self.public_key is None else self.public_key == _octets_of(key)


def leaf_of(jwk: Mapping[str, Any]) -> Certificate | None:
    """Return the first certificate of an entry's ``x5c``, if any. Raises `Unreadable`."""
    from cryptography import x509

    if "x5c" not in jwk:
        return None
    chain = jwk["x5c"]
    if not isinstance(chain, list) or not chain or not isinstance(chain[0], str):
        raise Unreadable("x5c is not a list of certificates")
    try:
        octets = base64.b64decode(chain[0][:_LONGEST], validate=True)
    except (binascii.Error, ValueError):
        raise Unreadable("x5c does not begin with standard base64") from None
    try:
        with warnings.catch_warnings(action="ignore"):  # about oddities of old certificates
            certificate = x509.load_der_x509_certificate(octets)
            ends = certificate.not_valid_after_utc.timestamp()
            return Certificate(octets, _public_key_of(certificate), ends)
    except Exception:  # noqa: BLE001 (hostile octets may raise anything)
        raise Unreadable("x5c does not begin with a certificate") from None


def _public_key_of(certificate: Any) -> bytes | None:
    try:
        return _octets_of(certificate.public_key())
    except Exception:  # noqa: BLE001 (a key type that cryptography does not support)
        return None


def _octets_of(key: Any) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    octets: bytes = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return octets


def spelling_of(member: str, value: str, certificate: Certificate) -> str:
    """Compare a thumbprint with the certificate: ``right``, ``padded``, ``hex`` or ``wrong``."""
    digest = hashlib.new(THUMBPRINTS[member][0], certificate.octets, usedforsecurity=False)
    right = to_base64url(digest.digest())
    if value == right:
        return "right"
    plain = urllib.parse.unquote(value).rstrip("=").replace("+", "-").replace("/", "_")
    if plain == right:
        return "padded"
    digits = digest.hexdigest()
    encoded = {to_base64url(text.encode()) for text in (digits, digits.upper())}
    return "hex" if plain in encoded or value.replace(":", "").lower() == digits else "wrong"
