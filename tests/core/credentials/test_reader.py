"""Credentials in a request, and answers to a denied request: pure data in, pure data out."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from jwks_client._core.credentials.answers import Answer, Answers
from jwks_client._core.credentials.reader import (
    CredentialsReader,
    UnverifiedRequest,
    no_credentials,
)
from jwks_client.errors import (
    ConfigurationError,
    CredentialsError,
    InsufficientScopeError,
    JWKSError,
    KeysUnavailableError,
    TokenError,
)
from jwks_client.providers import Cookie, Header, Query, Subprotocol

BEARER = Header("Authorization", scheme="Bearer")
SESSION = Cookie("session")
OFFER = Subprotocol("bearer")
PARAMETER = Query("access_token")
EVERYWHERE = (BEARER, SESSION, OFFER, PARAMETER)


def request(*headers: tuple[str, str | bytes], method: str = "GET") -> UnverifiedRequest:
    """Return an HTTP request with these headers."""
    return UnverifiedRequest("http", method, _pairs(headers))


def handshake(*headers: tuple[str, str | bytes], query: bytes = b"") -> UnverifiedRequest:
    """Return a WebSocket handshake with these headers."""
    return UnverifiedRequest("websocket", "GET", _pairs(headers), query)


def _pairs(headers: Any) -> list[tuple[bytes, bytes]]:
    return [
        (name.lower().encode(), value if isinstance(value, bytes) else value.encode("latin-1"))
        for name, value in headers
    ]


def read(sent: UnverifiedRequest, *locations: Any, trusted: Any = ()) -> str | None:
    """Return the token that is found, None, or the code of the error."""
    try:
        return CredentialsReader(locations or (BEARER,), trusted).read(sent)
    except (CredentialsError, TokenError) as error:
        return error.code


def authorization(value: str | bytes) -> UnverifiedRequest:
    """Return a request with one Authorization header."""
    return request(("Authorization", value))


# The Authorization header.


@pytest.mark.parametrize(
    "value",
    [
        "Bearer a.b-c_d~e+f/g==",
        "bearer a.b-c_d~e+f/g==",
        "BEARER a.b-c_d~e+f/g==",
        "Bearer   a.b-c_d~e+f/g==",
        " \tBearer a.b-c_d~e+f/g== \t",
    ],
)
def test_a_bearer_token_is_read(value):
    """The scheme is compared case-insensitively, and blanks around the token are not part of it."""
    assert read(authorization(value)) == "a.b-c_d~e+f/g=="


@pytest.mark.parametrize(
    "value",
    ["Basic dTpw", "DPoP a.b.c", "Bearers a", "Bear", "", "Basic x, Bearer y", b"\xe4 Bearer x"],
)
def test_another_scheme_counts_as_no_credentials(value):
    """Another scheme is never read as Bearer, and never denied as if it were malformed."""
    assert read(authorization(value)) is None


def test_missing_credentials_are_a_401_with_a_code_of_their_own():
    """A request without credentials is 401, and no part of it is in the message."""
    error = no_credentials()
    assert (error.code, error.http_status) == ("missing_credentials", 401)
    assert error.message == "the request carries no credentials"


@pytest.mark.parametrize(
    "value",
    [
        "Bearer",
        "Bearer ",
        "Bearer a b",
        "Bearer a, Basic b",
        "Bearer a,b",
        "Bearer a\tb",
        "Bearer\ta",
        "Bearer \ta",
        "Bearer\xa0a",
        "Bearer,a",
        "Bearer/a",
        "Bearer=a",
        "Bearer =a",
        "Bearer ==",
        "Bearer a=b",
        'Bearer "a"',
        "Bearer a\r\nb",
        "Bearer a\0",
        "Bearer ol\xe9",
        b"Bearer \xe2\x82\xac",
        "Bearer token=a",
        "Bearer a:b",
        "Bearer {}",
        "Bearer a%20b",
    ],
)
def test_credentials_that_cannot_be_read_are_refused(value):
    """Bearer alone, two words, or characters that no token has: the answer is 400, and the request never counts as anonymous."""
    assert read(authorization(value)) == "invalid_request"


def test_a_request_without_credentials_yields_none():
    """A request without credentials yields None; the reader does not decide whether that is allowed."""
    assert read(request()) is None
    assert read(request(("Cookie", "session=a"))) is None


@pytest.mark.parametrize("second", ["Bearer a", "Bearer b", "Basic dTpw", ""])
def test_two_authorization_headers_are_refused(second):
    """Two Authorization headers could mean two callers, so they are refused even if they agree."""
    sent = request(("Authorization", "Bearer a"), ("Authorization", second))
    assert read(sent) == "invalid_request"
    sent = request(("Authorization", second), ("Authorization", "Bearer a"))
    assert read(sent) == "invalid_request"


def test_a_token_longer_than_one_mebibyte_is_refused_unread():
    """A token longer than 1 MiB is refused by its size alone; below that the client's own limit counts."""
    assert read(authorization("Bearer " + "a" * 1024 * 1024)) == "a" * 1024 * 1024
    assert read(authorization("Bearer " + "\xe9" * (1024 * 1024 + 1))) == "token_too_large"


