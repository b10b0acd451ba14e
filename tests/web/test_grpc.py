"""gRPC: all four kinds of method on real servers, in threads and in tasks."""

from __future__ import annotations

import dataclasses
import logging
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import httpx
import pytest
from grpc_servers import KINDS, SERVERS, Outcome, call, running_interceptor, serving_grpc

from jwks_client import ConfigurationError, JWKSClient, events
from jwks_client.integrations import Requirement
from jwks_client.integrations.grpc import AsyncAuthInterceptor, AuthInterceptor
from jwks_client.providers import Cookie, Header
from jwks_client.testing import FakeProvider

UNAUTHENTICATED = grpc.StatusCode.UNAUTHENTICATED
DENIED = grpc.StatusCode.PERMISSION_DENIED
INVALID = 'Bearer error="invalid_token"'
SCOPES = {
    scope: wanted
    for kind in KINDS
    for scope, wanted in {
        f"/test.{kind}/Orders": "orders:read",
        f"/test.{kind}/Claims": Requirement(claims={"org_id": "o1"}),
    }.items()
}
EXCLUDED = [f"/test.{kind}/Open" for kind in KINDS]


class Served:
    """A server, its provider, and the refusals that were reported."""

    def __init__(self, server: str) -> None:
        self.server = server
        self.idp = FakeProvider(audience="api")
        self.refusals: list[str] = []
        self.port = 0

    def listen(self, event: Any) -> None:
        if isinstance(event, events.RequestRefused):
            self.refusals.append(event.code)

    def call(self, kind: str, method: str, token: str | None = None) -> Outcome:
        credentials = [] if token is None else [("authorization", f"Bearer {token}")]
        return call(self.port, kind, method, *credentials)


@pytest.fixture(scope="module", params=SERVERS)
def served(request: pytest.FixtureRequest) -> Iterator[Served]:
    served = Served(request.param)
    with serving_grpc(
        request.param, served.idp, scopes=SCOPES, exclude=EXCLUDED, listeners=[served.listen]
    ) as served.port:
        yield served


every_kind = pytest.mark.parametrize("kind", KINDS)


@every_kind
def test_a_good_token_reaches_the_method(served, kind):
    """The method answers, and current_token() is the caller's."""
    answer = served.call(kind, "Who", served.idp.issue(sub="u7"))
    assert answer.code == grpc.StatusCode.OK
    assert answer.answer == [b"u7"] * (2 if kind.endswith("stream") else 1)


@every_kind
def test_refused_credentials_are_unauthenticated_with_the_challenge(served, kind):
    """No token, malformed credentials, and tokens that are refused: the method never runs."""
    served.refusals.clear()
    idp = served.idp
    assert served.call(kind, "Who")[:4] == (UNAUTHENTICATED, "missing_credentials", "Bearer", None)
    malformed = call(served.port, kind, "Who", ("authorization", "Bearer"))
    assert malformed[:3] == (UNAUTHENTICATED, "invalid_request", 'Bearer error="invalid_request"')
    twice = ("authorization", f"Bearer {idp.issue()}")
    assert call(served.port, kind, "Who", twice, twice).details == "invalid_request"
    for token, code in (
        (idp.issue(expires_in=-60), "token_expired"),
        (idp.issue(aud="other"), "wrong_audience"),
        ("junk", "malformed_token"),
    ):
        assert served.call(kind, "Who", token) == (UNAUTHENTICATED, code, INVALID, None, [])
    assert len(served.refusals) == 6


@every_kind
def test_what_a_method_requires_is_permission_denied(served, kind):
    """A missing scope names the scope; a missing claim has no challenge; `requires` works too."""
    poor, rich = served.idp.issue(), served.idp.issue(scope="orders:read", org_id="o1")
    challenge = 'Bearer error="insufficient_scope", scope="orders:read"'
    for method in ("Orders", "Decorated"):
        assert served.call(kind, method, poor)[:3] == (DENIED, "insufficient_scope", challenge)
        assert served.call(kind, method, rich).code == grpc.StatusCode.OK
    assert served.call(kind, "Claims", poor)[:3] == (DENIED, "insufficient_claims", None)
    assert served.call(kind, "Claims", rich).code == grpc.StatusCode.OK


@every_kind
def test_a_refusal_inside_a_method_is_answered_and_a_bug_stays_one(served, kind):
    """token.require in a method: PERMISSION_DENIED; caught: the answer; a bug after it: UNKNOWN."""
    served.refusals.clear()
    token = served.idp.issue()
    answer = served.call(kind, "Deep", token)
    assert answer[:3] == (
        DENIED,
        "insufficient_scope",
        'Bearer error="insufficient_scope", scope="deep"',
    )
    assert served.refusals == ["insufficient_scope"]
    assert served.call(kind, "Caught", token).answer[0] == b"handled"
    logging.disable(logging.CRITICAL)
    assert served.call(kind, "Bug", token).code == grpc.StatusCode.UNKNOWN
    logging.disable(logging.NOTSET)
    assert served.refusals == ["insufficient_scope"]


