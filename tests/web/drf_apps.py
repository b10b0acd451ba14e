"""The app of the table for Django REST framework, alone and under Django's middleware."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

from django.core.wsgi import get_wsgi_application
from django.urls import path, re_path
from django_apps import project
from rest_framework.permissions import AllowAny, IsAuthenticated
from rest_framework.response import Response
from rest_framework.views import APIView
from table_app import ORG, act, status_of, work_on

from jwks_client.integrations.drf import HasScopes, JWKSAuthentication, get_token

if TYPE_CHECKING:
    from rest_framework.request import Request

REST = {"EXCEPTION_HANDLER": "jwks_client.integrations.drf.exception_handler"}


class WhoAmI(APIView):
    authentication_classes = (JWKSAuthentication,)
    permission_classes = (IsAuthenticated,)

    def get(self, request: Request, **_: str) -> Response:
        assert request.auth is None or request.user.username == request.auth.subject
        assert get_token(request) is request.auth
        query = request.META.get("QUERY_STRING", "")
        response = Response(act(request.path, request.auth, query), status_of(request.path))
        if request.path == "/late":
            response.add_post_render_callback(
                lambda whole: whole.__setitem__("Content-Length", len(whole.content))
            )
            response._resource_closers.append(work_on)
        return response

    post = get


def urls(settings: Any) -> Any:
    """Return the URLs of a setup: a permission is what requires a token."""
    permission = AllowAny if settings.get("optional") else IsAuthenticated
    view = WhoAmI.as_view
    return (
        path("orders", view(permission_classes=[HasScopes("orders:read")])),
        path("org", view(permission_classes=[HasScopes(claims=ORG)])),
        path("open", view(authentication_classes=[], permission_classes=[AllowAny])),
        re_path(r"^(?P<rest>.*)$", view(permission_classes=[permission])),
    )


def alone(client: Any, settings: Any) -> AbstractContextManager[None]:
    """The site of the authentication class alone."""
    return project(
        client, urls(settings), MIDDLEWARE=[], REST_FRAMEWORK=REST, JWKS_OPTIONS=settings
    )


def under_middleware(client: Any, settings: Any) -> AbstractContextManager[None]:
    """The site under Django's middleware."""
    return project(client, urls(settings), REST_FRAMEWORK=REST, JWKS_OPTIONS=settings)


def app_alone(client: Any, settings: Any) -> Any:
    with alone(client, settings):
        return get_wsgi_application()


def app_under_middleware(client: Any, settings: Any) -> Any:
    with under_middleware(client, settings):
        return get_wsgi_application()