def test_a_header_without_a_scheme_holds_the_token_itself():
    """Without a scheme the whole header value is the token; an empty value counts as no credentials."""
    place = Header("Cf-Access-Jwt-Assertion")
    assert read(request(("Cf-Access-Jwt-Assertion", " a.b.c ")), place) == "a.b.c"
    assert read(request(("Cf-Access-Jwt-Assertion", "Bearer a")), place) == "invalid_request"
    assert read(request(("Cf-Access-Jwt-Assertion", " ")), place) is None
    twice = request(("Cf-Access-Jwt-Assertion", "a"), ("Cf-Access-Jwt-Assertion", "b"))
    assert read(twice, place) == "invalid_request"


# The order of locations.


def test_the_first_location_that_holds_credentials_decides_alone():
    """The order of the locations counts, and a malformed location is not repaired by a later one."""
    both = request(("Authorization", "Bearer a"), ("Cookie", "session=b"))
    assert read(both, BEARER, SESSION) == "a"
    assert read(both, SESSION, BEARER) == "b"
    bad = request(("Authorization", "Bearer"), ("Cookie", "session=b"))
    assert read(bad, BEARER, SESSION) == "invalid_request"
    other = request(("Authorization", "Basic x"), ("Cookie", "session=b"))
    assert read(other, BEARER, SESSION) == "b"


def test_the_repr_of_a_request_shows_no_content():
    """Headers and queries hold tokens, so a repr shows neither."""
    sent = handshake(("Authorization", "Bearer secret"), query=b"t=secret")
    assert "secret" not in repr(sent)


@pytest.mark.parametrize("locations", [(), "Bearer", ("Authorization",), None, (BEARER, 1), b"x"])
def test_locations_are_checked(locations):
    """Anything but a collection of locations is a ConfigurationError that names the setting."""
    with pytest.raises(ConfigurationError) as caught:
        CredentialsReader(locations)
    assert caught.value.field == "locations"


def test_a_reader_names_the_headers_it_needs():
    """A reader names the headers that it needs, those of the cross-site rule included, so an integration can pass only these."""
    assert CredentialsReader((BEARER, OFFER, PARAMETER)).header_names == {"authorization"}
    assert CredentialsReader((Header("X-Token"), SESSION)).header_names == {
        *("x-token", "cookie", "origin", "sec-fetch-site", "host")
    }


# Cookies.


@pytest.mark.parametrize(
    ("sent", "token"),
    [
        ("session=a", "a"),
        ("x=1; session=a; y=2", "a"),
        ("x=1;session=a;y=2", "a"),
        ("session= a ; y", "a"),
        ("session=a==", "a=="),
        ("session=", None),
        ("sessions=a", None),
        ("xsession=a", None),
        ("x-session=a", None),
        ("Session=a", None),
        ("session", None),
        ("x=session=a", None),
        ("session =a", None),
        ("x session=a", None),
        ("x;y session=a", None),
        ('x="; session=a', "a"),
        ("", None),
    ],
)
def test_a_cookie_is_found_by_its_exact_name(sent, token):
    """A cookie's name must match exactly, prefix, suffix and case included; an empty cookie, as a logout leaves it, counts as none."""
    assert read(request(("Cookie", sent)), SESSION) == token


def test_pattern_characters_in_a_cookie_name_are_literal():
    """Names are compared literally: a dot in a cookie's name matches only a dot."""
    assert read(request(("Cookie", "a.b=t")), Cookie("a.b")) == "t"
    assert read(request(("Cookie", "axb=t")), Cookie("a.b")) is None


