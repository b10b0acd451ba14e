"""WorkOS AuthKit: session access tokens."""

from __future__ import annotations

from typing import Unpack

from .._core.provider import Provider
from .._core.unchecked import UNCHECKED
from ._identifiers import segment
from ._make import make
from ._options import ProviderOptions

__all__ = ["workos"]


def workos(client_id: str, **options: Unpack[ProviderOptions]) -> Provider:
    """Session access tokens of a WorkOS application, which have no audience: the keys are its own.

    Arguments:
        client_id: ``client_…``; it stands in the key set's URL.
        options: any other field of `Provider`; ``issuer=`` for your own authentication domain.

    Checked against: workos-python session.py.
    Not known: that a session was revoked. Sealed session cookies are encrypted; unseal them first.
    """
    client = segment("client_id", client_id, "the client id, client_…,")
    return make(
        options,
        name="workos",
        jwks_url=f"https://api.workos.com/sso/jwks/{client}",
        issuer=("https://api.workos.com", f"https://api.workos.com/user_management/{client}"),
        audience=UNCHECKED,
        algorithms=("RS256",),
        required_claims=("sid",),
    )
