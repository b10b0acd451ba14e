"""The outcome of a denied request: custom answers, the event and the log record."""

from __future__ import annotations

import dataclasses
import json
import logging
from typing import Any

import httpx
import pytest
from asgi_calls import call, client_of, fine, http_scope, raising, ws_scope

from jwks_client import AsyncJWKSClient, JWKSClient, events
from jwks_client.asgi import Answer, JWKSMiddleware, Refusal
from jwks_client.decorators import requires
from jwks_client.errors import JWKSError, KeysUnavailableError, TokenError
from jwks_client.testing import FakeClock, FakeProvider
from jwks_client.wsgi import JWKSMiddleware as WSGIMiddleware


def told_of(idp: FakeProvider, scope: dict[str, Any], **settings: Any) -> events.RequestRefused:
    """Return the one event of a denied request."""
    emitted: list[events.RequestRefused] = []

    def listen(event: events.Event) -> None:
        if isinstance(event, events.RequestRefused):
            emitted.append(event)

    call(JWKSMiddleware(fine, client_of(idp, listeners=[listen]), **settings), scope)
    (event,) = emitted
    return event


# on_error


def test_on_error_renders_custom_answers(idp):
    """on_error gets the error and the default answer, whose status and challenge it may keep."""
    given: list[Refusal] = []

    def render(refusal: Refusal) -> Answer:
        given.append(refusal)
        return refusal.answer.with_body(json.dumps({"oh": refusal.error.code}).encode())

    answered = call(JWKSMiddleware(fine, client_of(idp), on_error=render), http_scope(None, "/a"))
    assert (answered.status, json.loads(answered.body)) == (401, {"oh": "missing_credentials"})
    assert answered.headers["www-authenticate"] == "Bearer"
    assert answered.headers["content-type"] == "application/json"
    assert answered.headers["content-length"] == str(len(answered.body))
    assert (given[0].path, given[0].request.method) == ("/a", "GET")


def test_on_error_may_redirect_a_browser_and_is_called_for_handshakes_too(idp):
    """on_error may change status and headers, for handshakes too, and the event has the answered status."""

    def render(refusal: Refusal) -> Answer:
        return Answer(status=303, headers=((b"location", b"/login"),), body=b"")

    app = JWKSMiddleware(fine, client_of(idp), on_error=render)
    answered = call(app, http_scope())
    assert (answered.status, answered.headers["location"]) == (303, "/login")
    assert call(app, ws_scope()).status == 303
    assert told_of(idp, http_scope(), on_error=render).status == 303


FRAMED = ((b"content-length", b"1"), (b"Transfer-Encoding", b"chunked"), (b"x-a", b" a\t"))


@pytest.mark.parametrize(("status", "body"), [(401, b"text"), (204, b""), (205, b""), (304, b"")])
def test_a_custom_answer_is_sent_in_a_form_that_every_server_accepts(idp, status, body):
    """Its length is that of its body, a status that has no body has none, and values have no blanks around them."""
    answer = Answer(status=status, headers=FRAMED, body=b"text")
    sent = call(JWKSMiddleware(fine, client_of(idp), on_error=lambda _: answer), http_scope())
    start, last = sent.sent
    length = [] if status in (204, 304) else [(b"content-length", b"%d" % len(body))]
    assert (start["status"], start["headers"]) == (status, [(b"x-a", b"a"), *length])
    assert last["body"] == body


def _raise(refusal: Refusal) -> Answer:
    raise LookupError("on_error is broken")


DEFAULT = Answer(status=401, headers=(), body=b"")


@pytest.mark.parametrize(
    "render",
    [
        _raise,
        lambda refusal: None,
        lambda refusal: "no answer",
        lambda refusal: (200, [], b""),
        lambda refusal: dataclasses.replace(DEFAULT, status=101),
        lambda refusal: dataclasses.replace(DEFAULT, status=600),
        lambda refusal: dataclasses.replace(DEFAULT, status="200"),
        lambda refusal: dataclasses.replace(DEFAULT, body="text"),
        lambda refusal: dataclasses.replace(DEFAULT, headers=((b"x", b"a\r\nSet-Cookie: b"),)),
        lambda refusal: dataclasses.replace(DEFAULT, headers=((b"x y", b"a"),)),
        lambda refusal: dataclasses.replace(DEFAULT, headers=(("x", "a"),)),
        lambda refusal: dataclasses.replace(DEFAULT, headers=(b"x",)),
        lambda refusal: dataclasses.replace(DEFAULT, headers=None),
    ],
)
def test_a_failing_on_error_never_admits_a_request(idp, render, caplog):
    """If on_error raises or returns a wrong value, the request is denied with the default answer."""
    reached: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        reached.append(scope)

    protected = JWKSMiddleware(app, client_of(idp), on_error=render)
    for scope in (http_scope(), http_scope("junk"), ws_scope()):
        answered = call(protected, scope)
        assert answered.status == 401
        assert answered.headers["content-type"] == "application/problem+json"
    assert reached == []