@pytest.mark.parametrize(
    ("headers", "outcome"),
    [
        (["session=a; session=b"], "invalid_request"),
        (["session=a", "session=b"], "invalid_request"),
        (["session=a; session="], "invalid_request"),
        (["session=a; session=a"], "a"),
        (["session=; session="], None),
        (["x=1", "session=a", "y=2"], "a"),
    ],
)
def test_one_cookie_name_with_two_values_is_refused(headers, outcome):
    """Two values for one cookie are refused; one value sent twice is accepted. HTTP/2 may split cookies into several headers."""
    sent = request(*(("Cookie", one) for one in headers))
    assert read(sent, SESSION) == outcome


@pytest.mark.parametrize("value", ['"a"', "a b", "ol\xe9", "a%2e"])
def test_a_cookie_that_is_not_a_token_is_refused(value):
    """A cookie whose value has characters that no token has is refused, as in every other location."""
    assert read(request(("Cookie", f"session={value}")), SESSION) == "invalid_request"


def test_a_huge_cookie_header_is_read_in_one_pass():
    """100 KB of other cookies change nothing and allocate no list."""
    crumbs = ";" * 50_000 + " ;" * 25_000
    assert read(request(("Cookie", f"{crumbs}session=a")), SESSION) == "a"


# The cross-site rule, one row per question.

HERE = ("Host", "api.test")
COOKIE = ("Cookie", "session=a")


def rows_of_the_rule() -> list[Any]:
    """Return headers of a POST with a cookie, and whether the cookie counts."""
    rows: list[tuple[str, list[tuple[str, str]], bool]] = [
        ("no browser: neither header", [HERE], True),
        ("no browser, no Host", [], True),
        ("same origin", [HERE, ("Origin", "https://api.test")], True),
        ("same origin, other case", [HERE, ("Origin", "https://API.test")], True),
        ("same origin by its port", [("Host", "a.test:81"), ("Origin", "http://a.test:81")], True),
        ("another port", [("Host", "a.test:81"), ("Origin", "http://a.test:82")], False),
        ("another host", [HERE, ("Origin", "https://evil.test")], False),
        ("a host that ends alike", [HERE, ("Origin", "https://xapi.test")], False),
        ("a host that begins alike", [HERE, ("Origin", "https://api.test.evil.test")], False),
        ("a host as user name", [HERE, ("Origin", "https://api.test@evil.test")], False),
        ("a host in a path", [HERE, ("Origin", "https://evil.test/api.test")], False),
        ("an opaque origin", [HERE, ("Origin", "null")], False),
        ("an opaque origin that is the host", [("Host", "null"), ("Origin", "null")], False),
        ("an empty origin", [("Host", ""), ("Origin", "")], False),
        ("an origin without host", [("Host", ""), ("Origin", "https://")], False),
        ("an origin and no Host", [("Origin", "https://api.test")], False),
        ("two Hosts", [HERE, HERE, ("Origin", "https://api.test")], False),
        ("two Origins", [HERE, *[("Origin", "https://api.test")] * 2], False),
        ("a trusted origin", [HERE, ("Origin", "https://app.test")], True),
        ("a trusted origin, other case", [HERE, ("Origin", "https://APP.test")], True),
        ("a trusted host by http", [HERE, ("Origin", "http://app.test")], False),
        ("a trusted host at another port", [HERE, ("Origin", "https://app.test:8443")], False),
        ("a trusted origin twice", [HERE, *[("Origin", "https://app.test")] * 2], False),
        ("a subdomain of a trusted one", [HERE, ("Origin", "https://x.app.test")], False),
        ("an app of a phone", [HERE, ("Origin", "capacitor://localhost")], True),
        ("fetch: same origin", [HERE, ("Sec-Fetch-Site", "same-origin")], True),
        ("fetch: the user", [HERE, ("Sec-Fetch-Site", "none")], True),
        ("fetch: same site", [HERE, ("Sec-Fetch-Site", "same-site")], False),
        ("fetch: cross site", [HERE, ("Sec-Fetch-Site", "cross-site")], False),
        ("fetch: what is unknown", [HERE, ("Sec-Fetch-Site", "Same-Origin")], False),
        ("fetch: nothing", [HERE, ("Sec-Fetch-Site", "")], False),
        ("fetch: twice", [HERE, *[("Sec-Fetch-Site", "same-origin")] * 2], False),
        (
            "fetch alone decides: cross site, own origin",
            [HERE, ("Sec-Fetch-Site", "cross-site"), ("Origin", "https://api.test")],
            False,
        ),
        (
            "fetch alone decides: same origin, another origin",
            [HERE, ("Sec-Fetch-Site", "same-origin"), ("Origin", "https://proxied.test")],
            True,
        ),
        (
            "a trusted origin before fetch",
            [HERE, ("Sec-Fetch-Site", "cross-site"), ("Origin", "https://app.test")],
            True,
        ),
    ]
    return [pytest.param(headers, counts, id=name) for name, headers, counts in rows]


