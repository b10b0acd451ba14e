"""Check the reader of credentials with arbitrary requests.

A request has no credentials, malformed ones, or a token that occurs in it. Must not depend on:
atheris; `python -m fuzz` and tests call `check`.

The first line of an input is the query string of a handshake, or empty for a plain request. Each
further line is a header.
"""

from __future__ import annotations

import json
import re
from typing import Final, Literal

from jwks_client import JWKSError, TokenError
from jwks_client._core.credentials.answers import Answers
from jwks_client._core.credentials.reader import CredentialsReader, UnverifiedRequest
from jwks_client.errors import CredentialsError
from jwks_client.providers import Cookie, Header, Query, Subprotocol

READERS: Final = [
    CredentialsReader([Header("Authorization", scheme="Bearer")]),
    CredentialsReader(
        [
            Header("Authorization", scheme="Bearer"),
            Cookie("session"),
            Subprotocol("bearer"),
            Query("access_token"),
            Header("X-Token"),
        ],
        trusted_origins=["https://app.test"],
    ),
    CredentialsReader([Subprotocol("bearer"), Query("access_token")]),
]
IN_QUERY: Final = CredentialsReader([Query("access_token")])
ANSWERS: Final = Answers(realm='a "realm"', resource_metadata="https://api.test/.well-known/x")
# RFC 6750, section 2.1: b64token.
TOKEN: Final = re.compile(r"[A-Za-z0-9\-._~+/]+=*")


def check(data: bytes) -> None:
    """Read the credentials of an input, and check the token or the answer to the error."""
    request = _request(data)
    for reader in READERS:
        try:
            token = reader.read(request)
        except (CredentialsError, TokenError) as error:
            _check_answer(error, data)
        else:
            assert token is None or TOKEN.fullmatch(token)
            assert token is None or token.encode() in request.query + data or b"%" in request.query
        if request.kind == "websocket":
            _check_handshake(reader, request)


def _request(data: bytes) -> UnverifiedRequest:
    query, *lines = data.split(b"\n")
    pairs = [line.partition(b":") for line in lines]
    headers = [(name.strip().lower(), value.strip()) for name, _, value in pairs]
    kind: Literal["http", "websocket"] = "websocket" if query else "http"
    method = "POST" if len(lines) % 2 and not query else "GET"
    return UnverifiedRequest(kind, method, headers, query.removeprefix(b"?"))


def _check_handshake(reader: CredentialsReader, request: UnverifiedRequest) -> None:
    """Check that the app sees no token in the query, and no subprotocol that was not offered."""
    seen = reader.without_tokens(request).request
    if reader is not READERS[0]:
        assert IN_QUERY.read(seen) is None
    assert set(_offered(seen)) <= set(_offered(request))
    assert seen.method == request.method


def _offered(request: UnverifiedRequest) -> list[bytes]:
    values = request.values(b"sec-websocket-protocol")
    return [entry.strip(b" \t") for value in values for entry in value.split(b",")]


def _check_answer(error: JWKSError, data: bytes) -> None:
    """Check that the answer is well formed and contains nothing from the request."""
    answer = ANSWERS.to(error)
    assert answer.status in {400, 401}
    for name, value in answer.headers:
        assert re.fullmatch(rb"[a-z0-9-]+", name)
        assert re.fullmatch(rb"[ -~]*", value), "a header is broken"
    sent = answer.body + b"".join(value for _, value in answer.headers)
    fresh = Answers(realm='a "realm"', resource_metadata="https://api.test/.well-known/x")
    same_code = type(error)(error.code, "another message")
    assert json.loads(answer.body)["code"] == error.code
    assert fresh.to(same_code) == answer, "the answer depends on more than the code"
    assert data not in sent or len(data) < 16
