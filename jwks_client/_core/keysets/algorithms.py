"""The signature algorithms: which keys fit, how keys are built, how signatures are verified.

This is the only module of the core that imports PyJWT and cryptography. Must not depend on: key
sets, tokens, providers. PyJWT builds the keys that it supports, cryptography those of ML-DSA (RFC
9964). Signatures are verified by cryptography itself, with padding and hash prepared once per key;
PyJWT prepares them for each signature.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any, Final, NamedTuple, TypeAlias

from cryptography.exceptions import InternalError, InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.backends import default_backend
from cryptography.hazmat.primitives.asymmetric import mldsa
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed448 import Ed448PublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, PSS, PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256, SHA384, SHA512, HashAlgorithm
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from ..encoding import to_base64url, tolerant_octets

PublicKey: TypeAlias = (
    RSAPublicKey
    | EllipticCurvePublicKey
    | Ed25519PublicKey
    | Ed448PublicKey
    | mldsa.MLDSA44PublicKey
    | mldsa.MLDSA65PublicKey
    | mldsa.MLDSA87PublicKey
)
# Called with the signature and the signed bytes; returns None if valid, else raises (`NOT_VALID`).
Verify: TypeAlias = Callable[[bytes, bytes], object]
#: The exceptions of a verifier, for hostile bytes too. Any other comes from a signal handler.
NOT_VALID: Final = (
    *(InvalidSignature, InternalError, UnsupportedAlgorithm, ArithmeticError, AttributeError),
    *(BufferError, LookupError, MemoryError, TypeError, ValueError),
)


class Built(NamedTuple):
    """A public key with the members that its thumbprint covers (RFC 7638)."""

    key: PublicKey
    members: dict[str, str]
    algorithms: frozenset[str]


class Unbuildable(ValueError):
    """A JWK that is not a usable public key; ``code`` is for programs, the text for people."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code


_RSA = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")
_EC = {
    "P-256": ("ES256", 32),
    "P-384": ("ES384", 48),
    "P-521": ("ES512", 66),
    "secp256k1": ("ES256K", 32),
}
_OKP = {"Ed25519": 32, "Ed448": 57}
# RFC 7748, section 4: the primes. The encodings below each prime include every y of a point of
# small order. Anyone can forge signatures of at least one message in eight under such a key.
_P_25519: Final = 2**255 - 19
_P_448: Final = 2**448 - 2**224 - 1
_Y_OF_ORDER_8: Final = 0x7A03AC9277FDC74EC6CC392CFA53202A0F67100D760B3CBA4FD84D3D706A17C7
_SMALL_ORDER: Final = {
    "Ed25519": frozenset(
        {0, 1, _P_25519 - 1, _P_25519, _P_25519 + 1, _Y_OF_ORDER_8, _P_25519 - _Y_OF_ORDER_8}
    ),
    "Ed448": frozenset({0, 1, _P_448 - 1, _P_448, _P_448 + 1}),
}
_ML_DSA: Final[dict[str, tuple[Callable[[bytes], PublicKey], int]]] = {
    "ML-DSA-44": (mldsa.MLDSA44PublicKey.from_public_bytes, 1312),
    "ML-DSA-65": (mldsa.MLDSA65PublicKey.from_public_bytes, 1952),
    "ML-DSA-87": (mldsa.MLDSA87PublicKey.from_public_bytes, 2592),
}
MIN_RSA_BITS: Final = 2048
MAX_RSA_BITS: Final = 8192
_MAX_RSA_OCTETS = MAX_RSA_BITS // 8 + 32  # tolerates a few extra leading zero octets


default_backend()  # the first signature would otherwise import it, possibly on an event loop
_HASHES: Final[dict[str, HashAlgorithm]] = {"256": SHA256(), "384": SHA384(), "512": SHA512()}


