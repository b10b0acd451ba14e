"""A token before and after it is trusted: `UnverifiedToken` by shape, `VerifiedToken` by proof.

Owns: the strict compact parse (RFC 7515, section 5.2; RFC 7519, section 7.2) and what a verified
token offers. May not know: providers, keys at hand, time. `parse` is a pure function of the bytes.
"""

from __future__ import annotations

import copy
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar, final

from ..errors import InsufficientScopeError, TokenError
from .encoding import decode_segment, read_again, read_segments, strict_object
from .provider import SUPPORTED_ALGORITHMS, plain_token_type

if TYPE_CHECKING:
    from .jwk import Key

__all__ = ["UnverifiedToken", "VerifiedToken"]

T = TypeVar("T")
MAX_KID: Final = 1024


@dataclass(frozen=True, slots=True)
class UnverifiedHeader:
    """What a header segment says. It may be kept and shared; nobody changes it."""

    members: dict[str, Any]
    algorithm: str
    kid: str | None
    token_type: str | None
    wanted: tuple[str | None, str]  # kid and algorithm, as keys are chosen by them

    def __repr__(self) -> str:
        return "<UnverifiedHeader>"


class UnverifiedToken(NamedTuple):
    """What the bytes say: every value in it may be an attacker's."""

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
    """The token as text; str and bytes are one.

    Raises TokenError ``malformed_token`` for any other type, ``token_too_large``.
    """
    if not isinstance(raw, (str, bytes)):
        raise TokenError("malformed_token", f"a token is str or bytes, not {type(raw).__name__}")
    if len(raw) > max_token:
        raise TokenError(
            "token_too_large", f"a token is at most {max_token} characters (max_token)"
        )
    if isinstance(raw, str):
        return raw
    if not raw.isascii():
        raise TokenError("malformed_token", "a token is ASCII")
    return raw.decode("ascii")


def parse(
    raw: str, max_header: int, known: Mapping[bytes, UnverifiedHeader] = MappingProxyType({})
) -> UnverifiedToken:
    """Read a compact JWS whose payload is a claims object; nothing is verified.

    Arguments:
        raw: the token, within its size limit already (`text_of`).
        max_header: the longest header segment, in characters.
        known: header segments of tokens whose signature held, as they were read.

    Raises TokenError ``malformed_token``, ``token_too_large``, ``encrypted_token``,
    ``unsupported_critical_header`` or ``algorithm_not_allowed``.
    """
    try:
        octets = raw.encode("ascii")
    except UnicodeEncodeError:
        octets = b""  # which is no token either
    # A dot too many is in no segment's alphabet: it is found when they are decoded, and need not be
    # looked for in every token.
    signing_input, _, signature_segment = octets.rpartition(b".")
    header_segment, _, payload_segment = signing_input.partition(b".")
    try:  # not `in` and then `[]`: another thread may let go of it in between
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
        part = "its payload is not base64url of one JSON object"
        if claims is not None:
            part = "its signature is not base64url"
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
                "encrypted_token", "five segments: an encrypted token, which no key set opens"
            )
        case _ if octets.split() not in ([octets], []):
            raise TokenError("malformed_token", 'it has blanks; a token is what follows "Bearer "')
        case 2:
            pass
        case _:
            raise TokenError("malformed_token", "a signed token is three segments of ASCII")


def _read_header(segment: bytes, max_header: int) -> UnverifiedHeader:
    if len(segment) > max_header:
        raise TokenError(
            "token_too_large", f"a header is at most {max_header} characters (max_header)"
        )
    octets = decode_segment(segment)
    members = None if octets is None else strict_object(octets)
    if members is None:
        raise TokenError("malformed_token", "its header is not base64url of one JSON object")
    algorithm, kid, typ = members.get("alg"), members.get("kid"), members.get("typ")
    if not isinstance(algorithm, str):
        raise TokenError("malformed_token", "its alg is missing or no string")
    if not isinstance(kid, str) and (kid is not None or "kid" in members):
        raise TokenError("malformed_token", "its kid is no string")
    if kid is not None and len(kid.encode()) > MAX_KID:
        raise TokenError("malformed_token", f"its kid is longer than {MAX_KID} octets")
    if not isinstance(typ, str) and (typ is not None or "typ" in members):
        raise TokenError("malformed_token", "its typ is no string")
    token_type = None if typ is None else plain_token_type(typ)
    return UnverifiedHeader(members, algorithm, kid, token_type, (kid, algorithm))


def _check_algorithm(header: UnverifiedHeader) -> None:
    # RFC 7515, section 4.1.11: an extension that is not understood must be refused, and none is.
    if "crit" in header.members:
        raise TokenError(
            "unsupported_critical_header", "its header has crit; no extension is supported"
        )
    if header.members.get("b64", True) is not True:
        raise TokenError("unsupported_critical_header", "its header has b64 (RFC 7797, section 7)")
    if header.algorithm not in SUPPORTED_ALGORITHMS:
        raise TokenError(
            "algorithm_not_allowed", "its alg is no asymmetric algorithm that is supported"
        )


class TokenFacts(NamedTuple):
    """What was proved of one token; shared by all who hold it and never handed out."""

    raw: str
    header: dict[str, Any]
    payload: bytes
    provider: str
    key_id: str | None
    algorithm: str
    issuer: str | None
    subject: str | None
    audience: tuple[str, ...]
    scopes: frozenset[str]
    expires_at: float | None
    issued_at: float | None
    not_before: float | None
    key: Key | None  # that verified it; not pickled

    def __repr__(self) -> str:
        return "<TokenFacts>"


