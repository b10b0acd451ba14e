"""The app of `every_framework` for Django's native middleware, under WSGI and ASGI; the URLconf."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import django_site  # noqa: F401 (configures Django)
from django.http import HttpRequest, JsonResponse
from django.test import override_settings
from django.urls import path
from django.views import View
from every_framework import EXCLUDE, ORG, Bug, Framework, catch, seen

from jwks_client.integrations.django import requires

clients: dict[str, Any] = {}
MIDDLEWARE = "jwks_client.integrations.django.JWKSMiddleware"


def __getattr__(name: str) -> Any:
    """The client that ``JWKS_CLIENT`` names."""
    try:
        return clients[name]
    except KeyError:
        raise AttributeError(name) from None


def whoami(request: HttpRequest) -> JsonResponse:
    return JsonResponse(seen(request.token))


async def whoami_async(request: HttpRequest) -> JsonResponse:
    return JsonResponse(seen(request.token))


@requires("orders:read")
class Orders(View):
    def get(self, request: HttpRequest) -> JsonResponse:
        return JsonResponse(seen(request.token))


@requires("orders:read")
class AsyncOrders(View):
    async def get(self, request: HttpRequest) -> JsonResponse:
        return JsonResponse(seen(request.token))


class Org(View):
    @requires(claims=ORG)
    def get(self, request: HttpRequest) -> JsonResponse:
        return JsonResponse(seen(request.token))


def caught(request: HttpRequest) -> JsonResponse:
    catch(request.token)
    return JsonResponse(seen(request.token))


def bug(request: HttpRequest) -> JsonResponse:
    catch(request.token)
    raise Bug


urlpatterns = [
    path("whoami", whoami),
    path("open", whoami),
    path("orders", Orders.as_view()),
    path("org", Org.as_view()),
    path("caught", caught),
    path("bug", bug),
    path("async/whoami", whoami_async),
    path("async/orders", requires("orders:read")(AsyncOrders.as_view())),
    path("async/org", requires(claims=ORG)(whoami_async)),
]


@contextmanager
def project(client: Any, urls: str = __name__, **settings: Any) -> Iterator[None]:
    """Make this module the site, with a client."""
    name = f"client_{id(client)}"
    clients[name] = client
    known: dict[str, Any] = {"MIDDLEWARE": [MIDDLEWARE], "JWKS_CLIENT": f"{__name__}.{name}"}
    with override_settings(ROOT_URLCONF=urls, **{**known, **settings}):
        yield


class DjangoWSGI(Framework):
    asynchronous = False
    server = "wsgiref"

    @contextmanager
    def app(self, client: Any, *, optional: bool) -> Iterator[Any]:
        from django.core.wsgi import get_wsgi_application

        with project(client, JWKS_OPTIONS={"optional": optional, "exclude": EXCLUDE}):
            yield get_wsgi_application()


class DjangoASGI(Framework):
    @contextmanager
    def app(self, client: Any, *, optional: bool) -> Iterator[Any]:
        from django.core.asgi import get_asgi_application

        with project(client, JWKS_OPTIONS={"optional": optional, "exclude": EXCLUDE}):
            yield get_asgi_application()


class DjangoASGIWithSyncClient(DjangoASGI):
    asynchronous = False