def test_a_failing_on_error_is_logged(idp, caplog):
    """The traceback of on_error's exception is logged for its author."""
    call(JWKSMiddleware(fine, client_of(idp), on_error=_raise), http_scope())
    assert "LookupError: on_error is broken" in caplog.text


# The record.


def test_a_refusal_is_one_event(idp):
    """The event has code, status, provider, kid, method and path, as far as they are known."""
    assert told_of(idp, http_scope(None, "/orders/7")) == events.RequestRefused(
        code="missing_credentials",
        status=401,
        provider=None,
        kid=None,
        method="GET",
        path="/orders/7",
    )
    expired = http_scope(idp.issue(expires_in=-3600), method="DELETE", query_string=b"a=secret")
    assert told_of(idp, expired) == events.RequestRefused(
        code="token_expired",
        status=401,
        provider="issuer.test",
        kid=idp.kid,
        method="DELETE",
        path="/",
    )
    assert told_of(idp, ws_scope()).method == "WEBSOCKET"


def test_request_data_is_escaped_and_truncated(idp):
    """Request data is one printable line of at most 200 characters, so it forges no log lines and floods no record."""
    event = told_of(
        idp, http_scope(None, "/a\r\nfake: line\x1b[31m\xe9\u2028\ud800" + "x" * 10_000)
    )
    assert event.path.startswith("/a\\r\\nfake: line\\x1b[31m\\xe9\\u2028\\ud800xxx")
    assert (len(event.path), event.path.isprintable()) == (200, True)
    event = told_of(idp, http_scope(method="GET\nx" + "y" * 1000))
    assert (event.method[:8], len(event.method)) == ("GET\\nxyy", 200)


def test_a_refusal_is_logged_without_any_configuration(idp, caplog):
    """The logger jwks_client.requests has one structured record of each refusal."""
    caplog.set_level(logging.INFO, logger="jwks_client.requests")
    token = idp.issue(sub="secret-subject", expires_in=-3600)
    scope = http_scope(token, "/orders", query_string=b"secret=1")
    call(JWKSMiddleware(fine, client_of(idp)), scope)
    (record,) = caplog.records
    assert record.name == "jwks_client.requests"
    fields = vars(record)
    assert (fields["jwks_event"], fields["jwks_code"]) == ("RequestRefused", "token_expired")
    assert (fields["jwks_path"], fields["jwks_kid"]) == ("/orders", idp.kid)
    assert "secret" not in caplog.text + str(fields)
    assert token not in caplog.text + str(fields)


def test_a_flood_of_refusals_does_not_flood_the_log(idp, caplog):
    """A burst of ten records is logged, then one per second of the client's clock, with the number
    left out.

    Each refusal is still answered.
    """
    caplog.set_level(logging.INFO, logger="jwks_client.requests")
    clock = FakeClock()
    app = JWKSMiddleware(fine, client_of(FakeProvider(clock=clock)))
    for _ in range(60):
        assert call(app, http_scope("junk")).status == 401
    assert len(caplog.records) == 10
    for _ in range(3):
        clock.advance(1)
        for _ in range(5):
            call(app, http_scope("junk"))
    assert [vars(one)["jwks_suppressed"] for one in caplog.records[10:]] == [50, 4, 4]
    assert "50 more were left out" in caplog.records[10].getMessage()


def test_a_flood_through_a_failing_on_error_does_not_flood_the_log(idp, caplog):
    """The exception of on_error is part of the refusal's one record, and limited with it."""
    app = JWKSMiddleware(fine, client_of(FakeProvider(clock=FakeClock())), on_error=_raise)
    for _ in range(60):
        assert call(app, http_scope("junk")).status == 401
    assert [one.levelname for one in caplog.records] == ["ERROR"] * 10


REFUSED = {
    "no credentials": lambda idp: None,
    "malformed": lambda idp: "junk",
    "expired": lambda idp: idp.issue(expires_in=-3600),
    "an unknown kid": lambda idp: idp.issue(headers={"kid": "unknown"}),
    "no scope": lambda idp: idp.issue(),
}


@pytest.mark.parametrize("kind", REFUSED)
@pytest.mark.parametrize("listeners", [0, 1, 2])
def test_a_refusal_has_one_record_whatever_is_configured(idp, kind, listeners, caplog):
    """With logging of all events, the refusal has one record, of jwks_client.requests, which names the request."""
    caplog.set_level(logging.DEBUG, logger="jwks_client")
    emitted: list[str] = []
    logs = [events.LoggingListener() for _ in range(listeners)]
    client = client_of(idp, listeners=[*logs, lambda event: emitted.append(type(event).__name__)])
    app = JWKSMiddleware(requires("orders:read")(fine), client)
    call(app, http_scope(idp.issue(scope="orders:read")))
    caplog.clear()
    answered = call(app, http_scope(REFUSED[kind](idp)))
    assert answered.status in (401, 403)
    about_the_request = [one for one in caplog.records if "Keys" not in one.getMessage()]
    assert [one.name for one in about_the_request] == ["jwks_client.requests"]
    assert emitted[-1] == "RequestRefused", "listeners still receive every event"


