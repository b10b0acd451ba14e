"""Check the header and claims of a token by one provider's rules.

The order is fixed; see RFC 7519, section 4.1; RFC 8725; RFC 9068, section 4. Must not depend on:
keys, caches, clocks. Before the signature is verified, a failed check only saves a fetch
(`precheck`). Messages name the claim and what the application expects, never the token's value.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from ...errors import TokenError
from ..keysets.jwk import Key
from ..provider import IssuerTemplate, Provider
from ..unchecked import UNCHECKED
from .claim_values import (
    ABSENT,
    LATEST,
    Wanted,
    check_values,
    is_time,
    strings_of,
    time_of,
    wanted,
    words_of,
)
from .scopes import own_scopes, scopes_in
from .unverified import UnverifiedToken, new_tuple
from .verified import TokenFacts


class Rules:
    """One provider's rules, prepared for fast checks. Immutable by convention."""

    __slots__ = (
        "_audiences",
        "_checks_audience",
        "_forbidden",
        "_issuers",
        "_leeway",
        "_max_age",
        "_refuse_bound",
        "_require_expiry",
        "_required",
        "_scope_claim",
        "_template",
        "_usual_scopes",
        "_wanted",
        "algorithms",
        "asks_the_application",
        "checks",
        "checks_issuer",
        "name",
        "provider",
        "types",
    )

    def __init__(self, provider: Provider) -> None:
        issuer = provider.issuer
        self.provider = provider
        self.name = provider.name
        self.algorithms = frozenset(provider.algorithms)
        self.checks = tuple(provider.checks)
        self._template: IssuerTemplate | None = None
        #: False if the application explicitly does not check the issuer.
        self.checks_issuer = issuer is not UNCHECKED
        self._checks_audience = provider.audience is not UNCHECKED
        # Maps each string to one shared object, so that remembered tokens hold no copies.
        self._issuers: dict[str, str] = {}
        if isinstance(issuer, IssuerTemplate):
            self._template = issuer
        elif issuer is not UNCHECKED:
            self._issuers = {one: one for one in _several(issuer)}
        self._audiences: dict[str, tuple[str, ...]] = {}
        if provider.audience is not UNCHECKED:
            self._audiences = {one: (one,) for one in _several(provider.audience)}
        self.types = frozenset(provider.token_types)
        self._required = tuple(provider.required_claims)
        self._forbidden = tuple(provider.forbidden_claims)
        self._wanted = wanted(provider.claim_values)
        self._leeway = provider.leeway
        self._max_age = provider.max_age
        self._require_expiry = provider.require_expiry
        self._refuse_bound = provider.bound_tokens == "refuse"
        own = provider.scope_claim
        # Without a scope claim of the provider's own, the usual claims are combined.
        self._usual_scopes = ("scope", "scp", "scopes") if own is None else ()
        self._scope_claim = own
        # Whether a callable of the application is part of the verdict, which may then change.
        self.asks_the_application = bool(self.checks) or (
            self._template is not None and callable(self._template.allowed)
        )

    def names(self, issuer: str) -> bool:
        """Return whether this provider accepts the unverified ``iss``."""
        if self._template is not None:
            value = self._template.value_in(issuer)
            return value is not None and self._template.allows(value)
        return issuer in self._issuers

    def likeliest_first(self, keys: tuple[Key, ...], claims: dict[str, Any]) -> tuple[Key, ...]:
        """Return keys in the order to try them: keys that name another issuer come last.

        A template's key set may contain one key several times, for several issuers.
        """
        issuer = claims.get("iss")
        if self._template is None or not isinstance(issuer, str):
            return keys
        value = self._template.value_in(issuer)
        if value is None:
            return keys
        return tuple(sorted(keys, key=lambda key: not key.may_be_of(issuer, value)))

    def check_header(self, token: UnverifiedToken) -> None:
        """Check ``alg`` and ``typ``, before any key is looked up (RFC 8725, 3.1 and 3.11).

        Raises TokenError ``algorithm_not_allowed`` or ``wrong_token_type``.
        """
        if token.algorithm not in self.algorithms:
            raise TokenError(
                "algorithm_not_allowed",
                "'alg' is not among the provider's algorithms",
                expected=self.provider.algorithms,
            )
        if token.token_type not in self.types:
            raise TokenError(
                "wrong_token_type",
                "'typ' is not among the provider's token types",
                expected=self.provider.token_types,
            )

    def precheck(self, token: UnverifiedToken, now: float) -> None:
        """Check issuer and expiry: a token that fails needs no fetch. Raises as `check_claims`."""
        self._check_issuer(token.claims, None)
        self._check_expiry(token.claims, now)

    def check_claims(
        self, token: UnverifiedToken, key: Key, now: float, more: Wanted = ()
    ) -> TokenFacts:
        """Check all claims of a token with a valid signature, and return the facts.

        The common values pass a fast check. If that does not suffice, the single checks decide
        (`each_check` lists them in order) and report what is wrong. ``more`` are the claim values
        that this call requires. Raises TokenError.
        """
        # Hot path: unpacking is faster than reading a named tuple's fields.
        raw, header, claims, payload, _, _, _ = token
        soon = now + self._leeway
        issuer = subject = expires_at = issued_at = not_before = None
        audience: tuple[str, ...] | None = None
        try:
            issuer = self._issuers[claims["iss"]]
            aud = claims["aud"] if "aud" in claims else ABSENT  # noqa: SIM401 (`get` is slower)
            if type(aud) is str and aud in self._audiences:
                audience = self._audiences[aud]
            else:
                audience = self._accepted_audience(aud)
            subject, expires_at, issued_at = claims["sub"], claims["exp"], claims["iat"]
            is_plain = (
                audience is not None
                and type(subject) is str
                and type(expires_at) is int
                and type(issued_at) is int
                and now < expires_at + self._leeway
                and 0 <= issued_at <= expires_at <= LATEST
                and issued_at <= soon
                and ("jti" not in claims or type(claims["jti"]) is str)
                and (
                    "nbf" not in claims
                    or (type(not_before := claims["nbf"]) is int and 0 <= not_before <= soon)
                )
                and "cnf" not in claims
                and self._max_age is None
            )
        except (KeyError, TypeError):  # missing, or not hashable
            is_plain = False
        if not is_plain:
            issuer, expires_at, issued_at, not_before, audience, subject = self._one_by_one(
                claims, key, now
            )
        if self._required or self._forbidden:
            self._check_presence(claims)
        if self._wanted or more:
            check_values(claims, self._wanted + more)
        scopes: frozenset[str] = frozenset()
        for name in self._usual_scopes:
            if name in claims:
                value = claims[name]
                words = words_of(value) if type(value) is str else scopes_in(name, value)
                scopes = scopes | words if scopes else words
        if self._scope_claim is not None:
            scopes = own_scopes(self._scope_claim, claims)
        return new_tuple(TokenFacts, (  # type: ignore[no-any-return]
            raw, header.members, payload, self.name, key.kid, header.algorithm, issuer, subject,
            audience, scopes, expires_at, issued_at, not_before, key,
        ))  # fmt: skip

    def _one_by_one(
        self, claims: dict[str, Any], key: Key, now: float
    ) -> tuple[str | None, float | None, float | None, float | None, tuple[str, ...], str | None]:
        """Check and return issuer, ``exp``, ``iat``, ``nbf``, audience and subject."""
        issuer = self._check_issuer(claims, key)
        expires_at = self._check_expiry(claims, now)
        issued_at, not_before = self._check_times(claims, expires_at, now)
        audience = self._check_audience(claims)
        subject = self._check_string(claims, "sub")
        self._check_string(claims, "jti")
        self._check_binding(claims)
        return issuer, expires_at, issued_at, not_before, audience, subject

    def each_check(
        self, token: UnverifiedToken, key: Key | None, now: float
    ) -> Iterator[tuple[str, Callable[[], object]]]:
        """Yield the checks of `check_header` and `check_claims` in their order, to explain them."""
        claims = token.claims
        expires_at = claims.get("exp") if is_time(claims.get("exp")) else None
        yield "algorithm and token type", lambda: self.check_header(token)
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
        yield "claim values", lambda: check_values(claims, self._wanted)
        own = self._scope_claim
        if own is None:
            usual = [name for name in self._usual_scopes if name in claims]
            yield "scopes", lambda: [scopes_in(name, claims[name]) for name in usual]
        elif key is not None or not callable(own):  # a callable only sees verified claims
            yield "scopes", lambda: own_scopes(own, claims)

    def lasting(self, facts: TokenFacts) -> tuple[float, float]:
        """Return the period (seconds since the epoch) in which the verdict stays the same."""
        earliest = facts.issued_at or 0
        if facts.not_before is not None and facts.not_before > earliest:
            earliest = facts.not_before
        latest = LATEST if facts.expires_at is None else facts.expires_at
        if self._max_age is not None and facts.issued_at is not None:
            latest = min(latest, facts.issued_at + self._max_age)
        return earliest - self._leeway, latest + self._leeway

    def _check_issuer(self, claims: dict[str, Any], key: Key | None) -> str | None:
        issuer = claims.get("iss", ABSENT)
        if issuer is ABSENT or issuer is None:
            if self.checks_issuer:
                raise TokenError(
                    "missing_claim", "'iss' is missing", claim="iss", expected=self._expected_issuer
                )
            if issuer is ABSENT:
                return None
            if "iss" in self._required:
                raise TokenError("missing_claim", "'iss' is missing", claim="iss")
        if not isinstance(issuer, str):
            raise TokenError("invalid_claim", "'iss' is not a string", claim="iss")
        if self._template is not None:
            self._check_template(self._template, issuer, claims, key)
        elif self.checks_issuer and issuer not in self._issuers:
            raise TokenError(
                "wrong_issuer",
                "'iss' does not match",
                claim="iss",
                expected=self._expected_issuer,
            )
        return issuer

    def _check_template(
        self, template: IssuerTemplate, issuer: str, claims: dict[str, Any], key: Key | None
    ) -> None:
        value = template.value_in(issuer)
        if value is None or claims.get(template.claim) != value or not template.allows(value):
            raise TokenError(
                "wrong_issuer", "'iss' does not match", claim="iss", expected=template.template
            )
        if key is not None and not key.may_be_of(issuer, value):
            raise TokenError("wrong_issuer", "'iss' does not match the key's issuer", claim="iss")

    @property
    def _expected_issuer(self) -> object:
        issuer = self.provider.issuer
        return issuer.template if isinstance(issuer, IssuerTemplate) else issuer

    def _check_expiry(self, claims: dict[str, Any], now: float) -> float | None:
        expires_at = time_of(
            claims, "exp", required=self._require_expiry or "exp" in self._required
        )
        if expires_at is not None and now >= expires_at + self._leeway:
            raise TokenError("token_expired", "'exp' is in the past", claim="exp")
        return expires_at

    def _check_times(
        self, claims: dict[str, Any], expires_at: float | None, now: float
    ) -> tuple[float | None, float | None]:
        issued_at = time_of(
            claims, "iat", required=self._max_age is not None or "iat" in self._required
        )
        if issued_at is not None and expires_at is not None and issued_at > expires_at:
            raise TokenError("invalid_claim", "'iat' is later than 'exp'", claim="iat")
        not_before = time_of(claims, "nbf", required="nbf" in self._required)
        if not_before is not None and not_before > now + self._leeway:
            raise TokenError("token_not_yet_valid", "'nbf' is in the future", claim="nbf")
        if issued_at is not None:
            if issued_at > now + self._leeway:
                raise TokenError("token_issued_in_future", "'iat' is in the future", claim="iat")
            if self._max_age is not None and now >= issued_at + self._max_age + self._leeway:
                raise TokenError(
                    "token_too_old",
                    "'iat' is too far in the past (max_age)",
                    claim="iat",
                    expected=self._max_age,
                )
        return issued_at, not_before

    def _accepted_audience(self, audience: object) -> tuple[str, ...] | None:
        """Return the audiences in ``aud`` (or `ABSENT`); None if they are not acceptable."""
        if audience is ABSENT:
            return None if self._checks_audience else ()
        several = strings_of(audience)
        if self._checks_audience and self._audiences.keys().isdisjoint(several or ()):
            return None
        return several

    def _check_audience(self, claims: dict[str, Any]) -> tuple[str, ...]:
        audience = claims.get("aud", ABSENT)
        accepted = self._accepted_audience(audience)
        if accepted is not None:
            return accepted
        wanted_here = self._checks_audience or "aud" in self._required
        if audience is ABSENT or (audience is None and wanted_here):
            raise TokenError(
                "missing_claim", "'aud' is missing", claim="aud", expected=self.provider.audience
            )
        if strings_of(audience) is None:
            raise TokenError(
                "invalid_claim", "'aud' is neither a string nor a list of strings", claim="aud"
            )
        raise TokenError(
            "wrong_audience", "'aud' does not match", claim="aud", expected=self.provider.audience
        )

    def _check_string(self, claims: dict[str, Any], name: str) -> str | None:
        value = claims.get(name, ABSENT)
        if value is ABSENT:
            return None
        if value is None and name in self._required:
            raise TokenError("missing_claim", f"{name!r} is missing", claim=name)
        if not isinstance(value, str):
            raise TokenError("invalid_claim", f"{name!r} is not a string", claim=name)
        return value

    def _check_binding(self, claims: dict[str, Any]) -> None:
        # RFC 9449, section 7.2; RFC 8705, section 3: a stolen bound token must be useless here.
        if self._refuse_bound and "cnf" in claims:
            raise TokenError(
                "invalid_claim",
                "'cnf' binds the token to a key, and this provider has bound_tokens='refuse'",
                claim="cnf",
            )

    def _check_presence(self, claims: dict[str, Any]) -> None:
        for name in self._required:
            if claims.get(name) is None:
                raise TokenError("missing_claim", f"{name!r} is missing", claim=name)
        for name in self._forbidden:
            if name in claims:
                raise TokenError("forbidden_claim", f"{name!r} is forbidden", claim=name)


def _several(value: str | tuple[str, ...]) -> frozenset[str]:
    return frozenset((value,) if isinstance(value, str) else value)
