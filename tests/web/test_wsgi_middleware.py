"""The WSGI middleware, called without a server."""

from __future__ import annotations

import io
import json
import logging
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from wsgiref.util import FileWrapper, setup_testing_defaults
from wsgiref.validate import validator

import httpx
import pytest

from jwks_client import AsyncJWKSClient, JWKSClient
from jwks_client.errors import (
    ConfigurationError,
    CredentialsError,
    InsufficientScopeError,
    KeysUnavailableError,
    TokenError,
)
from jwks_client.providers import Cookie, Header
from jwks_client.testing import FakeProvider
from jwks_client.wsgi import JWKSMiddleware, ProtectedResource, current_token, get_token

PATIENCE = 20.0  # real seconds after which a working operation is long done


def client_of(idp: FakeProvider, **settings: Any) -> JWKSClient:
    """Return a client of a fake provider, without sockets."""
    http = httpx.Client(transport=idp.transport)
    return JWKSClient(idp.provider, http=http, clock=idp.clock, **settings)


def protect(app: Any, client: Any, **settings: Any) -> JWKSMiddleware:
    """Return an app under the middleware, without background threads."""
    return JWKSMiddleware(app, client, **{"warm_up": None, **settings})


def environ_of(token: str | None = None, path: str = "/", **members: Any) -> dict[str, Any]:
    """Return the environ of a GET with a token."""
    environ: dict[str, Any] = {}
    setup_testing_defaults(environ)
    environ |= {"PATH_INFO": path, "SCRIPT_NAME": "", "QUERY_STRING": ""}
    if token is not None:
        environ["HTTP_AUTHORIZATION"] = f"Bearer {token}"
    return environ | members


class Called:
    """The answer of an app, which is called as the standard library's validator allows."""

    def __init__(self, app: Any, environ: dict[str, Any], *, checked: bool = True) -> None:
        self.started: list[tuple[str, dict[str, str]]] = []
        self.environ = environ
        body = (validator(app) if checked else app)(environ, self._start)
        try:
            self.chunks = list(body)
        finally:
            if hasattr(body, "close"):
                body.close()

    def _start(self, status: str, headers: list[tuple[str, str]], raised: Any = None) -> Any:
        self.started.append((status, dict(headers)))
        return lambda data: None

    @property
    def status(self) -> str:
        return self.started[-1][0]

    @property
    def headers(self) -> dict[str, str]:
        return self.started[-1][1]

    @property
    def body(self) -> bytes:
        return b"".join(self.chunks)

    @property
    def code(self) -> str:
        return json.loads(self.body)["code"]


def fine(environ: Any, start_response: Any) -> Any:
    """Answer 200 ``fine`` to every request."""
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"fine"]


def test_the_app_finds_the_token(idp):
    """get_token accepts an environ, or a request that has one, as Flask's and Django's do."""

    class Flask:
        def __init__(self, environ: Any) -> None:
            self.environ = environ

    class Django:
        def __init__(self, environ: Any) -> None:
            self.META = environ

    called = Called(protect(fine, client_of(idp)), environ_of(idp.issue(sub="u7")))
    token = get_token(called.environ)
    assert token is not None
    assert (called.status, token.subject) == ("200 OK", "u7")
    assert get_token(Flask(called.environ)) is token
    assert get_token(Django(called.environ)) is token
    assert get_token({}) is None
    for wrong in (None, "x", Flask(None), object()):
        with pytest.raises(TypeError):
            get_token(wrong)


def test_a_refusal_is_a_valid_wsgi_response(idp):
    """A refusal has a status with its phrase, text headers, and a problem as body, which HEAD omits."""
    app = protect(fine, client_of(idp))
    called = Called(app, environ_of())
    assert (called.status, called.code) == ("401 Unauthorized", "missing_credentials")
    assert called.headers["www-authenticate"] == "Bearer"
    assert called.headers["content-length"] == str(len(called.body))
    assert Called(app, environ_of(REQUEST_METHOD="HEAD"), checked=False).body == b""


def test_only_the_headers_that_count_are_read(idp):
    """Each location is read under the name that WSGI gives its header."""
    places = (Header("Cf-Access-Jwt-Assertion"), Cookie("session"))
    app = protect(fine, client_of(idp), locations=places)
    token = idp.issue()
    assert Called(app, environ_of(HTTP_CF_ACCESS_JWT_ASSERTION=token)).status == "200 OK"
    assert Called(app, environ_of(HTTP_COOKIE=f"session={token}")).status == "200 OK"
    foreign = environ_of(
        HTTP_COOKIE=f"session={token}", REQUEST_METHOD="POST", HTTP_SEC_FETCH_SITE="cross-site"
    )
    assert Called(app, foreign).code == "cross_site_cookie"
    assert Called(app, environ_of(token)).code == "missing_credentials"


