"""Supabase Auth: access tokens of signed-in users."""

from __future__ import annotations

from typing import Unpack

from .._core.provider import Provider
from ._identifiers import segment
from ._make import make
from ._options import ProviderOptions

__all__ = ["supabase"]


def supabase(project_ref: str, **options: Unpack[ProviderOptions]) -> Provider:
    """Access tokens of a Supabase project's users.

    Arguments:
        project_ref: the project's reference, the first label of its URL.
        options: any other field of `Provider`.

    Checked against: supabase/auth.
    Not known: a project that still signs with its legacy HS256 secret publishes no keys; migrate it
    to asymmetric keys. Anonymous sign-ins are users too: see the claim ``is_anonymous``.
    """
    reference = segment("project_ref", project_ref, "the project reference")
    issuer = f"https://{reference}.supabase.co/auth/v1"
    return make(
        options,
        name="supabase",
        jwks_url=f"{issuer}/.well-known/jwks.json",
        issuer=issuer,
        audience="authenticated",
        algorithms=("ES256", "RS256"),
        required_claims=("sub",),
    )