def verifier(key: Any, algorithm: str) -> Verify:
    """Return the function that verifies signatures of ``key`` by a fitting ``algorithm``.

    It is made once per key, so that each signature costs one call.
    """
    match algorithm[:2]:
        case "RS":  # RFC 7518, section 3.3
            return _pkcs1_verifier(key, _HASHES[algorithm[2:]])
        case "PS":  # RFC 7518, section 3.5: the salt is as long as the hash
            return _pss_verifier(key, _HASHES[algorithm[2:]])
        case "ES":
            return _ecdsa_verifier(key, _HASHES[algorithm[2:5]])
        case _:  # EdDSA (RFC 8037), its curves' own names (RFC 9864), ML-DSA (RFC 9964)
            return key.verify  # type: ignore[no-any-return]


def _pkcs1_verifier(key: RSAPublicKey, digest: HashAlgorithm) -> Verify:
    verify, padding = key.verify, PKCS1v15()

    def check(signature: bytes, signed: bytes) -> None:
        verify(signature, signed, padding, digest)

    return check


def _pss_verifier(key: RSAPublicKey, digest: HashAlgorithm) -> Verify:
    verify, padding = key.verify, PSS(MGF1(digest), digest.digest_size)
    width = (key.key_size + 7) // 8

    def check(signature: bytes, signed: bytes) -> None:
        # RFC 8017, section 8.1.2, step 1. OpenSSL checks this for PKCS #1 v1.5 only. Without it, a
        # signature whose first octet is zero would also be valid without that octet.
        if len(signature) != width:
            raise ValueError("the signature and the modulus differ in length")
        verify(signature, signed, padding, digest)

    return check


def _ecdsa_verifier(key: EllipticCurvePublicKey, digest: HashAlgorithm) -> Verify:
    verify, ecdsa = key.verify, ECDSA(digest)
    width = (key.curve.key_size + 7) // 8
    around = _around_numbers(width)

    def check(signature: bytes, signed: bytes) -> None:
        # RFC 7518, section 3.4: both numbers at full width, one after the other.
        if len(signature) != 2 * width:
            raise ValueError("the signature does not have the length of its curve")
        first, second = signature[0], signature[width]
        if first and second:
            before, between = around[first > 127, second > 127]
            encoded = before + signature[:width] + between + signature[width:]
        else:  # a number with leading zeros: one token in 128
            r = int.from_bytes(signature[:width], "big")
            s = int.from_bytes(signature[width:], "big")
            encoded = encode_dss_signature(r, s)
        verify(encoded, signed, ecdsa)

    return check


def _around_numbers(width: int) -> dict[tuple[bool, bool], tuple[bytes, bytes]]:
    """Return the DER bytes before and between two numbers of full width.

    They only depend on whether each number begins with a 1 bit, so they are prepared once.
    """
    found: dict[tuple[bool, bool], tuple[bytes, bytes]] = {}
    for first, second in product((1, 255), repeat=2):
        zeros = 8 * (width - 1)
        encoded = encode_dss_signature(first << zeros, second << zeros)
        head = encoded[:-width]  # without the second number
        place = head.index(bytes([first]) + bytes(width - 1))
        found[first > 127, second > 127] = head[:place], head[place + width :]
    return found


def build(jwk: dict[str, Any]) -> Built:
    """Build the public key of a JWK from its own members, never from ``x5c``.

    Raises `Unbuildable`.
    """
    match jwk.get("kty"):
        case "RSA":
            return _build_rsa(jwk)
        case "EC":
            return _build_ec(jwk)
        case "OKP":
            return _build_okp(jwk)
        case "AKP":
            return _build_akp(jwk)
        case "oct":
            raise Unbuildable(
                "symmetric_key", "a symmetric key cannot be a published verification key"
            )
        case str():
            raise Unbuildable("unknown_type", "its kty is not supported")
        case _:
            raise Unbuildable("malformed_key", "kty must be a string")


def _octets(jwk: dict[str, Any], member: str, longest: int) -> bytes:
    octets = tolerant_octets(jwk.get(member), longest)
    if octets is None:
        raise Unbuildable("malformed_key", f"{member} is missing, too long, or not base64url")
    return octets


