"""What must hold of a token's header and claims: one provider's rules, and their verdict.

Owns: the checks of DESIGN's verdict (RFC 7519, section 4.1; RFC 8725; RFC 9068, section 4) in their
order. May not know: keys, caches, clocks. Called before a signature held, it only decides that
nothing need be fetched (`Rules.condemn`); called after, it decides.

Messages name the claim and what the application expects of it, never the value a token brought.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, TypeAlias, cast

from ..errors import TokenError
from .jwk import Key
from .provider import IssuerTemplate, Provider, any_of
from .token import TokenFacts, UnverifiedToken

LATEST: Final = 253402300799  # 9999-12-31T23:59:59Z, the last second that calendars know
_ABSENT: Final = object()

Wanted: TypeAlias = tuple[tuple[str, tuple[object, ...]], ...]


class Rules:
    """One provider's rules, laid out once for quick checks. Immutable by convention."""

    __slots__ = (
        "_audiences",
        "_forbidden",
        "_issuers",
        "_leeway",
        "_max_age",
        "_refuse_bound",
        "_require_expiry",
        "_required",
        "_scope_claim",
        "_template",
        "_types",
        "_wanted",
        "algorithms",
        "asks_the_application",
        "checks",
        "name",
        "provider",
    )

    def __init__(self, provider: Provider) -> None:
        issuer = provider.issuer
        self.provider = provider
        self.name = provider.name
        self.algorithms = frozenset(provider.algorithms)
        self.checks = tuple(provider.checks)
        self._template: IssuerTemplate | None = None
        self._issuers: frozenset[str] | None = None
        if isinstance(issuer, IssuerTemplate):
            self._template = issuer
        elif issuer is not None:
            self._issuers = _several(issuer)
        self._audiences = None if provider.audience is None else _several(provider.audience)
        self._types = frozenset(provider.token_types)
        self._required = tuple(provider.required_claims)
        self._forbidden = tuple(provider.forbidden_claims)
        self._wanted = wanted(provider.claim_values)
        self._leeway = provider.leeway
        self._max_age = provider.max_age
        self._require_expiry = provider.require_expiry
        self._refuse_bound = provider.bound_tokens == "refuse"
        self._scope_claim = provider.scope_claim
        # Whether code of the application takes part in the verdict, and may change its mind.
        self.asks_the_application = bool(self.checks) or (
            self._template is not None and callable(self._template.allowed)
        )

    @property
    def checks_issuer(self) -> bool:
        """False where the application knowingly does not check the issuer."""
        return self._issuers is not None or self._template is not None

    def names(self, issuer: str) -> bool:
        """Whether this provider names an issuer, by its unverified text."""
        if self._template is not None:
            value = self._template.value_in(issuer)
            return value is not None and self._template.allows(value)
        return self._issuers is not None and issuer in self._issuers

    def admit(self, token: UnverifiedToken) -> None:
        """Judge ``alg`` and ``typ``, before any key is looked for (RFC 8725, 3.1 and 3.11).

        Raises TokenError ``algorithm_not_allowed`` or ``wrong_token_type``.
        """
        if token.algorithm not in self.algorithms:
            raise TokenError(
                "algorithm_not_allowed",
                "its alg is not among the provider's algorithms",
                expected=self.provider.algorithms,
            )
        if token.token_type not in self._types:
            raise TokenError(
                "wrong_token_type",
                "its typ is not among the provider's token types",
                expected=self.provider.token_types,
            )

    def condemn(self, token: UnverifiedToken, now: float) -> None:
        """Judge what makes a fetch pointless: issuer and expiry. Raises as `judge` does."""
        self._check_issuer(token.claims, None)
        self._check_expiry(token.claims, now)

    def judge(self, token: UnverifiedToken, key: Key, now: float, more: Wanted = ()) -> TokenFacts:
        """Judge all claims of a token whose signature held.

        Arguments:
            token: the token.
            key: the key that verified it.
            now: seconds since the epoch.
            more: claim values asked for by this call.

        Returns the facts; raises TokenError.
        """
        claims = token.claims
        issuer = self._check_issuer(claims, key)
        expires_at = self._check_expiry(claims, now)
        issued_at, not_before = self._check_times(claims, expires_at, now)
        audience = self._check_audience(claims)
        subject = self._check_string(claims, "sub")
        self._check_string(claims, "jti")
        self._check_binding(claims)
        self._check_presence(claims)
        if self._wanted or more:
            _check_values(claims, self._wanted + more)
        return TokenFacts(
            raw=token.raw,
            header=token.header,
            payload=token.payload,
            provider=self.name,
            key_id=key.kid,
            algorithm=token.algorithm,
            issuer=issuer,
            subject=subject,
            audience=audience,
            scopes=self._scopes(claims),
            expires_at=expires_at,
            issued_at=issued_at,
            not_before=not_before,
        )

    def each_check(
        self, token: UnverifiedToken, key: Key | None, now: float
    ) -> Iterator[tuple[str, Callable[[], object]]]:
        """The checks of `admit` and `judge` one by one, in their order, for an explanation."""
        claims = token.claims
        expires_at = claims.get("exp") if _is_time(claims.get("exp")) else None
        yield "algorithm and token type", lambda: self.admit(token)
        yield "issuer", lambda: self._check_issuer(claims, key)
        yield "expiry", lambda: self._check_expiry(claims, now)
        yield "other times", lambda: self._check_times(claims, expires_at, now)
        yield "audience", lambda: self._check_audience(claims)
        yield (
            "subject and token ID",
            lambda: [self._check_string(claims, name) for name in ("sub", "jti")],
        )
        yield "key binding", lambda: self._check_binding(claims)
        yield "required and forbidden claims", lambda: self._check_presence(claims)
        yield "claim values", lambda: _check_values(claims, self._wanted)
        yield "scopes", lambda: self._scopes(claims)

    def lasting(self, facts: TokenFacts) -> tuple[float, float]:
        """From when until when (seconds since the epoch) the verdict stays the same."""
        issued_at = 0.0 if facts.issued_at is None else facts.issued_at
        earliest = max(facts.not_before or 0.0, issued_at) - self._leeway
        latest = (LATEST if facts.expires_at is None else facts.expires_at) + self._leeway
        if self._max_age is not None:
            latest = min(latest, issued_at + self._max_age + self._leeway)
        return earliest, latest

    def _check_issuer(self, claims: dict[str, Any], key: Key | None) -> str | None:
        issuer = claims.get("iss", _ABSENT)
        if issuer is _ABSENT or issuer is None:
            if self.checks_issuer:
                raise TokenError(
                    "missing_claim", "it has no issuer", claim="iss", expected=self._expected_issuer
                )
            if issuer is _ABSENT:
                return None
            if "iss" in self._required:
                raise TokenError("missing_claim", "it lacks a required claim", claim="iss")
        if not isinstance(issuer, str):
            raise TokenError("invalid_claim", "its issuer is no string", claim="iss")
        if self._issuers is not None and issuer not in self._issuers:
            raise TokenError(
                "wrong_issuer",
                "it is of another issuer",
                claim="iss",
                expected=self._expected_issuer,
            )
        if self._template is not None:
            self._check_template(self._template, issuer, claims, key)
        return issuer

    def _check_template(
        self, template: IssuerTemplate, issuer: str, claims: dict[str, Any], key: Key | None
    ) -> None:
        value = template.value_in(issuer)
        if value is None or claims.get(template.claim) != value or not template.allows(value):
            raise TokenError(
                "wrong_issuer", "it is of another issuer", claim="iss", expected=template.template
            )
        if key is not None and key.issuer is not None and _filled(key.issuer, value) != issuer:
            raise TokenError("wrong_issuer", "its key is another issuer's", claim="iss")

    @property
    def _expected_issuer(self) -> object:
        issuer = self.provider.issuer
        return issuer.template if isinstance(issuer, IssuerTemplate) else issuer

    def _check_expiry(self, claims: dict[str, Any], now: float) -> float | None:
        expires_at = _time(claims, "exp", required=self._require_expiry or "exp" in self._required)
        if expires_at is not None and now >= expires_at + self._leeway:
            raise TokenError("token_expired", "it has expired", claim="exp")
        return expires_at

    def _check_times(
        self, claims: dict[str, Any], expires_at: float | None, now: float
    ) -> tuple[float | None, float | None]:
        issued_at = _time(
            claims, "iat", required=self._max_age is not None or "iat" in self._required
        )
        if issued_at is not None and expires_at is not None and issued_at > expires_at:
            raise TokenError("invalid_claim", "it was issued after it expired", claim="iat")
        not_before = _time(claims, "nbf", required="nbf" in self._required)
        if not_before is not None and not_before > now + self._leeway:
            raise TokenError("token_not_yet_valid", "it is not valid yet", claim="nbf")
        if issued_at is not None:
            if issued_at > now + self._leeway:
                raise TokenError(
                    "token_issued_in_future", "it was issued in the future", claim="iat"
                )
            if self._max_age is not None and now >= issued_at + self._max_age + self._leeway:
                raise TokenError(
                    "token_too_old", "it is too old (max_age)", claim="iat", expected=self._max_age
                )
        return issued_at, not_before

    def _check_audience(self, claims: dict[str, Any]) -> tuple[str, ...]:
        audience = claims.get("aud", _ABSENT)
        expected = self._audiences
        if audience is _ABSENT and expected is None:
            return ()
        wanted_here = expected is not None or "aud" in self._required
        if audience is _ABSENT or (audience is None and wanted_here):
            raise TokenError(
                "missing_claim", "it has no audience", claim="aud", expected=self.provider.audience
            )
        several = _strings(audience)
        if several is None:
            raise TokenError(
                "invalid_claim", "its audience is neither string nor list of strings", claim="aud"
            )
        if expected is not None and expected.isdisjoint(several):
            raise TokenError(
                "wrong_audience",
                "it is for another audience",
                claim="aud",
                expected=self.provider.audience,
            )
        return several

    def _check_string(self, claims: dict[str, Any], name: str) -> str | None:
        value = claims.get(name, _ABSENT)
        if value is _ABSENT:
            return None
        if value is None and name in self._required:
            raise TokenError("missing_claim", "it lacks a required claim", claim=name)
        if not isinstance(value, str):
            raise TokenError("invalid_claim", "it must be a string", claim=name)
        return value

    def _check_binding(self, claims: dict[str, Any]) -> None:
        # RFC 9449, section 7.2; RFC 8705, section 3: whoever stole a bound token must not use it
        # here.
        if self._refuse_bound and "cnf" in claims:
            raise TokenError(
                "invalid_claim",
                "it is bound to a key, and nobody here checks the binding",
                claim="cnf",
            )

    def _check_presence(self, claims: dict[str, Any]) -> None:
        for name in self._required:
            if claims.get(name) is None:
                raise TokenError("missing_claim", "it lacks a required claim", claim=name)
        for name in self._forbidden:
            if name in claims:
                raise TokenError(
                    "forbidden_claim", "it has a claim that must not be there", claim=name
                )

    def _scopes(self, claims: dict[str, Any]) -> frozenset[str]:
        found: set[str] = set()
        for name in (
            ("scope", "scp", "scopes") if self._scope_claim is None else (self._scope_claim,)
        ):
            value = claims.get(name)
            if value is None:
                continue
            several = _strings(value)
            if several is None:
                if (
                    name == "scope"
                ):  # RFC 8693, section 4.2 gives it one type; the others are vendors' own
                    raise TokenError(
                        "invalid_claim",
                        "its scope is neither string nor list of strings",
                        claim=name,
                    )
                continue
            found.update(value.split(" ") if isinstance(value, str) else several)
        found.discard("")
        return frozenset(found)


