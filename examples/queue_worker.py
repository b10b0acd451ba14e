"""Handle messages that contain their sender's token: acknowledge, requeue or reject each one.

Shows how a consumer interprets the errors. If the token is refused, retrying cannot help: reject
the message to the dead-letter queue. If keys are unavailable, the token is neither accepted nor
refused: requeue the message. Once its token has expired, the message is rejected, so none is
requeued forever.

    export OIDC_ISSUER=https://idp.example.com/ OIDC_AUDIENCE=…
    python examples/queue_worker.py < messages.jsonl     # {"token": "…", "order": "…"} in each line

Standard input represents the queue, and each printed line is the answer to the broker. As it stands
it works with the provider that ``jwks-client serve`` runs on this machine, and tokens with the
scope orders:write. If messages wait for a long time, use tokens with a long lifetime, or verify the
token before the message is enqueued.
Settings: OIDC_ISSUER and OIDC_AUDIENCE.
"""

from __future__ import annotations

import json
import os
import sys

from jwks_client import (
    InsufficientScopeError,
    JWKSClient,
    KeysUnavailableError,
    TokenError,
    providers,
)


def handle(client: JWKSClient, message: str) -> str:
    """Handle one message, and return the answer to the broker."""
    try:
        job = json.loads(message)
        token, order = job["token"], job["order"]
    except (ValueError, KeyError, TypeError):
        return "reject: not a message for this queue"
    try:
        sender = client.verify(token).require("orders:write")
    except (TokenError, InsufficientScopeError) as error:
        return f"reject: {error.code}"
    except KeysUnavailableError as error:
        return f"requeue in {error.retry_after or 1:.0f} s: {error.code}"
    return f"ack: {sender.subject} orders {order}"


def main() -> int:
    """Handle all messages."""
    provider = providers.oidc(
        os.environ.get("OIDC_ISSUER", "http://127.0.0.1:8400"),
        audience=os.environ.get("OIDC_AUDIENCE", "api"),
    )
    with JWKSClient(provider) as client:  # one for the whole worker; threads can share it
        for message in sys.stdin:
            print(handle(client, message), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
