"""Handle messages whose senders prove themselves by a token: ack, requeue or reject each.

Shows how a consumer reads the errors. A token that is refused will never be better: reject it, to
the dead letters. Keys that cannot be had say nothing about the token: requeue it for later. What
is requeued until its token has expired is rejected then, so nothing goes round for ever.

    export OIDC_ISSUER=https://idp.example.com/ OIDC_AUDIENCE=…
    python examples/queue_worker.py < messages.jsonl     # {"token": "…", "order": "…"} in each line

Standard input stands for the queue, and a printed line for what the broker is told. As it stands it
works with the provider that ``jwks-client serve`` runs on this machine, and tokens of the scope
orders:write. A message that waits for long needs a token that lives for long, or verify it where it
is enqueued.
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
    """Do what one message asks for, and say what the broker is to be told."""
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
    """Handle every message there is."""
    provider = providers.oidc(
        os.environ.get("OIDC_ISSUER", "http://127.0.0.1:8400"),
        audience=os.environ.get("OIDC_AUDIENCE", "api"),
    )
    with JWKSClient(provider) as client:  # one for the whole worker, whatever threads it has
        for message in sys.stdin:
            print(handle(client, message), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
