"""`UnverifiedToken`: what a token's bytes say, before anything is trusted.

Parses compact tokens strictly (RFC 7515, section 5.2; RFC 7519, section 7.2). Must not depend on:
providers, cached keys, time. `parse` is a pure function of the bytes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from ...errors import TokenError
from ..encoding import decode_segment, read_segments, strict_object
from ..provider import SUPPORTED_ALGORITHMS, plain_token_type

__all__ = ["UnverifiedToken"]

MAX_KID: Final = 1024


@dataclass(frozen=True, slots=True)
class UnverifiedHeader:
    """A parsed header segment. It is shared between tokens, so it must not be changed."""

    members: dict[str, Any]
    algorithm: str
    kid: str | None
    token_type: str | None
    wanted: tuple[str | None, str]  # kid and algorithm, which select the key

    def __repr__(self) -> str:
        return "<UnverifiedHeader>"


class UnverifiedToken(NamedTuple):
    """A parsed token: an attacker may have chosen every value."""

    raw: str
    header: UnverifiedHeader
    claims: dict[str, Any]
    payload: bytes
    header_segment: bytes
    signing_input: bytes
    signature: bytes

    @property
    def algorithm(self) -> str:
        return self.header.algorithm

    @property
    def kid(self) -> str | None:
        return self.header.kid

    @property
    def token_type(self) -> str | None:
        return self.header.token_type

    def __repr__(self) -> str:
        return "<UnverifiedToken>"


def text_of(raw: object, max_token: int) -> str:
    """Return the token as text; str and bytes are equivalent.

    Raises TokenError ``malformed_token`` for any other type, ``token_too_large``.
    """
    if not isinstance(raw, (str, bytes)):
        raise TokenError(
            "malformed_token", f"the token must be str or bytes, got {type(raw).__name__}"
        )
    if len(raw) > max_token:
        raise TokenError(
            "token_too_large", f"the token is longer than {max_token} characters (max_token)"
        )
    if isinstance(raw, str):
        return raw
    if not raw.isascii():
        raise TokenError("malformed_token", "the token is not ASCII")
    return raw.decode("ascii")


def parse(
    raw: str, max_header: int, known: Mapping[bytes, UnverifiedHeader] = MappingProxyType({})
) -> UnverifiedToken:
    """Parse a compact JWS whose payload is a claims object; nothing is verified.

    Arguments:
        raw: the token, already within its size limit (`text_of`).
        max_header: maximum length of the header segment, in characters.
        known: parsed header segments of tokens whose signature was valid.

    Raises TokenError ``malformed_token``, ``token_too_large``, ``encrypted_token``,
    ``unsupported_critical_header`` or ``algorithm_not_allowed``.
    """
    try:
        octets = raw.encode("ascii")
    except UnicodeEncodeError:
        octets = b""  # parsed as an empty token, which is malformed
    # Decoding rejects an extra dot, which is in no segment's alphabet. Counting the dots here would
    # slow down every token.
    signing_input, _, signature_segment = octets.rpartition(b".")
    header_segment, _, payload_segment = signing_input.partition(b".")
    try:  # not `in` and then `[]`: another thread may drop the entry in between
        known_header = known[header_segment]
    except KeyError:
        known_header = None
    if known_header is None:
        _count_segments(octets)
        header = _read_header(header_segment, max_header)
    else:
        header = known_header
    payload, claims, signature = read_segments(payload_segment, signature_segment)
    if payload is None or claims is None or signature is None:
        _count_segments(octets)
        part = "the payload is not a base64url-encoded JSON object"
        if claims is not None:
            part = "the signature is not base64url"
        raise TokenError("malformed_token", part)
    if known_header is None:
        _check_algorithm(header)
    return new_tuple(  # type: ignore[no-any-return]
        UnverifiedToken,
        (raw, header, claims, payload, header_segment, signing_input, signature),
    )


def _count_segments(octets: bytes) -> None:
    match octets.count(b"."):
        case 4:
            raise TokenError(
                "encrypted_token", "the token is encrypted (five segments), which is not supported"
            )
        case _ if octets.split() not in ([octets], []):
            raise TokenError(
                "malformed_token", 'the token contains blanks; pass the part after "Bearer "'
            )
        case 2:
            pass
        case _:
            raise TokenError("malformed_token", "the token does not have three segments of ASCII")


def _read_header(segment: bytes, max_header: int) -> UnverifiedHeader:
    if len(segment) > max_header:
        raise TokenError(
            "token_too_large", f"the header is longer than {max_header} characters (max_header)"
        )
    octets = decode_segment(segment)
    members = None if octets is None else strict_object(octets)
    if members is None:
        raise TokenError("malformed_token", "the header is not a base64url-encoded JSON object")
    algorithm, kid, typ = members.get("alg"), members.get("kid"), members.get("typ")
    if not isinstance(algorithm, str):
        raise TokenError("malformed_token", "'alg' is missing or not a string")
    if not isinstance(kid, str) and (kid is not None or "kid" in members):
        raise TokenError("malformed_token", "'kid' is not a string")
    if kid is not None and len(kid.encode()) > MAX_KID:
        raise TokenError("malformed_token", f"'kid' is longer than {MAX_KID} octets")
    if not isinstance(typ, str) and (typ is not None or "typ" in members):
        raise TokenError("malformed_token", "'typ' is not a string")
    token_type = None if typ is None else plain_token_type(typ)
    return UnverifiedHeader(members, algorithm, kid, token_type, (kid, algorithm))


def _check_algorithm(header: UnverifiedHeader) -> None:
    # RFC 7515, section 4.1.11: unknown extensions must be rejected, and this library supports none.
    if "crit" in header.members:
        raise TokenError(
            "unsupported_critical_header", "'crit' is present, but no extension is supported"
        )
    if header.members.get("b64", True) is not True:
        raise TokenError("unsupported_critical_header", "'b64' is not supported (RFC 7797)")
    if header.algorithm not in SUPPORTED_ALGORITHMS:
        raise TokenError("algorithm_not_allowed", "'alg' is not a supported asymmetric algorithm")


# Hot path: a named tuple's own constructor takes twice as long, and a call more.
new_tuple: Final[Any] = tuple.__new__
