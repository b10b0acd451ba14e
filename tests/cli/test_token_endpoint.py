"""The token endpoint of the development provider: RFC 6749, sections 4.4 and 5."""

import base64
import re

import httpx
import pytest
from asking import BASE_URL, Asker, part

from jwks_client import JWKSClient

FORM = {"content-type": "application/x-www-form-urlencoded"}
GRANT = {"grant_type": "client_credentials"}
CLIENT = {"client_id": "app", "client_secret": "s"}


@pytest.fixture
def ask():
    return Asker()


@pytest.fixture
def post(ask):
    def post(data, **options):
        return ask("POST", "/token", data=data, **options)

    return post


def basic(text):
    return {"authorization": f"Basic {base64.b64encode(text.encode()).decode()}"}


def assert_refused(answered, error, status=400):
    """Assert an error response as in section 5.2."""
    assert (answered.status_code, answered.json()["error"]) == (status, error)
    assert answered.headers["content-type"] == "application/json"
    assert answered.headers["cache-control"] == "no-store"
    assert re.fullmatch(r"[\x20\x21\x23-\x5b\x5d-\x7e]+", answered.json()["error_description"])
    assert ("www-authenticate" in answered.headers) == (status == 401)


def test_a_client_gets_a_token_that_verifies(ask, post):
    """The response follows section 5.1, and its token verifies with the client as subject."""
    answered = post({**GRANT, **CLIENT, "scope": "orders:read orders:write"})
    assert answered.status_code == 200
    assert answered.headers["content-type"] == "application/json"
    assert answered.headers["cache-control"] == "no-store"
    assert answered.headers["pragma"] == "no-cache"
    answer = answered.json()
    assert answer.keys() == {"access_token", "token_type", "expires_in", "scope"}
    assert (answer["token_type"], answer["expires_in"]) == ("Bearer", 3600)
    assert answer["scope"] == "orders:read orders:write"
    with (
        httpx.Client(transport=ask.idp.transport) as http,
        JWKSClient(ask.idp.provider, http=http) as client,
    ):
        token = client.verify(answer["access_token"])
    assert (token.subject, token.claims["client_id"], token.audience) == ("app", "app", ("api",))
    assert token.scopes == {"orders:read", "orders:write"}
    assert token.expires_at - token.issued_at == 3600


def test_it_is_where_the_metadata_say(ask):
    """A client that uses discovery finds it."""
    endpoint = ask("GET", "/.well-known/openid-configuration").json()["token_endpoint"]
    assert endpoint == f"{BASE_URL}/token"
    assert ask("POST", endpoint, data={**GRANT, **CLIENT}).status_code == 200


def test_a_missing_scope_gives_none(post):
    """Without a scope, or with an empty one, neither token nor response contains one."""
    for more in ({}, {"scope": ""}):
        answer = post({**GRANT, **CLIENT, **more}).json()
        assert "scope" not in answer
        assert "scope" not in part(answer["access_token"], 1)


@pytest.mark.parametrize(
    ("credentials", "client_id"),
    [
        ("app:secret", "app"),
        ("app:se:cret", "app"),
        ("app%3Aone:s%25", "app:one"),
        ("an+app:s", "an app"),
        ("j%C3%B6rg:s", "jörg"),
    ],
)
def test_basic_names_the_client(post, credentials, client_id):
    """In Basic, ID and secret are form-encoded (section 2.3.1); the form may repeat the ID."""
    for more in ({}, {"client_id": client_id}):
        answer = post({**GRANT, **more}, headers=basic(credentials)).json()
        assert part(answer["access_token"], 1)["sub"] == client_id


@pytest.mark.parametrize(
    "authorization",
    [
        "Basic",
        "Basic !",
        "Basic YXBw",  # no colon
        "Basic OnNlY3JldA==",  # no ID
        "Basic YXBwOg==",  # no secret
        "Basic /////w==",  # not UTF-8
        "Bearer token",
        "Digest username=app",
        "",
    ],
)
def test_a_malformed_client_is_unauthorized(post, authorization):
    """Malformed Basic credentials are 401 with a challenge."""
    assert_refused(post(GRANT, headers={"authorization": authorization}), "invalid_client", 401)