def _from_jwk(read: Callable[[Any], Any], members: dict[str, str]) -> Any:
    try:
        return read(members)
    except Exception:  # noqa: BLE001 (hostile numbers can cause anything)
        # Not chained: the cause's message may show a secret that was published by mistake.
        raise Unbuildable("malformed_key", "its members do not form a valid public key") from None


def _build_rsa(jwk: dict[str, Any]) -> Built:
    modulus = _octets(jwk, "n", _MAX_RSA_OCTETS).lstrip(b"\0")
    exponent = int.from_bytes(_octets(jwk, "e", 64), "big")
    bits = int.from_bytes(modulus, "big").bit_length()
    if not MIN_RSA_BITS <= bits <= MAX_RSA_BITS:
        raise Unbuildable(
            "weak_key" if bits < MIN_RSA_BITS else "oversized_key",
            f"RSA of {bits} bits; {MIN_RSA_BITS} to {MAX_RSA_BITS} are accepted (RFC 7518, 3.3)",
        )
    if not 3 <= exponent < 2**32 or exponent % 2 == 0:
        raise Unbuildable("weak_key", "the RSA exponent must be odd and from 3 to 4294967295")
    e = to_base64url(exponent.to_bytes((exponent.bit_length() + 7) // 8, "big"))
    members = {"e": e, "kty": "RSA", "n": to_base64url(modulus)}
    return Built(_from_jwk(RSAAlgorithm.from_jwk, members), members, frozenset(_RSA))


def _coordinate(jwk: dict[str, Any], member: str, width: int) -> str:
    # RFC 7518, section 6.2.1.2 requires the full width; a missing or extra leading zero octet is
    # tolerated.
    octets = _octets(jwk, member, width + 32).lstrip(b"\0")
    if len(octets) > width:
        raise Unbuildable("malformed_key", f"{member} is too long for its curve")
    return to_base64url(octets.rjust(width, b"\0"))


def _build_ec(jwk: dict[str, Any]) -> Built:
    curve = jwk.get("crv")
    if not isinstance(curve, str) or curve not in _EC:
        raise Unbuildable("unknown_curve", "its crv is not supported")
    algorithm, width = _EC[curve]
    x, y = _coordinate(jwk, "x", width), _coordinate(jwk, "y", width)
    members = {"crv": curve, "kty": "EC", "x": x, "y": y}
    return Built(_from_jwk(ECAlgorithm.from_jwk, members), members, frozenset({algorithm}))


def _build_okp(jwk: dict[str, Any]) -> Built:
    curve = jwk.get("crv")
    if not isinstance(curve, str) or curve not in _OKP:
        raise Unbuildable("unknown_curve", "its crv is not a supported signature curve")
    octets = _octets(jwk, "x", _OKP[curve])
    members = {"crv": curve, "kty": "OKP", "x": to_base64url(octets)}
    key = _from_jwk(OKPAlgorithm.from_jwk, members)
    y = int.from_bytes(octets, "little") & (2 ** (8 * len(octets) - 1) - 1)  # without the sign of x
    if y in _SMALL_ORDER[curve]:
        raise Unbuildable(
            "weak_key", "it is a point of small order, so anyone can forge signatures"
        )
    # RFC 9864: EdDSA and the curve's own name are the same algorithm for a key of that curve.
    return Built(key, members, frozenset({"EdDSA", curve}))


def _build_akp(jwk: dict[str, Any]) -> Built:
    # RFC 9964: alg is required in an AKP key and part of its thumbprint.
    algorithm = jwk.get("alg")
    if not isinstance(algorithm, str) or algorithm not in _ML_DSA:
        raise Unbuildable(
            "unknown_algorithm", "an AKP key must name ML-DSA-44, ML-DSA-65 or ML-DSA-87"
        )
    read, size = _ML_DSA[algorithm]
    octets = _octets(jwk, "pub", size)
    members = {"alg": algorithm, "kty": "AKP", "pub": to_base64url(octets)}
    try:
        key = read(octets)
    except (ValueError, UnsupportedAlgorithm):
        raise Unbuildable(
            "malformed_key", "pub is not a valid key, or this build of cryptography has no ML-DSA"
        ) from None
    return Built(key, members, frozenset({algorithm}))
