"""Start and end a client with the ASGI app that uses it (ASGI, lifespan 2.0).

Must not depend on: requests.

Many apps do not support lifespan: they raise before they receive a message, or return without an
answer. This module then answers the server in their place, so that the client is still warmed up
and closed. If an app receives the startup message and then raises, its start has failed, and the
exception is passed to the server. If the server does not support lifespan, the first request begins
the warm-up. A server that does not run asyncio does not start, because the client could not verify
anything there.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

from .asgi_scope import ASGIApp, Message, Receive, Scope, Send
from .lifetime import Lifetime

__all__ = ["Lifespan"]

_log = logging.getLogger("jwks_client")


class Lifespan:
    """The lifespan of an app and its client.

    Arguments:
        app: the ASGI app.
        lifetime: starts and ends the client.

    Attributes:
        is_missing: whether the server has sent no lifespan, so that a request must call `begin`.
    """

    def __init__(self, app: ASGIApp, lifetime: Lifetime) -> None:
        self._app = app
        self._lifetime = lifetime
        self.is_missing = lifetime.can_begin_late
        self.begin = lifetime.begin

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the lifespan protocol once."""
        self.is_missing = False
        lifetime = self._lifetime
        try:
            lifetime.check_loop()
        except RuntimeError as error:
            await receive()
            await send({"type": "lifespan.startup.failed", "message": str(error)})
            return
        if lifetime.is_unused:
            await self._app(scope, receive, send)
            return
        startup = await receive()
        failure, warming = await lifetime.start()
        if failure is not None:
            await lifetime.end(None)
            await send({"type": "lifespan.startup.failed", "message": failure})
            return
        run = _Run(startup, receive, send, lambda: lifetime.end(warming))
        try:
            await self._app(scope, run.receive, run.send)
        except Exception:
            if run.answered or run.started:
                await lifetime.stop(warming)
                self.is_missing = lifetime.can_begin_late
                raise  # a server may continue without lifespan, so the client stays open
            _log.info(
                "the app does not support lifespan, so JWKSMiddleware answers for it", exc_info=True
            )
        else:
            if run.answered:
                return
        finally:
            if run.answered:
                await run.end()
        await run.answer_for_app()


class _Run:
    """One run of the protocol: passes messages between server and app, and ends once."""

    def __init__(
        self, startup: Message, receive: Receive, send: Send, end: Callable[[], Awaitable[None]]
    ) -> None:
        self._first: Message | None = startup
        self._receive = receive
        self._send = send
        self._end = end
        self._ended = False
        self.answered = False  # by the app

    @property
    def started(self) -> bool:
        """Return whether the app has received the startup message."""
        return self._first is None

    async def receive(self) -> Message:
        """Return the startup message, which was received already, then the server's messages."""
        first, self._first = self._first, None
        return await self._receive() if first is None else first

    async def send(self, message: Message) -> None:
        """Pass on an answer of the app; end the client before the last one."""
        if not message["type"].startswith("lifespan."):
            # The app does not look at the scope's type; a server would raise too.
            raise RuntimeError(f"{message['type']} is not an answer to a lifespan message")
        self.answered = True
        if message["type"] != "lifespan.startup.complete":
            await self.end()
        await self._send(message)

    async def end(self) -> None:
        """End the client, once."""
        if not self._ended:
            self._ended = True
            await self._end()

    async def answer_for_app(self) -> None:
        """Answer the server in place of the app."""
        try:
            await self._send({"type": "lifespan.startup.complete"})
            await self._receive()
        finally:
            await self.end()
        await self._send({"type": "lifespan.shutdown.complete"})
