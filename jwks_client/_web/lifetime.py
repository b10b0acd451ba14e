"""`living`: the start and the end of a client in a server that is not ASGI.

It runs `asgi_lifespan`, so keys are loaded in one way everywhere. Must not depend on: requests.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from .asgi_lifespan import Lifespan
from .asgi_scope import Message, Receive, Scope, Send

__all__ = ["living", "no_app"]


async def no_app(scope: Scope, receive: Receive, send: Send) -> None:
    """Do nothing: there is no ASGI app, so the lifespan is the client's alone."""


@asynccontextmanager
async def living(lifespan: Lifespan) -> AsyncGenerator[None]:
    """Load keys as a lifespan says, and end the client's part after the block.

    Raises RuntimeError if the keys are required and cannot be loaded.
    """
    received: asyncio.Queue[Message] = asyncio.Queue()
    sent: asyncio.Queue[Message] = asyncio.Queue()
    task = asyncio.create_task(lifespan({"type": "lifespan"}, received.get, sent.put))
    await received.put({"type": "lifespan.startup"})
    told = asyncio.create_task(sent.get())
    await asyncio.wait([task, told], return_when=asyncio.FIRST_COMPLETED)
    if told.done():
        message = told.result()
        if message["type"] == "lifespan.startup.failed":
            await task
            raise RuntimeError(message["message"])
    else:
        told.cancel()
    try:
        yield
    finally:
        await received.put({"type": "lifespan.shutdown"})
        await task
