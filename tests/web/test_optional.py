"""``optional=``: which requests may be anonymous."""

from __future__ import annotations

import re
from typing import Any

import pytest
from asgi_calls import call, client_of, fine, http_scope, ws_scope
from test_wsgi_middleware import Called, environ_of
from test_wsgi_middleware import client_of as sync_client_of
from test_wsgi_middleware import fine as wsgi_fine

from jwks_client.asgi import JWKSMiddleware, get_token
from jwks_client.decorators import requires
from jwks_client.errors import ConfigurationError, CredentialsError
from jwks_client.integrations import Requirement
from jwks_client.wsgi import JWKSMiddleware as WSGIMiddleware

PATHS = ["/", "/articles/*", "GET /prices", re.compile(r"/v\d+/open")]


@pytest.mark.parametrize("path", ["/", "/articles/7", "/prices", "/v1/open"])
def test_single_paths_may_be_optional(idp, path):
    """On an optional path a request without credentials is anonymous, and a bad token is refused with its reason."""
    seen: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(get_token(scope))
        await fine(scope, receive, send)

    protected = JWKSMiddleware(app, client_of(idp), optional=PATHS)
    wsgi = WSGIMiddleware(wsgi_fine, sync_client_of(idp), optional=PATHS, warm_up=None)
    assert call(protected, http_scope(None, path)).status == 200
    assert call(protected, http_scope(idp.issue(sub="ada"), path)).status == 200
    assert [None if one is None else one.subject for one in seen] == [None, "ada"]
    old = idp.issue(expires_in=-3600)
    assert call(protected, http_scope(old, path)).code == "token_expired"
    assert Called(wsgi, environ_of(None, path)).status == "200 OK"
    assert Called(wsgi, environ_of(old, path)).code == "token_expired"


@pytest.mark.parametrize(
    "scope",
    [
        http_scope(None, "/orders"),
        http_scope(None, "/articles/"),
        http_scope(None, "/articles/../orders"),
        http_scope(None, "/prices", method="POST"),
        http_scope(None, "/x/api/articles/7", root_path="/api"),
        ws_scope(None, "/prices"),
    ],
)
def test_every_other_request_needs_credentials(idp, scope):
    """Optional paths are compared as those of ``exclude`` are: a path with two readings does not match."""
    assert call(JWKSMiddleware(fine, client_of(idp), optional=PATHS), scope).status == 401
    if scope["type"] == "http" and not scope["root_path"]:
        wsgi = WSGIMiddleware(wsgi_fine, sync_client_of(idp), optional=PATHS, warm_up=None)
        asked = environ_of(None, scope["path"], REQUEST_METHOD=scope["method"])
        assert Called(wsgi, asked).code == "missing_credentials"


def test_a_handler_that_requires_a_token_has_one_on_an_optional_path(idp):
    """An anonymous request to a handler with @requires is 401, whatever made it optional."""
    for optional in (True, ["/"]):
        app = JWKSMiddleware(requires()(fine), client_of(idp), optional=optional)
        assert call(app, http_scope()).code == "missing_credentials"
        assert call(app, http_scope(idp.issue())).status == 200


@pytest.mark.parametrize("optional", ["/", None, 1, "yes", ["docs"], [None], ["/a/*/b"]])
def test_the_setting_is_checked(idp, optional):
    """A text in place of False is refused, so it never counts as True."""
    for make in (
        lambda: JWKSMiddleware(fine, client_of(idp), optional=optional),
        lambda: WSGIMiddleware(wsgi_fine, sync_client_of(idp), optional=optional, warm_up=None),
    ):
        with pytest.raises(ConfigurationError) as caught:
            make()
        assert caught.value.field == "optional"


def test_an_empty_requirement_admits_an_anonymous_request():
    """An empty requirement admits an anonymous request that `Guard.read` admitted; any other, and `enforce`, require a token."""
    assert Requirement().check(None) is None
    for requirement in (
        Requirement(["a"]),
        Requirement(any_of=["a"]),
        Requirement(claims={"a": 1}),
        Requirement(claims=lambda token: True),
        Requirement(provider="p"),
    ):
        with pytest.raises(CredentialsError):
            requirement.check(None)
    with pytest.raises(CredentialsError):
        Requirement().enforce(None)
