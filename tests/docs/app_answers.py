"""Checks of the examples for frameworks, queues and functions, over real HTTP."""

from __future__ import annotations

import json
import threading
from typing import Any

import grpc
import httpx
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from jwks_client.testing import FakeProvider


def ask(base_url: str, path: str, token: str | None = None, method: str = "GET") -> httpx.Response:
    """Return the response to one request."""
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    return httpx.request(method, f"{base_url}{path}", headers=headers, trust_env=False)


def is_ready(base_url: str) -> bool:
    """Return whether the readiness probe succeeds soon, without any request with a token."""
    for _ in range(300):
        answer = ask(base_url, "/ready")
        assert answer.json() == {"ready": answer.status_code == 200}
        if answer.status_code == 200:
            return True
        assert answer.status_code == 503
        threading.Event().wait(0.1)
    return False


def refusal(answer: httpx.Response) -> tuple[int, str]:
    """Return the status and the code of a problem."""
    assert answer.headers["content-type"] == "application/problem+json"
    return answer.status_code, answer.json()["code"]


def first_message(base_url: str, token: str | None) -> Any:
    """Return the first message of the WebSocket ``/live``, or the status of its denial."""
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    url = base_url.replace("http://", "ws://") + "/live"
    try:
        with connect(url, additional_headers=headers, proxy=None) as socket:
            return json.loads(socket.recv(timeout=20))
    except InvalidStatus as error:
        return error.response.status_code


def check_aiohttp_app(idp: FakeProvider, base_url: str) -> None:
    """Check scopes, claims and a WebSocket; /health is open, and a missing path is 404."""
    reader, writer = (idp.issue(sub="u7", scope=f"orders:{one}") for one in ("read", "write"))
    known = idp.issue(sub="u7", scope="orders:write", email_verified=True)
    assert ask(base_url, "/health").json() == {"status": "ok"}
    assert is_ready(base_url)
    assert ask(base_url, "/me", writer).json() == {"sub": "u7"}
    assert ask(base_url, "/orders", reader).json() == {"orders of": "u7"}
    assert ask(base_url, "/orders", known, "POST").status_code == 201
    assert refusal(ask(base_url, "/orders", writer)) == (403, "insufficient_scope")
    assert refusal(ask(base_url, "/orders", writer, "POST")) == (403, "insufficient_claims")
    assert refusal(ask(base_url, "/nowhere")) == (401, "missing_credentials")
    assert first_message(base_url, reader) == {"orders of": "u7"}
    assert first_message(base_url, writer) == 403
    assert first_message(base_url, None) == 401


def check_fastapi_app(idp: FakeProvider, base_url: str) -> None:
    """Check scopes, typed claims and a WebSocket; the document has the sign-in; /health is open."""
    assert is_ready(base_url)
    good = idp.issue(sub="u7", scope="orders:read", name="Una")
    assert ask(base_url, "/orders", good).json() == {"orders of": "u7"}
    assert ask(base_url, "/me", good).json() == {"sub": "u7", "name": "Una"}
    assert ask(base_url, "/health").json() == {"oidc": "fresh"}
    assert refusal(ask(base_url, "/orders")) == (401, "missing_credentials")
    assert refusal(ask(base_url, "/orders", idp.issue())) == (403, "insufficient_scope")
    assert refusal(ask(base_url, "/me", idp.issue(sub=None))) == (403, "insufficient_claims")
    assert first_message(base_url, good) == {"orders of": "u7"}
    assert first_message(base_url, None) in (401, 403)  # whether the server can send a denial
    document = ask(base_url, "/openapi.json").json()
    assert document["components"]["securitySchemes"]["openid"] == {
        "type": "openIdConnect",
        "openIdConnectUrl": f"{idp.issuer}/.well-known/openid-configuration",
    }


def check_litestar_app(idp: FakeProvider, base_url: str) -> None:
    """Check guards and a WebSocket; /health and the document are open, and a missing path is a 404."""
    reader, writer = (idp.issue(sub="u7", scope=f"orders:{one}") for one in ("read", "write"))
    known = idp.issue(sub="u7", scope="orders:write", email_verified=True)
    assert ask(base_url, "/health").json() == {"status": "ok"}
    assert is_ready(base_url)
    assert ask(base_url, "/me", writer).json() == {"sub": "u7"}
    assert ask(base_url, "/orders", reader).json() == {"orders of": "u7"}
    assert ask(base_url, "/orders", known, "POST").status_code == 201
    assert refusal(ask(base_url, "/orders")) == (401, "missing_credentials")
    assert refusal(ask(base_url, "/orders", writer)) == (403, "insufficient_scope")
    assert refusal(ask(base_url, "/orders", writer, "POST")) == (403, "insufficient_claims")
    assert ask(base_url, "/nowhere").status_code == 404
    assert first_message(base_url, reader) == {"orders of": "u7"}
    assert first_message(base_url, writer) == 403
    schemes = ask(base_url, "/schema/openapi.json").json()["components"]["securitySchemes"]
    assert schemes["openid"]["openIdConnectUrl"].startswith(idp.issuer)


