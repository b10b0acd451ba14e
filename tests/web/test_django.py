"""Django's native middleware beyond the table: wrong settings, and requests that a site may get."""

from __future__ import annotations

import asyncio
from typing import Any
from wsgiref.util import setup_testing_defaults

import django
import pytest
from asgiref.sync import async_to_sync
from django.core.asgi import get_asgi_application
from django.core.wsgi import get_wsgi_application
from django.http import HttpResponse
from django.test import AsyncClient, Client, RequestFactory, override_settings
from django.utils.decorators import sync_only_middleware
from django_apps import MIDDLEWARE, project

from jwks_client import ConfigurationError, KeysUnavailableError, asgi, wsgi
from jwks_client.integrations.django import requires
from jwks_client.testing import FakeProvider

resource = asgi.ProtectedResource(resource="https://api.test/orders")
not_a_client = object()
seen: list[Any] = []


@sync_only_middleware
def sync_only(get_response: Any) -> Any:
    def middleware(request: Any) -> Any:
        return get_response(request)

    return middleware


@sync_only_middleware
def requiring(get_response: Any) -> Any:
    """Middleware that refuses, instead of a view."""

    def middleware(request: Any) -> Any:
        request.token.require("deep")
        return get_response(request)

    return middleware


@sync_only_middleware
def looking(get_response: Any) -> Any:
    def middleware(request: Any) -> Any:
        seen.append((request.headers.get("Cookie"), request.token, wsgi.get_token(request)))
        return HttpResponse("seen")

    return middleware


@pytest.fixture
def idp() -> FakeProvider:
    return FakeProvider()


def ask(idp: FakeProvider, path: str = "/whoami", **claims: Any) -> HttpResponse:
    return Client().get(path, headers={"Authorization": f"Bearer {idp.issue(**claims)}"})


async def awaited(method: Any, *args: Any, **more: Any) -> Any:
    """Call a method of AsyncClient, which old releases do not mark as a coroutine function."""
    return await method(*args, **more)


# Settings.


@pytest.mark.parametrize(
    ("settings", "field", "says"),
    [
        ({"JWKS_CLIENT": None}, "JWKS_CLIENT", "must be the dotted path of a client"),
        ({"JWKS_CLIENT": "client"}, "JWKS_CLIENT", "must be the dotted path of a client"),
        ({"JWKS_CLIENT": "nowhere.client"}, "JWKS_CLIENT", "No module named 'nowhere'"),
        ({"JWKS_CLIENT": "test_django.nothing"}, "JWKS_CLIENT", "nothing"),
        ({"JWKS_CLIENT": "test_django.not_a_client"}, "JWKS_CLIENT", "got object"),
        ({"JWKS_CLIENT": "jwks_client.JWKSClient"}, "JWKS_CLIENT", "got a class"),
        ({"JWKS_OPTIONS": {"exclde": []}}, "JWKS_OPTIONS", "has no option 'exclde'"),
        ({"JWKS_OPTIONS": ["exclude"]}, "JWKS_OPTIONS", "must be a dict, got list"),
        ({"JWKS_OPTIONS": {"optional": "yes"}}, "optional", "'yes'"),
        ({"JWKS_OPTIONS": {"exclude": "/open"}}, "exclude", "'/open'"),
        ({"JWKS_OPTIONS": {"realm": "\n"}}, "realm", "realm"),
        ({"JWKS_OPTIONS": {"warm_up": "never"}}, "warm_up", "'never'"),
    ],
)
@pytest.mark.parametrize("application", [get_wsgi_application, get_asgi_application])
def test_a_wrong_setting_fails_the_start_and_is_named(idp, application, settings, field, says):
    """The server does not start, and the error names the setting and what it must be."""
    with project(idp.client(), **settings), pytest.raises(ConfigurationError, match=says) as caught:
        application()
    assert caught.value.field == field


@pytest.mark.parametrize("middleware", [[MIDDLEWARE], [MIDDLEWARE, "test_django.sync_only"]])
def test_an_async_client_in_a_sync_stack_fails_the_start(idp, middleware):
    """Under WSGI, and under ASGI behind sync-only middleware, the error recommends JWKSClient."""
    application = get_wsgi_application if len(middleware) == 1 else get_asgi_application
    with (
        project(idp.async_client(), MIDDLEWARE=middleware),
        pytest.raises(ConfigurationError, match="must be a JWKSClient here") as caught,
    ):
        application()
    assert caught.value.field == "JWKS_CLIENT"


