"""`Provider`: which issuer is accepted, with which keys, and what its tokens must contain.

Must not depend on: how keys are fetched or tokens verified. Everything here is data.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypeAlias

from ..errors import ConfigurationError
from . import settings
from .json_values import any_of, is_json
from .locations import BEARER, KINDS, Location
from .unchecked import Unchecked, restriction

__all__ = ["IssuerTemplate", "Provider"]

DEFAULT_ALGORITHMS: Final = (
    *("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
    *("ES256", "ES384", "ES512", "EdDSA", "Ed25519"),
)
SUPPORTED_ALGORITHMS: Final = frozenset(
    {*DEFAULT_ALGORITHMS, "ES256K", "Ed448", "ML-DSA-44", "ML-DSA-65", "ML-DSA-87"}
)
DEFAULT_TOKEN_TYPES: Final = (None, "jwt", "at+jwt")


_PLACEHOLDER = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]{0,63})\}")
_TENANT = re.compile(r"[A-Za-z0-9-]{1,64}")


@dataclass(frozen=True, slots=True)
class IssuerTemplate:
    """Issuers that differ in one place, which a claim names and ``allowed`` restricts.

    ``IssuerTemplate("https://login.microsoftonline.com/{tid}/v2.0", allowed={"72f9…"})`` accepts a
    token whose ``tid`` claim is allowed and whose ``iss`` is exactly the template with that value
    inserted.

    Arguments:
        template: the issuer with one ``{claim}`` in it.
        allowed: the accepted values, or a callable that accepts a value by returning exactly True.
            A value has 1 to 64 characters of ``A-Z a-z 0-9 -``.
    """

    template: str
    allowed: Collection[str] | Callable[[str], bool] = field(kw_only=True, repr=False)

    def __post_init__(self) -> None:
        settings.text("issuer", self.template)
        if len(_PLACEHOLDER.findall(self.template)) != 1 or self.template.count("{") != 1:
            raise ConfigurationError(
                "issuer", f"must contain exactly one {{claim}}, got {self.template!r}"
            )
        if not callable(settings.plain("allowed", self.allowed)):
            values = frozenset(settings.names("allowed", self.allowed, at_least=1))
            for value in values:
                if not _TENANT.fullmatch(value):
                    raise ConfigurationError(
                        "allowed", f"must be values that fit into an issuer, got {value!r}"
                    )
            object.__setattr__(self, "allowed", values)

    @property
    def claim(self) -> str:
        """The claim that the placeholder names."""
        return self.template.partition("{")[2].partition("}")[0]

    def value_in(self, issuer: str) -> str | None:
        """Return the value of the placeholder in ``issuer``, or None if it does not match."""
        before, _, after = _PLACEHOLDER.sub("\0", self.template).partition("\0")
        value = issuer[len(before) : len(issuer) - len(after)]
        return value if before + value + after == issuer and _TENANT.fullmatch(value) else None

    def allows(self, value: str) -> bool:
        """Return whether ``allowed`` accepts the value; a callable that raises does not."""
        if not callable(self.allowed):
            return value in self.allowed
        try:
            return self.allowed(value) is True
        except Exception:  # noqa: BLE001 (the application's code may raise anything; fail closed)
            return False


Check: TypeAlias = Callable[[Any], object]
# A claim's name; several names, of which the first present one decides; or a function of the
# claims.
ScopeClaim: TypeAlias = (
    str | tuple[str, ...] | Callable[[dict[str, Any]], str | Iterable[str] | None]
)
RequestHeaders: TypeAlias = Mapping[str, str] | Callable[[], Mapping[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """A token issuer: where its keys are, and what each of its tokens must contain.

    Arguments:
        name: the application's name for it; in events, ``health()`` and ``token.provider``.
        issuer: the accepted ``iss``: one, several, an `IssuerTemplate`, or
            ``providers.UNCHECKED``.
        audience: the accepted ``aud``: one or several (one match suffices), or
            ``providers.UNCHECKED``.
        jwks_url: the URL of the key set. Give exactly one of this and the next two.
        discovery_url: the URL of metadata that names the key set (OpenID Connect Discovery, RFC
            8414).
        jwks: a static key set (mapping, str or bytes), which is never fetched.
        algorithms: accepted ``alg``, asymmetric only (RFC 8725, section 3.1).
        token_types: accepted ``typ``, compared case-insensitively; None means absent.
        required_claims: claims that must be present and not null.
        claim_values: claims that must have exactly this JSON value; a set means any one of its
            members.
        forbidden_claims: claims that must be absent.
        leeway: tolerated clock difference in seconds, 0 to 3600.
        max_age: maximum seconds since ``iat``, or None for any age.
        require_expiry: refuse tokens without ``exp``.
        bound_tokens: ``"refuse"`` tokens with ``cnf`` (RFC 9449, RFC 8705), or accept them because
            the application checks the binding (``"checked_elsewhere"``).
        checks: callables that receive the `VerifiedToken`; None or True accepts, False refuses.
        locations: where a request may carry the token, in order.
        scope_claim: the claim that contains the scopes, if it is not one of ``scope``, ``scp`` and
            ``scopes``. Either a name; several names, of which the first that is present decides; or
            a callable of the claims that returns a string (split at spaces), several strings, or
            None.
        required_at_start: whether ``ready`` and ``warm_up="required"`` wait for this provider's
            keys.
        headers: sent with each fetch, to the origin of the configured URL only; mapping or
            callable.
        allow_http: accept plain http beyond loopback.
        store_scope: names everything else that a fetched key set depends on. A key set fetched with
            callable ``headers`` or a caller-supplied client is shared through a store only if this
            is set.

    Raises `ConfigurationError` naming the field.
    """

    name: str
    issuer: str | tuple[str, ...] | IssuerTemplate | Unchecked
    audience: str | tuple[str, ...] | Unchecked
    jwks_url: str | None = None
    discovery_url: str | None = None
    jwks: Mapping[str, Any] | str | bytes | None = field(default=None, repr=False)
    algorithms: Collection[str] = DEFAULT_ALGORITHMS
    token_types: Collection[str | None] = DEFAULT_TOKEN_TYPES
    required_claims: Collection[str] = ()
    claim_values: Mapping[str, Any] = field(default_factory=dict[str, Any])
    forbidden_claims: Collection[str] = ()
    leeway: float = 30
    max_age: float | None = None
    require_expiry: bool = True
    bound_tokens: Literal["refuse", "checked_elsewhere"] = "refuse"
    checks: Collection[Check] = ()
    locations: Collection[Location] = (BEARER,)
    scope_claim: ScopeClaim | None = None
    required_at_start: bool = True
    headers: RequestHeaders | None = field(default=None, repr=False)
    allow_http: bool = False
    store_scope: str | None = None

    def __post_init__(self) -> None:
        settings.text("name", self.name, longest=512)  # a resolved provider is named by its issuer
        self._check_identity()
        self._check_source()
        self._check_claims()
        settings.number("leeway", self.leeway, maximum=3600)
        if self.max_age is not None:
            settings.number("max_age", self.max_age)
        settings.flag("require_expiry", self.require_expiry)
        settings.one_of("bound_tokens", self.bound_tokens, ("refuse", "checked_elsewhere"))
        self._check_scope_claim()
        settings.flag("required_at_start", self.required_at_start)
        if self.store_scope is not None:
            settings.text("store_scope", self.store_scope, longest=512)

    def _set(self, name: str, value: object) -> None:
        object.__setattr__(self, name, value)

    def _check_scope_claim(self) -> None:
        own = settings.plain("scope_claim", self.scope_claim)
        if isinstance(own, str):
            settings.text("scope_claim", own)
        elif own is not None and not callable(own):
            self._set("scope_claim", settings.names("scope_claim", own, at_least=1))

    def _check_identity(self) -> None:
        if not isinstance(self.issuer, IssuerTemplate):
            self._set("issuer", restriction("issuer", self.issuer))
        self._set("audience", restriction("audience", self.audience))
        algorithms = settings.names("algorithms", self.algorithms, at_least=1)
        for algorithm in algorithms:
            if algorithm not in SUPPORTED_ALGORITHMS:
                raise ConfigurationError(
                    "algorithms",
                    f"must be asymmetric algorithms ({', '.join(sorted(SUPPORTED_ALGORITHMS))}), "
                    f"got {algorithm!r}",
                )
        self._set("algorithms", algorithms)
        self._set("token_types", _token_types(self.token_types))

    def _check_source(self) -> None:
        settings.flag("allow_http", self.allow_http)
        given = [n for n in ("jwks_url", "discovery_url", "jwks") if getattr(self, n) is not None]
        if len(given) != 1:
            raise ConfigurationError(
                "jwks_url",
                "must be given, or else discovery_url or jwks (exactly one), "
                f"got {' and '.join(given) or 'none'}",
            )
        if given[0] == "jwks":
            if not isinstance(self.jwks, (Mapping, str, bytes)):
                raise ConfigurationError(
                    "jwks", f"must be a mapping, str or bytes, got {type(self.jwks).__name__}"
                )
        else:
            settings.url(given[0], getattr(self, given[0]), allow_http=self.allow_http)
        headers = settings.plain("headers", self.headers)
        if headers is not None and not callable(headers):
            if not isinstance(headers, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance]
                raise ConfigurationError(
                    "headers",
                    f"must be a mapping or a callable, got {type(headers).__name__}",
                )
            self._set("headers", dict(settings.header("headers", n, v) for n, v in headers.items()))

    def _check_claims(self) -> None:
        self._set("required_claims", settings.names("required_claims", self.required_claims))
        self._set("forbidden_claims", settings.names("forbidden_claims", self.forbidden_claims))
        values = self.claim_values
        if not isinstance(values, Mapping) or not all(isinstance(name, str) for name in values):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise ConfigurationError(
                "claim_values",
                f"must be a mapping of claim names to JSON values, got {type(values).__name__}",
            )
        for name, value in values.items():
            if not all(is_json(one) for one in any_of(value)):
                raise ConfigurationError(
                    "claim_values",
                    f"must be JSON values or sets of them, got {type(value).__name__} for {name!r}",
                )
        self._set("claim_values", dict(values))
        self._set("checks", _members("checks", self.checks, callable, "callables"))
        self._set("locations", _members("locations", self.locations, _is_location, KINDS))
        if not self.locations:
            raise ConfigurationError("locations", "must not be empty")


def plain_token_type(typ: str) -> str:
    """Return ``typ`` in the form that is compared (RFC 7515, section 4.1.9)."""
    # Only ASCII is lower-cased: the Kelvin sign must not become k.
    return typ.lower().removeprefix("application/") if typ.isascii() else typ


def _token_types(value: object) -> tuple[str | None, ...]:
    if isinstance(value, (str, bytes)) or not isinstance(value, Collection) or not value:
        raise ConfigurationError(
            "token_types",
            'must be a collection of types such as ("at+jwt", None), where None means absent, '
            f"got {settings.described(value)}",
        )
    return tuple(
        dict.fromkeys(
            None if one is None else plain_token_type(settings.text("token_types", one))
            for one in value
        )
    )


def _members(
    name: str, value: object, good: Callable[[object], bool], what: str
) -> tuple[object, ...]:
    if isinstance(value, (str, bytes)) or not isinstance(value, Collection):
        raise ConfigurationError(
            name, f"must be a collection of {what}, got {type(value).__name__}"
        )
    members = tuple(value)
    bad = [one for one in members if not good(one)]
    if bad:
        raise ConfigurationError(
            name, f"must be a collection of {what}, got {type(bad[0]).__name__} in it"
        )
    return members


def _is_location(value: object) -> bool:
    return isinstance(value, Location)