@pytest.mark.parametrize(
    "form", [{}, {"client_id": "app"}, {"client_secret": "s"}, {"client_id": ""}]
)
def test_a_client_without_a_secret_is_unauthorized(post, form):
    """This grant requires a client secret (section 4.4): a missing one is 401 here, too."""
    assert_refused(post({**GRANT, **form}), "invalid_client", 401)


@pytest.mark.parametrize("form", [CLIENT, {"client_secret": "s"}, {"client_id": "other"}])
def test_a_client_authenticates_in_one_way_only(post, form):
    """Basic together with a secret in the form, or with another ID, is rejected (section 2.3)."""
    assert_refused(post({**GRANT, **form}, headers=basic("app:s")), "invalid_request")


@pytest.mark.parametrize(
    ("form", "error"),
    [
        ({}, "invalid_request"),
        ({"grant_type": ""}, "invalid_request"),
        ({"grant_type": "password"}, "unsupported_grant_type"),
        ({"grant_type": "authorization_code"}, "unsupported_grant_type"),
        ({"grant_type": "CLIENT_CREDENTIALS"}, "unsupported_grant_type"),
        ({**GRANT, "scope": "a  b"}, "invalid_scope"),
        ({**GRANT, "scope": ' a"'}, "invalid_scope"),
        ({**GRANT, "scope": "jörg"}, "invalid_scope"),
        ({**GRANT, "scope": "a\nb"}, "invalid_scope"),
        ({**GRANT, "scope": ["a", "b"]}, "invalid_request"),
        ({**GRANT, "grant_type": ["client_credentials"] * 2}, "invalid_request"),
        ({**GRANT, "resource": "orders"}, "invalid_target"),
        ({**GRANT, "resource": "https://a.example/#x"}, "invalid_target"),
        ({**GRANT, "resource": "https://[a"}, "invalid_target"),
    ],
)
def test_a_wrong_request_gets_the_error_code(post, form, error):
    """Each mistake has the error code of section 5.2, or RFC 8707, section 2."""
    assert_refused(post({**CLIENT, **form}), error)


@pytest.mark.parametrize(
    ("form", "audience"),
    [
        ({}, "api"),
        ({"audience": ""}, "api"),
        ({"audience": "orders"}, "orders"),
        ({"resource": "https://a.example/"}, "https://a.example/"),
        ({"audience": ["a", "b", "a"]}, ["a", "b"]),
        ({"audience": "a", "resource": ["urn:b", "urn:c"]}, ["a", "urn:b", "urn:c"]),
    ],
)
def test_a_client_may_set_the_audience(post, form, audience):
    """``audience`` and ``resource`` (RFC 8707) set the audience; without them it is the default."""
    answer = post({**GRANT, **CLIENT, **form}).json()
    assert part(answer["access_token"], 1)["aud"] == audience


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ({"content-type": "application/json"}, b'{"grant_type": "client_credentials"}'),
        ({}, b"grant_type=client_credentials"),
        ({"content-type": "text/plain"}, b"grant_type=client_credentials"),
        (FORM, b"\xff"),
        (FORM, b"grant_type=%FF"),
        (FORM, b"&".join(b"a%d=1" % number for number in range(200))),
    ],
    ids=range(6),
)
def test_anything_but_a_form_is_refused(ask, headers, body):
    """Another content type, or a malformed form, is invalid_request."""
    headers = {**headers, **basic("app:s")}
    assert_refused(ask("POST", "/token", headers=headers, content=body), "invalid_request")


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "OPTIONS"])
def test_only_post_is_answered(ask, method):
    """Any other method is 405, as section 3.2 requires POST, and sends no CORS header."""
    answered = ask(method, "/token", params={**GRANT, **CLIENT})
    assert (answered.status_code, answered.headers["allow"]) == (405, "POST")
    assert "access-control-allow-origin" not in answered.headers


def test_a_huge_request_is_refused(post):
    """More than 64 KiB is 413."""
    assert post({**GRANT, **CLIENT, "scope": "s" * 65_536}).status_code == 413


@pytest.mark.parametrize(
    "headers",
    [
        {"host": "evil.example"},
        {"host": "evil.example", "origin": "http://evil.example"},
        {"origin": "http://localhost:3000"},
        {"origin": "null"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ],
)
def test_a_foreign_page_gets_no_token(post, headers):
    """A page of another origin, or under a rebound name, is 403."""
    refused = post({**GRANT, **CLIENT}, headers=headers)
    assert refused.status_code == 403
    assert "access_token" not in refused.text