TRUSTED = ("https://App.test:443", "capacitor://localhost")


@pytest.mark.parametrize(("headers", "counts"), rows_of_the_rule())
@pytest.mark.parametrize("how", ["POST", "PUT", "PATCH", "DELETE", "get", "websocket"])
def test_a_cookie_counts_only_where_no_foreign_site_can_have_sent_it(how, headers, counts):
    """Unsafe methods and WebSocket handshakes accept a cookie only if the request is known not to be cross-site."""
    if how == "websocket":
        sent = handshake(COOKIE, *headers)
    else:
        sent = request(COOKIE, *headers, method=how)
    expected = "a" if counts else "cross_site_cookie"
    assert read(sent, SESSION, trusted=TRUSTED) == expected


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "TRACE"])
@pytest.mark.parametrize(("headers", "counts"), rows_of_the_rule())
def test_a_cookie_counts_for_safe_methods(method, headers, counts):
    """Safe methods (RFC 9110, section 9.2.1) accept a cookie from any site."""
    assert read(request(COOKIE, *headers, method=method), SESSION) == "a"


def test_the_cross_site_rule_applies_to_cookies_only():
    """The cross-site rule leaves an Authorization header alone, since a foreign page cannot send it unasked, and a request without a cookie stays without credentials."""
    foreign = (HERE, ("Origin", "https://evil.test"), ("Sec-Fetch-Site", "cross-site"))
    sent = request(("Authorization", "Bearer a"), COOKIE, *foreign, method="POST")
    assert read(sent, BEARER, SESSION) == "a"
    assert read(sent, SESSION, BEARER) == "cross_site_cookie"
    assert read(request(*foreign, method="POST"), BEARER, SESSION) is None


@pytest.mark.parametrize(
    "origin",
    ["*", "null", "app.test", "https://app.test/", "https://*.app.test", "https://a b", "https://"],
)
def test_trusted_origins_are_checked(origin):
    """A trusted origin that no browser would ever send is refused when the setting is made."""
    with pytest.raises(ConfigurationError) as caught:
        CredentialsReader((SESSION,), [origin])
    assert caught.value.field == "trusted_origins"
    with pytest.raises(ConfigurationError):
        CredentialsReader((SESSION,), "https://app.test")


# WebSocket handshakes: subprotocols and the query.


def test_subprotocol_and_query_count_in_handshakes_only():
    """A plain HTTP request is never read for a subprotocol or query token: URLs are logged and shared."""
    sent = UnverifiedRequest(
        "http", "GET", [(b"sec-websocket-protocol", b"bearer, a")], b"access_token=a"
    )
    assert read(sent, OFFER, PARAMETER) is None


@pytest.mark.parametrize(
    ("offers", "outcome"),
    [
        (["bearer, a.b.c"], "a.b.c"),
        (["bearer,a.b.c , chat"], "a.b.c"),
        (["chat, bearer, a.b.c"], "a.b.c"),
        (["bearer", "a.b.c"], "a.b.c"),
        (["chat"], None),
        (["Bearer, a.b.c"], None),
        ([], None),
        (["bearer"], "invalid_request"),
        (["chat, bearer"], "invalid_request"),
        (["bearer, "], "invalid_request"),
        (["bearer, a, bearer, b"], "invalid_request"),
        (["bearer, a b"], "invalid_request"),
    ],
)
def test_a_token_follows_its_marker_among_the_subprotocols(offers, outcome):
    """The marker is compared exactly; a marker without a token after it, or sent twice, is refused."""
    sent = handshake(*(("Sec-WebSocket-Protocol", one) for one in offers))
    assert read(sent, OFFER) == outcome


