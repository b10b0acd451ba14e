"""Django REST framework beyond the table: users, throttles, permissions, the document, wrong settings."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
import textwrap
import threading
from contextlib import closing
from typing import Any, ClassVar
from wsgiref.util import setup_testing_defaults

import pytest
from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.wsgi import WSGIHandler
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.test import override_settings
from django.urls import path
from django_apps import clients, project
from drf_apps import REST, WhoAmI, alone, urls
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.permissions import BasePermission, IsAdminUser, IsAuthenticated
from rest_framework.response import Response
from rest_framework.test import APIClient
from rest_framework.throttling import UserRateThrottle
from table_app import PATIENCE

from jwks_client import ConfigurationError, providers
from jwks_client.integrations.django import requires
from jwks_client.integrations.drf import HasScopes, JWKSAuthentication, TokenUser
from jwks_client.testing import FakeClock, FakeProvider


class TwoAMinute(UserRateThrottle):
    THROTTLE_RATES: ClassVar[dict[str, str]] = {"user": "2/min"}


class Throttled(WhoAmI):
    throttle_classes = (TwoAMinute,)


class StaffAuthentication(JWKSAuthentication):
    def user_of(self, token: Any) -> Any:
        return TokenUser(token, is_staff="admin" in token.scopes)


class Staff(WhoAmI):
    authentication_classes = (StaffAuthentication,)
    permission_classes = (IsAdminUser,)


class Either(Staff):
    permission_classes = (HasScopes("reports:read") | IsAdminUser,)


class Deep(WhoAmI):
    def get(self, request: Any) -> Response:
        return Response(request.auth.require("deep").subject)


class Decorated(WhoAmI):
    @requires("orders:read")
    def get(self, request: Any) -> Response:
        return Response(request.auth.subject)


class Refuses(BaseAuthentication):
    def authenticate(self, request: Any) -> Any:
        raise AuthenticationFailed


class Foreign(WhoAmI):
    authentication_classes = (Refuses,)


class Scoped(WhoAmI):
    permission_classes = (IsAuthenticated, HasScopes("orders:read"))


URLS = tuple(
    path(name, view.as_view())
    for name, view in {
        "whoami": WhoAmI,
        "throttled": Throttled,
        "staff": Staff,
        "either": Either,
        "deep": Deep,
        "decorated": Decorated,
        "foreign": Foreign,
        "scoped": Scoped,
    }.items()
)


@pytest.fixture
def idp() -> FakeProvider:
    return FakeProvider()


def site(client: Any, **settings: Any) -> Any:
    known: dict[str, Any] = {"urls": URLS, "MIDDLEWARE": [], "REST_FRAMEWORK": REST}
    return project(client, **{**known, **settings})


def ask(name: str, token: str | None = None, **more: Any) -> Any:
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    return APIClient(**more).get(f"/{name}", headers=headers)


def test_throttles_count_each_caller_separately(idp):
    """A throttle by user limits each subject alone, and equal subjects of two issuers are different users."""
    with site(idp.client()):
        one, two = idp.issue(sub="throttled one"), idp.issue(sub="throttled two")
        assert [ask("throttled", one).status_code for _ in range(3)] == [200, 200, 429]
        assert ask("throttled", two).status_code == 200
    client = idp.client()
    other = FakeProvider(issuer="https://other.test")
    users = [
        TokenUser(client.verify(idp.issue(sub="u1"))),
        TokenUser(client.verify(idp.issue(sub="u2"))),
        TokenUser(client.verify(idp.issue(sub=None, client_id="c1"))),
        TokenUser(other.client().verify(other.issue(sub="u1"))),
    ]
    assert len({user.pk for user in users}) == len(users)
    again = TokenUser(client.verify(idp.issue(sub="u1")))
    assert (again == users[0], hash(again) == hash(users[0]), again.id) == (True, True, users[0].pk)


def test_a_token_user_has_no_rights_in_the_database(idp):
    """A token gives neither database permissions nor access to the admin."""
    user = TokenUser(idp.client().verify(idp.issue(sub="u1")))
    assert (str(user), user.get_username(), user.is_authenticated) == ("u1", "u1", True)
    assert not user.is_superuser
    assert not user.is_staff
    assert not any([user.has_perm("x"), user.has_perms(["x"]), user.has_module_perms("x")])


def test_the_site_decides_who_is_an_admin(idp):
    """IsAdminUser reads is_staff of the user that user_of returns."""
    with site(idp.client()):
        assert ask("staff", idp.issue(scope="admin")).status_code == 200
        assert ask("staff", idp.issue()).status_code == 403


def test_either_of_two_permissions_suffices(idp):
    """HasScopes composes with other permissions by OR."""
    with site(idp.client()):
        assert ask("either", idp.issue(scope="reports:read")).status_code == 200
        assert ask("either", idp.issue(scope="admin")).status_code == 200
        assert ask("either", idp.issue()).status_code == 403


def test_a_test_may_replace_the_client(idp, monkeypatch):
    """The client that ``JWKS_CLIENT`` names may be replaced between two requests, as tests do."""
    other = FakeProvider(issuer="https://other.test")
    with site(idp.client(), JWKS_CLIENT="django_apps.replaced"):
        for one in (idp, other):
            monkeypatch.setitem(clients, "replaced", one.client())
            assert ask("whoami", one.issue()).status_code == 200
        assert ask("whoami", idp.issue()).status_code == 401


def test_has_scopes_is_a_permission_class():
    """HasScopes(…) is a class, as the framework's stubs and packages that inspect permissions expect."""
    assert issubclass(HasScopes("a"), BasePermission)
    assert HasScopes("a").__name__ == "HasScopes"


