"""Django: a native middleware for WSGI and ASGI, and `requires` for views.

    MIDDLEWARE = ["jwks_client.integrations.django.JWKSMiddleware", …]   # settings.py
    JWKS_CLIENT = "project.auth.client"
    JWKS_OPTIONS = {"exclude": ["/health"]}

    @requires("orders:read")
    def orders(request):
        return JsonResponse({"orders of": request.token.subject})

Must not depend on: how credentials are read or errors answered (`_web.guard`), Django's users.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, cast

try:
    from asgiref.sync import iscoroutinefunction, markcoroutinefunction, sync_to_async  # pyright: ignore[reportDeprecated]
except ImportError as error:
    raise ImportError('Django is not installed: pip install "jwks-client-sdk[django]"') from error

from .. import VerifiedToken
from .._client.access import is_asynchronous
from .._core.credentials.request import UnverifiedRequest
from .._web.exclusions import Exclusions, optional_paths
from .._web.frameworks import answer_in_django, connect_django, django_response
from .._web.handling import HANDLING_KEY, Handling
from .._web.identity import TOKEN_KEY, current_token, get_token, mapping_of, serving
from .._web.preflight import checked_preflight, is_preflight
from ..errors import JWKSError
from ._django_setup import client_from_settings, guard_of, options_from_settings, start
from ._django_views import path_of, requires, without_credentials

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponseBase

__all__ = ["JWKSMiddleware", "current_token", "get_token", "requires"]

_WHY_SYNC: Final = (
    "Django runs the middleware synchronously, under WSGI or before a sync-only middleware"
)


class JWKSMiddleware:
    """Admits requests with a valid token, sets ``request.token``, and denies all others.

    A `JWKSClient` works under WSGI and ASGI. An `AsyncJWKSClient` only works where Django runs the
    middleware asynchronously: under ASGI, if no sync-only middleware is listed after this one.

    Arguments:
        get_response: the rest of the site.

    Raises ConfigurationError when the server starts, for a wrong setting.
    """

    sync_capable = True
    async_capable = True
    process_exception = staticmethod(answer_in_django)  # for refusals that a view raises

    def __init__(self, get_response: Callable[[HttpRequest], Any]) -> None:
        self._get_response = get_response
        self._awaits = iscoroutinefunction(get_response)  # pyright: ignore[reportDeprecated]
        client, options = client_from_settings(), options_from_settings()
        self._guard = guard_of(client, options, sync_because=None if self._awaits else _WHY_SYNC)
        self._resource = self._guard.resource
        self._verify: Any = self._guard.client.verify
        if self._awaits:
            markcoroutinefunction(cast("Any", self))
            if not is_asynchronous(client):  # runs in a thread, because it may wait for a fetch
                self._verify = sync_to_async(self._verify, thread_sensitive=False)
        self._optional = optional_paths(options.get("optional", False))
        self._exclusions = Exclusions(options.get("exclude", ()))
        self._passes_preflights = checked_preflight(options.get("preflight", "refuse"))
        connect_django()
        self._begin = start(client, options)

    def __call__(self, request: HttpRequest) -> HttpResponseBase | Awaitable[HttpResponseBase]:
        """Serve one request."""
        if self._begin is not None:
            self._begin(under_asgi=hasattr(request, "scope"))
        return self._serve_async(request) if self._awaits else self._serve(request)

    def _serve(self, request: HttpRequest) -> HttpResponseBase:
        if (metadata := self._metadata(request)) is not None:
            return metadata
        try:
            request, raw = self._read(request)
            token = None if raw is None else self._verify(raw)
        except JWKSError as error:
            return self._refused(error, request)
        with self._admitted(request, token) as handling:
            return _replaced(self._get_response(request), handling, request)

    async def _serve_async(self, request: HttpRequest) -> HttpResponseBase:
        if (metadata := self._metadata(request)) is not None:
            return metadata
        try:
            request, raw = self._read(request)
            token = None if raw is None else await self._verify(raw)
        except JWKSError as error:
            return self._refused(error, request)
        with self._admitted(request, token) as handling:
            return _replaced(await self._get_response(request), handling, request)

    def _metadata(self, request: HttpRequest) -> HttpResponseBase | None:
        """Return the metadata document (RFC 9728), if the request asks for it."""
        resource = self._resource
        if resource is None or path_of(request) != resource.path:
            return None
        return django_response(resource.answer(request.method or ""), request)

    def _read(self, request: HttpRequest) -> tuple[HttpRequest, str | None]:
        """Return the request in the form that the site sees, and its unverified token."""
        method, path = request.method or "", path_of(request)
        if self._exclusions.match(method, path):
            return request, None
        unverified = UnverifiedRequest.of(mapping_of(request))
        if self._passes_preflights and is_preflight(unverified):
            return without_credentials(request, self._guard.reader), None
        return request, self._guard.read(unverified, optional=self._optional.match(method, path))

    def _refused(self, error: JWKSError, request: HttpRequest) -> HttpResponseBase:
        unverified = UnverifiedRequest.of(mapping_of(request))
        return django_response(self._guard.refuse(error, unverified, request.path), request)

    @contextmanager
    def _admitted(self, request: HttpRequest, token: VerifiedToken | None) -> Generator[Handling]:
        found = cast("dict[str, Any]", mapping_of(request))
        handling = Handling(self._guard, UnverifiedRequest.of(found), request.path, token)
        handling.reports = True
        found[TOKEN_KEY], found[HANDLING_KEY] = token, handling
        cast("Any", request).token = token
        try:
            with serving(token, handling):
                yield handling
        finally:
            handling.end()


def _replaced(response: HttpResponseBase, handling: Handling, request: Any) -> HttpResponseBase:
    """Answer a refusal that another middleware raised, and that Django turned into a 500."""
    error = handling.cause_of_500() if response.status_code == 500 else None
    return response if error is None else django_response(handling.answer(error), request)
