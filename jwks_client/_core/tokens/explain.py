"""Explain why a token was accepted or refused: each key considered, each check's outcome.

The checks run again, by the same rules, on the facts as they are after the verification. The result
is for logs and terminals of the people who run the application, never for responses. For a token
without a valid signature it shows header members and failed checks, but no claims. Its text is
printable.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias, cast, get_args

from ...errors import JWKSError, KeysUnavailableCode, KeysUnavailableError, TokenError
from ..encoding import one_line, printable
from ..keysets.cache import KeyCache, State
from ..keysets.jwk import MAX_CANDIDATES, Found, Key
from ..provider import IssuerTemplate
from .claims import Rules
from .unverified import UnverifiedToken
from .verified import find_signing_key

__all__ = ["CandidateExplained", "CheckExplained", "Explanation", "KeyExplained"]

_LONGEST: Final = 200
_OPAQUE: Final = (
    "the token has no dots, so it is not a JWT but an opaque token: request a token for your API's "
    "audience, or use the provider's introspection endpoint"
)
_MILLISECONDS: Final = 100_000_000_000  # seconds of the year 5138
_CLAIMS: Final = {
    "issuer": ("iss",),
    "expiry": ("exp",),
    "other times": ("iat", "nbf"),
    "audience": ("aud",),
}
# The application's own checks that ran, by name, each with its error or None.
Asked: TypeAlias = Sequence[tuple[str, JWKSError | None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyExplained:
    """One entry of a key set. ``outcome`` says why it was dropped, or how trying it ended."""

    kid: str | None
    kty: str | None
    alg: str | None
    thumbprint: str | None
    outcome: str
    made_the_signature: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckExplained:
    """One check. ``code`` is None if it passed, else what ``verify`` would raise for it.

    ``expected`` and ``found`` are texts, or None if there is nothing to compare; ``found`` shows
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
    """One provider that the token might belong to.

    Attributes:
        provider: its name.
        state: the state of its key set after the verification.
        keys: every entry of its key set.
        checks: every check in order, including those after a failed one. Custom checks are listed
            if they ran; after a failed check they do not run.
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
        now: the time that was used to check times, in seconds since the epoch, or None.
        kid, typ: header members of the token, escaped; None if absent or not read.
        hints: common causes of such a refusal.
        candidates: the providers that were tried, in order.
    """

    code: str | None
    message: str
    provider: str | None
    now: float | None = None
    kid: str | None = None
    typ: str | None = None
    hints: tuple[str, ...] = ()
    candidates: tuple[CandidateExplained, ...]

    @property
    def accepted(self) -> bool:
        """Return whether ``verify`` accepts the token."""
        return self.code is None

    @property
    def first_failed(self) -> CheckExplained | None:
        """Return the first check that failed, of the first candidate with a failed check."""
        failed = (one for candidate in self.candidates for one in candidate.checks if one.code)
        return next(failed, None)

    def __str__(self) -> str:
        return "\n".join(map(one_line, self._lines()))

    def _lines(self) -> Iterator[str]:
        undecided = self.code in get_args(KeysUnavailableCode)
        verdict = "accepted" if self.accepted else "undecided" if undecided else "refused"
        yield f"{verdict}: {self.message}"
        yield from (f"hint: {hint}" for hint in self.hints)
        if self.now is not None:
            yield f"token: kid {self.kid!r}, typ {self.typ!r}; checked at {self.now:.0f}"
        for candidate in self.candidates:
            yield f"provider {candidate.provider!r}: its keys are {candidate.state}"
            for key in candidate.keys:
                yield f"  key {key.kid!r} ({key.kty}, alg {key.alg}): {key.outcome}"
            for check in candidate.checks:
                mark = "ok    " if check.code is None else "FAILED"
                yield f"  {mark} {check.name}{_details(check)}"


def _details(check: CheckExplained) -> str:
    compared = "".join(
        f"; {what} {text}"
        for what, text in (("expected", check.expected), ("found", check.found))
        if text is not None
    )
    if check.code is None:
        return compared
    return f": {check.code}, {check.message}{compared}"


def refused_before_routing(error: JWKSError, token: object) -> Explanation:
    """Return the explanation of a token that reached no provider."""
    dot = b"." if isinstance(token, bytes) else "."
    opaque = error.code == "malformed_token" and isinstance(token, (str, bytes))
    hints = (_OPAQUE,) if opaque and dot not in token else ()  # type: ignore[operator]
    return Explanation(
        code=error.code, message=error.message, provider=None, candidates=(), hints=hints
    )


