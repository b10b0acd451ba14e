"""Google and Firebase: ID tokens."""

from __future__ import annotations

import re
from typing import Any, Final, Unpack

from .._core import settings
from .._core.provider import Check, Provider
from .._core.unchecked import UNCHECKED, Unchecked, restriction
from ..errors import ConfigurationError
from ._checks import ClaimLength, MemberOfClaim
from ._identifiers import allowed
from ._make import make
from ._options import ProviderOptions

__all__ = ["firebase", "google"]

_CLIENT_ID: Final = "client_id"  # stands for the client ids themselves
_PROJECT: Final = re.compile(r"[a-z][a-z0-9-]{4,28}[a-z0-9]")


def google(
    client_id: str | tuple[str, ...] | Unchecked,
    *,
    authorized_parties: str | tuple[str, ...] | Unchecked = _CLIENT_ID,
    **options: Unpack[ProviderOptions],
) -> Provider:
    """Return the provider of ID tokens that Google issued to your application.

    The audience does not prove that: any service account can request an ID token with your client
    id as ``aud``. ``azp`` names the client that made the request, so it must be one of yours as
    well, and tokens of service accounts are refused.

    Arguments:
        client_id: the application's id, ``….apps.googleusercontent.com``, or several; the ``aud``.
        authorized_parties: further client ids that ``azp`` may name; by default none. An Android
            app, for example, signs in with its own id as ``azp`` and your server's id as ``aud``.
            ``UNCHECKED`` accepts any ``azp``, and so the service accounts of other people.
        options: any other field of `Provider`; ``claim_values={"hd": "example.com"}`` for the
            members of one Google Workspace domain. ``hd`` is absent from the tokens of other
            accounts, and the domain of ``email`` proves nothing.

    Limits: the e-mail address may be unverified; see the claim ``email_verified``.
    Checked against: google-auth-library-python, 2026-11-25; Google's OpenID Connect payload
    (``azp``) and cloud.google.com/docs/authentication/get-id-token, 2026-11-29.
    """
    clients = allowed("client_id", client_id)
    parties = allowed("authorized_parties", authorized_parties)
    values: dict[str, Any] = {}
    if parties is not UNCHECKED:
        own = frozenset[str]() if clients is UNCHECKED else clients
        parties = own | (parties - {_CLIENT_ID})
        if parties:
            values["azp"] = parties
    return make(
        options,
        name="google",
        jwks_url="https://www.googleapis.com/oauth2/v3/certs",
        issuer=("accounts.google.com", "https://accounts.google.com"),
        audience=restriction("client_id", client_id),
        algorithms=("RS256",),
        claim_values=values,
    )


def firebase(
    project_id: str,
    *,
    tenant: str | tuple[str, ...] | Unchecked = UNCHECKED,
    **options: Unpack[ProviderOptions],
) -> Provider:
    """Return the provider of ID tokens of a Firebase project.

    All projects share the keys; issuer and audience distinguish them. Session cookies have another
    issuer and are refused. Tokens of the emulator are unsigned and refused.

    Arguments:
        project_id: the project's id, not its number.
        tenant: the Identity Platform tenant, or several, that ``firebase.tenant`` must name.
            ``UNCHECKED`` accepts users of every tenant, and users without a tenant.
        options: any other field of `Provider`.

    Limits: the token of a revoked session stays valid until it expires.
    Checked against: firebase-admin-python, 2026-11-25, and its firebase_admin/_auth_client.py for
    tenants, 2026-11-29.
    """
    if not _PROJECT.fullmatch(settings.text("project_id", project_id)):
        raise ConfigurationError(
            "project_id", "must be the id of a project: 6 to 30 characters of a-z, 0-9 and -"
        )
    tenants = allowed("tenant", tenant)
    checks: tuple[Check, ...] = (ClaimLength("sub", 1, 128),)
    if tenants is not UNCHECKED:
        checks = (*checks, MemberOfClaim("firebase", "tenant", tenants))
    return make(
        options,
        name="firebase",
        jwks_url=(
            "https://www.googleapis.com/service_accounts/v1/jwk/"
            "securetoken@system.gserviceaccount.com"
        ),
        issuer=f"https://securetoken.google.com/{project_id}",
        audience=project_id,
        algorithms=("RS256",),
        required_claims=("sub", "auth_time"),
        checks=checks,
    )
