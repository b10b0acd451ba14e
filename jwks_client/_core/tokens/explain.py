"""Why a token was accepted or refused, for people: each key considered, each check's outcome.

It judges anew, by the same rules, against the facts as they are after the verification. It is for
logs and terminals of the application's own people, never for responses. Of a token without a valid
signature it shows header members and the checks that failed, but no claim. Its text is printable.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias, cast

from ...errors import JWKSError, KeysUnavailableError, TokenError
from ..encoding import printable
from ..keysets.cache import KeyCache, State
from ..keysets.jwk import MAX_CANDIDATES, Found, Key
from ..provider import IssuerTemplate
from .claims import Rules
from .unverified import UnverifiedToken
from .verified import find_signing_key

__all__ = ["CandidateExplained", "CheckExplained", "Explanation", "KeyExplained"]

_LONGEST: Final = 200
_OPAQUE: Final = (
    "it has no dots, so it is not a JWT but an opaque token: request a token for your API's "
    "audience, or ask the provider about it (introspection)"
)
_MILLISECONDS: Final = 100_000_000_000  # seconds of the year 5138
_CLAIMS: Final = {
    "issuer": ("iss",),
    "expiry": ("exp",),
    "other times": ("iat", "nbf"),
    "audience": ("aud",),
}
# The application's own checks that were asked, by name, and the error of the one that refused.
Asked: TypeAlias = Sequence[tuple[str, JWKSError | None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyExplained:
    """One entry of a key set. ``outcome`` says why it was dropped, or what trying it showed."""

    kid: str | None
    kty: str | None
    alg: str | None
    thumbprint: str | None
    outcome: str
    made_the_signature: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckExplained:
    """One check. ``code`` is None if it passed, else what ``verify`` would raise for it.

    ``expected`` and ``found`` are texts, or None where there is nothing to compare; ``found`` shows
    claims only of a token with a valid signature.
    """

    name: str
    code: str | None
    claim: str | None
    message: str
    expected: str | None = None
    found: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CandidateExplained:
    """One provider that the token might be of.

    Attributes:
        provider: its name.
        state: of its key set, after the verification.
        keys: every entry of its key set.
        checks: every check, in order; those after a failed one too. Of the application's own, those
            that were asked: after a failed one none is.
    """

    provider: str
    state: State
    keys: tuple[KeyExplained, ...]
    checks: tuple[CheckExplained, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """The verdict on a token, and everything that led to it. ``str()`` of it is for reading.

    Attributes:
        code: None if the token is accepted, else the code that ``verify`` raises.
        message: one sentence for people.
        provider: the name of the provider that accepted it, or None.
        candidates: the providers that were asked, in order.
        now: seconds since the epoch by which times were judged, or None if none were.
        kid, typ: header members of the token, escaped; None where absent or not read.
        hints: what commonly causes such a refusal.
    """

    code: str | None
    message: str
    provider: str | None
    candidates: tuple[CandidateExplained, ...]
    now: float | None = None
    kid: str | None = None
    typ: str | None = None
    hints: tuple[str, ...] = ()

    @property
    def accepted(self) -> bool:
        """Whether ``verify`` accepts the token."""
        return self.code is None

    @property
    def first_failed(self) -> CheckExplained | None:
        """The first check that failed, of the first candidate that failed one."""
        failed = (one for candidate in self.candidates for one in candidate.checks if one.code)
        return next(failed, None)

    def __str__(self) -> str:
        return "\n".join(map(_one_line, self._lines()))

    def _lines(self) -> Iterator[str]:
        yield f"{'accepted' if self.accepted else 'refused'}: {self.message}"
        yield from (f"hint: {hint}" for hint in self.hints)
        if self.now is not None:
            yield f"token: kid {self.kid!r}, typ {self.typ!r}; judged at {self.now:.0f}"
        for candidate in self.candidates:
            yield f"provider {candidate.provider!r}, its keys are {candidate.state}"
            for key in candidate.keys:
                yield f"  key {key.kid!r} ({key.kty}, alg {key.alg}): {key.outcome}"
            for check in candidate.checks:
                yield f"  {'ok    ' if check.code is None else 'FAILED'} {check.name}{_told(check)}"


def _one_line(text: str) -> str:
    """Return text in which an outsider's characters neither end a line nor control a terminal."""
    return "".join(
        one if one.isprintable() else one.encode("unicode_escape").decode("ascii") for one in text
    )


