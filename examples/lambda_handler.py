"""Protect an AWS Lambda function behind an API Gateway (HTTP API, payload version 2.0).

Shows a client for processes that are frozen between calls: no background work, and keys that are
kept as long as Lambda keeps the process. The function only runs with a valid token, and a refusal
has the same status, headers and body as from a server.

    export OIDC_ISSUER=https://idp.example.com/ OIDC_AUDIENCE=…     # handler: lambda_handler.handle
    python examples/lambda_handler.py < token.txt     # calls it; or the token as first argument

Settings: OIDC_ISSUER and OIDC_AUDIENCE.
Exit status of a call here: 0 verified, 1 refused, 3 keys unavailable.
"""

from __future__ import annotations

import functools
import json
import os
import sys
from collections.abc import Callable
from typing import Any

from jwks_client import CachePolicy, JWKSClient, JWKSError, providers
from jwks_client.asgi import current_token
from jwks_client.decorators import requires
from jwks_client.integrations import Guard, UnverifiedRequest


def request_of(event: dict[str, Any]) -> UnverifiedRequest:
    """Return the request of an event; the gateway has joined repeated headers."""
    method = event["requestContext"]["http"]["method"]
    return UnverifiedRequest.from_pairs(method, event["headers"].items())


@functools.cache
def protected() -> tuple[Guard[JWKSClient], Callable[..., dict[str, Any]]]:
    """Return the function and its guard, which are made once per process."""
    provider = providers.oidc(
        os.environ.get("OIDC_ISSUER", "http://127.0.0.1:8400"),
        audience=os.environ.get("OIDC_AUDIENCE", "api"),
    )
    client = JWKSClient(provider, cache=CachePolicy(refresh_ahead=None))
    guard = Guard(client, asynchronous=False)

    @requires("orders:read", client=client, token=lambda event, _: guard.read(request_of(event)))
    def orders(event: dict[str, Any], _: object) -> dict[str, Any]:
        token = current_token()
        body = {"orders of": token.subject if token else None, "path": event["rawPath"]}
        return {"statusCode": 200, "body": json.dumps(body)}

    return guard, orders


def handle(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Handle one event; Lambda calls this."""
    guard, orders = protected()
    try:
        return orders(event, context)
    except JWKSError as error:
        answer = guard.refuse(error, request_of(event), event["rawPath"])
        return {
            "statusCode": answer.status,
            "headers": dict(answer.text_headers),
            "body": answer.body.decode(),
        }


def main() -> int:
    """Call the handler like the gateway, with one token."""
    token = (sys.argv[1] if len(sys.argv) > 1 else sys.stdin.readline()).strip()
    event = {
        "rawPath": "/orders",
        "headers": {"authorization": f"Bearer {token}"},
        "requestContext": {"http": {"method": "GET"}},
    }
    answer = handle(event, None)
    body = json.loads(answer["body"])
    if answer["statusCode"] == 200:
        print(body["orders of"])
        return 0
    print(f"{answer['statusCode']} {body['code']}", file=sys.stderr)
    return 3 if answer["statusCode"] == 503 else 1


if __name__ == "__main__":
    sys.exit(main())
