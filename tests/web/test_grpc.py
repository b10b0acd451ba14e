"""gRPC beyond the table: scopes of a service, other metadata keys, wrong settings."""

from __future__ import annotations

import dataclasses
import json

import grpc
import httpx
import pytest
from grpc_servers import KINDS, SERVERS, call, running_interceptor, serving_grpc

from jwks_client import ConfigurationError, JWKSClient
from jwks_client.integrations.grpc import AsyncAuthInterceptor, AuthInterceptor
from jwks_client.providers import Cookie, Header

DENIED = grpc.StatusCode.PERMISSION_DENIED


@pytest.mark.parametrize("server", SERVERS)
def test_a_decorated_method_is_protected_and_an_unknown_one_is_unimplemented(idp, server):
    """`requires` on a method of any kind answers PERMISSION_DENIED without the scope."""
    client = idp.client() if server == "grpc" else idp.async_client()
    poor, rich = (
        ("authorization", f"Bearer {idp.issue(scope=scope)}") for scope in ("", "orders:read")
    )
    challenge = 'Bearer error="insufficient_scope", scope="orders:read"'
    with serving_grpc(server, client) as port:
        for kind in KINDS:
            answer = call(port, kind, "Decorated", poor)
            assert answer[:3] == (DENIED, "insufficient_scope", challenge)
            assert call(port, kind, "Decorated", rich).code == grpc.StatusCode.OK
            assert call(port, kind, "Nothing", rich).code == grpc.StatusCode.UNIMPLEMENTED


def test_scopes_of_a_service_apply_to_its_other_methods(idp):
    """The requirement of a service, or of /*, applies to its methods that are not named themselves."""
    scopes = {"/test.unary_unary/*": ["orders:admin"], "/test.unary_unary/Orders": "orders:read"}
    with running_interceptor(AuthInterceptor(idp.client(), scopes=scopes)) as port:
        reader = ("authorization", f"Bearer {idp.issue(scope='orders:read')}")
        assert call(port, "unary_unary", "Orders", reader).code == grpc.StatusCode.OK
        assert call(port, "unary_unary", "Who", reader).code == DENIED
        assert call(port, "unary_stream", "Who", reader).code == grpc.StatusCode.OK


def test_a_token_in_another_header_is_found(idp):
    """locations names the metadata key; gRPC has no cookies."""
    interceptor = AuthInterceptor(idp.client(), locations=[Header("X-Token")])
    with running_interceptor(interceptor) as port:
        answer = call(port, "unary_unary", "Who", ("x-token", idp.issue(sub="u7")))
        assert json.loads(answer.body)["sub"] == "u7"
    by_provider = dataclasses.replace(idp.provider, locations=(Cookie("c"), Header("X-Other")))
    client = JWKSClient(by_provider, http=httpx.Client(transport=idp.transport), clock=idp.clock)
    with running_interceptor(AuthInterceptor(client)) as port:
        answer = call(port, "unary_unary", "Who", ("x-other", idp.issue(sub="u8")))
        assert json.loads(answer.body)["sub"] == "u8"
    with pytest.raises(ConfigurationError, match="locations"):
        AuthInterceptor(idp.client(), locations=[Cookie("session")])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"scope": {}}, "scope: is not.*the settings are.*scopes"),
        ({"on_error": lambda refusal: None}, "on_error"),
        ({"scopes": ["orders:read"]}, "must be scopes by method, got list"),
        ({"scopes": {"Orders": "orders:read"}}, "'/package.Service/Method'.*got 'Orders'"),
        ({"scopes": {"/shop.Orders/Get": "two scopes"}}, "scopes"),
        ({"exclude": "/shop.Orders/Get"}, "exclude"),
        ({"locations": Header("Authorization")}, "locations must be a collection"),
        ({"locations": []}, "locations must be a collection"),
    ],
)
def test_wrong_settings_fail_at_the_start(idp, settings, message):
    """Each error names the setting and what it must be."""
    with pytest.raises(ConfigurationError, match=message):
        AuthInterceptor(idp.client(), **settings)


def test_the_client_of_the_other_kind_fails_at_the_start(idp):
    """grpc.aio requires an AsyncJWKSClient, grpc a JWKSClient."""
    with pytest.raises(ConfigurationError, match=r"an AsyncJWKSClient.* JWKSClient"):
        AsyncAuthInterceptor(idp.client())
    with pytest.raises(ConfigurationError, match=r"a JWKSClient.*AsyncJWKSClient"):
        AuthInterceptor(idp.async_client())
    with pytest.raises(ConfigurationError, match="got the class"):
        AuthInterceptor(JWKSClient)  # type: ignore[arg-type]
