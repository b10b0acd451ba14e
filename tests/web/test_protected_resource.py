"""RFC 9728: the metadata of a protected resource, and its URL."""

from __future__ import annotations

import asyncio
import json
from urllib.parse import urlsplit

import pytest
from asgi_calls import Call, call, client_of, fine, http_scope, ws_scope

from jwks_client.asgi import JWKSMiddleware, ProtectedResource
from jwks_client.errors import ConfigurationError

RESOURCE = ProtectedResource(
    resource="https://api.test/mcp",
    authorization_servers=["https://idp.test"],
    scopes_supported=["tools:read", "tools:run"],
    resource_name="Tools",
    resource_documentation="https://api.test/docs",
    more={"resource_policy_uri": "https://api.test/policy"},
)
DOCUMENT = {
    "resource": "https://api.test/mcp",
    "authorization_servers": ["https://idp.test"],
    "scopes_supported": ["tools:read", "tools:run"],
    "bearer_methods_supported": ["header"],
    "resource_name": "Tools",
    "resource_documentation": "https://api.test/docs",
    "resource_policy_uri": "https://api.test/policy",
}


@pytest.mark.parametrize(
    ("resource", "url"),
    [
        ("https://a.test", "https://a.test/.well-known/oauth-protected-resource"),
        ("https://a.test/", "https://a.test/.well-known/oauth-protected-resource"),
        ("https://a.test/mcp", "https://a.test/.well-known/oauth-protected-resource/mcp"),
        ("https://a.test/x/", "https://a.test/.well-known/oauth-protected-resource/x/"),
        ("https://a.test:81/x?k=v", "https://a.test:81/.well-known/oauth-protected-resource/x?k=v"),
        ("http://127.0.0.1:8000", "http://127.0.0.1:8000/.well-known/oauth-protected-resource"),
    ],
)
def test_the_well_known_name_stands_between_host_and_path(resource, url):
    """The well-known part is between host and path, without the slash of a host alone (section 3.1)."""
    assert ProtectedResource(resource=resource).url == url
    assert ProtectedResource(resource=resource).path == urlsplit(url).path


def test_the_document_needs_no_token():
    """The metadata is an app that needs no token: JSON that may be cached, and read by scripts of any site."""
    answered = call(RESOURCE, http_scope(None, "/anything"))
    assert (answered.status, json.loads(answered.body)) == (200, DOCUMENT)
    assert answered.headers["content-type"] == "application/json"
    assert answered.headers["access-control-allow-origin"] == "*"
    head = call(RESOURCE, http_scope(method="HEAD"))
    assert (head.status, head.body) == (200, b"")
    assert head.headers["content-length"] == str(len(answered.body))
    preflight = call(RESOURCE, http_scope(method="OPTIONS"))
    assert (preflight.status, preflight.headers["access-control-allow-headers"]) == (200, "*")
    post = call(RESOURCE, http_scope(method="POST"))
    assert (post.status, post.headers["allow"]) == (405, "GET, HEAD, OPTIONS")
    with pytest.raises(NotImplementedError):
        call(RESOURCE, ws_scope())


def test_empty_members_are_left_out():
    """A member without a value is left out (section 2)."""
    answered = call(ProtectedResource(resource="https://a.test"), http_scope())
    assert json.loads(answered.body) == {
        "resource": "https://a.test",
        "bearer_methods_supported": ["header"],
    }


def test_the_middleware_names_it_in_challenges_and_serves_it(idp):
    """A client is led from the 401 to the document, and from there to the authorization server."""
    app = JWKSMiddleware(fine, client_of(idp), resource_metadata=RESOURCE)
    refused = call(app, http_scope(None, "/mcp"))
    assert refused.headers["www-authenticate"] == f'Bearer resource_metadata="{RESOURCE.url}"'
    for method in ("GET", "OPTIONS"):
        assert call(app, http_scope(None, RESOURCE.path, method=method)).status == 200
    answered = call(app, http_scope(None, RESOURCE.path))
    assert json.loads(answered.body) == DOCUMENT
    assert call(app, http_scope(idp.issue(), "/mcp")).body == b"fine"
    assert call(app, http_scope(None, f"{RESOURCE.path}/")).status == 401
    assert call(app, ws_scope(None, RESOURCE.path)).status == 401


def test_a_plain_url_is_named_and_not_served(idp):
    """If another server has the document, the challenge still names its URL."""
    app = JWKSMiddleware(fine, client_of(idp), resource_metadata=RESOURCE.url)
    refused = call(app, http_scope(None, RESOURCE.path))
    assert refused.status == 401
    assert refused.headers["www-authenticate"] == f'Bearer resource_metadata="{RESOURCE.url}"'


def test_it_may_be_mounted_by_itself():
    """Starlette's Route accepts the metadata as an endpoint."""
    applications = pytest.importorskip("starlette.applications")
    from starlette.routing import Route

    app = applications.Starlette(routes=[Route(RESOURCE.path, RESOURCE)])
    one = Call()
    asyncio.run(one.to(app, http_scope(None, RESOURCE.path)))
    assert json.loads(one.body) == DOCUMENT


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        ("resource", "http://api.test"),
        ("resource", "/mcp"),
        ("resource", "https://api.test/#f"),
        ("authorization_servers", "https://idp.test"),
        ("authorization_servers", ["idp.test"]),
        ("scopes_supported", "a b"),
        ("bearer_methods_supported", ["cookie"]),
        ("resource_name", ""),
        ("resource_documentation", "docs"),
        ("more", {"x": object()}),
        ("more", ["resource_policy_uri"]),
        ("more", {"x": float("nan")}),
    ],
)
def test_arguments_are_checked(argument, value):
    """Each wrong value is a ConfigurationError that names the argument."""
    with pytest.raises(ConfigurationError) as caught:
        ProtectedResource(**{"resource": "https://api.test", argument: value})
    assert caught.value.field == argument