def test_a_refusal_over_wsgi_has_one_record_too(idp, caplog):
    """A token that the application verifies itself is still logged by the listener."""
    caplog.set_level(logging.INFO, logger="jwks_client")
    http = httpx.Client(transport=idp.transport)
    client = JWKSClient(
        idp.provider, http=http, clock=idp.clock, listeners=[events.LoggingListener()]
    )
    environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/", "HTTP_AUTHORIZATION": "Bearer junk"}
    app = WSGIMiddleware(lambda environ, start: [], client, warm_up=None)
    app(environ, lambda status, headers, raised=None: None)
    assert [one.name for one in caplog.records] == ["jwks_client.requests"]
    caplog.clear()
    with pytest.raises(TokenError):
        client.verify("junk")
    assert [one.name for one in caplog.records] == ["jwks_client"]


@pytest.mark.parametrize(
    ("retry_after", "sent"),
    [
        (float("inf"), "86400"),
        (float("-inf"), "86400"),
        (float("nan"), "1"),
        (-5, "1"),
        (0, "1"),
        (1.2, "2"),
        (None, "1"),
    ],
)
def test_any_retry_after_can_be_sent(idp, retry_after, sent):
    """An error with an odd retry_after is answered like any other, and "never" becomes a day."""
    error = KeysUnavailableError("fetch_failed", "m")
    error.retry_after = retry_after
    app = JWKSMiddleware(raising(error), client_of(idp), optional=True)
    answered = call(app, http_scope())
    assert (answered.status, answered.headers["retry-after"]) == (503, sent)


def test_listeners_that_raise_change_no_answer(idp):
    """A listener, or a logging filter, that raises changes no answer."""

    def broken(event: events.Event) -> None:
        raise RuntimeError("listener")

    client = client_of(idp, listeners=[broken])
    assert call(JWKSMiddleware(fine, client), http_scope("junk")).status == 401
    assert call(JWKSMiddleware(fine, client), http_scope(idp.issue())).status == 200

    class Client:
        _emit = staticmethod(broken)

        async def verify(self, token: str, *, provider: str | None = None) -> Any:
            raise KeysUnavailableError("fetch_failed", "m")

        async def aclose(self) -> None: ...
        async def warm_up(self) -> None: ...

    logger = logging.getLogger("jwks_client.requests")
    logger.addFilter(broken)
    level = logger.level
    logger.setLevel(logging.INFO)
    try:
        assert call(JWKSMiddleware(fine, Client()), http_scope("junk")).status == 503
    finally:
        logger.removeFilter(broken)
        logger.setLevel(level)


def test_no_answer_reveals_hosts_causes_or_tokens(idp):
    """A 503 does not say whose keys are unavailable or why, and a 401 has only the code."""
    away = FakeProvider(issuer="https://secret-host.test", clock=idp.clock)
    away.fail(ConnectionError("secret-host refused"))
    answered = call(JWKSMiddleware(fine, client_of(away)), http_scope(away.issue(sub="secret")))
    assert answered.status == 503
    assert "secret" not in str(answered.sent)
    assert "www-authenticate" not in answered.headers
    refused = call(JWKSMiddleware(fine, client_of(idp)), http_scope(idp.issue(aud="secret")))
    assert (refused.status, refused.code) == (401, "wrong_audience")
    assert "secret" not in str(refused.sent)
    assert "api" not in str(refused.sent)


def test_a_custom_error_of_a_check_is_answered_by_its_status(idp):
    """A check may raise any JWKSError: 4xx and 503 are answered, other statuses are left to the server."""

    class Banned(JWKSError):
        http_status = 451

    raised: list[JWKSError] = []

    def check(token: Any) -> None:
        raise raised[-1]

    provider = dataclasses.replace(idp.provider, checks=[check])
    http = httpx.AsyncClient(transport=idp.transport)
    app = JWKSMiddleware(fine, AsyncJWKSClient(provider, http=http, clock=idp.clock))
    for error, status in [
        (TokenError("rejected_by_check", "banned"), 401),
        (Banned("banned", "by law"), 451),
        (KeysUnavailableError("fetch_failed", "no database"), 503),
    ]:
        raised.append(error)
        answered = call(app, http_scope(idp.issue()))
        assert (answered.status, answered.code) == (status, error.code)
    raised.append(JWKSError("bug", "theirs"))
    with pytest.raises(JWKSError, match="theirs"):
        call(app, http_scope(idp.issue()))