def test_a_requirement_inside_a_view_is_answered(idp):
    """token.require in a view, and @requires on its method, are answered with 403 and the scope."""
    with site(idp.client()):
        for name, scope in [("deep", "deep"), ("decorated", "orders:read")]:
            answer = ask(name, idp.issue())
            assert (answer.status_code, answer.json()["code"]) == (403, "insufficient_scope")
            assert f'scope="{scope}"' in answer["WWW-Authenticate"]
        assert ask("decorated", idp.issue(scope="orders:read")).status_code == 200


def test_foreign_errors_keep_the_framework_s_answer(idp):
    """Failures of another authentication class and of a throttle keep the framework's own answers."""
    with site(idp.client()):
        answer = ask("foreign")
        assert (answer.status_code, "code" in answer.json()) == (403, False)


def test_without_the_exception_handler_the_status_is_right(idp):
    """The framework's own handler sends the status, the challenge and Retry-After."""
    with site(idp.client(), REST_FRAMEWORK={}):
        answer = ask("whoami", "junk")
        assert answer.status_code == 401
        assert answer["WWW-Authenticate"] == 'Bearer error="invalid_token"'
        assert (ask("whoami").status_code, ask("whoami")["WWW-Authenticate"]) == (401, "Bearer")
        assert ask("scoped", idp.issue()).status_code == 403
    idp.fail(503)
    with site(idp.client(), REST_FRAMEWORK={}):
        answer = ask("whoami", idp.issue())
        assert (answer.status_code, answer.has_header("WWW-Authenticate")) == (503, False)
        assert int(answer["Retry-After"]) >= 1


def test_a_refusal_is_reported_once(idp):
    """Each refusal has one event and one log record, with the path."""
    events: list[Any] = []
    with site(idp.client(listeners=[events.append])):
        ask("whoami", "junk")
        ask("scoped", idp.issue())
    refused = [one for one in events if type(one).__name__ == "RequestRefused"]
    assert [(one.code, one.path) for one in refused] == [
        ("malformed_token", "/whoami"),
        ("insufficient_scope", "/scoped"),
    ]


def test_an_async_client_is_refused_with_the_fix(idp):
    """The framework does not await, so an async client is refused with an error that says so."""
    with (
        site(idp.async_client()),
        pytest.raises(ConfigurationError, match="does not await") as caught,
    ):
        ask("whoami", idp.issue())
    assert caught.value.field == "JWKS_CLIENT"


@pytest.mark.parametrize("named_in", ["the options", "the provider"])
def test_the_document_names_the_locations_of_tokens(idp, named_in):
    """drf-spectacular finds a scheme for each header and cookie, without a warning."""
    from drf_spectacular.generators import SchemaGenerator
    from drf_spectacular.openapi import AutoSchema

    class Documented(WhoAmI):
        schema = AutoSchema()

    locations = (
        providers.Header("Authorization", scheme="Bearer"),
        providers.Header("X-Token"),
        providers.Cookie("session"),
    )
    patterns = [path("documented", Documented.as_view())]
    client, options = idp.client(), {"locations": locations}
    if named_in == "the provider":
        client, options = idp.client(dataclasses.replace(idp.provider, locations=locations)), {}
    with site(client, JWKS_OPTIONS=options):
        document = SchemaGenerator(patterns=patterns).get_schema(request=None, public=True)
    assert document["components"]["securitySchemes"] == {
        "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
        "header-X-Token": {"type": "apiKey", "in": "header", "name": "X-Token"},
        "cookie-session": {"type": "apiKey", "in": "cookie", "name": "session"},
    }
    assert document["paths"]["/documented"]["get"]["security"] == [
        {"bearer": []},
        {"header-X-Token": []},
        {"cookie-session": []},
    ]


