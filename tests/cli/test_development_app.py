"""The endpoints that drive the development provider, and the requests that they refuse."""

import asyncio

import httpx
import pytest
from asking import BASE_URL, Asker, part

from jwks_client import JWKSClient, TokenError

JSON = {"content-type": "application/json"}


@pytest.fixture
def ask():
    return Asker()


@pytest.fixture
def idp(ask):
    return ask.idp


@pytest.fixture
def claims_of(idp):
    """Verify a token and return its claims."""
    with (
        httpx.Client(transport=idp.transport) as http,
        JWKSClient(idp.provider, http=http) as client,
    ):
        yield lambda token: client.verify(token).claims


def test_it_publishes_where_it_is(ask):
    """Metadata and key set use its base URL, whatever the issuer is."""
    metadata = ask("GET", "/.well-known/openid-configuration").json()
    assert metadata["issuer"] == BASE_URL
    assert metadata["jwks_uri"] == f"{BASE_URL}/.well-known/jwks.json"
    assert [key["kid"] for key in ask("GET", "/.well-known/jwks.json").json()["keys"]] == ["key-1"]
    elsewhere = Asker(issuer="https://id.example").idp
    assert (elsewhere.issuer, elsewhere.jwks_url) == (
        "https://id.example",
        f"{BASE_URL}/.well-known/jwks.json",
    )


def test_a_token_has_the_requested_claims(ask, claims_of):
    """Given claims override the defaults, and null omits one."""
    order = {"sub": "u7", "scope": "a b", "roles": ["r"], "iat": None}
    answered = ask("POST", "/dev/token", json=order)
    assert answered.status_code == 200
    assert answered.headers["cache-control"] == "no-store"
    claims = claims_of(answered.json()["token"])
    assert (claims["sub"], claims["scope"], claims["roles"]) == ("u7", "a b", ["r"])
    assert (claims["iss"], claims["aud"]) == (BASE_URL, "api")
    assert "iat" not in claims


def test_an_empty_order_is_the_usual_token(ask, claims_of):
    """An empty body or object issues a valid token."""
    for body in (b"", b"{}"):
        token = ask("POST", "/dev/token", headers=JSON, content=body).json()["token"]
        assert claims_of(token)["sub"] == "u1"


def test_expiry_and_headers_are_not_claims(ask):
    """``expires_in`` sets the lifetime, null omits ``exp``; ``headers`` go into the header."""
    order = {"expires_in": 5, "headers": {"kid": "other", "typ": None}}
    token = ask("POST", "/dev/token", json=order).json()["token"]
    claims = part(token, 1)
    assert claims["exp"] - claims["iat"] == 5
    assert claims.keys().isdisjoint(order)
    assert part(token, 0) == {"alg": "ES256", "kid": "other"}
    for_ever = ask("POST", "/dev/token", json={"expires_in": None, "headers": None}).json()["token"]
    assert "exp" not in part(for_ever, 1)


def test_the_default_lifetime_is_an_hour(ask):
    """Without ``expires_in`` a token has the provider's lifetime, an hour by default."""
    for provider, life in ((ask, 3600), (Asker(expires_in=120), 120)):
        claims = part(provider("POST", "/dev/token", json={}).json()["token"], 1)
        assert claims["exp"] - claims["iat"] == life


@pytest.mark.parametrize(
    ("accept", "is_text"),
    [
        ("text/plain", True),
        ("Text/Plain; charset=utf-8", True),
        ("text/plain, application/json;q=0.5", True),
        ("text/plain;q=0.5, application/json", False),
        ("text/plain;q=0", False),
        ("text/plain;q=much", False),
        ("application/json", False),
        ("*/*", False),
        ("text/*", False),
        ("", False),
    ],
)
def test_a_token_is_plain_text_on_request(ask, accept, is_text):
    """A client that names plain text and prefers it gets the bare token; others get JSON."""
    answered = ask("POST", "/dev/token", json={"sub": "u7"}, headers={"accept": accept})
    assert answered.headers["cache-control"] == "no-store"
    assert answered.headers["content-type"].startswith("text/plain") == is_text
    token = answered.text if is_text else answered.json()["token"]
    assert part(token, 1)["sub"] == "u7"


