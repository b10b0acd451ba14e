"""Prelude: session access tokens, and step-up tokens, which have a separate key set."""

from __future__ import annotations

from typing import Final, Unpack

from .._core.provider import Provider
from .._core.unchecked import UNCHECKED, Unchecked
from ..errors import ConfigurationError
from ._identifiers import host, segment
from ._make import make
from ._options import OptionsExceptAudience

__all__ = ["prelude", "prelude_step_up"]

# The documentation's examples use EdDSA; which of the three live key sets use is undocumented.
_ALGORITHMS: Final = ("EdDSA", "ES256", "RS256")


def prelude(
    app_id: str | None = None,
    *,
    domain: str | None = None,
    audience: str | tuple[str, ...] | Unchecked = UNCHECKED,
    **options: Unpack[OptionsExceptAudience],
) -> Provider:
    """Return the provider of access tokens of Prelude sessions.

    They expire after about a minute and are valid from the second of their issue, so keep
    ``leeway`` at 15 s or more. Their issuer is your host, with or without ``https://``; no other is
    accepted. Step-up tokens have a separate key set and are refused.

    Arguments:
        app_id: the application's id, part of the host ``{app_id}.session.prelude.dev``.
        domain: your custom domain, a bare host, which replaces that host.
        audience: the accepted ``aud``. Prelude documents none, so by default it is
            ``UNCHECKED``.
        options: any other field of `Provider`.

    Limits: the algorithm of live keys is undocumented, so EdDSA, ES256 and RS256 are all accepted.
    Checked against: docs.prelude.so/session/documentation/jwks, prelude-so/web
    packages/js-sdk/src/session/jwt.ts, and an independent application's verifier for the issuer,
    2026-11-25.
    """
    at = _host(app_id, domain)
    return make(
        options,
        name="prelude",
        jwks_url=f"https://{at}/.well-known/jwks.json",
        issuer=(at, f"https://{at}"),
        audience=audience,
        algorithms=_ALGORITHMS,
        required_claims=("sub",),
    )


def prelude_step_up(
    app_id: str | None = None,
    *,
    domain: str | None = None,
    audience: str | tuple[str, ...] | Unchecked = UNCHECKED,
    **options: Unpack[OptionsExceptAudience],
) -> Provider:
    """Return the provider of step-up tokens of Prelude.

    Their ``scope`` names the actions that the user has just confirmed. Session tokens are signed
    with other keys and are refused.

    Arguments:
        app_id: as for `prelude`.
        domain: as for `prelude`.
        audience: as for `prelude`.
        options: any other field of `Provider`.

    Limits: a token with a single-use grant can be replayed until it expires.
    Checked against: docs.prelude.so/auth/api-reference/frontend/stepup-jwks and Prelude's pages on
    step-up, 2026-11-25.
    """
    at = _host(app_id, domain)
    return make(
        options,
        name="prelude_step_up",
        jwks_url=f"https://{at}/.well-known/step-up-jwks.json",
        issuer=(at, f"https://{at}"),
        audience=audience,
        algorithms=_ALGORITHMS,
        required_claims=("scope",),
    )


def _host(app_id: str | None, domain: str | None) -> str:
    if app_id is not None:
        app_id = segment("app_id", app_id, "the application's id")
    if domain is not None:
        return host("domain", domain, "your domain")
    if app_id is None:
        raise ConfigurationError(
            "app_id", "must be the application's id, unless domain names your host"
        )
    return f"{app_id}.session.prelude.dev"