def test_headers_beyond_latin_1_are_refused(idp):
    """A server that breaks PEP 3333 gets an answer instead of an exception."""
    app = protect(fine, client_of(idp))
    environ = environ_of(HTTP_AUTHORIZATION="Bearer \u20ac")
    assert Called(app, environ).code == "invalid_request"
    environ = environ_of(None, "/\u20ac")
    assert Called(app, environ, checked=False).code == "missing_credentials"


def test_paths_are_compared_as_utf_8(idp):
    """PEP 3333 carries UTF-8 bytes as Latin-1; SCRIPT_NAME, the mount point, is not part of the path."""
    app = protect(fine, client_of(idp), exclude=["/ol\xe9", "GET /prices"])
    raw = "/ol\xe9".encode().decode("latin-1")
    assert Called(app, environ_of(None, raw, SCRIPT_NAME="/api")).status == "200 OK"
    assert Called(app, environ_of(None, "/ol\xe9")).status == "401 Unauthorized"
    assert Called(app, environ_of(None, "/prices")).status == "200 OK"
    assert Called(app, environ_of(None, "/prices", REQUEST_METHOD="POST")).code
    emitted: list[Any] = []
    app = protect(fine, client_of(idp, listeners=[emitted.append]))
    Called(app, environ_of(None, raw, SCRIPT_NAME="/api"))
    assert emitted[0].path == "/api/ol\\xe9"


def test_a_handler_may_require_more_than_an_open_path(idp):
    """A handler's requirement on an open path is answered as elsewhere, and another middleware's token stays."""

    def handler(environ: Any, start_response: Any) -> Any:
        if get_token(environ) is None:
            raise CredentialsError("missing_credentials", "m")
        assert current_token() is get_token(environ)
        return fine(environ, start_response)

    inner = protect(handler, client_of(idp), exclude=["/docs/*"], preflight="pass")
    assert Called(inner, environ_of(None, "/docs/a")).code == "missing_credentials"
    preflight = {"HTTP_ORIGIN": "https://a.test", "HTTP_ACCESS_CONTROL_REQUEST_METHOD": "POST"}
    asked = environ_of(None, "/", REQUEST_METHOD="OPTIONS", **preflight)
    assert Called(inner, asked).code == "missing_credentials"
    outer = protect(inner, client_of(idp))
    assert Called(outer, environ_of(idp.issue(), "/docs/a")).status == "200 OK"


def test_answer_to_serves_frameworks_that_answer_all_errors_themselves(idp):
    """`answer_to` is a WSGI app with the middleware's answer, and emits the same event."""
    emitted: list[Any] = []
    app = protect(fine, client_of(idp, listeners=[emitted.append]))
    called = Called(app.answer_to(InsufficientScopeError(["a"])), environ_of(None, "/orders"))
    assert (called.status, called.code) == ("403 Forbidden", "insufficient_scope")
    assert [(one.code, one.path) for one in emitted] == [("insufficient_scope", "/orders")]
    with pytest.raises(TypeError, match="error must be a refusal"):
        Called(app.answer_to(ConfigurationError("name", "m")), environ_of())


def test_optional_credentials(idp):
    """A request without credentials is anonymous, and bad credentials are refused."""
    app = protect(fine, client_of(idp), optional=True)
    called = Called(app, environ_of())
    assert (called.status, get_token(called.environ)) == ("200 OK", None)
    assert called.environ["jwks_client.token"] is None
    assert Called(app, environ_of("junk")).code == "malformed_token"


def test_the_innermost_middleware_decides_the_token(idp):
    """An outer middleware's token does not count for an inner middleware."""
    inner = protect(fine, client_of(idp), optional=True, locations=[Cookie("session")])
    called = Called(protect(inner, client_of(idp)), environ_of(idp.issue()))
    assert (called.status, get_token(called.environ)) == ("200 OK", None)


def test_the_metadata_is_served(idp):
    """The WSGI middleware serves the metadata as the ASGI middleware does."""
    resource = ProtectedResource(resource="https://api.test")
    app = protect(fine, client_of(idp), resource_metadata=resource)
    called = Called(app, environ_of(None, resource.path))
    assert json.loads(called.body)["resource"] == "https://api.test"
    assert resource.url in Called(app, environ_of()).headers["www-authenticate"]
    assert Called(app, environ_of(None, resource.path, REQUEST_METHOD="POST")).status == (
        "405 Method Not Allowed"
    )