@pytest.mark.parametrize(
    ("query", "outcome"),
    [
        (b"access_token=a.b.c", "a.b.c"),
        (b"x=1&access_token=a.b.c&y=2", "a.b.c"),
        (b"access%5ftoken=a%2Eb", "a.b"),
        (b"access_token=a%2Fb%3D", "a/b="),
        (b"access_token=", None),
        (b"access_token", None),
        (b"Access_token=a", None),
        (b"", None),
        (b"access_token=a&access_token=b", "invalid_request"),
        (b"access_token=a&access%5Ftoken=b", "invalid_request"),
        (b"access_token=a+b", "invalid_request"),
        (b"x=1;access_token=a", "a"),
        (b"access_token=a;x=1", "a"),
        (b"access_token=a;access_token=b", "invalid_request"),
        (b"access_token=%FF", "invalid_request"),
    ],
)
def test_a_token_may_stand_in_the_query_of_a_handshake(query, outcome):
    """A token in a handshake's query is decoded as an app's own parser decodes it."""
    assert read(handshake(query=query), PARAMETER) == outcome


@pytest.mark.parametrize(
    "other",
    [
        ("Authorization", "Bearer a"),
        ("Authorization", "Bearer"),
        ("Cookie", "session=a"),
        ("Sec-WebSocket-Protocol", "bearer, a"),
    ],
)
def test_a_query_token_beside_another_location_is_refused(other):
    """A query token is refused beside credentials in another location: a link must not be combined with the browser's own user."""
    sent = handshake(other, query=b"access_token=a")
    assert read(sent, *EVERYWHERE) == "invalid_request"
    assert read(sent, *reversed(EVERYWHERE)) == "invalid_request"


def test_credentials_in_several_other_locations_are_no_conflict():
    """Without a query token, or where the other place is not a configured location, the order decides."""
    sent = handshake(
        ("Authorization", "Bearer a"), ("Cookie", "session=b"), ("Sec-WebSocket-Protocol", "x")
    )
    assert read(sent, *EVERYWHERE) == "a"
    sent = handshake(("Cookie", "session=b"), query=b"access_token=a")
    assert read(sent, BEARER, PARAMETER) == "a"


@pytest.mark.parametrize(
    ("offers", "seen"),
    [
        (["bearer, secret"], [b"bearer"]),
        (["chat, bearer, secret, v2"], [b"chat, bearer, v2"]),
        (["bearer", "secret", "chat"], [b"bearer, chat"]),
        (["bearer, bearer, secret"], [b"bearer"]),
        (["bearer"], [b"bearer"]),
    ],
)
def test_the_app_sees_the_marker_and_not_the_token(offers, seen):
    """The app receives the subprotocols without the token; the marker stays, because the app echoes it."""
    sent = handshake(("Host", "h"), *(("Sec-WebSocket-Protocol", one) for one in offers))
    request_seen, echo = CredentialsReader(EVERYWHERE).without_tokens(sent)
    assert request_seen.values(b"sec-websocket-protocol") == seen
    assert request_seen.values(b"host") == [b"h"]
    assert echo == "bearer"


def test_the_first_offered_marker_is_echoed():
    """With two markers configured, the first one that the browser offers is accepted."""
    reader = CredentialsReader((Subprotocol("a"), Subprotocol("b"), Subprotocol("c")))
    sent = handshake(("Sec-WebSocket-Protocol", "c, t, b, u"))
    assert reader.without_tokens(sent).echo == "b"
    assert reader.without_tokens(sent).request.values(b"sec-websocket-protocol") == [b"c, b"]


@pytest.mark.parametrize(
    ("query", "seen"),
    [
        (b"access_token=secret", b""),
        (b"x=1&access_token=secret&y=%20", b"x=1&y=%20"),
        (b"access%5ftoken=secret&x", b"x"),
        (b"access_token=&x=1", b"x=1"),
        (b"x=1;access_token=secret;y=2&z", b"x=1;y=2&z"),
        (b"access_token=secret;x=1", b"x=1"),
        (b"&;access_token=secret&", b"&&"),
    ],
)
def test_the_app_sees_the_query_without_the_token(query, seen):
    """The token's parameter is removed from the query, however it is encoded; the rest stays byte for byte."""
    handshake_seen = CredentialsReader(EVERYWHERE).without_tokens(handshake(query=query))
    assert handshake_seen.request.query == seen
    assert handshake_seen.echo is None


