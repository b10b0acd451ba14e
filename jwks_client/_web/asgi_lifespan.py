"""The start and the end of an ASGI app, with those of the client (ASGI, lifespan 2.0).

Must not depend on: requests.

At the start the client comes first: keys are loaded, or being loaded, when the app starts. At the
end the app comes first, since it may use the client to the last. Many apps do not support lifespan:
they raise before they receive a message, or return without an answer. The server is then answered
for them, so that the client is warmed up and closed all the same. An app that received the start
and raises has failed its start, and so has the server: what it raised is raised. A server without
lifespan calls nothing here: then the first request begins what the start would have begun.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from .._client.keeper import keeper_of
from .._core.settings import flag
from ..protocols import AsyncVerifier
from .asgi_scope import ASGIApp, Message, Receive, Scope, Send
from .guard import WarmUp, checked_warm_up, describe_warm_up_failure, required_start

__all__ = ["Lifespan"]

_log = logging.getLogger("jwks_client")


class Lifespan:
    """An app's lifespan with a client's.

    Arguments:
        app: the ASGI app.
        client: whose keys are loaded.
        warm_up: how.
        keep_fresh: whether they are kept fresh until the end.
        close_client: whether it is closed at the end.

    Attributes:
        is_missing: the server has not called it, so that a request has to call `begin`.
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
        # A stand-in for a client has no keeper: its `warm_up` is called once.
        self._keeper = None if warm_up is None else keeper_of(client)
        self.is_missing = self._keeper is not None

    def begin(self) -> None:
        """Begin to load keys in the background, unless this process has begun."""
        if self._keeper is not None:
            self._keeper.begin(keep_fresh=self._keeps_fresh)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Live one life."""
        self.is_missing = False
        if self._warm_up is None and not self._closes:
            await self._app(scope, receive, send)
            return
        startup = await receive()
        failure, warming = await self._start()
        if failure is not None:
            await self._end(None)
            await send({"type": "lifespan.startup.failed", "message": failure})
            return
        life = _Life(startup, receive, send, lambda: self._end(warming))
        try:
            await self._app(scope, life.receive, life.send)
        except Exception:
            if life.answered or life.started:
                await self._stop(warming)
                self.is_missing = self._keeper is not None
                raise  # a server may go on without lifespan, so the client stays open
            _log.info("the app does not support lifespan: answered for it", exc_info=True)
        else:
            if life.answered:
                return
        finally:
            if life.answered:
                await life.end()
        await life.live_alone()

    async def _start(self) -> tuple[str | None, asyncio.Task[None] | None]:
        """Load what the start requires, and begin the rest. Return a failure, a stand-in's task."""
        failure = await self._loaded() if self._warm_up == "required" else None
        if failure is not None:
            return failure, None
        self.begin()
        if self._warm_up == "background" and self._keeper is None:
            return None, asyncio.create_task(self._load(), name="jwks-client warm-up")
        return None, None

    async def _loaded(self) -> str | None:
        """Load keys. Return what is wrong if that fails."""
        try:
            await required_start(self._client)()
        except Exception as error:  # noqa: BLE001 (a stand-in's: fail the start all the same)
            return describe_warm_up_failure(error)
        return None

    async def _load(self) -> None:
        failure = await self._loaded()
        if failure is not None:  # no reason not to start: the first request tries again
            _log.warning("%s", failure)

    async def _end(self, warming: asyncio.Task[None] | None) -> None:
        await self._stop(warming)
        if self._closes:
            try:
                await self._client.aclose()
            except Exception:  # noqa: BLE001 (the server is to end whatever happens)
                _log.exception("the client could not be closed")

    async def _stop(self, warming: asyncio.Task[None] | None) -> None:
        if self._keeper is not None:
            self._keeper.end()
        if warming is not None:
            warming.cancel()
            await asyncio.wait([warming])


class _Life:
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
        """Whether the app has received the start."""
        return self._first is None

    async def receive(self) -> Message:
        """The start, which the middleware has received already, then what the server says."""
        first, self._first = self._first, None
        return await self._receive() if first is None else first

    async def send(self, message: Message) -> None:
        """Pass an answer of the app's on; nothing of the client's outlives the last one."""
        if not message["type"].startswith("lifespan."):
            # An app that answers whatever it is called with; a server would raise too.
            raise RuntimeError(f"{message['type']} is no answer to a start or an end")
        self.answered = True
        if message["type"] != "lifespan.startup.complete":
            await self.end()
        await self._send(message)

    async def end(self) -> None:
        """End the client's part, once."""
        if not self._ended:
            self._ended = True
            await self._end()

    async def live_alone(self) -> None:
        """Answer the server in the app's place."""
        try:
            await self._send({"type": "lifespan.startup.complete"})
            await self._receive()
        finally:
            await self.end()
        await self._send({"type": "lifespan.shutdown.complete"})