# The current token.


def test_the_current_token_is_set_while_app_and_body_run(idp):
    """The token is current in the call, in each piece of the body, and in its close; not between or after them."""
    found: list[Any] = []

    class Body:
        def __iter__(self) -> Iterator[bytes]:
            found.append(current_token())
            yield b"a"
            found.append(current_token())
            yield b"b"

        def close(self) -> None:
            found.append(current_token())

    def app(environ: Any, start_response: Any) -> Any:
        found.append(current_token())
        start_response("200 OK", [("Content-Type", "text/plain")])
        return Body()

    environ = environ_of(idp.issue(sub="u7"))
    body = protect(app, client_of(idp))(environ, lambda status, headers: None)
    assert current_token() is None
    chunks = iter(body)
    assert next(chunks) == b"a"
    assert current_token() is None
    assert list(chunks) == [b"b"]
    body.close()
    assert current_token() is None
    assert [token.subject for token in found] == ["u7"] * 4


def test_the_current_token_is_removed_after_an_error(idp):
    """The next request of the thread starts without a current token."""

    def app(environ: Any, start_response: Any) -> Any:
        raise ValueError("theirs")

    with pytest.raises(ValueError):
        protect(app, client_of(idp))(environ_of(idp.issue()), lambda *_: None)
    assert current_token() is None


def test_threads_have_their_own_current_token(idp):
    """Concurrent requests in several threads do not see each other's token."""
    all_in = threading.Barrier(4)

    def app(environ: Any, start_response: Any) -> Any:
        all_in.wait(PATIENCE)
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [current_token().subject.encode()]

    protected = protect(app, client_of(idp))
    subjects = ["a", "b", "c", "d"]
    with ThreadPoolExecutor(4) as pool:
        bodies = pool.map(
            lambda sub: Called(protected, environ_of(idp.issue(sub=sub)), checked=False).body,
            subjects,
        )
        assert list(bodies) == [b"a", b"b", b"c", b"d"]


def test_special_bodies_are_passed_on_unchanged(idp):
    """A list keeps its length, and a file keeps the server's own way to send it."""
    bodies: list[Any] = [[b"a"], (b"a",), FileWrapper(io.BytesIO(b"a"))]
    for body in bodies:

        def app(environ: Any, start_response: Any, body: Any = body) -> Any:
            start_response("200 OK", [])
            return body

        environ = environ_of(idp.issue(), **{"wsgi.file_wrapper": FileWrapper})
        assert protect(app, client_of(idp))(environ, lambda *_: None) is body


# Errors of this library from inside the app.

OURS = [
    (TokenError("token_expired", "m"), "401 Unauthorized"),
    (InsufficientScopeError(["a"]), "403 Forbidden"),
    (KeysUnavailableError("fetch_failed", "m"), "503 Service Unavailable"),
    (CredentialsError("invalid_request", "m"), "400 Bad Request"),
]


@pytest.mark.parametrize(("error", "status"), OURS)
@pytest.mark.parametrize("where", ["call", "call, started", "body", "body, empty piece"])
def test_an_error_from_inside_the_app_is_answered(idp, error, status, where):
    """An error is answered even after the app named a status, as long as no part of a body was sent."""

    def app(environ: Any, start_response: Any) -> Any:
        if where != "call":
            start_response("200 OK", [("Content-Type", "text/plain")])
        if where.startswith("call"):
            raise error
        return pieces()

    def pieces() -> Iterator[bytes]:
        if where == "body, empty piece":
            yield b""
        raise error

    called = Called(protect(app, client_of(idp)), environ_of(idp.issue()), checked=False)
    assert (called.status, called.code) == (status, error.code)