def test_missing_required_keys_fail_the_start():
    """With warm_up="required" no server starts without keys, with either client."""
    idp = FakeProvider()
    idp.fail(503)
    for client, application in (
        (idp.client(), get_wsgi_application),
        (idp.async_client(), get_asgi_application),
    ):
        with (
            project(client, JWKS_OPTIONS={"warm_up": "required"}),
            pytest.raises(KeysUnavailableError) as caught,
        ):
            application()
        assert caught.value.code == "fetch_failed"


def test_nothing_is_begun_before_the_first_request():
    """A server may fork after Django made the middleware: the first request begins to load keys."""
    idp = FakeProvider()
    client = idp.client()
    with project(client):
        application = get_wsgi_application()
        assert (idp.fetches, client._keeper._claim.locked()) == (0, False)
        environ: dict[str, Any] = {}
        setup_testing_defaults(environ)
        application(environ, lambda *_: None)
        assert client._keeper._claim.locked()


@pytest.mark.parametrize("warm_up", ["background", "required"])
@pytest.mark.parametrize("kept", [True, False])
def test_keys_are_kept_fresh_under_asgi(kept, warm_up):
    """Under ASGI the keys are renewed without requests, unless keep_fresh=False; under WSGI they are not."""
    for asynchronous in (True, False):
        client = FakeProvider().client()
        with project(client, JWKS_OPTIONS={"keep_fresh": kept, "warm_up": warm_up}):
            if asynchronous:
                async_to_sync(awaited)(AsyncClient().get, "/")
            else:
                Client().get("/")
        assert client._keeper._claim.locked()
        assert client._keeper._keep_fresh is (kept and asynchronous)


def test_keys_are_loaded_by_the_start():
    """With warm_up="required" the first request fetches nothing."""
    for kind in ("client", "async_client"):
        idp = FakeProvider()
        with project(getattr(idp, kind)(), JWKS_OPTIONS={"warm_up": "required"}):
            get_wsgi_application() if kind == "client" else get_asgi_application()
        assert idp.fetches == 1


# Requests.


def test_get_token_and_other_decorators_find_the_token(idp):
    """get_token of both middlewares accepts Django's requests."""
    factory = RequestFactory()
    request = factory.get("/", headers={"Authorization": f"Bearer {idp.issue(sub='u7')}"})
    from jwks_client.integrations.django import JWKSMiddleware

    with project(idp.client()):
        JWKSMiddleware(lambda request: HttpResponse())(request)
    assert wsgi.get_token(request) is request.token
    assert request.token.subject == "u7"


def test_the_async_test_client_is_served(idp):
    """AsyncClient makes ASGI requests, and both clients serve it."""
    for client in (idp.client(), idp.async_client()):
        with project(client):
            good = {"Authorization": f"Bearer {idp.issue(sub='u7', scope='orders:read')}"}
            for path in ("/async/whoami", "/async/orders"):
                answer = async_to_sync(awaited)(AsyncClient().get, path, headers=good)
                assert (answer.json()["sub"], answer.json()["current"]) == ("u7", "u7")
            poor = {"Authorization": f"Bearer {idp.issue()}"}
            for path in ("/async/orders", "/async/org"):
                assert (
                    async_to_sync(awaited)(AsyncClient().get, path, headers=poor).status_code == 403
                )


def test_a_refusal_of_other_middleware_is_answered(idp):
    """Django turns an exception of middleware into a 500, but a refusal is answered as such."""
    with project(idp.client(), MIDDLEWARE=[MIDDLEWARE, "test_django.requiring"]):
        client = Client(raise_request_exception=False)
        answer = client.get("/whoami", headers={"Authorization": f"Bearer {idp.issue()}"})
    assert (answer.status_code, answer.json()["code"]) == (403, "insufficient_scope")


