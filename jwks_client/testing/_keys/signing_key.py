"""Signing keys of every supported algorithm.

Must not depend on providers, servers or PyJWT: made with cryptography alone, the tokens test PyJWT
independently.

Generating an RSA key takes about 100 ms, so RSA keys are pooled. A borrower has a key exclusively
until it is garbage-collected. The pool is filled before a key is reused, and the key returned first
is reused first, so that a token of a former provider is not signed by a key of the next. No key is
discarded: providers may be garbage-collected many at a time, and the next ones need as many keys.
"""

from __future__ import annotations

import json
import weakref
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, mldsa, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256, SHA384, SHA512, HashAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from ..._core.encoding import to_base64url

__all__ = ["SigningKey", "make_key"]

_Raw: TypeAlias = (
    ed25519.Ed25519PrivateKey
    | ed448.Ed448PrivateKey
    | mldsa.MLDSA44PrivateKey
    | mldsa.MLDSA65PrivateKey
    | mldsa.MLDSA87PrivateKey
)
_Private: TypeAlias = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | _Raw

_RSA: Final = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")
_EC: Final[dict[str, tuple[type[ec.EllipticCurve], str]]] = {
    "ES256": (ec.SECP256R1, "P-256"),
    "ES384": (ec.SECP384R1, "P-384"),
    "ES512": (ec.SECP521R1, "P-521"),
    "ES256K": (ec.SECP256K1, "secp256k1"),
}
_RAW: Final[dict[str, tuple[type[_Raw], str]]] = {
    "EdDSA": (ed25519.Ed25519PrivateKey, "Ed25519"),
    "Ed25519": (ed25519.Ed25519PrivateKey, "Ed25519"),
    "Ed448": (ed448.Ed448PrivateKey, "Ed448"),
    "ML-DSA-44": (mldsa.MLDSA44PrivateKey, ""),
    "ML-DSA-65": (mldsa.MLDSA65PrivateKey, ""),
    "ML-DSA-87": (mldsa.MLDSA87PrivateKey, ""),
}
_HASHES: Final[dict[str, HashAlgorithm]] = {"256": SHA256(), "384": SHA384(), "512": SHA512()}

POOL_SIZE: Final = 6
# A deque is thread-safe without a lock, for which a finalizer must not wait.
_returned: deque[rsa.RSAPrivateKey] = deque()
_made: deque[None] = deque(maxlen=POOL_SIZE)


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A key pair with its published kid and algorithm."""

    kid: str
    algorithm: str
    private: _Private = field(repr=False)

    def sign(self, message: bytes) -> bytes:
        """Return the signature in its JWS encoding (RFC 7518, section 3; RFC 8037; RFC 9964)."""
        match self.private:
            case rsa.RSAPrivateKey() as key:
                digest = self._digest()
                pad: padding.AsymmetricPadding = padding.PKCS1v15()
                if self.algorithm.startswith("PS"):
                    pad = padding.PSS(mgf=padding.MGF1(digest), salt_length=digest.digest_size)
                return key.sign(message, pad, digest)
            case ec.EllipticCurvePrivateKey() as key:
                width = (key.key_size + 7) // 8
                r, s = decode_dss_signature(key.sign(message, ec.ECDSA(self._digest())))
                return r.to_bytes(width, "big") + s.to_bytes(width, "big")
            case key:
                return key.sign(message)

    def sign_compact(self, header: bytes, payload: bytes) -> str:
        """Return a signed token in compact form (RFC 7515, section 7.1) of these octets."""
        message = f"{to_base64url(header)}.{to_base64url(payload)}"
        return f"{message}.{to_base64url(self.sign(message.encode()))}"

    def jwk(self) -> dict[str, str]:
        """Return the public key as a JWK with ``kid``, ``use`` and ``alg``."""
        return {"kid": self.kid, "use": "sig", "alg": self.algorithm, **self._members()}

    def public_octets(self) -> bytes:
        """Return the public key as PEM, or as JSON if PEM does not support it."""
        if self.algorithm.startswith("ML-DSA"):
            return json.dumps(self.jwk()).encode()
        encoding, form = Encoding.PEM, PublicFormat.SubjectPublicKeyInfo
        return self.private.public_key().public_bytes(encoding, form)

    def _members(self) -> dict[str, str]:
        match self.private:
            case rsa.RSAPrivateKey() as key:
                public = key.public_key().public_numbers()
                return {"kty": "RSA", "n": _number(public.n), "e": _number(public.e)}
            case ec.EllipticCurvePrivateKey() as key:
                width = (key.key_size + 7) // 8
                point = key.public_key().public_numbers()
                x, y = _number(point.x, width), _number(point.y, width)
                return {"kty": "EC", "crv": _EC[self.algorithm][1], "x": x, "y": y}
            case key:
                octets = to_base64url(key.public_key().public_bytes_raw())
                curve = _RAW[self.algorithm][1]
                if not curve:
                    return {"kty": "AKP", "pub": octets}
                return {"kty": "OKP", "crv": curve, "x": octets}

    def _digest(self) -> HashAlgorithm:
        return _HASHES[self.algorithm[2:5]]


def make_key(algorithm: str, kid: str, *, borrower: object) -> SigningKey:
    """Return an exclusive key for ``borrower``. An unknown algorithm is a ValueError."""
    if algorithm in _RSA:
        return SigningKey(kid, algorithm, _borrow_rsa(borrower))
    if algorithm in _EC:
        return SigningKey(kid, algorithm, ec.generate_private_key(_EC[algorithm][0]()))
    if algorithm in _RAW:
        return SigningKey(kid, algorithm, _RAW[algorithm][0].generate())
    raise ValueError(
        f"algorithm must be one of {', '.join((*_RSA, *_EC, *_RAW))}, got {algorithm!r}"
    )


def _borrow_rsa(borrower: object) -> rsa.RSAPrivateKey:
    key = None
    if len(_made) == POOL_SIZE:
        with suppress(IndexError):  # all are borrowed
            key = _returned.popleft()
    if key is None:
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        _made.append(None)
    weakref.finalize(borrower, _returned.append, key).atexit = False
    return key


def _number(value: int, width: int | None = None) -> str:
    return to_base64url(value.to_bytes(width or (value.bit_length() + 7) // 8, "big"))
