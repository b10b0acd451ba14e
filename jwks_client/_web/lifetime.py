"""Start and end a client in a server that is not ASGI.

It runs `asgi_lifespan`, so that keys are loaded in the same way everywhere. Must not depend on:
requests.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from .asgi_lifespan import Lifespan
from .asgi_scope import Message, Receive, Scope, Send

__all__ = ["no_app", "run_lifespan"]


async def no_app(scope: Scope, receive: Receive, send: Send) -> None:
    """Do nothing, in place of an ASGI app: only the client has a lifespan."""


@asynccontextmanager
async def run_lifespan(lifespan: Lifespan) -> AsyncGenerator[None]:
    """Run a lifespan around the block: load keys before it, and end the client after it.

    Raises RuntimeError if the keys are required and cannot be loaded, or if asyncio does not run.
    """
    lifespan.check_loop()
    received: asyncio.Queue[Message] = asyncio.Queue()
    sent: asyncio.Queue[Message] = asyncio.Queue()
    task = asyncio.create_task(lifespan({"type": "lifespan"}, received.get, sent.put))
    await received.put({"type": "lifespan.startup"})
    answer = asyncio.create_task(sent.get())
    await asyncio.wait([task, answer], return_when=asyncio.FIRST_COMPLETED)
    if answer.done():
        message = answer.result()
        if message["type"] == "lifespan.startup.failed":
            await task
            raise RuntimeError(message["message"])
    else:
        answer.cancel()
    try:
        yield
    finally:
        await received.put({"type": "lifespan.shutdown"})
        await task
