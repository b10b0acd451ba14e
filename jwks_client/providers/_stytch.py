"""Stytch: four kinds of token that share keys and audience, distinguished by their claims."""

from __future__ import annotations

import re
from typing import Final, TypedDict, Unpack

from .._core.locations import BEARER, Cookie
from .._core.provider import Provider
from ..errors import ConfigurationError
from ._checks import ClaimPrefix
from ._identifiers import host, segment
from ._make import make
from ._options import ProviderOptions

__all__ = ["stytch", "stytch_b2b", "stytch_connected_app", "stytch_m2m"]

_PROJECT: Final = re.compile(r"project-(live|test)-.+")
_ALWAYS: Final = ("aud", "iss", "exp", "iat", "nbf")
_SESSION: Final = "https://stytch.com/session"
_ORGANIZATION: Final = "https://stytch.com/organization"
_SESSION_PLACES: Final = (BEARER, Cookie("stytch_session_jwt"))


def stytch(
    project_id: str, *, project_domain: str | None = None, **options: Unpack[ProviderOptions]
) -> Provider:
    """Return the provider of session JWTs of a Stytch consumer project.

    The Authorization header is read before the cookie ``stytch_session_jwt``. Machine, Connected
    App and B2B tokens, which the same keys sign, are refused.

    Arguments:
        project_id: ``project-live-…`` or ``project-test-…``; it chooses the live or the test host,
            and is the ``aud``.
        project_domain: the project's or your custom domain, a bare host. If given, its key set is
            used, and both ``https://{project_domain}`` and ``stytch.com/{project_id}`` are accepted
            as issuer.
        options: any other field of `Provider`; ``locations`` if you renamed the cookie.

    Limits: the token of a revoked session stays valid for the rest of its five minutes; only
    ``POST /v1/sessions/authenticate`` detects this.
    Checked against: stytch-python stytch/shared/jwt_helpers.py and stytch/consumer/client.py,
    stytch-node lib/b2c/sessions.ts, 2026-11-25.
    """
    return make(
        options,
        name="stytch",
        **_project(project_id, project_domain, "v1/sessions/jwks/{}"),
        required_claims=(*_ALWAYS, _SESSION),
        forbidden_claims=(_ORGANIZATION,),
        locations=_SESSION_PLACES,
    )


def stytch_b2b(
    project_id: str, *, project_domain: str | None = None, **options: Unpack[ProviderOptions]
) -> Provider:
    """Return the provider of session JWTs of a Stytch B2B project.

    They name the member's organization. Consumer, machine and Connected App tokens are refused.

    Arguments:
        project_id: as for `stytch`.
        project_domain: as for `stytch`.
        options: as for `stytch`.

    Limits: every organization of the project is accepted. Compare the organization with that of the
    request: ``token.claims["https://stytch.com/organization"]["organization_id"]``.
    Checked against: stytch-python stytch/b2b/client.py and stytch/b2b/api/sessions.py, 2026-11-25.
    """
    return make(
        options,
        name="stytch_b2b",
        **_project(project_id, project_domain, "v1/b2b/sessions/jwks/{}"),
        required_claims=(*_ALWAYS, _SESSION, _ORGANIZATION),
        locations=_SESSION_PLACES,
    )


def stytch_connected_app(
    project_id: str, *, project_domain: str | None = None, **options: Unpack[ProviderOptions]
) -> Provider:
    """Return the provider of access tokens that a Stytch Connected App obtained for a user.

    Session JWTs and machine tokens, which the same keys sign, are refused.

    Arguments:
        project_id: as for `stytch`.
        project_domain: as for `stytch`. Give it: the issuer of these tokens is the project domain
            (``{words}-{n}.customers.stytch.com``) or the custom one. Without it only
            ``stytch.com/{project_id}`` is accepted, and the keys come from Stytch's own host.
        options: any other field of `Provider`.

    Limits: every Connected App is accepted; ``claim_values={"client_id": "connected-app-…"}``
    restricts them to one.
    Checked against: stytch-python stytch/consumer/api/idp.py, stytch-node lib/b2c/idp.ts, Stytch's
    FAQ on project domains, 2026-11-25.
    """
    return make(
        options,
        name="stytch_connected_app",
        **_project(project_id, project_domain, "v1/public/{}/.well-known/jwks.json"),
        required_claims=(*_ALWAYS, "scope"),
        forbidden_claims=(_SESSION,),
        checks=(ClaimPrefix("client_id", "connected-app-"),),
    )


def stytch_m2m(
    project_id: str, *, project_domain: str | None = None, **options: Unpack[ProviderOptions]
) -> Provider:
    """Return the provider of access tokens of Stytch machine-to-machine clients.

    Session JWTs and Connected App tokens, which the same keys sign, are refused.

    Arguments:
        project_id: as for `stytch`.
        project_domain: as for `stytch`.
        options: any other field of `Provider`. Without ``project_domain`` the consumer key set is
            used; for a B2B project give
            ``jwks_url="https://api.stytch.com/v1/b2b/sessions/jwks/{project_id}"``.

    Limits: Stytch's scope wildcards are not expanded: ``read:*`` does not include ``read:users``.
    Checked against: stytch-python stytch/consumer/api/m2m.py, stytch-node lib/b2c/m2m.ts,
    2026-11-25.
    """
    return make(
        options,
        name="stytch_m2m",
        **_project(project_id, project_domain, "v1/sessions/jwks/{}"),
        required_claims=_ALWAYS,
        forbidden_claims=(_SESSION,),
        checks=(ClaimPrefix("sub", "m2m-client-"),),
    )


class _Project(TypedDict):
    """The fields that all kinds of token of a project have in common."""

    jwks_url: str
    issuer: tuple[str, ...]
    audience: str
    algorithms: tuple[str, ...]
    token_types: tuple[str, ...]


def _project(project_id: str, domain: str | None, path: str) -> _Project:
    what = "a project id, project-live-… or project-test-…,"
    project = segment("project_id", project_id, what)
    kind = _PROJECT.fullmatch(project)
    if kind is None:
        raise ConfigurationError("project_id", f"must be {what} because it selects the keys")
    own = f"stytch.com/{project}"
    if domain is None:
        stage = "api" if kind[1] == "live" else "test"
        url, issuers = f"https://{stage}.stytch.com/{path.format(project)}", [own]
    else:
        site = f"https://{host('project_domain', domain, 'the project domain')}"
        url, issuers = f"{site}/.well-known/jwks.json", [own, site]
    return {
        "jwks_url": url,
        "issuer": tuple(issuers),
        "audience": project,
        "algorithms": ("RS256",),
        "token_types": ("JWT",),
    }
