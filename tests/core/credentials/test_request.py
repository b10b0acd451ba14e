"""`UnverifiedRequest`: one request from an ASGI scope, a WSGI environ or plain pairs."""

from __future__ import annotations

import pytest

from jwks_client._core.credentials.answers import Answer
from jwks_client._core.credentials.request import UnverifiedRequest

SCOPE = {
    "type": "http",
    "method": "POST",
    "path": "/",
    "query_string": b"token=a",
    "headers": [(b"authorization", b"Bearer a"), (b"authorization", b"Bearer b")],
}


def test_a_request_of_an_asgi_scope_keeps_repeated_headers():
    """An ASGI scope gives the method and every header, repeated headers included."""
    request = UnverifiedRequest.of(SCOPE)
    assert (request.kind, request.method, request.query) == ("http", "POST", b"")
    assert request.values(b"authorization") == [b"Bearer a", b"Bearer b"]


def test_a_handshake_of_an_asgi_scope_has_its_query_and_its_subprotocols():
    """A handshake's scope gives the query too, and the subprotocols that a server keeps apart from the headers."""
    scope = SCOPE | {"type": "websocket", "subprotocols": ["bearer", "a"]}
    request = UnverifiedRequest.of(scope)
    assert (request.kind, request.method, request.query) == ("websocket", "GET", b"token=a")
    assert request.values(b"sec-websocket-protocol") == [b"bearer, a"]


def test_a_request_of_a_wsgi_environ_has_its_headers_by_their_names():
    """CGI names in a WSGI environ become header names, and no other variable becomes a header."""
    request = UnverifiedRequest.of(
        {
            "REQUEST_METHOD": "PUT",
            "HTTP_X_API_TOKEN": "a\u20ac",
            "HTTP_NOT_TEXT": 3,
            "SERVER_NAME": "x",
            "wsgi.version": (1, 0),
        }
    )
    assert request == ("http", "PUT", ((b"x-api-token", b"a?"),), b"", "http")


@pytest.mark.parametrize("given", [{"type": "lifespan"}, {}, None, "GET", object()])
def test_anything_but_a_scope_or_environ_is_a_type_error(given):
    """A lifespan scope, a header mapping or a framework's request raises a TypeError: passing it is a bug in the caller."""
    with pytest.raises(TypeError, match=r"must be an ASGI scope .* or a WSGI environ, got"):
        UnverifiedRequest.of(given)


def test_pairs_may_be_text_or_bytes_with_names_in_any_case():
    """Header pairs may be text or bytes with names in any case, so a framework's own headers work unchanged."""
    request = UnverifiedRequest.from_pairs(
        "GET", [("Authorization", "Bearer a"), (b"X-B", b"\xff"), ("x-c", "\u20ac")]
    )
    assert request.headers == (
        (b"authorization", b"Bearer a"),
        (b"x-b", b"\xff"),
        (b"x-c", b"?"),
    )
    assert (request.kind, request.method, request.query) == ("http", "GET", b"")


def test_pairs_of_a_handshake_are_marked_as_such():
    """Only the integration can mark pairs as a handshake; a stranger's headers cannot."""
    sent = [("Upgrade", "websocket"), ("Connection", "Upgrade")]
    assert UnverifiedRequest.from_pairs("GET", sent).kind == "http"
    handshake = UnverifiedRequest.from_pairs("GET", sent, b"token=a", kind="websocket")
    assert (handshake.kind, handshake.query) == ("websocket", b"token=a")


def test_text_headers_of_an_answer_equal_its_byte_headers():
    """A framework with text headers sends the same bytes, and adds Content-Length itself."""
    answer = Answer(status=401, headers=((b"www-authenticate", b'Bearer realm="\xe4"'),), body=b"x")
    assert answer.text_headers == [("www-authenticate", 'Bearer realm="\u00e4"')]


PROTOCOLS = (b"sec-websocket-protocol", b"chat, bearer")


@pytest.mark.parametrize(
    ("headers", "offers", "seen"),
    [
        ([], ["chat", "bearer"], [PROTOCOLS]),
        ([PROTOCOLS], ["chat", "bearer"], [PROTOCOLS]),
        ([], [], []),
        ([], None, []),
    ],
)
def test_subprotocols_are_read_where_the_server_leaves_them(headers, offers, seen):
    """Some servers move the subprotocols from the header to a list; a header that is still there is not doubled."""
    scope = {"type": "websocket", "headers": headers}
    if offers is not None:
        scope["subprotocols"] = offers
    request = UnverifiedRequest.of(scope)
    assert list(request.headers) == seen
    assert (request.method, request.scheme) == ("GET", "ws")