@final
class VerifiedToken:
    """A token whose signature and claims held. Immutable; its repr shows no token and no claims.

    Attributes:
        claims: all claims, as a plain dict of its own: changing it changes nothing for anyone else.
        header: the header, likewise.
        issuer: ``iss`` or None.
        subject: ``sub`` or None.
        audience: ``aud`` as a tuple.
        scopes: from ``scope``, ``scp``, ``scopes`` or the provider's own claim.
        expires_at: ``exp``, seconds since the epoch, or None.
        issued_at: ``iat``, likewise.
        key_id: the kid of the key that verified it, or None.
        algorithm: the ``alg`` that it was verified with.
        provider: the name of the provider that accepted it.
        raw: the token itself; not pickled.
    """

    __slots__ = ("_claims", "_facts", "_header")

    _facts: TokenFacts
    _claims: dict[str, Any]
    _header: dict[str, Any]

    def __init__(self, facts: TokenFacts, claims: dict[str, Any] | None = None) -> None:
        _set_facts(self, facts)
        if claims is not None:
            _set_claims(self, claims)

    @property
    def claims(self) -> dict[str, Any]:
        if not hasattr(self, "_claims"):  # read only where they are asked for
            _set_claims(self, read_again(self._facts.payload))
        return self._claims

    @property
    def header(self) -> dict[str, Any]:
        if not hasattr(self, "_header"):
            _set_header(self, copy.deepcopy(self._facts.header))
        return self._header

    @property
    def issuer(self) -> str | None:
        return self._facts.issuer

    @property
    def subject(self) -> str | None:
        return self._facts.subject

    @property
    def audience(self) -> tuple[str, ...]:
        return self._facts.audience

    @property
    def scopes(self) -> frozenset[str]:
        return self._facts.scopes

    @property
    def expires_at(self) -> float | None:
        return self._facts.expires_at

    @property
    def issued_at(self) -> float | None:
        return self._facts.issued_at

    @property
    def key_id(self) -> str | None:
        return self._facts.key_id

    @property
    def algorithm(self) -> str:
        return self._facts.algorithm

    @property
    def provider(self) -> str:
        return self._facts.provider

    @property
    def raw(self) -> str:
        return self._facts.raw

    def claims_as(self, kind: type[T]) -> T:
        """The claims as a dataclass, TypedDict, or msgspec or pydantic type.

        Arguments:
            kind: the type; members that it does not know are left out.

        Raises TokenError ``missing_claim`` or ``invalid_claim`` if the claims do not fit it.
        """
        from .typed_claims import convert

        return convert(read_again(self._facts.payload), kind)

    def require(self, *scopes: str, any_of: Collection[str] = ()) -> VerifiedToken:
        """Return this token if it has all ``scopes``, and one of ``any_of`` where that is given.

        Raises `InsufficientScopeError`.
        """
        if isinstance(any_of, str):
            any_of = (any_of,)
        if not self.scopes.issuperset(scopes):
            raise InsufficientScopeError(scopes)
        if any_of and self.scopes.isdisjoint(any_of):
            raise InsufficientScopeError(any_of)
        return self

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, VerifiedToken):
            return NotImplemented
        mine, theirs = self._facts, other._facts
        return (mine.provider, mine.header, mine.payload) == (
            theirs.provider,
            theirs.header,
            theirs.payload,
        )

    def __hash__(self) -> int:
        return hash((self._facts.provider, self._facts.payload))

    def __repr__(self) -> str:
        facts = self._facts
        return (
            f"<VerifiedToken provider={facts.provider!r} algorithm={facts.algorithm!r} "
            f"key_id={facts.key_id!r}>"
        )

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"VerifiedToken is immutable: {name} cannot be set")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"VerifiedToken is immutable: {name} cannot be deleted")

    def __copy__(self) -> VerifiedToken:
        return VerifiedToken(self._facts)

    def __deepcopy__(self, memo: dict[int, Any]) -> VerifiedToken:
        return VerifiedToken(self._facts)

    def __reduce__(self) -> tuple[Any, ...]:
        return _unpickle, (tuple(self._facts._replace(raw="", key=None)),)


# Past `__setattr__`, and without looking the names up: one is made for each verification.
_set_facts: Final[Any] = VerifiedToken.__dict__["_facts"].__set__
_set_claims: Final[Any] = VerifiedToken.__dict__["_claims"].__set__
_set_header: Final[Any] = VerifiedToken.__dict__["_header"].__set__
# A named tuple's own constructor takes twice as long, and some are made for each token.
new_tuple: Final[Any] = tuple.__new__


def _unpickle(facts: tuple[Any, ...]) -> VerifiedToken:
    return VerifiedToken(TokenFacts(*facts))


def signer(token: UnverifiedToken, keys: tuple[Key, ...]) -> Key | None:
    """The first of the keys that made the signature, or None.

    Whatever is raised over hostile bytes is a no.
    """
    algorithm = token.header.algorithm
    for key in keys:
        try:
            if key.verifiers[algorithm](token.signature, token.signing_input) is None:
                return key
        except Exception:  # noqa: BLE001, S112 (fail closed)
            continue
    return None
