"""WorkOS AuthKit: session access tokens."""

from __future__ import annotations

from typing import Unpack

from .._core.provider import Provider
from .._core.unchecked import UNCHECKED
from ._identifiers import host, segment
from ._make import make
from ._options import ProviderOptions

__all__ = ["workos"]


def workos(
    client_id: str, *, domain: str | None = None, **options: Unpack[ProviderOptions]
) -> Provider:
    """Return the provider of session access tokens of a WorkOS application.

    WorkOS's tokens have no audience, but the key set belongs to one application. The issuer depends
    on the age and settings of the environment: the API's origin, or that with
    ``/user_management/{client}``, ``/sso/{client}`` or ``/convex/{client}``. All of these are
    accepted for your client. Tokens without a session (``sid``) are refused; other tokens of the
    application that have a session cannot be distinguished.

    Arguments:
        client_id: ``client_…``; part of the key set's URL and of the issuers.
        domain: your custom authentication domain, a bare host; its issuers are accepted as well.
        options: any other field of `Provider`.

    Limits: the token of a revoked session stays valid until it expires. Sealed session cookies are
    encrypted; unseal them first. AuthKit as an authorization server (MCP) has a separate issuer:
    use `oidc`.
    Checked against: workos/authkit-nextjs pull request 476, workos/workos-node pull request 1694
    and workos/authkit-react-router pull request 85 (issuers), 2026-11-29; workos-python session.py,
    2026-11-25.
    """
    client = segment("client_id", client_id, "the client id, client_…,")
    homes = ["https://api.workos.com"]
    if domain is not None:
        homes.append(f"https://{host('domain', domain, 'your domain')}")
    paths = ("", f"/user_management/{client}", f"/sso/{client}", f"/convex/{client}")
    return make(
        options,
        name="workos",
        jwks_url=f"https://api.workos.com/sso/jwks/{client}",
        issuer=tuple(f"{home}{path}" for home in homes for path in paths),
        audience=UNCHECKED,
        algorithms=("RS256",),
        required_claims=("sid",),
    )