@every_kind
def test_an_excluded_method_needs_no_token(served, kind):
    """exclude names methods; a method that does not exist is UNIMPLEMENTED."""
    assert served.call(kind, "Open").answer[0] == b"nobody"
    assert served.call(kind, "Open", "junk").answer[0] == b"nobody"
    assert served.call(kind, "Nothing").code == grpc.StatusCode.UNIMPLEMENTED


def test_calls_at_once_are_kept_apart_and_no_token_is_logged(served, caplog):
    """Each method sees its own caller; no log record has a token in it."""
    caplog.set_level(logging.DEBUG)
    tokens = [served.idp.issue(sub=f"u{number}") for number in range(40)]
    with ThreadPoolExecutor(8) as pool:
        kinds = [KINDS[number % 4] for number in range(40)]
        answers = list(pool.map(lambda kind, token: served.call(kind, "Who", token), kinds, tokens))
    assert [one.answer[0].decode() for one in answers] == [f"u{number}" for number in range(40)]
    served.call("unary_unary", "Orders", tokens[0])
    assert not any(part in caplog.text for token in tokens for part in token.split(".")[1:])


@pytest.mark.parametrize("server", SERVERS)
def test_without_keys_a_call_is_unavailable(server):
    """The provider is away: UNAVAILABLE with retry-after and no challenge, whatever the kind."""
    idp = FakeProvider()
    idp.fail(503)
    with serving_grpc(server, idp) as port:
        for kind in KINDS:
            answer = call(port, kind, "Who", ("authorization", f"Bearer {idp.issue()}"))
            assert answer[:3] == (grpc.StatusCode.UNAVAILABLE, "fetch_failed", None)
            assert int(answer.retry) >= 1


@pytest.mark.parametrize("server", SERVERS)
def test_optional_credentials(server):
    """optional admits calls without a token; bad ones, and scopes of nobody, are refused."""
    idp = FakeProvider()
    with serving_grpc(server, idp, optional=True, scopes=SCOPES, realm="shop") as port:
        for kind in KINDS:
            assert call(port, kind, "Who").answer[0] == b"nobody"
            good = call(port, kind, "Who", ("authorization", f"Bearer {idp.issue(sub='u7')}"))
            assert good.answer[0] == b"u7"
            bad = call(port, kind, "Who", ("authorization", "Bearer junk"))
            assert bad.challenge == 'Bearer realm="shop", error="invalid_token"'
            assert call(port, kind, "Orders").details == "missing_credentials"


def test_scopes_of_a_service_hold_for_its_other_methods():
    """A service's name and /* stand for its methods that are not named themselves."""
    idp = FakeProvider()
    scopes = {"/test.unary_unary/*": ["orders:admin"], "/test.unary_unary/Orders": "orders:read"}
    with serving_grpc("grpc", idp, scopes=scopes) as port:
        reader = ("authorization", f"Bearer {idp.issue(scope='orders:read')}")
        assert call(port, "unary_unary", "Orders", reader).code == grpc.StatusCode.OK
        assert call(port, "unary_unary", "Who", reader).code == DENIED
        assert call(port, "unary_stream", "Who", reader).code == grpc.StatusCode.OK


def test_a_token_in_another_header_is_found():
    """locations names the metadata key; cookies have no place in gRPC."""
    idp = FakeProvider()
    with serving_grpc("grpc", idp, locations=[Header("X-Token")]) as port:
        answer = call(port, "unary_unary", "Who", ("x-token", idp.issue(sub="u7")))
        assert answer.answer == [b"u7"]
    by_provider = dataclasses.replace(idp.provider, locations=(Cookie("c"), Header("X-Other")))
    client = JWKSClient(by_provider, http=httpx.Client(transport=idp.transport))
    with running_interceptor(AuthInterceptor(client)) as port:
        answer = call(port, "unary_unary", "Who", ("x-other", idp.issue(sub="u8")))
        assert answer.answer == [b"u8"]
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
    ],
)
def test_wrong_settings_fail_at_the_start(idp, settings, message):
    """Each error names the setting and what it must be."""
    with pytest.raises(ConfigurationError, match=message):
        AuthInterceptor(idp.client(), **settings)


def test_the_client_of_the_other_kind_fails_at_the_start(idp):
    """grpc.aio needs an AsyncJWKSClient, grpc a JWKSClient."""
    with pytest.raises(ConfigurationError, match=r"an AsyncJWKSClient.* JWKSClient"):
        AsyncAuthInterceptor(idp.client())
    with pytest.raises(ConfigurationError, match=r"a JWKSClient.*AsyncJWKSClient"):
        AuthInterceptor(idp.async_client())


def test_without_grpc_the_error_names_the_extra():
    """Importing the integration without grpcio says what to install."""
    code = "import sys; sys.modules['grpc'] = None; import jwks_client.integrations.grpc"
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert 'pip install "jwks-client-sdk[grpc]"' in ended.stderr