def check_grpc_server(idp: FakeProvider, base_url: str) -> None:
    """Check an open method, one for all callers, one with a scope, and a stream."""
    with grpc.insecure_channel(base_url.removeprefix("http://")) as channel:

        def call(method: str, token: str | None = None, kind: str = "unary_unary") -> Any:
            metadata = [] if token is None else [("authorization", f"Bearer {token}")]
            asking = getattr(channel, kind)(
                f"/shop.Orders/{method}",
                request_serializer=lambda message: json.dumps(message).encode(),
                response_deserializer=json.loads,
            )
            try:
                answer = asking({"order": 7}, metadata=metadata, timeout=20)
                return answer if kind == "unary_unary" else list(answer)
            except grpc.RpcError as error:
                return error.code().name, error.details()

        good = idp.issue(sub="u7")
        assert call("Check") == {"status": "SERVING"}
        assert "SERVING" in (call("Ready")["status"] for _ in range(3000))
        assert call("WhoAmI", good) == {"sub": "u7"}
        assert call("WhoAmI") == ("UNAUTHENTICATED", "missing_credentials")
        assert call("Cancel", good) == ("PERMISSION_DENIED", "insufficient_scope")
        writer = idp.issue(sub="u8", scope="orders:write")
        assert call("Cancel", writer) == {"cancelled": 7, "by": "u8"}
        seen = [{"order": 1, "of": "u7"}, {"order": 2, "of": "u7"}]
        assert call("Watch", good, "unary_stream") == seen


def check_starlette_app(idp: FakeProvider, base_url: str) -> None:
    """Check that each route and method has its own requirement; /health is open, missing paths are not revealed."""
    reader, writer = (idp.issue(sub="u7", scope=f"orders:{one}") for one in ("read", "write"))
    known = idp.issue(sub="u7", scope="orders:write", email_verified=True)
    assert ask(base_url, "/health").json() == {"status": "ok"}
    assert is_ready(base_url)
    assert ask(base_url, "/me", writer).json() == {"sub": "u7"}
    assert ask(base_url, "/orders", reader).json() == {"orders of": "u7"}
    assert ask(base_url, "/orders", known, "POST").status_code == 201
    assert refusal(ask(base_url, "/orders", writer)) == (403, "insufficient_scope")
    assert refusal(ask(base_url, "/orders", reader, "POST")) == (403, "insufficient_claims")
    assert refusal(ask(base_url, "/nowhere")) == (401, "missing_credentials")
    assert ask(base_url, "/nowhere", reader).status_code == 404
    assert first_message(base_url, reader) == {"orders of": "u7"}
    assert first_message(base_url, writer) == 403


def check_django_app(idp: FakeProvider, base_url: str) -> None:
    """Check that each method requires its own scope; /health is open; refusals name the realm."""
    reader = idp.issue(sub="u7", scope="orders:read")
    writer = idp.issue(sub="u7", scope="orders:read orders:write")
    assert ask(base_url, "/health").json() == {"status": "ok"}
    assert is_ready(base_url)
    assert ask(base_url, "/me", reader).json() == {"sub": "u7"}
    assert ask(base_url, "/orders", reader).json() == {"orders of": "u7"}
    assert ask(base_url, "/orders", writer, "POST").json() == {"order of": "u7"}
    assert refusal(ask(base_url, "/orders", reader, "POST")) == (403, "insufficient_scope")
    refused = ask(base_url, "/nowhere")
    assert refusal(refused) == (401, "missing_credentials")
    assert refused.headers["www-authenticate"] == 'Bearer realm="orders"'
    assert ask(base_url, "/nowhere", reader).status_code == 404


def check_drf_app(idp: FakeProvider, base_url: str) -> None:
    """Check a scope for the orders, and staff by a scope; /health is open."""
    reader = idp.issue(sub="u7", scope="orders:read")
    assert ask(base_url, "/health").json() == {"status": "ok"}
    assert is_ready(base_url)
    assert ask(base_url, "/orders", reader).json() == {"orders of": "u7"}
    assert refusal(ask(base_url, "/orders", idp.issue())) == (403, "insufficient_scope")
    assert refusal(ask(base_url, "/orders")) == (401, "missing_credentials")
    assert refusal(ask(base_url, "/staff", "junk")) == (401, "malformed_token")
    assert ask(base_url, "/staff", idp.issue(sub="u8", scope="admin")).json() == {"staff": "u8"}
    assert ask(base_url, "/staff", reader).status_code == 403


def check_two_providers_app(partner: FakeProvider, base_url: str) -> None:
    """Check that partners are served whatever happens to the other provider, and only where allowed."""
    token = partner.issue(sub="p1", scope="stock:read")
    assert ask(base_url, "/whoami", token).json() == {"sub": "p1", "of": "partners"}
    assert ask(base_url, "/stock", token).json() == {"stock for": "p1"}
    assert refusal(ask(base_url, "/basket", token)) == (403, "insufficient_claims")
    assert refusal(ask(base_url, "/stock", partner.issue())) == (403, "insufficient_scope")
    other = partner.issue(iss="https://else.test")
    assert refusal(ask(base_url, "/whoami", other)) == (401, "unknown_issuer")
    assert ask(base_url, "/health").json() == {"people": "cold", "partners": "fresh"}
    assert ask(base_url, "/ready").status_code == 503  # `people` cannot be reached here


def queue_of(idp: FakeProvider) -> str:
    """Return messages of every kind, one per line."""

    def message(**claims: Any) -> str:
        return json.dumps({"token": idp.issue(**claims), "order": "tea"})

    lines = [
        message(sub="u7", scope="orders:write"),
        message(scope="orders:read"),
        message(scope="orders:write", expires_in=-60),
        '{"order": "tea"}',
        json.dumps({"token": idp.issue(scope="orders:write")}),
        "[]",
        "no JSON",
    ]
    return "\n".join(lines)


CONSUMED = (
    "ack: u7 orders tea\n"
    "reject: insufficient_scope\n"
    "reject: token_expired\n"
    "reject: missing_credentials\n"
    "reject: not a message for this queue\n"
    "reject: missing_credentials\n"
    "reject: not a message for this queue\n"
)
