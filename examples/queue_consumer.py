"""Consume messages in asyncio with `requires`: the function sees good messages only.

Shows a decorated consumer. It says where a message has its token, and what that must have; what is
lacking is raised, and the loop around it tells the broker. queue_worker.py is the same in threads,
and without the decorator.

    export OIDC_ISSUER=https://idp.example.com/ OIDC_AUDIENCE=…
    python examples/queue_consumer.py < messages.jsonl     # each {"token": "…", "order": "…"}

Standard input stands for the queue, and a printed line for what the broker is told. As it stands it
works with the provider that ``jwks-client serve`` runs on this machine, and tokens of the scope
orders:write.
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
    """What does the work, for messages whose sender may order."""

    @requires("orders:write", client=client, token=lambda message: message["token"])
    async def consume(message: dict[str, str]) -> str:
        sender = current_token()
        return f"{sender.subject if sender else None} orders {message['order']}"

    return consume


async def told(consume: Callable[[Any], Awaitable[str]], line: str) -> str:
    """What the broker is told of one message."""
    try:
        return f"ack: {await consume(json.loads(line))}"
    except KeysUnavailableError as error:  # nobody can know yet: later
        return f"requeue in {error.retry_after or 1:.0f} s: {error.code}"
    except JWKSError as error:  # it will never be better
        return f"reject: {error.code}"
    except (ValueError, KeyError):
        return "reject: not a message for this queue"


async def run() -> None:
    """Consume every message there is."""
    provider = providers.oidc(
        os.environ.get("OIDC_ISSUER", "http://127.0.0.1:8400"),
        audience=os.environ.get("OIDC_AUDIENCE", "api"),
    )
    async with AsyncJWKSClient(provider) as client:
        consume = make_consumer(client)
        for line in sys.stdin:
            print(await told(consume, line), flush=True)


def main() -> int:
    """Run until the queue is empty."""
    asyncio.run(run())
    return 0


if __name__ == "__main__":
    sys.exit(main())