def test_metadata_name_the_token_endpoint(ask):
    """OpenID and RFC 8414 metadata name the token endpoint and its authentication methods."""
    for provider, place in ((ask, ""), (Asker(issuer="https://id.example/t1"), "/t1")):
        for path in (
            f"{place}/.well-known/openid-configuration",
            f"/.well-known/oauth-authorization-server{place}",
        ):
            answered = provider("GET", path)
            assert answered.status_code == 200
            metadata = answered.json()
            assert metadata["jwks_uri"] == f"{BASE_URL}/.well-known/jwks.json"
            assert metadata["token_endpoint"] == f"{BASE_URL}/token"
            assert metadata["grant_types_supported"] == ["client_credentials"]
            assert int(answered.headers["content-length"]) == len(answered.content)


def test_it_fails_and_recovers_on_request(ask, idp):
    """Each failure applies to key set and metadata, is in the state, and ends with the recovery."""
    token_before = ask("POST", "/dev/token", json={}).json()["token"]
    for how, status, text in (("500", 500, "500"), ("empty", 200, "[]"), ("html", 200, "<p>")):
        assert ask("POST", f"/dev/fail/{how}", headers=JSON).json()["failure"] == how
        for path in ("/.well-known/jwks.json", "/.well-known/openid-configuration"):
            answered = ask("GET", path)
            assert answered.status_code == status
            assert text in answered.text
            assert "token_endpoint" not in answered.text
    assert (
        ask("POST", "/dev/token", json={}).json()["token"].split(".")[0]
        == (token_before.split(".")[0])
    )
    assert ask("POST", "/dev/recover", headers=JSON).json()["failure"] is None
    assert len(ask("GET", "/.well-known/jwks.json").json()["keys"]) == 1


@pytest.mark.parametrize("how", ["200", "600", "50", "slow", "", "%00", "hang/on"])
def test_an_unknown_failure_is_refused(ask, idp, how):
    """An unknown failure is 404 and changes nothing."""
    assert ask("POST", f"/dev/fail/{how}", headers=JSON).status_code == 404
    assert idp.failure is None


def test_the_recovery_ends_a_hanging_request(ask, idp):
    """A hanging request is answered when the provider recovers, without a traceback in the server."""

    async def hung():
        transport = httpx.ASGITransport(ask.app)
        async with httpx.AsyncClient(transport=transport, base_url=BASE_URL) as http:
            with idp.hold() as held:
                waiting = asyncio.ensure_future(http.get("/.well-known/jwks.json"))
                await held.wait_async()
            assert not waiting.done()
            await http.post("/dev/recover", headers=JSON)
            return await waiting

    idp.break_down("hang")
    answered = asyncio.run(hung())
    assert (answered.status_code, answered.json()["code"]) == (503, "recovered")


def test_rotating_and_revoking_change_the_key_set(ask, idp, claims_of):
    """A rotation adds a signing key; a revocation withdraws one; both return the state."""
    old = ask("POST", "/dev/token", json={}).json()["token"]
    rotated = ask("POST", "/dev/rotate", headers=JSON).json()
    assert (rotated["kid"], rotated["kids"]) == ("key-2", ["key-1", "key-2"])
    claims_of(old)
    revoked = ask("POST", "/dev/revoke/key-1", json={})
    assert revoked.status_code == 200
    assert revoked.json() == ask("GET", "/dev/state").json()
    assert revoked.json()["kids"] == ["key-2"]
    with (
        httpx.Client(transport=idp.transport) as http,
        JWKSClient(idp.provider, http=http) as anew,
        pytest.raises(TokenError) as caught,
    ):
        anew.verify(old)
    assert caught.value.code == "unknown_key"