def _told(check: CheckExplained) -> str:
    compared = "".join(
        f"; {what} {text}"
        for what, text in (("expected", check.expected), ("found", check.found))
        if text is not None
    )
    if check.code is None:
        return compared
    about = f" [{check.claim}]" if check.claim else ""
    return f": {check.code}{about}, {check.message}{compared}"


def refused_at_sight(error: JWKSError, token: object = None) -> Explanation:
    """Return the explanation of a token that reached no provider."""
    dot = b"." if isinstance(token, bytes) else "."
    opaque = error.code == "malformed_token" and isinstance(token, (str, bytes))
    hints = (_OPAQUE,) if opaque and dot not in token else ()  # type: ignore[operator]
    return Explanation(
        code=error.code, message=error.message, provider=None, candidates=(), hints=hints
    )


def explain(
    token: UnverifiedToken,
    candidates: Iterable[tuple[Rules, KeyCache, Asked]],
    error: JWKSError | None,
    accepted_by: str | None,
    times: tuple[float, float],
) -> Explanation:
    """Explain a verdict.

    Arguments:
        token: as it was parsed.
        candidates: the providers that were asked, with the facts of their keys, and which of the
            application's own checks were asked.
        error: the verdict, or None if the token is accepted.
        accepted_by: the provider that accepted it.
        times: seconds since the epoch, and monotonic seconds.
    """
    asked = tuple(candidates)
    typ = token.header.members.get("typ")
    return Explanation(
        code=None if error is None else error.code,
        message="the signature and every claim hold" if error is None else error.message,
        provider=accepted_by if error is None else None,
        candidates=tuple(_candidate(token, candidate, error, times) for candidate in asked),
        now=times[0],
        kid=None if token.kid is None else printable(token.kid, _LONGEST),
        typ=None if typ is None else _shown(typ),
        hints=() if error is None else tuple(_hints(token, [rules for rules, _, _ in asked])),
    )


def _hints(token: UnverifiedToken, asked: Iterable[Rules]) -> Iterator[str]:
    """Yield common mistakes. They are derived from claims, but show none."""
    for name in ("exp", "iat", "nbf"):
        value = token.claims.get(name)
        if isinstance(value, (int, float)) and value > _MILLISECONDS:
            yield f"'{name}' looks like milliseconds; it must be seconds since 1970"
    issuer = token.claims.get("iss")
    for rules in asked:
        configured = rules.provider.issuer
        several = (configured,) if isinstance(configured, str) else configured
        if not isinstance(issuer, str) or not isinstance(several, tuple) or issuer in several:
            continue
        if issuer.rstrip("/") in {one.rstrip("/") for one in several}:
            yield "the token's issuer and the configured one differ in the slash at the end"


def _candidate(
    token: UnverifiedToken,
    candidate: tuple[Rules, KeyCache, Asked],
    error: JWKSError | None,
    times: tuple[float, float],
) -> CandidateExplained:
    rules, cache, asked = candidate
    wall, now = times
    keys, made_by = _keys(token, rules, cache)
    checks = [
        _check(name, run, *_compared(name, token, rules, wall, verified=made_by is not None))
        for name, run in rules.each_check(token, made_by, wall)
    ]
    # Where `verify` has it: after alg and typ, before the claims. A token that they condemn causes
    # no fetch, and of a signature that nobody had a key for there is nothing to tell.
    if cache.key_set is not None or isinstance(error, KeysUnavailableError):
        checks.insert(1, _signature(keys, made_by, cache, error))
    checks.extend(_own(name, refusal) for name, refusal in asked)
    return CandidateExplained(
        provider=rules.name, state=cache.state(now), keys=keys, checks=tuple(checks)
    )


def _check(
    name: str, run: Callable[[], object], expected: str | None, found: str | None
) -> CheckExplained:
    code, claim, message = None, None, ""
    try:
        run()
    except TokenError as error:
        code, claim, message = error.code, error.claim, error.message
    return CheckExplained(
        name=name, code=code, claim=claim, message=message, expected=expected, found=found
    )