def explain(
    token: UnverifiedToken,
    candidates: Sequence[tuple[Rules, KeyCache, Asked]],
    error: JWKSError | None,
    accepted_by: str | None,
    times: tuple[float, float],
) -> Explanation:
    """Explain a verdict.

    Arguments:
        token: the parsed token.
        candidates: the providers that were tried, with the facts of their keys, and which of the
            custom checks ran.
        error: the verdict, or None if the token is accepted.
        accepted_by: the provider that accepted it, or None.
        times: seconds since the epoch, and monotonic seconds.
    """
    typ = token.header.members.get("typ")
    return Explanation(
        code=None if error is None else error.code,
        message="the signature and all claims are valid" if error is None else error.message,
        provider=accepted_by,
        candidates=tuple(_candidate(token, candidate, error, times) for candidate in candidates),
        now=times[0],
        kid=None if token.kid is None else printable(token.kid, _LONGEST),
        typ=None if typ is None else _escaped(typ),
        hints=() if error is None else tuple(_hints(token, [rules for rules, _, _ in candidates])),
    )


def _hints(token: UnverifiedToken, asked: Iterable[Rules]) -> Iterator[str]:
    """Yield hints at common mistakes. They are derived from claims, but quote none."""
    for name in ("exp", "iat", "nbf"):
        value = token.claims.get(name)
        if isinstance(value, (int, float)) and value > _MILLISECONDS:
            yield f"'{name}' looks like milliseconds; it must be in seconds since 1970"
    issuer = token.claims.get("iss")
    for rules in asked:
        configured = rules.provider.issuer
        several = (configured,) if isinstance(configured, str) else configured
        if not isinstance(issuer, str) or not isinstance(several, tuple) or issuer in several:
            continue
        if issuer.rstrip("/") in {one.rstrip("/") for one in several}:
            yield "the token's issuer and the configured one differ in the trailing slash"


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
    # `verify` checks the signature after alg and typ, before the claims. If alg or typ was refused
    # before a key was fetched, the signature was not checked.
    if cache.key_set is not None or isinstance(error, KeysUnavailableError):
        checks.insert(1, _signature(keys, made_by, cache, error))
    checks.extend(_custom_check(name, refusal) for name, refusal in asked)
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
    """Return what a check expects and what it found, as text."""
    provider = rules.provider
    leeway = f"now {now:.0f}, leeway {provider.leeway:g}"
    issuer, types = provider.issuer, sorted(map(str, rules.types))
    expected: str | None
    match name:
        case "algorithm and token type":
            expected = f"alg {', '.join(sorted(rules.algorithms))}; typ {', '.join(types)}"
            expected_typ = _escaped(token.header.members.get("typ"))
            return expected, f"alg {token.algorithm}; typ {expected_typ}"
        case "issuer":
            expected = _escaped(issuer.template if isinstance(issuer, IssuerTemplate) else issuer)
        case "expiry":
            expected = f"exp after {now - provider.leeway:.0f} ({leeway})"
        case "other times":
            age = "" if provider.max_age is None else f", max_age {provider.max_age:g}"
            expected = f"iat and nbf up to {now + provider.leeway:.0f} ({leeway}{age})"
        case "audience":
            expected = _escaped(provider.audience)
        case "claim values":
            expected = _escaped(dict(provider.claim_values)) if provider.claim_values else None
        case _:
            expected = None
    names = tuple(provider.claim_values) if name == "claim values" else _CLAIMS.get(name, ())
    if not verified or not names:
        return expected, None
    return expected, ", ".join(f"{one} {_escaped(token.claims.get(one))}" for one in names)


def _escaped(value: object) -> str:
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
        message = "no key verifies the signature"
    return CheckExplained(name="signature", code=code, claim=None, message=message)


def _custom_check(name: str, refusal: JWKSError | None) -> CheckExplained:
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
    explained: list[KeyExplained] = []
    for key in cache.key_set:
        made = key is made_by
        explained.append(
            KeyExplained(
                kid=key.kid,
                kty=key.kty,
                alg=key.alg,
                thumbprint=key.thumbprint,
                outcome=_outcome(token, key, tried=key in found, made=made),
                made_the_signature=made,
            )
        )
    explained.extend(
        KeyExplained(
            kid=bad.kid,
            kty=bad.kty,
            alg=bad.alg,
            thumbprint=None,
            outcome=f"unusable: {bad.reason}",
        )
        for bad in cache.key_set.unusable
    )
    return tuple(explained), made_by


def _outcome(token: UnverifiedToken, key: Key, *, tried: bool, made: bool) -> str:
    if made:
        return "tried: it verifies the signature"
    if tried:
        return "tried: it does not verify the signature, or an earlier key does"
    if token.kid is not None and key.kid is None:
        return "dropped: it has no kid, and the token names one"
    if token.kid is not None and key.kid != token.kid:
        return "dropped: another kid"
    if token.algorithm not in key.algorithms:
        return "dropped: the token's alg does not fit the key"
    return f"dropped: more than {MAX_CANDIDATES} keys fit, so none is tried"