@pytest.mark.extended
def test_settings_may_name_this_module(idp):
    """The framework reads these settings while it is imported, without a circular import."""
    code = """
        from django.conf import settings
        settings.configure(
            INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth", "rest_framework"],
            REST_FRAMEWORK={
                "DEFAULT_AUTHENTICATION_CLASSES": [
                    "jwks_client.integrations.drf.JWKSAuthentication"
                ],
                "EXCEPTION_HANDLER": "jwks_client.integrations.drf.exception_handler",
            },
        )
        import django
        django.setup()
        {first}
        from rest_framework.views import APIView
        from jwks_client.integrations.drf import JWKSAuthentication
        assert APIView.authentication_classes == [JWKSAuthentication]
        assert APIView.settings.EXCEPTION_HANDLER.__name__ == "exception_handler"
    """
    for first in ("", "import jwks_client.integrations.drf"):
        run = [sys.executable, "-c", textwrap.dedent(code).replace("{first}", first)]
        ended = subprocess.run(run, capture_output=True, text=True, check=False)
        assert ended.returncode == 0, ended.stderr


def test_the_first_request_of_any_kind_begins_to_load_keys():
    """A health check begins the loading, which survives an outage; warm_up=None loads nothing."""
    idp = FakeProvider(clock=FakeClock())
    for options, fetched in (({"warm_up": None}, False), ({}, True)):
        loaded = threading.Event()
        client = idp.client(listeners=[lambda event, done=loaded: done.set()])
        with alone(client, options):
            site = get_wsgi_application()
            assert idp.fetches == 0
            for _ in range(2):
                assert call(site, "/open") == "200 OK"
            assert loaded.wait(PATIENCE if fetched else 0) is fetched
        assert client.ready is fetched


def call(site: Any, url: str) -> str:
    """Ask a site as a server does, to the end of the body."""
    statuses: list[str] = []
    environ: dict[str, Any] = {"PATH_INFO": url, "REQUEST_METHOD": "GET"}
    setup_testing_defaults(environ)
    with closing(site(environ, lambda status, headers: statuses.append(status))) as body:
        assert [*body]
    return statuses[0]


def test_wrong_settings_do_not_fail_requests_without_a_token():
    """They are an error of the requests that bring a token, not of a health check."""
    with override_settings(ROOT_URLCONF=urls({}), MIDDLEWARE=[], REST_FRAMEWORK=REST):
        assert call(get_wsgi_application(), "/open") == "200 OK"


@pytest.mark.parametrize("keeps", [True, False])
@pytest.mark.parametrize(
    ("sent", "asynchronous"),
    [
        ({"signal": request_finished, "sender": ASGIHandler}, True),
        ({"signal": request_finished, "sender": WSGIHandler}, False),
        ({"signal": request_started, "sender": ASGIHandler, "scope": {"type": "http"}}, True),
        ({"signal": request_started, "sender": WSGIHandler, "environ": {}}, False),
    ],
)
def test_keys_are_kept_fresh_under_asgi(sent, asynchronous, keeps):
    """Without the middleware, too, keys are renewed without requests under ASGI, unless keep_fresh=False."""
    client = FakeProvider().client()
    signal, more = sent["signal"], {name: sent[name] for name in sent if name != "signal"}
    with site(client, JWKS_OPTIONS={"keep_fresh": keeps}):
        signal.send(**more)
    assert client._keeper._claim.locked()
    assert client._keeper._keep_fresh is (asynchronous and keeps)


def test_required_keys_are_not_waited_for_without_the_middleware():
    """With warm_up="required", nothing loads keys in the background; the first token does."""
    client = FakeProvider().client()
    with site(client, JWKS_OPTIONS={"warm_up": "required"}):
        request_finished.send(sender=WSGIHandler)
    assert not client._keeper._claim.locked()
