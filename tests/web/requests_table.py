"""The table of requests and their answers, whatever integration protects the app.

The app under test is written once for each framework, in the framework's own idiom, as `table_app`
describes it. A row names a setup, which is the settings of an integration. A new integration needs only
a function that makes its app of a client and those settings.

`APP_ROWS` run for every framework. `READING_ROWS` are about how a request is read, and run for each
integration with its own code for reading requests.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from jwks_client.providers import Cookie, Header, Query, Subprotocol

BEARER = Header("Authorization", scheme="Bearer")
EXCLUDED = ("/open", "/docs/*", "GET /prices")
METADATA = "https://api.test/.well-known/oauth-protected-resource"

#: Settings by name. The client of ``cold`` has no keys, and its provider fails.
SETUPS: dict[str, dict[str, Any]] = {
    "plain": {"exclude": EXCLUDED},
    "optional": {"optional": True},
    "named": {"realm": 'the "api"', "resource_metadata": METADATA},
    "cookie": {
        "locations": (BEARER, Cookie("session")),
        "trusted_origins": ("https://app.test",),
    },
    "websocket": {
        "locations": (BEARER, Cookie("session"), Subprotocol("bearer"), Query("access_token")),
    },
    "cold": {},
}


@dataclass(frozen=True, kw_only=True)
class Row:
    """A request and its answer.

    In header values and paths ``{good}`` stands for a token: ``good`` (scope ``orders:read``, claim
    ``org_id``), ``poor`` (neither scope nor claim), ``expired``, ``foreign`` (another audience),
    ``forged`` (another key), ``hostile`` (a subject that would break a header), and ``host`` for the
    server's own.

    Attributes:
        name: what pytest shows.
        headers: names and values, repeated as often as they are sent.
        challenge: the whole WWW-Authenticate; None: there is none.
        retry: whether there is a Retry-After.
        code: the problem's code; None: the app answers.
        sees: what the app reports of the request.
        protocol: the subprotocol that a WebSocket is accepted with.
        big: the server may refuse it before any app sees it.
    """

    name: str
    setup: str = "plain"
    method: str = "GET"
    path: str = "/"
    headers: tuple[tuple[str, str], ...] = ()
    websocket: bool = False
    status: int = 200
    challenge: str | None = None
    retry: bool = False
    code: str | None = None
    sees: Mapping[str, Any] = field(default_factory=dict)
    protocol: str | None = None
    big: bool = False


def bearer(token: str = "{good}") -> tuple[str, str]:
    return "Authorization", f"Bearer {token}"


def cookie(token: str = "{good}") -> tuple[str, str]:
    return "Cookie", f"session={token}"


MISSING: dict[str, Any] = {"status": 401, "challenge": "Bearer", "code": "missing_credentials"}
MALFORMED: dict[str, Any] = {
    "status": 400,
    "challenge": 'Bearer error="invalid_request"',
    "code": "invalid_request",
}
CROSS_SITE: dict[str, Any] = {"status": 401, "challenge": "Bearer", "code": "cross_site_cookie"}
USER = {"sub": "u1", "current": "u1", "scopes": ["orders:read"]}
ANONYMOUS = {"sub": None, "current": None, "scopes": []}
PREFLIGHT = (("Origin", "https://app.test"), ("Access-Control-Request-Method", "POST"))


def refused(code: str) -> dict[str, Any]:
    return {"status": 401, "challenge": 'Bearer error="invalid_token"', "code": code}


APP_ROWS = [
    # The Authorization header.
    Row(name="a good token", headers=(bearer(),), sees=USER),
    Row(name="no credentials", **MISSING),
    Row(name="Bearer alone", headers=(("Authorization", "Bearer"),), **MALFORMED),
    Row(name="two words", headers=(bearer("a b"),), **MALFORMED),
    Row(name="Basic", headers=(("Authorization", "Basic dTpw"),), **MISSING),
    Row(name="junk", headers=(bearer("junk"),), **refused("malformed_token")),
    Row(name="an expired token", headers=(bearer("{expired}"),), **refused("token_expired")),
    Row(name="a wrong audience", headers=(bearer("{foreign}"),), **refused("wrong_audience")),
    Row(name="a forged token", headers=(bearer("{forged}"),), **refused("bad_signature")),
    Row(
        name="claims that would break a header",
        path="/orders",
        headers=(bearer("{hostile}"),),
        status=403,
        challenge='Bearer error="insufficient_scope", scope="orders:read"',
        code="insufficient_scope",
    ),
    # Scopes, and errors from inside the app.
    Row(name="enough scope", path="/orders", headers=(bearer(),), sees=USER),
    Row(name="enough claims", path="/org", headers=(bearer(),), sees=USER),
    Row(
        name="insufficient scope",
        path="/orders",
        headers=(bearer("{poor}"),),
        status=403,
        challenge='Bearer error="insufficient_scope", scope="orders:read"',
        code="insufficient_scope",
    ),
    Row(
        name="insufficient claims",
        path="/org",
        headers=(bearer("{poor}"),),
        status=403,
        code="insufficient_claims",
    ),
    Row(
        name="an error of ours from deep inside",
        path="/deep",
        headers=(bearer(),),
        status=403,
        challenge='Bearer error="insufficient_scope", scope="deep"',
        code="insufficient_scope",
    ),
    Row(
        name="claims that do not fit the type that a handler asks for",
        path="/typed",
        headers=(bearer(),),
        status=403,
        code="insufficient_claims",
    ),
    Row(
        name="a refusal in a thread without a copy of the context",
        path="/executor",
        headers=(bearer(),),
        status=403,
        challenge='Bearer error="insufficient_scope", scope="deep"',
        code="insufficient_scope",
    ),
    # Failures that are not refusals.
    Row(name="a refusal that the handler catches", path="/caught", headers=(bearer(),), sees=USER),
    Row(name="a bug after a caught refusal", path="/bug", headers=(bearer(),), status=500),
    Row(name="a bug raised from a refusal", path="/from", headers=(bearer(),), status=500),
    Row(
        name="a 500 of the handler's own after a caught refusal",
        path="/own",
        headers=(bearer(),),
        status=500,
        sees=USER,
    ),
    # Unavailable keys.
    Row(
        name="cold start, provider away",
        setup="cold",
        headers=(bearer(),),
        status=503,
        retry=True,
        code="fetch_failed",
    ),
    Row(name="cold start, no credentials", setup="cold", **MISSING),
    # Optional credentials.
    Row(name="optional, none", setup="optional", sees=ANONYMOUS),
    Row(name="optional, good", setup="optional", headers=(bearer(),), sees=USER),
    Row(
        name="optional, expired",
        setup="optional",
        headers=(bearer("{expired}"),),
        **refused("token_expired"),
    ),
    Row(name="optional, scope wanted of nobody", setup="optional", path="/orders", **MISSING),
    # The API's description in a challenge.
    Row(
        name="realm and metadata",
        setup="named",
        status=401,
        challenge=f'Bearer realm="the \\"api\\"", resource_metadata="{METADATA}"',
        code="missing_credentials",
    ),
    # Public routes.
    Row(name="an excluded path", path="/open", sees=ANONYMOUS),
    Row(
        name="an excluded path, bad token", path="/open", headers=(bearer("junk"),), sees=ANONYMOUS
    ),
    # WebSockets.
    Row(
        name="ws: a good token",
        websocket=True,
        path="/ws",
        headers=(bearer(),),
        status=101,
        sees=USER,
    ),
    Row(name="ws: no credentials", websocket=True, path="/ws", **MISSING),
    Row(
        name="ws: an expired token",
        websocket=True,
        path="/ws",
        headers=(bearer("{expired}"),),
        **refused("token_expired"),
    ),
]
READING_ROWS = [
    Row(name="a scheme in other case", headers=(("authorization", "bEARER {good}"),), sees=USER),
    Row(name="no credentials, POST", method="POST", **MISSING),
    Row(name="no credentials, HEAD", method="HEAD", **MISSING),
    Row(name="a good token, HEAD", method="HEAD", headers=(bearer(),)),
    Row(name="a good token and a word", headers=(bearer("{good} x"),), **MALFORMED),
    Row(name="bad characters", headers=(bearer('"{good}"'),), **MALFORMED),
    Row(name="non-ASCII", headers=(bearer("ol\xe9"),), **MALFORMED),
    Row(name="several challenges in one", headers=(bearer("{good}, Basic eA=="),), **MALFORMED),
    Row(name="two Authorization headers", headers=(bearer(), bearer()), **MALFORMED),
    Row(name="DPoP", headers=(("Authorization", "DPoP {good}"),), **MISSING),
    Row(
        name="100 KB of header",
        headers=(bearer("a" * 100_000),),
        big=True,
        **refused("token_too_large"),
    ),
    Row(name="a cookie that is not a location", headers=(cookie(),), **MISSING),
    Row(
        name="cold start, refused at sight",
        setup="cold",
        headers=(bearer("junk"),),
        **refused("malformed_token"),
    ),
    Row(name="optional, malformed", setup="optional", headers=(bearer("a b"),), **MALFORMED),
    Row(
        name="optional, Bearer alone",
        setup="optional",
        headers=(("Authorization", "Bearer"),),
        **MALFORMED,
    ),
    Row(
        name="optional, Basic",
        setup="optional",
        headers=(("Authorization", "Basic dTpw"),),
        sees=ANONYMOUS,
    ),
    Row(
        name="realm, error and metadata",
        setup="named",
        headers=(bearer("{expired}"),),
        status=401,
        challenge=(
            f'Bearer realm="the \\"api\\"", error="invalid_token", resource_metadata="{METADATA}"'
        ),
        code="token_expired",
    ),
    Row(name="an excluded path with a query", path="/open?x=1", sees={**ANONYMOUS, "query": "x=1"}),
    Row(name="an excluded path and a slash", path="/open/", **MISSING),
    Row(name="an excluded path in other case", path="/Open", **MISSING),
    Row(name="below an excluded path", path="/open/x", **MISSING),
    Row(name="a path that begins alike", path="/opened", **MISSING),
    Row(name="an excluded path, escaped", path="/%6fpen", sees=ANONYMOUS),
    Row(name="below a prefix", path="/docs/a/b", sees=ANONYMOUS),
    Row(name="the prefix itself", path="/docs", **MISSING),
    Row(name="a name that begins like the prefix", path="/docsx/a", **MISSING),
    Row(name="out of the prefix by dots", path="/docs/../orders", **MISSING),
    Row(name="out of the prefix by escaped dots", path="/docs/%2e%2e/orders", **MISSING),
    Row(name="out of the prefix by an escaped slash", path="/docs/..%2forders", **MISSING),
    Row(name="out of the prefix, escaped twice", path="/docs/%252e%252e/orders", **MISSING),
    Row(name="out of the prefix by a backslash", path="/docs/..%5corders", **MISSING),
    Row(name="an empty segment below the prefix", path="/docs//orders", **MISSING),
    Row(name="one method, that one", path="/prices", sees=ANONYMOUS),
    Row(name="one method, another", path="/prices", method="POST", **MISSING),
    Row(name="one method, HEAD", path="/prices", method="HEAD", **MISSING),
    Row(name="a CORS preflight", method="OPTIONS", headers=PREFLIGHT, **MISSING),
    Row(name="OPTIONS that is not a preflight", method="OPTIONS", headers=PREFLIGHT[:1], **MISSING),
    Row(name="OPTIONS without Origin", method="OPTIONS", headers=PREFLIGHT[1:], **MISSING),
    Row(name="a POST dressed as a preflight", method="POST", headers=PREFLIGHT, **MISSING),
    # Cookies.
    Row(name="a cookie", setup="cookie", headers=(cookie(),), sees=USER),
    Row(
        name="cookie and header: the first place decides",
        setup="cookie",
        headers=(cookie("{good}"), bearer("{poor}")),
        sees={"sub": "u1", "scopes": []},
    ),
    Row(
        name="cookie and header: a bad one is not made good",
        setup="cookie",
        headers=(cookie("{good}"), bearer("junk")),
        **refused("malformed_token"),
    ),
    Row(
        name="Basic and a cookie",
        setup="cookie",
        headers=(("Authorization", "Basic dTpw"), cookie()),
        sees=USER,
    ),
    Row(
        name="one cookie name with two values",
        setup="cookie",
        headers=(("Cookie", "session={good}; session={poor}"),),
        **MALFORMED,
    ),
    Row(
        name="one cookie twice",
        setup="cookie",
        headers=(("Cookie", "session={good}; session={good}"),),
        sees=USER,
    ),
    Row(
        name="a cookie whose name begins alike",
        setup="cookie",
        headers=(("Cookie", "sessions={good}; xsession={good}"),),
        **MISSING,
    ),
    Row(
        name="an expired cookie",
        setup="cookie",
        headers=(cookie("{expired}"),),
        **refused("token_expired"),
    ),
    Row(
        name="POST, a cookie, no browser",
        setup="cookie",
        method="POST",
        headers=(cookie(),),
        sees=USER,
    ),
    Row(
        name="POST, a cookie, same origin",
        setup="cookie",
        method="POST",
        headers=(cookie(), ("Origin", "http://{host}")),
        sees=USER,
    ),
    Row(
        name="POST, a cookie, same origin by Fetch Metadata",
        setup="cookie",
        method="POST",
        headers=(cookie(), ("Origin", "http://proxied"), ("Sec-Fetch-Site", "same-origin")),
        sees=USER,
    ),
    Row(
        name="POST, a cookie, a trusted origin",
        setup="cookie",
        method="POST",
        headers=(cookie(), ("Origin", "https://app.test"), ("Sec-Fetch-Site", "cross-site")),
        sees=USER,
    ),
    Row(
        name="POST, a cookie, cross site by Origin",
        setup="cookie",
        method="POST",
        headers=(cookie(), ("Origin", "https://evil.test")),
        **CROSS_SITE,
    ),
    Row(
        name="POST, a cookie, cross site by Fetch Metadata",
        setup="cookie",
        method="POST",
        headers=(cookie(), ("Sec-Fetch-Site", "cross-site")),
        **CROSS_SITE,
    ),
    Row(
        name="POST, a cookie, same site only",
        setup="cookie",
        method="POST",
        headers=(cookie(), ("Origin", "http://{host}"), ("Sec-Fetch-Site", "same-site")),
        **CROSS_SITE,
    ),
    Row(
        name="POST, a cookie, an opaque origin",
        setup="cookie",
        method="POST",
        headers=(cookie(), ("Origin", "null")),
        **CROSS_SITE,
    ),
    Row(
        name="GET, a cookie, from anywhere",
        setup="cookie",
        headers=(cookie(), ("Origin", "https://evil.test"), ("Sec-Fetch-Site", "cross-site")),
        sees=USER,
    ),
    Row(
        name="POST, a header, from anywhere",
        setup="cookie",
        method="POST",
        headers=(bearer(), cookie(), ("Origin", "https://evil.test")),
        sees=USER,
    ),
    Row(
        name="a query token in a plain request",
        setup="websocket",
        path="/?access_token={good}",
        **MISSING,
    ),
    Row(name="ws: malformed", websocket=True, path="/ws", headers=(bearer("a b"),), **MALFORMED),
    Row(
        name="ws: cold start",
        setup="cold",
        websocket=True,
        path="/ws",
        headers=(bearer(),),
        status=503,
        retry=True,
        code="fetch_failed",
    ),
    Row(
        name="ws: optional, none",
        setup="optional",
        websocket=True,
        path="/ws",
        status=101,
        sees=ANONYMOUS,
    ),
    Row(
        name="ws: a token among the subprotocols",
        setup="websocket",
        websocket=True,
        path="/ws",
        headers=(("Sec-WebSocket-Protocol", "bearer, {good}"),),
        status=101,
        protocol="bearer",
        sees={**USER, "subprotocols": ["bearer"]},
    ),
    Row(
        name="ws: a token among other subprotocols",
        setup="websocket",
        websocket=True,
        path="/ws",
        headers=(("Sec-WebSocket-Protocol", "chat.v2, bearer, {good}, chat.v1"),),
        status=101,
        protocol="bearer",
        sees={**USER, "subprotocols": ["chat.v2", "bearer", "chat.v1"]},
    ),
    Row(
        name="ws: a marker alone",
        setup="websocket",
        websocket=True,
        path="/ws",
        headers=(("Sec-WebSocket-Protocol", "bearer"),),
        **MALFORMED,
    ),
    Row(
        name="ws: a token in the query",
        setup="websocket",
        websocket=True,
        path="/ws?x=1&access_token={good}&y=2",
        status=101,
        sees={**USER, "query": "x=1&y=2"},
    ),
    Row(
        name="ws: a token in the query and a header",
        setup="websocket",
        websocket=True,
        path="/ws?access_token={good}",
        headers=(bearer(),),
        **MALFORMED,
    ),
    Row(
        name="ws: a token in the query and a cookie",
        setup="websocket",
        websocket=True,
        path="/ws?access_token={good}",
        headers=(cookie(),),
        **MALFORMED,
    ),
    Row(
        name="ws: query and subprotocol that are not locations",
        websocket=True,
        path="/ws?access_token={good}",
        headers=(("Sec-WebSocket-Protocol", "bearer, {good}"),),
        **MISSING,
    ),
    Row(
        name="ws: a cookie, no browser",
        setup="websocket",
        websocket=True,
        path="/ws",
        headers=(cookie(),),
        status=101,
        sees=USER,
    ),
    Row(
        name="ws: a cookie, same origin",
        setup="websocket",
        websocket=True,
        path="/ws",
        headers=(cookie(), ("Origin", "http://{host}")),
        status=101,
        sees=USER,
    ),
    Row(
        name="ws: a cookie, cross site",
        setup="websocket",
        websocket=True,
        path="/ws",
        headers=(cookie(), ("Origin", "https://evil.test")),
        **CROSS_SITE,
    ),
]
ROWS = [*APP_ROWS, *READING_ROWS]
