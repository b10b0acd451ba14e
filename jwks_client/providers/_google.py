"""Google: ID tokens of a sign-in, and Firebase's."""

from __future__ import annotations

import re
from typing import Final, Unpack

from .._core import settings
from .._core.provider import Provider
from ..errors import ConfigurationError
from ._checks import ClaimLength
from ._make import make
from ._options import ProviderOptions

__all__ = ["firebase", "google"]

_PROJECT: Final = re.compile(r"[a-z][a-z0-9-]{4,28}[a-z0-9]")


def google(client_id: str, **options: Unpack[ProviderOptions]) -> Provider:
    """ID tokens that Google issued to an application of yours.

    Arguments:
        client_id: the application's, ``….apps.googleusercontent.com``; the ``aud``.
        options: any other field of `Provider`; ``claim_values={"hd": "example.com"}`` for one
            Workspace domain.

    Checked against: google-auth-library-python.
    Not known: whether the e-mail address is verified; see the claim ``email_verified``.
    """
    return make(
        options,
        name="google",
        jwks_url="https://www.googleapis.com/oauth2/v3/certs",
        issuer=("accounts.google.com", "https://accounts.google.com"),
        audience=settings.text("client_id", client_id),
        algorithms=("RS256",),
    )


def firebase(project_id: str, **options: Unpack[ProviderOptions]) -> Provider:
    """ID tokens of a Firebase project. All projects share the keys; issuer and audience differ.

    Arguments:
        project_id: the project's id, not its number.
        options: any other field of `Provider`.

    Checked against: firebase-admin-python.
    Not known: that a session was revoked. Tokens of the emulator are unsigned and refused.
    """
    if not _PROJECT.fullmatch(settings.text("project_id", project_id)):
        raise ConfigurationError("project_id", "takes the id of a project: 6 to 30 of a-z, 0-9, -")
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
        checks=(ClaimLength("sub", 1, 128),),
    )