def wanted(values: Mapping[str, Any]) -> Wanted:
    """Claim values as they are checked: a name, and the values of which one must be there."""
    return tuple((name, any_of(value)) for name, value in values.items())


def _several(value: str | tuple[str, ...]) -> frozenset[str]:
    return frozenset((value,) if isinstance(value, str) else value)


def _time(claims: dict[str, Any], name: str, *, required: bool) -> float | None:
    value = claims.get(name, _ABSENT)
    if value is _ABSENT or (value is None and required):
        if required:
            raise TokenError("missing_claim", "it lacks a required time", claim=name)
        return None
    if not _is_time(value):
        raise TokenError("invalid_claim", "its time is no number of seconds since 1970", claim=name)
    return value  # type: ignore[no-any-return]


def _is_time(value: Any) -> bool:
    # Not isinstance: a bool is an int.
    return type(value) in (int, float) and 0 <= value <= LATEST


def _strings(value: object) -> tuple[str, ...] | None:
    if isinstance(value, str):
        return (value,)
    if isinstance(value, list):
        several = tuple(cast("list[object]", value))
        if all(isinstance(one, str) for one in several):
            return cast("tuple[str, ...]", several)
    return None


def _check_values(claims: dict[str, Any], values: Wanted) -> None:
    for name, accepted in values:
        value = claims.get(name, _ABSENT)
        if value is _ABSENT:
            raise TokenError("missing_claim", "it lacks a required claim", claim=name)
        if not any(same_json(value, one) for one in accepted):
            expected = accepted[0] if len(accepted) == 1 else accepted
            raise TokenError(
                "invalid_claim", "its value is not the one expected", claim=name, expected=expected
            )


def same_json(one: object, other: object) -> bool:
    """Whether two JSON values are equal; true is not 1, and an object's order does not matter."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, dict) and isinstance(other, dict):
        mine, theirs = cast("dict[str, object]", one), cast("dict[str, object]", other)
        return mine.keys() == theirs.keys() and all(same_json(mine[n], theirs[n]) for n in mine)
    if isinstance(one, list) and isinstance(other, list):
        left, right = cast("list[object]", one), cast("list[object]", other)
        return len(left) == len(right) and all(map(same_json, left, right))
    return one == other


def _filled(template: str, value: str) -> str:
    """A key's own issuer with the tenant in place of its one ``{…}``, whatever that is called."""
    before, brace, rest = template.partition("{")
    _, closing, after = rest.partition("}")
    return before + value + after if brace and closing else template
