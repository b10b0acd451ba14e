"""Start and end a client with the ASGI app that uses it (ASGI, lifespan 2.0).

Must not depend on: requests.

The client starts before the app: when the app starts, keys are loaded or being loaded. The client
ends after the app, which may use it until then. Many apps do not support lifespan: they raise
before they receive a message, or return without an answer. This module then answers the server in
their place, so that the client is still warmed up and closed. If an app receives the startup
message and then raises, its start has failed, and the exception is passed to the server. If the
server does not support lifespan, the first request begins the warm-up. A server that does not run
asyncio does not start, because the client could not verify anything there.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from .._client.aio import check_asyncio
from .._client.keeper import keeper_of
from .._core.settings import flag
from ..protocols import AsyncVerifier
from .asgi_scope import ASGIApp, Message, Receive, Scope, Send
from .guard import WarmUp, checked_warm_up, describe_warm_up_failure, required_start

__all__ = ["Lifespan"]

_log = logging.getLogger("jwks_client")


class Lifespan:
    """The lifespan of an app and its client.

    Arguments:
        app: the ASGI app.
        client: the client whose keys are loaded.
        warm_up: when its keys are loaded.
        keep_fresh: whether its keys are kept fresh until the end.
        close_client: whether it is closed at the end.

    Attributes:
        is_missing: whether the server has sent no lifespan, so that a request must call `begin`.
    """

    def __init__(
        self,
        app: ASGIApp,
        client: AsyncVerifier,
        *,
        warm_up: WarmUp,
        keep_fresh: bool = True,
        close_client: bool,
    ) -> None:
        self._app = app
        self._client = client
        self._warm_up = checked_warm_up(warm_up)
        self._keeps_fresh = flag("keep_fresh", keep_fresh)
        self._closes = flag("close_client", close_client)
        # A test double of a client has no keeper: its `warm_up` is called once.
        keeper = keeper_of(client)
        self._needs_asyncio = keeper is not None
        self._keeper = None if warm_up is None else keeper
        self.is_missing = self._keeper is not None

    def begin(self) -> None:
        """Begin to load keys in the background, unless this process already has."""
        if self._keeper is not None:
            self._keeper.begin(keep_fresh=self._keeps_fresh)

    def check_loop(self) -> None:
        """Raise RuntimeError unless the client can be used on the server's event loop."""
        if self._needs_asyncio:
            check_asyncio()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the lifespan protocol once."""
        self.is_missing = False
        try:
            self.check_loop()
        except RuntimeError as error:
            await receive()
            await send({"type": "lifespan.startup.failed", "message": str(error)})
            return
        if self._warm_up is None and not self._closes:
            await self._app(scope, receive, send)
            return
        startup = await receive()
        failure, warming = await self._start()
        if failure is not None:
            await self._end(None)
            await send({"type": "lifespan.startup.failed", "message": failure})
            return
        run = _Run(startup, receive, send, lambda: self._end(warming))
        try:
            await self._app(scope, run.receive, run.send)
        except Exception:
            if run.answered or run.started:
                await self._stop(warming)
                self.is_missing = self._keeper is not None
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

    async def _start(self) -> tuple[str | None, asyncio.Task[None] | None]:
        """Load required keys, and begin the rest. Return the failure, and a test double's task."""
        failure = await self._loaded() if self._warm_up == "required" else None
        if failure is not None:
            return failure, None
        self.begin()
        if self._warm_up == "background" and self._keeper is None:
            return None, asyncio.create_task(self._load(), name="jwks-client warm-up")
        return None, None

    async def _loaded(self) -> str | None:
        """Load keys. Return the reason if that fails."""
        try:
            await required_start(self._client)()
        except Exception as error:  # noqa: BLE001 (a test double may raise anything)
            return describe_warm_up_failure(error)
        return None

    async def _load(self) -> None:
        failure = await self._loaded()
        if failure is not None:  # the app can start: the first request tries again
            _log.warning("%s", failure)

    async def _end(self, warming: asyncio.Task[None] | None) -> None:
        await self._stop(warming)
        if self._closes:
            try:
                await self._client.aclose()
            except Exception:  # noqa: BLE001 (the server must be able to end)
                _log.exception("the client could not be closed")

    async def _stop(self, warming: asyncio.Task[None] | None) -> None:
        if self._keeper is not None:
            self._keeper.end()
        if warming is not None:
            warming.cancel()
            await asyncio.wait([warming])


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