def test_the_state_counts_fetches(ask):
    """The state contains its URLs and the number of fetches of the key set alone."""
    ask("GET", "/.well-known/openid-configuration")
    ask("GET", "/.well-known/jwks.json")
    ask("GET", "/.well-known/jwks.json")
    assert ask("GET", "/dev/state").json() == {
        "base_url": BASE_URL,
        "issuer": BASE_URL,
        "audience": "api",
        "algorithm": "ES256",
        "jwks_url": f"{BASE_URL}/.well-known/jwks.json",
        "discovery_url": f"{BASE_URL}/.well-known/openid-configuration",
        "token_endpoint": f"{BASE_URL}/token",
        "kid": "key-1",
        "kids": ["key-1"],
        "fetches": 2,
        "failure": None,
    }


@pytest.mark.parametrize(
    "origin",
    [
        "http://evil.example",
        "null",
        "http://localhost:3000",
        "http://127.0.0.1:8401",
        "https://127.0.0.1:8400",
        "http://127.0.0.1:8400.evil.example",
        "",
    ],
)
@pytest.mark.parametrize(
    ("method", "path"), [("POST", "/dev/rotate"), ("POST", "/dev/token"), ("GET", "/dev/state")]
)
def test_a_page_of_another_origin_is_refused(ask, idp, method, path, origin):
    """Every request below /dev/ by another origin is 403, unreadable for it, and changes nothing."""
    refused = ask(method, path, headers={"origin": origin, **JSON})
    assert (refused.status_code, refused.json()["code"]) == (403, "foreign_origin")
    assert not [name for name in refused.headers if name.startswith("access-control-")]
    assert idp.kid == "key-1"


@pytest.mark.parametrize("site", ["cross-site", "same-site", "none, cross-site", ""])
def test_a_request_from_another_site_is_refused(ask, idp, site):
    """A request that Sec-Fetch-Site attributes to another page is 403, even without Origin."""
    refused = ask("POST", "/dev/rotate", headers={"sec-fetch-site": site, **JSON})
    assert (refused.status_code, refused.json()["code"]) == (403, "foreign_origin")
    assert idp.kid == "key-1"


@pytest.mark.parametrize("host", ["evil.example", "192.168.0.7:8400", "localhost.evil.example", ""])
def test_a_rebound_name_is_refused(ask, idp, host):
    """A Host other than loopback is 403, even if Origin has the same name."""
    headers = {"host": host, "origin": f"http://{host}", **JSON}
    refused = ask("POST", "/dev/rotate", headers=headers)
    assert (refused.status_code, refused.json()["code"]) == (403, "foreign_host")
    assert idp.kid == "key-1"


@pytest.mark.parametrize("host", ["127.0.0.1:8400", "localhost:8400", "[::1]:8400", "LOCALHOST"])
def test_its_own_page_is_answered(ask, host):
    """The server's own page may drive it, under each loopback name."""
    headers = {"host": host, "origin": f"http://{host}", **JSON}
    assert ask("POST", "/dev/rotate", headers=headers).status_code == 200


def test_other_machines_reach_it_only_where_configured():
    """Beyond loopback, its own name and IP addresses are accepted; other names are not."""
    beyond = Asker(base_url="http://idp:8400", beyond_loopback=True)
    for host in (
        "idp:8400",
        "IDP",
        "192.168.0.7:8400",
        "[fe80::1]:8400",
        "127.0.0.1:9",
        "localhost",
    ):
        headers = {"host": host, "origin": f"http://{host}", **JSON}
        assert beyond("POST", "/dev/rotate", headers=headers).status_code == 200, host
    for host in ("evil.example", "idp.evil.example", "xidp", "192.168.0.7.evil.example"):
        headers = {"host": host, "origin": f"http://{host}", **JSON}
        assert beyond("POST", "/dev/rotate", headers=headers).status_code == 403, host
    headers = {"host": "idp", "origin": "http://192.168.0.7:8400", **JSON}
    assert beyond("POST", "/dev/rotate", headers=headers).status_code == 403


