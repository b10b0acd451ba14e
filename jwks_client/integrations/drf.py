"""Django REST framework: an authentication class, a permission, an exception handler, OpenAPI.

    REST_FRAMEWORK = {                                                    # settings.py
        "DEFAULT_AUTHENTICATION_CLASSES": ["jwks_client.integrations.drf.JWKSAuthentication"],
        "EXCEPTION_HANDLER": "jwks_client.integrations.drf.exception_handler",
    }
    JWKS_CLIENT = "project.auth.client"

    class Orders(APIView):
        permission_classes = [HasScopes("orders:read")]

Must not import ``rest_framework.views`` at import time, because that module reads the settings that
name this one.
"""

from __future__ import annotations

import json
import sys
from typing import Any

try:
    from rest_framework.authentication import BaseAuthentication
    from rest_framework.exceptions import APIException, NotAuthenticated, PermissionDenied
except ImportError as error:
    raise ImportError(
        'Django REST framework is not installed: pip install "jwks-client-sdk[drf]"'
    ) from error

from .. import VerifiedToken
from .._core.credentials.answers import Answer
from .._core.credentials.reader import no_credentials
from .._core.credentials.request import UnverifiedRequest
from .._web.frameworks import django_response
from .._web.guard import is_refusal
from .._web.handling import handling_in
from .._web.identity import TOKEN_KEY, get_token, mapping_of
from ..errors import JWKSError
from ._django_setup import guard_from_settings, start_with_requests
from ._django_user import TokenUser
from ._drf_permissions import HasScopes, refusal_of

__all__ = [
    "HasScopes",
    "JWKSAuthentication",
    "TokenUser",
    "exception_handler",
    "get_token",
]


class JWKSAuthentication(BaseAuthentication):  # type: ignore[misc,unused-ignore]
    """Makes ``request.user`` a `TokenUser` and ``request.auth`` the `VerifiedToken`.

    A request without credentials is anonymous; permissions decide whether to allow it. The setting
    ``JWKS_CLIENT`` names the client, which must be a `JWKSClient`, and ``JWKS_OPTIONS`` its
    options. Under `JWKSMiddleware`, this class uses the token that the middleware verified.
    """

    def __init__(self) -> None:
        if "drf_spectacular" in sys.modules:
            from . import _drf_openapi  # noqa: F401 (registers the scheme)  # pyright: ignore[reportUnusedImport]

    def authenticate(self, request: Any) -> tuple[Any, VerifiedToken] | None:
        """Return the user and the token of a request, or None without credentials."""
        found: Any = mapping_of(request._request)  # noqa: SLF001 (Django's own request)
        if TOKEN_KEY not in found:
            guard = guard_from_settings()
            try:
                raw = guard.read(UnverifiedRequest.of(found), optional=True)
                found[TOKEN_KEY] = None if raw is None else guard.client.verify(raw)
            except JWKSError as error:
                raise _Refused(error, _answer(error, request)) from None
        token = found[TOKEN_KEY]
        return None if token is None else (self.user_of(token), token)

    def user_of(self, token: VerifiedToken) -> Any:
        """Return the user of a token. Override this to return the site's users."""
        return TokenUser(token)

    def authenticate_header(  # pyright: ignore[reportIncompatibleMethodOverride]
        self,
        request: Any,  # noqa: ARG002 (the framework's signature)
    ) -> str:
        """Return the challenge for a 401 that the framework answers itself."""
        return "Bearer"


def exception_handler(exc: Exception, context: dict[str, Any]) -> Any:
    """Answer refusals with their challenge or Retry-After, and other errors as the framework does.

    For the setting ``EXCEPTION_HANDLER``.
    """
    from rest_framework import views

    request = context["request"]
    if isinstance(exc, _Refused):
        answer = exc.answer
    elif (error := _cause_of(exc, request)) is not None:
        answer = _answer(error, request)
    else:
        return views.exception_handler(exc, context)
    views.set_rollback()
    return django_response(answer, request)


class _Refused(APIException):  # type: ignore[misc,unused-ignore]
    """A refusal in a form that the framework answers correctly even without `exception_handler`."""

    def __init__(self, error: JWKSError, answer: Answer) -> None:
        headers = dict(answer.text_headers)
        super().__init__(json.loads(answer.body).get("detail"), error.code)
        self.answer = answer
        self.status_code = answer.status
        self.auth_header = headers.get("www-authenticate")
        self.wait = int(headers["retry-after"]) if "retry-after" in headers else None


def _cause_of(exc: Exception, request: Any) -> JWKSError | None:
    if is_refusal(exc):
        return exc
    ours = any(isinstance(one, JWKSAuthentication) for one in request.authenticators or ())
    if isinstance(exc, NotAuthenticated) and ours:
        return no_credentials()
    return refusal_of(exc, request) if isinstance(exc, PermissionDenied) else None


def _answer(error: JWKSError, request: Any) -> Answer:
    found = mapping_of(request._request)  # noqa: SLF001 (Django's own request)
    handling = handling_in(found)
    if handling is not None:
        return handling.answer(error)
    return guard_from_settings().refuse(error, UnverifiedRequest.of(found), request.path)


start_with_requests()
