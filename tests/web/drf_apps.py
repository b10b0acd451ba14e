"""The app of `every_framework` for Django REST framework, alone and under the middleware; the URLconf."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar

from django.core.wsgi import get_wsgi_application
from django.urls import path
from django_apps import MIDDLEWARE, project
from every_framework import EXCLUDE, ORG, Bug, Framework, catch, seen
from rest_framework.permissions import AllowAny, IsAuthenticated
from rest_framework.response import Response
from rest_framework.views import APIView

from jwks_client.integrations.drf import HasScopes, JWKSAuthentication

if TYPE_CHECKING:
    from rest_framework.request import Request

REST = {"EXCEPTION_HANDLER": "jwks_client.integrations.drf.exception_handler"}


class WhoAmI(APIView):
    authentication_classes = (JWKSAuthentication,)
    permission_classes = (IsAuthenticated,)

    def get(self, request: Request) -> Response:
        assert request.auth is None or request.user.username == request.auth.subject
        return Response(seen(request.auth))


class Orders(WhoAmI):
    permission_classes = (HasScopes("orders:read"),)


class Org(WhoAmI):
    permission_classes = (HasScopes(claims=ORG),)


class Open(WhoAmI):
    authentication_classes = ()
    permission_classes = (AllowAny,)


class Caught(WhoAmI):
    def get(self, request: Request) -> Response:
        catch(request.auth)
        return super().get(request)


class Failing(WhoAmI):
    def get(self, request: Request) -> Response:
        catch(request.auth)
        raise Bug


def urls(optional: bool) -> list[Any]:
    permission = AllowAny if optional else IsAuthenticated
    return [
        path("whoami", WhoAmI.as_view(permission_classes=[permission])),
        path("open", Open.as_view()),
        path("orders", Orders.as_view()),
        path("org", Org.as_view()),
        path("caught", Caught.as_view()),
        path("bug", Failing.as_view()),
    ]


urlpatterns = [path("optional/", lambda request: None), *urls(optional=False)]


class DRF(Framework):
    """The authentication class alone."""

    asynchronous = False
    server = "wsgiref"
    has_current = False
    middleware: ClassVar[list[str]] = []

    @contextmanager
    def app(self, client: Any, *, optional: bool) -> Iterator[Any]:
        options: dict[str, Any] = {"optional": optional, "exclude": EXCLUDE}
        site = tuple(urls(optional=optional))  # Django accepts patterns in place of a module
        with project(
            client,
            urls=site,
            MIDDLEWARE=self.middleware,
            REST_FRAMEWORK=REST,
            JWKS_OPTIONS=options,
        ):
            yield get_wsgi_application()


class DRFUnderMiddleware(DRF):
    has_current = True
    middleware: ClassVar[list[str]] = [MIDDLEWARE]