@pytest.mark.parametrize(
    "content_type",
    [None, "text/plain", "application/x-www-form-urlencoded", "application/jsonp", "text/json"],
)
def test_a_request_that_a_form_can_send_is_refused(ask, idp, content_type):
    """A POST without a JSON Content-Type is 415: another origin can send it without CORS."""
    headers = {} if content_type is None else {"content-type": content_type}
    refused = ask("POST", "/dev/rotate", headers=headers, content=b"{}")
    assert (refused.status_code, refused.json()["code"]) == (415, "not_json")
    assert idp.kid == "key-1"


def test_json_may_name_its_charset(ask):
    """Parameters of the content type do not matter."""
    headers = {"content-type": "Application/JSON; charset=utf-8"}
    assert ask("POST", "/dev/token", headers=headers, content=b"{}").status_code == 200


def test_a_foreign_page_gets_no_permission(ask):
    """A CORS preflight is refused."""
    headers = {"origin": "http://evil.example", "access-control-request-method": "POST"}
    refused = ask("OPTIONS", "/dev/token", headers=headers)
    assert refused.status_code == 403
    assert "access-control-allow-origin" not in refused.headers


@pytest.mark.parametrize(
    "body",
    [
        b"claims",
        b"[]",
        b'"u1"',
        b"\xff",
        b'{"exp": NaN}',
        b"[" * 50_000,
        b'{"headers": ["kid"]}',
        b'{"expires_in": "60"}',
        b'{"expires_in": true}',
        b'{"expires_in": 1e999}',
        b'{"self": 1}',
        b'{"amount": 1e999}',
    ],
    ids=range(12),
)
def test_a_bad_order_is_rejected_with_a_reason(ask, body):
    """A malformed order is 400 with a reason, never a server error."""
    refused = ask("POST", "/dev/token", headers=JSON, content=body)
    assert (refused.status_code, refused.json()["code"]) == (400, "bad_order")
    assert refused.headers["content-type"] == "application/problem+json"
    assert refused.json()["detail"].startswith("the body ")


def test_a_deep_order_does_no_harm(ask):
    """Claims nested too deeply for Python are 400; otherwise they are signed unchanged."""
    deep = b'{"a":' * 9_000 + b"1" + b"}" * 9_000
    assert ask("POST", "/dev/token", headers=JSON, content=deep).status_code in (200, 400)
    assert ask("GET", "/dev/state").status_code == 200


def test_a_huge_order_is_refused(ask):
    """More than 64 KiB is 413."""
    refused = ask("POST", "/dev/token", json={"sub": "u" * 65_536})
    assert (refused.status_code, refused.json()["code"]) == (413, "too_large")


def test_an_unknown_kid_cannot_be_revoked(ask):
    """A kid that is not published is 404, and the response names the published ones."""
    refused = ask("POST", "/dev/revoke/key-9", json={})
    assert (refused.status_code, refused.json()["code"]) == (404, "unknown_kid")
    assert "key-1" in refused.json()["detail"]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/dev/token", 405),
        ("GET", "/dev/revoke/key-1", 405),
        ("POST", "/dev/state", 405),
        ("GET", "/dev/", 404),
        ("POST", "/dev/nothing", 404),
        ("POST", "/dev/revoke", 404),
        ("POST", "/dev/rotate/key-1", 404),
        ("GET", "/dev/fail/500", 405),
        ("GET", "/dev/recover", 405),
        ("POST", "/dev/fail", 404),
        ("GET", "/dev", 404),
    ],
)
def test_other_methods_and_paths(ask, idp, method, path, status):
    """Another method is 405 with Allow; another path is 404; neither changes keys."""
    answered = ask(method, path, headers=JSON)
    assert answered.status_code == status
    assert ("allow" in answered.headers) == (status == 405)
    assert idp.kid == "key-1"
