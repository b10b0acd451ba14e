"""`VerifiedToken`: a token whose signature and claims were verified.

Must not depend on: providers, cached keys, time. No caller can change a token for another caller.
"""

from __future__ import annotations

import copy
from collections.abc import Collection
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol, TypeVar, final

from ...errors import InsufficientScopeError, JWKSError, TokenError
from ..encoding import read_again

if TYPE_CHECKING:
    from ..keysets.jwk import Key
    from .unverified import UnverifiedToken


T = TypeVar("T")
ErrorT = TypeVar("ErrorT", bound=JWKSError)


class TokenFacts(NamedTuple):
    """The verified facts of one token; shared between its copies and never handed out."""

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


class Watcher(Protocol):
    """Records the refusals of a token."""

    def note(self, error: JWKSError) -> object:
        """Record a refusal that is about to be raised."""


@final
class VerifiedToken:
    """A token with a valid signature and valid claims. Immutable; its repr shows no claims.

    Attributes:
        claims: all claims, as a plain dict that belongs to this token.
        header: the header, as a plain dict that belongs to this token.
        issuer: ``iss`` or None.
        subject: ``sub`` or None.
        audience: ``aud`` as a tuple.
        scopes: from ``scope``, ``scp``, ``scopes`` or the provider's own claim.
        expires_at: ``exp``, seconds since the epoch, or None.
        issued_at: ``iat``, seconds since the epoch, or None.
        key_id: the kid of the key that verified it, or None.
        algorithm: the ``alg`` of its signature.
        provider: the name of the provider that accepted it.
        raw: the token itself; not pickled.
    """

    __slots__ = ("_claims", "_facts", "_header", "_watch")

    _facts: TokenFacts
    _claims: dict[str, Any]
    _header: dict[str, Any]
    _watch: Watcher

    def __init__(self, facts: TokenFacts, claims: dict[str, Any] | None = None) -> None:
        _set_facts(self, facts)
        if claims is not None:
            _set_claims(self, claims)

    @property
    def claims(self) -> dict[str, Any]:
        if not hasattr(self, "_claims"):  # parsed on first use
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
        """Return the claims as a dataclass, TypedDict, or msgspec or pydantic type.

        Arguments:
            kind: the type; claims without a member in it are ignored.

        Raises TokenError ``missing_claim`` or ``invalid_claim`` if the claims do not fit it. In a
        handler of a protected app that is answered as ``insufficient_claims`` (403).
        """
        from .typed_claims import convert

        try:
            return convert(read_again(self._facts.payload), kind)
        except TokenError as error:
            error._misfit = True  # noqa: SLF001 (our own class)  # pyright: ignore[reportPrivateUsage]
            reported(self, error)
            raise

    def require(self, *scopes: str, any_of: Collection[str] = ()) -> VerifiedToken:
        """Return this token if it has all ``scopes``, and at least one of ``any_of``, if given.

        Raises `InsufficientScopeError`.
        """
        if isinstance(any_of, str):
            any_of = (any_of,)
        if not self.scopes.issuperset(scopes):
            raise reported(self, InsufficientScopeError(scopes))
        if any_of and self.scopes.isdisjoint(any_of):
            raise reported(self, InsufficientScopeError(any_of))
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


# Bypasses `__setattr__` without looking names up: hot path.
_set_facts: Final[Any] = VerifiedToken.__dict__["_facts"].__set__


_set_claims: Final[Any] = VerifiedToken.__dict__["_claims"].__set__


_set_header: Final[Any] = VerifiedToken.__dict__["_header"].__set__


#: ``watch(token, watcher)``: call ``watcher.note`` with each refusal before it is raised.
watch: Final[Any] = VerifiedToken.__dict__["_watch"].__set__


def reported(token: VerifiedToken, error: ErrorT) -> ErrorT:
    """Return a token's refusal, after it was passed to the watcher of the token."""
    found = getattr(token, "_watch", None)
    if found is not None:
        found.note(error)
    return error


def _unpickle(facts: tuple[Any, ...]) -> VerifiedToken:
    return VerifiedToken(TokenFacts(*facts))


def find_signing_key(token: UnverifiedToken, keys: tuple[Key, ...]) -> Key | None:
    """Return the first key that verifies the signature, or None.

    If hostile bytes cause an exception, the signature counts as invalid. An exception of a signal
    handler (a soft time limit of Celery) is not swallowed.
    """
    algorithm = token.header.algorithm
    for key in keys:
        try:
            if key.verifiers[algorithm](token.signature, token.signing_input) is None:
                return key
        except Exception as error:
            from ..keysets.algorithms import NOT_VALID  # late, because it imports cryptography

            if not isinstance(error, NOT_VALID):
                raise
    return None