def test_head_has_no_body(idp):
    """A refusal of HEAD gives the length of its body, and sends none."""
    with project(idp.client()):
        answer = Client().head("/whoami")
    assert (answer.status_code, answer.content) == (401, b"")


def test_metadata_needs_no_token(idp):
    """The document of RFC 9728, whose URL is in each challenge, needs no token."""
    with project(idp.client(), JWKS_OPTIONS={"resource_metadata": resource}):
        assert Client().get(resource.path).json()["resource"] == "https://api.test/orders"
        assert resource.url in Client().get("/whoami")["WWW-Authenticate"]
    with project(idp.async_client(), JWKS_OPTIONS={"resource_metadata": resource}):
        answer = async_to_sync(awaited)(AsyncClient().get, resource.path)
        assert answer.json()["resource"] == "https://api.test/orders"


def test_preflights_pass_without_credentials_where_configured(idp):
    """With preflight="pass" a view sees a preflight without cookie and token."""
    asked = {"Origin": "https://a.test", "Access-Control-Request-Method": "GET", "Cookie": "a=b"}
    client = idp.client()
    # The AsyncClient of Django 4.2 sends a header's hyphens as underscores.
    for make in (Client, AsyncClient) if django.VERSION >= (5,) else (Client,):

        def ask(path: str, made: Any = make, **more: Any) -> Any:
            options = made().options
            if made is AsyncClient:
                return async_to_sync(awaited)(options, path, **more)
            return options(path, **more)

        middleware = [MIDDLEWARE, "test_django.looking"]
        with project(client, MIDDLEWARE=middleware):
            assert ask("/whoami", headers=asked).status_code == 401
        with project(client, MIDDLEWARE=middleware, JWKS_OPTIONS={"preflight": "pass"}):
            assert ask("/whoami", headers=asked).content == b"seen"
        assert seen.pop() == (None, None, None)


def test_an_ambiguous_path_is_not_excluded(idp):
    """Under ASGI a path that frameworks read in two ways needs credentials."""
    with project(idp.async_client(), JWKS_OPTIONS={"exclude": ["/open"]}):
        application = get_asgi_application()

        async def status(path: str, root_path: str) -> int:
            sent: list[Any] = []

            messages = [{"type": "http.request", "body": b"", "more_body": False}]

            async def receive() -> Any:
                return messages.pop() if messages else await asyncio.Event().wait()

            async def send(message: Any) -> None:
                sent.append(message)

            scope = {"type": "http", "method": "GET", "path": path, "root_path": root_path}
            await application({**scope, "query_string": b"", "headers": []}, receive, send)
            return sent[0]["status"]

        assert async_to_sync(status)("/api/open", "/api") == 200
        assert async_to_sync(status)("/x/api/open", "/api") == 401


# Views.


def test_requires_without_the_middleware_names_it():
    """A protected view of a site without the middleware never runs, and the error says why."""

    @requires("orders:read")
    def view(request: Any) -> Any:
        raise AssertionError("it ran")

    with pytest.raises(ConfigurationError, match="must list 'jwks_client"):
        view(RequestFactory().get("/"))


@pytest.mark.parametrize(
    "wrong", [{"any_of": ()}, {"any_of": "a b"}, {"claims": 7}, {"provider": ""}]
)
def test_a_wrong_requirement_is_refused_when_the_view_is_decorated(wrong):
    """Settings of @requires are checked at import."""
    if wrong == {"any_of": ()}:
        with pytest.raises(ConfigurationError):
            requires("orders:read")(7)
        return
    with pytest.raises(ConfigurationError):
        requires(**wrong)


def test_requires_works_under_the_wsgi_middleware_too(idp):
    """The decorator works on a site that the WSGI middleware protects from outside."""
    with override_settings(ROOT_URLCONF="django_apps", MIDDLEWARE=[]):
        app = wsgi.JWKSMiddleware(get_wsgi_application(), idp.client(), exclude=["/open"])
        environ: dict[str, Any] = {"PATH_INFO": "/orders"}
        setup_testing_defaults(environ)
        environ["HTTP_AUTHORIZATION"] = f"Bearer {idp.issue()}"
        statuses: list[str] = []
        list(app(environ, lambda status, headers, raised=None: statuses.append(status)))
    assert statuses[-1] == "403 Forbidden"
