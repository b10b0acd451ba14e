"""Why a token was accepted or refused, for people: each key considered, each check's outcome.

Owns: the explanation as a value and as text. May not know: how the verification was carried out; it
judges anew, by the same rules, against the facts as they are afterwards. It is for logs and
terminals of the application's own people, never for responses. Of a token whose signature did not
hold it shows no claim, only which check it failed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from ...errors import JWKSError, KeysUnavailableError, TokenError
from ..keysets.cache import KeyCache, State
from ..keysets.jwk import MAX_CANDIDATES, Found, Key
from .claims import Rules
from .unverified import UnverifiedToken
from .verified import find_signing_key

__all__ = ["CandidateExplained", "CheckExplained", "Explanation", "KeyExplained"]

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
    """One check. ``code`` is None if it passed, else what ``verify`` would raise for it."""

    name: str
    code: str | None
    claim: str | None
    message: str


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
    """

    code: str | None
    message: str
    provider: str | None
    candidates: tuple[CandidateExplained, ...]

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
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        yield f"{'accepted' if self.accepted else 'refused'}: {self.message}"
        for candidate in self.candidates:
            yield f"provider {candidate.provider!r}, its keys are {candidate.state}"
            for key in candidate.keys:
                yield f"  key {key.kid!r} ({key.kty}, alg {key.alg}): {key.outcome}"
            for check in candidate.checks:
                yield f"  {'ok    ' if check.code is None else 'FAILED'} {check.name}{_told(check)}"


def _told(check: CheckExplained) -> str:
    if check.code is None:
        return ""
    about = f" [{check.claim}]" if check.claim else ""
    return f": {check.code}{about}, {check.message}"


def refused_at_sight(error: JWKSError) -> Explanation:
    """The explanation of a token that reached no provider."""
    return Explanation(code=error.code, message=error.message, provider=None, candidates=())


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
    told = tuple(_candidate(token, candidate, error, times) for candidate in candidates)
    if error is None:
        message = "the signature and every claim hold"
        return Explanation(code=None, message=message, provider=accepted_by, candidates=told)
    return Explanation(code=error.code, message=error.message, provider=None, candidates=told)


def _candidate(
    token: UnverifiedToken,
    candidate: tuple[Rules, KeyCache, Asked],
    error: JWKSError | None,
    times: tuple[float, float],
) -> CandidateExplained:
    rules, cache, asked = candidate
    wall, now = times
    keys, made_by = _keys(token, rules, cache)
    checks = [_check(name, run) for name, run in rules.each_check(token, made_by, wall)]
    # Where `verify` has it: after alg and typ, before the claims. A token that they condemn causes
    # no fetch, and of a signature that nobody had a key for there is nothing to tell.
    if cache.key_set is not None or isinstance(error, KeysUnavailableError):
        checks.insert(1, _signature(keys, made_by, cache, error))
    checks.extend(_own(name, refusal) for name, refusal in asked)
    return CandidateExplained(
        provider=rules.name, state=cache.state(now), keys=keys, checks=tuple(checks)
    )


def _check(name: str, run: Callable[[], object]) -> CheckExplained:
    try:
        run()
    except TokenError as error:
        return CheckExplained(name=name, code=error.code, claim=error.claim, message=error.message)
    return CheckExplained(name=name, code=None, claim=None, message="")


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
