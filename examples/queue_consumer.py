"""Consume messages in asyncio with `requires`: the function only gets messages with a valid token.

Shows a decorated consumer. The decorator names where a message contains its token, and the scope
that the token must have. It raises an error for other messages, and the loop answers the broker.
queue_worker.py does the same in threads, without the decorator.

    export OIDC_ISSUER=https://idp.example.com/ OIDC_AUDIENCE=…
    python examples/queue_consumer.py < messages.jsonl     # each {"token": "…", "order": "…"}

Standard input represents the queue, and each printed line is the answer to the broker. As it stands
it works with the provider that ``jwks-client serve`` runs on this machine, and tokens with the
scope orders:write.
Settings: OIDC_ISSUER and OIDC_AUDIENCE.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Awaitable, Callable
from typing import Any

from jwks_client import AsyncJWKSClient, JWKSError, KeysUnavailableError, providers
from jwks_client.asgi import current_token
from jwks_client.decorators import requires


def make_consumer(client: AsyncJWKSClient) -> Callable[[Any], Awaitable[str]]:
    """Return the function that handles messages from senders with the scope."""

    @requires("orders:write", client=client, token=lambda message: message["token"])
    async def consume(message: dict[str, str]) -> str:
        sender = current_token()
        return f"{sender.subject if sender else None} orders {message['order']}"

    return consume


async def answer_for(consume: Callable[[Any], Awaitable[str]], line: str) -> str:
    """Handle one message, and return the answer to the broker."""
    try:
        return f"ack: {await consume(json.loads(line))}"
    except KeysUnavailableError as error:  # no verdict yet: try again later
        return f"requeue in {error.retry_after or 1:.0f} s: {error.code}"
    except JWKSError as error:  # retrying cannot help
        return f"reject: {error.code}"
    except (ValueError, KeyError):
        return "reject: not a message for this queue"


async def run() -> None:
    """Consume all messages."""
    provider = providers.oidc(
        os.environ.get("OIDC_ISSUER", "http://127.0.0.1:8400"),
        audience=os.environ.get("OIDC_AUDIENCE", "api"),
    )
    async with AsyncJWKSClient(provider) as client:
        consume = make_consumer(client)
        for line in sys.stdin:
            print(await answer_for(consume, line), flush=True)


def main() -> int:
    """Run until the queue is empty."""
    asyncio.run(run())
    return 0


if __name__ == "__main__":
    sys.exit(main())