@pytest.mark.parametrize(
    ("protocol", "query", "seen", "echo"),
    [
        ("bearer, aa.bb.cc, chat", b"", ("bearer, chat", b""), "bearer"),
        ("bearer, bearer, aa.bb.cc", b"", ("bearer, bearer", b""), "bearer"),
        ("bearer, aa.bb.", b"", ("bearer", b""), "bearer"),
        ("bearer, chat.v1", b"", ("bearer, chat.v1", b""), None),
        ("chat, aa.bb.cc", b"", ("chat, aa.bb.cc", b""), None),
        ("chat", b"x=1&access_token=aa.bb.cc", ("chat", b"x=1"), None),
        ("chat", b"x=1;access%5Ftoken=aa%2Ebb.cc", ("chat", b"x=1"), None),
        (
            "chat",
            b"access_token=page-7&x=aa.bb.cc",
            ("chat", b"access_token=page-7&x=aa.bb.cc"),
            None,
        ),
    ],
)
def test_on_an_excluded_path_a_token_is_removed_and_nothing_else(protocol, query, seen, echo):
    """On an excluded path a value in the form of a JWS is removed from the configured locations; the app sees everything else."""
    sent = handshake(("Sec-WebSocket-Protocol", protocol), query=query)
    shown = CredentialsReader(EVERYWHERE).without_tokens(sent, excluded=True)
    (offered,) = shown.request.values(b"sec-websocket-protocol")
    assert ((offered.decode(), shown.request.query), shown.echo) == (seen, echo)


ORIGINS = [
    # The server says http, but may stand behind TLS: Origin may have either scheme, each with its default port.
    ("http", "api.test", "http://api.test", True),
    ("http", "api.test", "https://api.test", True),
    ("http", "API.test", "https://api.TEST", True),
    ("http", "api.test:80", "http://api.test", True),
    ("http", "api.test:443", "https://api.test", True),
    ("http", "api.test:443", "http://api.test", False),
    ("http", "api.test:80", "https://api.test", False),
    ("http", "api.test:8000", "http://api.test:8000", True),
    ("http", "api.test:8000", "https://api.test:8000", True),
    ("http", "api.test:8000", "http://api.test", False),
    ("http", "api.test", "http://api.test:8000", False),
    ("ws", "api.test", "https://api.test", True),
    ("http", "[::1]:8000", "http://[::1]:8000", True),
    ("http", "[::1]", "http://[::2]", False),
    # The server says https: an Origin of http is a downgrade.
    ("https", "api.test", "https://api.test", True),
    ("https", "api.test:443", "https://api.test", True),
    ("https", "api.test", "http://api.test", False),
    ("wss", "api.test", "http://api.test", False),
    ("https", "api.test:80", "http://api.test", False),
    # Not the origin of a page, or not this host.
    ("http", "api.test", "ftp://api.test", False),
    ("http", "null", "null", False),
    ("http", "api.test", "https://evil.test", False),
    ("http", "api.test", "https://api.test.evil.test", False),
    ("http", "api.test", "https://api.test/", False),
    ("http", "api.test", "https://u@api.test", False),
    ("http", "", "https://", False),
    ("http", "api.test:", "https://api.test", False),
]


@pytest.mark.parametrize(("scheme", "host", "origin", "counts"), ORIGINS)
def test_origin_and_host_are_compared_by_host_and_port(scheme, host, origin, counts):
    """Origin and Host are compared by host and port; the scheme counts only against a downgrade."""
    expected = "a" if counts else "cross_site_cookie"
    sent = request(COOKIE, ("Host", host), ("Origin", origin), method="POST")
    assert read(sent._replace(scheme=scheme), SESSION) == expected
    sent = handshake(COOKIE, ("Host", host), ("Origin", origin))
    assert read(sent._replace(scheme=scheme), SESSION) == expected