def test_the_server_gets_the_exception_so_that_it_can_object(idp):
    """PEP 3333: with headers sent, start_response raises the error again instead of answering twice."""

    def app(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", [])(b"written")
        raise InsufficientScopeError("a")

    def start(status: str, headers: Any, raised: Any = None) -> Any:
        if raised is not None:
            raise raised[1].with_traceback(raised[2])
        return lambda data: None

    with pytest.raises(InsufficientScopeError):
        protect(app, client_of(idp))(environ_of(idp.issue()), start)


def test_a_response_that_the_app_did_not_start_is_started_without_an_exception(idp):
    """uWSGI sends no body if an exception comes with the status, so none is passed needlessly."""

    def app(environ: Any, start_response: Any) -> Any:
        get_token(environ).require("orders:write")

    passed: list[tuple[Any, ...]] = []
    body = protect(app, client_of(idp))(
        environ_of(idp.issue()), lambda *given: passed.append(given)
    )
    assert [status for status, _ in passed] == ["403 Forbidden"]
    assert json.loads(b"".join(body))["code"] == "insufficient_scope"


def test_an_error_after_the_body_began_is_raised(idp):
    """An error after the body began is raised, and the server ends the response."""

    def app(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", [])
        yield b"a"
        raise TokenError("token_expired", "m")

    body = protect(app, client_of(idp))(environ_of(idp.issue()), lambda *_: None)
    chunks = iter(body)
    assert next(chunks) == b"a"
    with pytest.raises(TokenError):
        next(chunks)


@pytest.mark.parametrize("error", [ConfigurationError("x", "m"), ValueError("theirs")])
def test_other_errors_are_left_to_the_server(idp, error):
    """An app's bug is raised on, from its call and from its body."""

    def early(environ: Any, start_response: Any) -> Any:
        raise error

    def late(environ: Any, start_response: Any) -> Any:
        yield from ()
        raise error

    for app in (early, late):
        with pytest.raises(type(error)):
            list(protect(app, client_of(idp))(environ_of(idp.issue()), lambda *_: None))


# Start, end, settings.


def test_required_keys_are_loaded_before_the_app_exists(idp):
    """With warm_up="required", making the middleware fails while the provider is down, and so does the server's start."""
    JWKSMiddleware(fine, client_of(idp), warm_up="required")
    assert idp.fetches == 1
    idp.fail(503)
    with pytest.raises(KeysUnavailableError):
        JWKSMiddleware(fine, client_of(idp), warm_up="required")


def test_a_custom_client_is_warmed_up_once_by_the_first_request(caplog):
    """A custom client without a keeper is called once, in a thread, and a failure is logged without its text."""
    warmed: list[str] = []

    class Broken:
        locations = (Header("Authorization", "Bearer"),)

        def verify(self, token: str) -> Any: ...
        def emit(self, event: Any) -> None: ...
        def warm_up(self) -> None:
            warmed.append(threading.current_thread().name)
            raise RuntimeError("secret")

    app = JWKSMiddleware(fine, Broken(), exclude=["/open"])
    assert warmed == []
    for _ in range(3):
        Called(app, environ_of(None, "/open"))
        _join_warm_ups()
    assert warmed == ["jwks-client warm-up"]
    assert "keys could not be loaded: RuntimeError" in caplog.text


def _join_warm_ups() -> None:
    for thread in threading.enumerate():
        if thread.name == "jwks-client warm-up":
            thread.join(PATIENCE)


def test_the_client_is_closed_at_exit_if_configured():
    """WSGI does not report its end, so close_client closes the client when the interpreter exits."""
    script = """
from jwks_client.wsgi import JWKSMiddleware
class Client:
    locations = __import__("jwks_client").providers.generic("https://i.test/k", issuer="i", audience="a").locations
    def verify(self, token): ...
    def warm_up(self): ...
    def close(self): print("closed")
JWKSMiddleware(print, Client(), warm_up=None, close_client={!r})
print("end of the script")
"""
    for asked in (True, False):
        run = subprocess.run(
            [sys.executable, "-c", script.format(asked)],
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
        assert run.stdout.splitlines() == ["end of the script"] + ["closed"] * asked


def test_the_async_client_is_refused_at_once(idp):
    """An async client's verify would never be awaited, so it is refused when the middleware is made."""
    for wrong in (AsyncJWKSClient(idp.provider), object(), None):
        with pytest.raises(ConfigurationError) as caught:
            JWKSMiddleware(fine, wrong)
        assert caught.value.field == "client"


@pytest.mark.parametrize(
    ("setting", "value"),
    [("warm_up", "yes"), ("close_client", 1), ("exclude", "/"), ("optional", 0)],
)
def test_settings_are_checked_when_the_middleware_is_made(idp, setting, value):
    """Each wrong value is a ConfigurationError that names the setting, before any fetch."""
    with pytest.raises(ConfigurationError) as caught:
        JWKSMiddleware(fine, client_of(idp), **{setting: value})
    assert caught.value.field == setting
    assert idp.fetches == 0


def test_a_refusal_is_logged(idp, caplog):
    """A refusal is logged as by the ASGI middleware."""
    caplog.set_level(logging.INFO, logger="jwks_client.requests")
    Called(protect(fine, client_of(idp)), environ_of(None, "/orders"))
    assert vars(caplog.records[0])["jwks_path"] == "/orders"
