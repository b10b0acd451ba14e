"""The app of the table for Django Ninja, under Django's middleware."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

from django.core.wsgi import get_wsgi_application
from django.urls import path
from django_apps import MIDDLEWARE, WATCH, anything, project, whoami
from ninja import NinjaAPI
from table_app import METHODS, ORG, seen

from jwks_client.integrations.django import requires


def orders(request: Any) -> Any:
    """Answers by Ninja itself."""
    return seen(request.token, request.META["QUERY_STRING"])


def rest(request: Any, rest: str) -> Any:
    return anything(request)


api = NinjaAPI(openapi_url=None)
api.api_operation(METHODS, "/orders")(requires("orders:read")(orders))
api.api_operation(METHODS, "/org")(requires(claims=ORG)(whoami))
api.api_operation(METHODS, "/")(anything)
api.api_operation(METHODS, "/{path:rest}")(rest)
URLS = (path("", api.urls),)


def site(client: Any, settings: Any) -> AbstractContextManager[None]:
    """The site with a setup's settings."""
    return project(client, URLS, MIDDLEWARE=[WATCH, MIDDLEWARE], JWKS_OPTIONS=settings)


def app(client: Any, settings: Any) -> Any:
    with site(client, settings):
        return get_wsgi_application()