def test_a_request_can_be_shown_without_any_credentials():
    """Cookies, Authorization and every configured location are removed."""
    sent = UnverifiedRequest(
        "http",
        "OPTIONS",
        _pairs(
            [
                ("Authorization", "Basic dTpw"),
                ("Cookie", "other=1"),
                ("X-Token", "abc"),
                ("Sec-WebSocket-Protocol", "bearer, abc"),
                ("Host", "api.test"),
            ]
        ),
        b"a=1&access_token=abc",
    )
    bare = CredentialsReader((Header("X-Token"), OFFER, PARAMETER)).without_credentials(sent)
    assert (bare.headers, bare.query) == ([(b"host", b"api.test")], b"a=1")
    plain = CredentialsReader((SESSION,)).without_credentials(sent)
    assert [name for name, _ in plain.headers] == [b"x-token", b"sec-websocket-protocol", b"host"]
    assert plain.query == sent.query


def test_a_request_without_a_token_is_passed_on_unchanged():
    """A request without a token is passed on as the same object, without a copy."""
    sent = handshake(
        ("Sec-WebSocket-Protocol", "chat, v2"), ("Authorization", "Bearer a"), query=b"x=1"
    )
    assert CredentialsReader(EVERYWHERE).without_tokens(sent).request is sent
    assert CredentialsReader(EVERYWHERE).without_tokens(sent).echo is None


# Answers.


def shown(answer: Answer) -> tuple[int, str | None, str | None]:
    """Return status, challenge and Retry-After."""
    headers = dict(answer.headers)
    challenge, retry = headers.get(b"www-authenticate"), headers.get(b"retry-after")
    return (
        answer.status,
        None if challenge is None else challenge.decode(),
        None if retry is None else retry.decode(),
    )


class Banned(JWKSError):
    http_status = 499


class Unknown(JWKSError):
    http_status = 401


ANSWERS = [
    (CredentialsError("missing_credentials", "m"), 401, "Bearer", None),
    (CredentialsError("invalid_request", "m"), 400, 'Bearer error="invalid_request"', None),
    (CredentialsError("cross_site_cookie", "m"), 401, "Bearer", None),
    (TokenError("token_expired", "m"), 401, 'Bearer error="invalid_token"', None),
    (TokenError("malformed_token", "m"), 401, 'Bearer error="invalid_token"', None),
    (
        InsufficientScopeError(["b:w", "a"]),
        403,
        'Bearer error="insufficient_scope", scope="a b:w"',
        None,
    ),
    (InsufficientScopeError(code="insufficient_claims", message="m"), 403, None, None),
    (KeysUnavailableError("fetch_failed", "m"), 503, None, "1"),
    (KeysUnavailableError("fetch_failed", "m", retry_after=0), 503, None, "1"),
    (KeysUnavailableError("fetch_failed", "m", retry_after=7.2), 503, None, "8"),
    (Banned("banned", "m"), 499, None, None),
    (Unknown("who", "m"), 401, "Bearer", None),
]


@pytest.mark.parametrize(("error", "status", "challenge", "retry"), ANSWERS)
def test_each_error_has_its_status_and_challenge(error, status, challenge, retry):
    """Each error has the challenge of RFC 6750, section 3, which names an error only where a token was sent."""
    assert shown(Answers().to(error)) == (status, challenge, retry)


@pytest.mark.parametrize("error", [row[0] for row in ANSWERS])
def test_the_body_is_a_problem_with_the_code(error):
    """The body is a problem of RFC 9457 with type, title, status and code, and at most a sentence that adds nothing to them."""
    answer = Answers().to(error)
    headers = dict(answer.headers)
    assert headers[b"content-type"] == b"application/problem+json"
    assert headers[b"cache-control"] == b"no-store"
    problem = json.loads(answer.body)
    assert {**problem, "detail": ""} == {
        "type": "about:blank",
        "title": answer.phrase,
        "status": error.http_status,
        "code": error.code,
        "detail": "",
    }
    assert ("detail" in problem) is (type(error) not in (Banned, Unknown))


def test_a_custom_status_has_a_phrase_too():
    """A custom status has a reason phrase too, because WSGI requires it."""
    assert Answers().to(TokenError("token_expired", "m")).phrase == "Unauthorized"
    assert Answers().to(Banned("banned", "m")).phrase == "Refused"


