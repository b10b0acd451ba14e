"""Integrations with frameworks, a module each; and the seam to write one more.

    from jwks_client.integrations.fastapi import JWKSAuth
    from jwks_client.integrations.starlette import JWKSBackend

Owns: the names that an integration is made of, for those who write their own. Importing this
imports no framework.

An integration reads credentials (`Guard.read` of an `UnverifiedRequest`), has them verified
(``guard.client.verify``, awaited or not), judges what is asked of the token (`Requirement`), lets
the application run inside `serving`, and answers errors that are refusals (`Guard.refuse`).
"""

from __future__ import annotations

from .._core.credentials.answers import Answer
from .._core.credentials.reader import UnverifiedRequest
from .._web.guard import Guard, OnError, Refusal, is_refusal
from .._web.identity import TOKEN_KEY, User, current_token, serving
from .._web.requirement import ClaimsRule, Requirement

__all__ = [
    "TOKEN_KEY",
    "Answer",
    "ClaimsRule",
    "Guard",
    "OnError",
    "Refusal",
    "Requirement",
    "UnverifiedRequest",
    "User",
    "current_token",
    "is_refusal",
    "serving",
]
