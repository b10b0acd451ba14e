"""The app of the table for Django's native middleware, and under the others; also the URLconf."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import django_site  # noqa: F401 (configures Django)
from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.core.asgi import get_asgi_application
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, JsonResponse
from django.test import override_settings
from django.urls import path, re_path
from django.views import View
from table_app import INSIDE, ORG, act, act_in_task, seen, status_of, work_on

from jwks_client import asgi, wsgi
from jwks_client.decorators import requires as requires_outside
from jwks_client.integrations.django import get_token, requires

clients: dict[str, Any] = {}
MIDDLEWARE = "jwks_client.integrations.django.JWKSMiddleware"
WATCH = f"{__name__}.Watch"


def __getattr__(name: str) -> Any:
    """Return the client that ``JWKS_CLIENT`` names."""
    try:
        return clients[name]
    except KeyError:
        raise AttributeError(name) from None


class Watch:
    """Middleware inside Django, sync and async: notes the statuses that it sees."""

    sync_capable = async_capable = True

    def __init__(self, get_response: Any) -> None:
        self._get_response = get_response
        if iscoroutinefunction(get_response):
            markcoroutinefunction(self)

    def __call__(self, request: Any) -> Any:
        if iscoroutinefunction(self):
            return self._watch(request)
        response = self._get_response(request)
        INSIDE.append(response.status_code)
        return response

    async def _watch(self, request: Any) -> Any:
        response = await self._get_response(request)
        INSIDE.append(response.status_code)
        return response


def token_of(request: HttpRequest) -> Any:
    """Return the token, whichever middleware found it: the native one also sets ``request.token``."""
    token = get_token(request)
    assert getattr(request, "token", token) is token
    return token


def seen_of(request: HttpRequest) -> dict[str, Any]:
    return seen(token_of(request), request.META["QUERY_STRING"])


def whoami(request: HttpRequest) -> JsonResponse:
    return JsonResponse(seen_of(request))


async def whoami_async(request: HttpRequest) -> JsonResponse:
    return JsonResponse(seen_of(request))


class WhoAmI(View):
    def get(self, request: HttpRequest) -> JsonResponse:
        return whoami(request)


class AsyncWhoAmI(View):
    async def get(self, request: HttpRequest) -> JsonResponse:
        return whoami(request)


class Org(View):
    @requires(claims=ORG)
    def get(self, request: HttpRequest) -> JsonResponse:
        return whoami(request)


def anything(request: HttpRequest, **_: str) -> JsonResponse:
    found = act(request.path, token_of(request), request.META["QUERY_STRING"])
    response = JsonResponse(found, status=status_of(request.path))
    if request.path == "/late":
        response["Content-Length"] = len(response.content)
        response._resource_closers.append(work_on)
    return response


async def anything_async(request: HttpRequest, **_: str) -> JsonResponse:
    found = await act_in_task(request.path, token_of(request), request.META["QUERY_STRING"])
    return JsonResponse(found, status=status_of(request.path))


urlpatterns = [
    path("orders", requires("orders:read")(WhoAmI.as_view())),
    path("org", Org.as_view()),
    path("async/whoami", whoami_async),
    path("async/orders", requires("orders:read")(AsyncWhoAmI.as_view())),
    path("async/org", requires(claims=ORG)(whoami_async)),
    path("executor", anything_async),
    re_path(r"^(?P<rest>.*)$", anything),
]
OUTSIDE = (  # Django accepts patterns in place of a module
    path("orders", requires_outside("orders:read")(whoami)),
    path("org", requires_outside(claims=ORG)(whoami)),
    path("executor", anything_async),
    re_path(r"^(?P<rest>.*)$", anything),
)


@contextmanager
def project(client: Any, urls: Any = __name__, **settings: Any) -> Iterator[None]:
    """Make this module the site, with a client."""
    name = f"client_{id(client)}"
    clients[name] = client
    known: dict[str, Any] = {"MIDDLEWARE": [MIDDLEWARE], "JWKS_CLIENT": f"{__name__}.{name}"}
    with override_settings(ROOT_URLCONF=urls, **{**known, **settings}):
        yield


def native(client: Any, settings: Any) -> AbstractContextManager[None]:
    """The site of the native middleware with a setup's settings."""
    return project(client, MIDDLEWARE=[WATCH, MIDDLEWARE], JWKS_OPTIONS=settings)


def native_wsgi(client: Any, settings: Any) -> Any:
    with native(client, settings):
        return get_wsgi_application()


def native_asgi(client: Any, settings: Any) -> Any:
    with native(client, settings):
        return get_asgi_application()


def outside(client: Any, settings: Any) -> AbstractContextManager[None]:
    """The site under a middleware that is outside of Django."""
    return override_settings(ROOT_URLCONF=OUTSIDE, MIDDLEWARE=[WATCH])


def under_wsgi(client: Any, settings: Any) -> Any:
    with outside(client, settings):
        return wsgi.JWKSMiddleware(get_wsgi_application(), client, warm_up=None, **settings)


def under_asgi(client: Any, settings: Any) -> Any:
    with outside(client, settings):
        return asgi.JWKSMiddleware(get_asgi_application(), client, warm_up=None, **settings)