def _compared(
    name: str, token: UnverifiedToken, rules: Rules, now: float, *, verified: bool
) -> tuple[str | None, str | None]:
    """Return what a check expects and what it finds, as text."""
    provider = rules.provider
    leeway = f"now {now:.0f}, leeway {provider.leeway:g}"
    issuer, types = provider.issuer, sorted(map(str, rules.types))
    expected: str | None
    match name:
        case "algorithm and token type":
            expected = f"alg {', '.join(sorted(rules.algorithms))}; typ {', '.join(types)}"
            return expected, f"alg {token.algorithm}; typ {_shown(token.header.members.get('typ'))}"
        case "issuer":
            expected = _shown(issuer.template if isinstance(issuer, IssuerTemplate) else issuer)
        case "expiry":
            expected = f"exp after {now - provider.leeway:.0f} ({leeway})"
        case "other times":
            age = "" if provider.max_age is None else f", max_age {provider.max_age:g}"
            expected = f"iat and nbf up to {now + provider.leeway:.0f} ({leeway}{age})"
        case "audience":
            expected = _shown(provider.audience)
        case "claim values":
            expected = _shown(dict(provider.claim_values)) if provider.claim_values else None
        case _:
            expected = None
    names = tuple(provider.claim_values) if name == "claim values" else _CLAIMS.get(name, ())
    if not verified or not names:
        return expected, None
    return expected, ", ".join(f"{one} {_shown(token.claims.get(one))}" for one in names)


def _shown(value: object) -> str:
    if isinstance(value, tuple):
        value = ", ".join(map(str, cast("tuple[object, ...]", value)))
    return printable(value if isinstance(value, str) else repr(value), _LONGEST)


def _signature(
    keys: Iterable[KeyExplained], made_by: Key | None, cache: KeyCache, error: JWKSError | None
) -> CheckExplained:
    code, message = None, ""
    if cache.key_set is None and error is not None:
        code, message = error.code, error.message
    elif made_by is None:
        code = "bad_signature" if _tried(keys) else "unknown_key"
        message = "no key of the provider made it"
    return CheckExplained(name="signature", code=code, claim=None, message=message)


def _own(name: str, refusal: JWKSError | None) -> CheckExplained:
    name = f"the application's {name}"
    if refusal is None:
        return CheckExplained(name=name, code=None, claim=None, message="")
    claim = refusal.claim if isinstance(refusal, TokenError) else None
    return CheckExplained(name=name, code=refusal.code, claim=claim, message=refusal.message)


def _tried(keys: Iterable[KeyExplained]) -> bool:
    return any(key.outcome.startswith("tried") for key in keys)


def _keys(
    token: UnverifiedToken, rules: Rules, cache: KeyCache
) -> tuple[tuple[KeyExplained, ...], Key | None]:
    if cache.key_set is None:
        return (), None
    selection = cache.key_set.select(token.kid, token.algorithm)
    found = selection.keys if isinstance(selection, Found) else ()
    made_by = find_signing_key(token, rules.likeliest_first(found, token.claims))
    told: list[KeyExplained] = []
    for key in cache.key_set:
        made = key is made_by
        told.append(
            KeyExplained(
                kid=key.kid,
                kty=key.kty,
                alg=key.alg,
                thumbprint=key.thumbprint,
                outcome=_outcome(token, key, tried=key in found, made=made),
                made_the_signature=made,
            )
        )
    told.extend(
        KeyExplained(
            kid=bad.kid,
            kty=bad.kty,
            alg=bad.alg,
            thumbprint=None,
            outcome=f"unusable: {bad.reason}",
        )
        for bad in cache.key_set.unusable
    )
    return tuple(told), made_by


def _outcome(token: UnverifiedToken, key: Key, *, tried: bool, made: bool) -> str:
    if made:
        return "tried: it made the signature"
    if tried:
        return "tried: it did not make the signature, or one before it did"
    if token.kid is not None and key.kid is None:
        return "dropped: it has no kid, and the token names one"
    if token.kid is not None and key.kid != token.kid:
        return "dropped: another kid"
    if token.algorithm not in key.algorithms:
        return "dropped: the token's alg does not fit it"
    return f"dropped: more than {MAX_CANDIDATES} keys fit, so none is tried"
