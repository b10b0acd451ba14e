"""Integrations with frameworks, one module each, and the building blocks for custom integrations.

    from jwks_client.integrations import Answer, Guard, Requirement, UnverifiedRequest
    from jwks_client.integrations.fastapi import JWKSAuth
    from jwks_client.integrations.starlette import JWKSBackend

An integration reads credentials (`Guard.read` of an `UnverifiedRequest`), verifies them
(``guard.client.verify``, awaited or not), checks what a route requires (`Requirement`), runs the
application, and answers errors (`Guard.refuse` returns an `Answer`). This module must not import a
framework.
"""

from __future__ import annotations

from .._core.credentials.answers import Answer
from .._core.credentials.reader import UnverifiedRequest
from .._web.guard import Guard, OnError, Refusal, is_refusal
from .._web.identity import TOKEN_KEY, User, current_token, get_token, serving
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
    "get_token",
    "is_refusal",
    "serving",
]
