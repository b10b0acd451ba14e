"""Supabase Auth: access tokens of signed-in users."""

from __future__ import annotations

from typing import Unpack

from .._core.provider import Provider
from ._identifiers import segment, site
from ._make import make
from ._options import ProviderOptions

__all__ = ["supabase"]


def supabase(
    project_ref: str, *, domain: str | None = None, **options: Unpack[ProviderOptions]
) -> Provider:
    """Return the provider of access tokens of a Supabase project's users.

    The project's ``anon`` and ``service_role`` keys are not tokens of users: they have no ``sub``,
    and are refused.

    Arguments:
        project_ref: the project's reference, the first label of its URL.
        domain: your custom domain, a host. The issuer of a hosted project remains the project's own
            URL; ``https://{domain}/auth/v1`` is accepted as well.
        options: any other field of `Provider`; ``audience=`` if you set another audience.

    Limits: a project that still signs with its legacy HS256 secret publishes no keys; migrate it to
    asymmetric keys. Anonymous users are accepted: see the claim ``is_anonymous``.
    Checked against: github.com/orgs/supabase/discussions/44373 (custom domains) and
    supabase.com/docs/guides/auth/jwts, 2026-11-29; supabase/auth, 2026-11-25.
    """
    reference = segment("project_ref", project_ref, "the project reference")
    issuer = f"https://{reference}.supabase.co/auth/v1"
    further = () if domain is None else (f"{site('domain', domain, 'your domain')}/auth/v1",)
    return make(
        options,
        name="supabase",
        jwks_url=f"{issuer}/.well-known/jwks.json",
        issuer=(issuer, *further) if further else issuer,
        audience="authenticated",
        algorithms=("ES256", "RS256"),
        required_claims=("sub",),
    )