def test_a_response_reveals_no_cause_message_or_expectation():
    """A response never holds hosts, keys or settings: these are for logs."""
    cause = OSError("secret.host unreachable")
    away = KeysUnavailableError("fetch_failed", "secret.host gave no answer")
    away.__cause__ = cause
    wrong = TokenError("wrong_audience", "secret wanted", claim="secret", expected="secret")
    for error in (away, wrong):
        assert b"secret" not in repr(Answers("r").to(error)).encode()


def test_realm_and_resource_metadata_stand_in_every_challenge():
    """Every challenge has the realm (RFC 9110, section 11.5) and the metadata URL (RFC 9728, section 5.1)."""
    answers = Answers("the api", "https://api.test/.well-known/oauth-protected-resource")
    meta = 'resource_metadata="https://api.test/.well-known/oauth-protected-resource"'

    def challenge(error: JWKSError) -> str | None:
        return shown(answers.to(error))[1]

    missing = CredentialsError("missing_credentials", "m")
    assert challenge(missing) == f'Bearer realm="the api", {meta}'
    assert challenge(TokenError("token_expired", "m")) == (
        f'Bearer realm="the api", error="invalid_token", {meta}'
    )
    assert challenge(InsufficientScopeError("a")) == (
        f'Bearer realm="the api", error="insufficient_scope", scope="a", {meta}'
    )
    assert challenge(KeysUnavailableError("fetch_failed", "m")) is None
    assert shown(Answers(realm="r").to(missing))[1] == 'Bearer realm="r"'


def test_values_in_a_challenge_are_escaped():
    """Quotes and backslashes in a challenge are escaped, and a character that no header may hold becomes a question mark."""
    answers = Answers('say "hi" \\ bye')
    error = InsufficientScopeError(['a"b', "c\\d", "e\r\nSet-Cookie: x", "ol\xe9"])
    assert shown(answers.to(error))[1] == (
        'Bearer realm="say \\"hi\\" \\\\ bye", error="insufficient_scope", '
        'scope="a\\"b c\\\\d e??Set-Cookie: x ol?"'
    )


@pytest.mark.parametrize("realm", ["", "a\nb", "ol\xe9", 1, "a\r"])
def test_the_realm_is_checked(realm):
    """A realm that no header can hold is refused when the setting is made."""
    with pytest.raises(ConfigurationError) as caught:
        Answers(realm)
    assert caught.value.field == "realm"


@pytest.mark.parametrize(
    "url", ["/metadata", "http://api.test/m", "https://a b", 1, "https://a/#f"]
)
def test_the_metadata_url_is_checked(url):
    """The metadata URL must be https; plain http is allowed on loopback only."""
    with pytest.raises(ConfigurationError) as caught:
        Answers(resource_metadata=url)
    assert caught.value.field == "resource_metadata"
    assert Answers(resource_metadata="http://127.0.0.1:8000/m")


def test_an_answer_accepts_another_body():
    """An answer with another body keeps its status and challenge; body and media type change."""
    answer = Answers().to(TokenError("token_expired", "m"))
    page = answer.with_body(b"<p>no", "text/html")
    assert shown(page) == shown(answer)
    assert (page.body, dict(page.headers)[b"content-type"]) == (b"<p>no", b"text/html")
    assert dict(answer.with_body(b"{}").headers)[b"content-type"] == b"application/json"


@pytest.mark.parametrize("status", [204, 304])
def test_an_answer_sends_its_length_unless_it_must_not(status):
    """An answer sends Content-Length, except with a 204 (RFC 9110, section 8.6)."""
    answer = Answers().to(TokenError("token_expired", "m"))
    assert dict(answer.headers_to_send)[b"content-length"] == str(len(answer.body)).encode()
    empty = Answer(status=status, headers=((b"x", b"y"),), body=b"")
    assert empty.headers_to_send == [(b"x", b"y")]


@pytest.mark.parametrize(
    ("retry_after", "sent"),
    [(math.inf, b"86400"), (-math.inf, b"86400"), (math.nan, b"1"), (-5.0, b"1"), (1.2, b"2")],
)
def test_any_retry_after_can_be_sent(retry_after, sent):
    """Retry-After is a whole number of seconds, at least 1; infinity becomes a day."""
    error = KeysUnavailableError("fetch_failed", "m", retry_after=retry_after)
    assert dict(Answers().to(error).headers)[b"retry-after"] == sent
