"""Start and end a client with the server that uses it.

The client starts before the app: when the app starts, keys are loaded or being loaded. The client
ends after the app, which may use it until then. Must not depend on: requests, ASGI.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import TypeAlias

from .._client.aio import check_asyncio
from .._client.keeper import keeper_of
from .._core.settings import flag
from ..protocols import AsyncVerifier
from .guard import WarmUp, checked_warm_up, describe_warm_up_failure, required_start

__all__ = ["Lifetime", "WarmingUp"]

_log = logging.getLogger("jwks_client")

#: The warm-up of a test double of a client, which has no keeper.
WarmingUp: TypeAlias = "asyncio.Task[None] | None"


class Lifetime:
    """The time during which a server uses a client.

    Arguments:
        client: the client whose keys are loaded.
        warm_up: when its keys are loaded.
        keep_fresh: whether its keys are kept fresh until the end.
        close_client: whether it is closed at the end.
    """

    def __init__(
        self, client: AsyncVerifier, *, warm_up: WarmUp, keep_fresh: bool, close_client: bool
    ) -> None:
        self._client = client
        self._warm_up = checked_warm_up(warm_up)
        self._keeps_fresh = flag("keep_fresh", keep_fresh)
        self._closes = flag("close_client", close_client)
        # A test double of a client has no keeper: its `warm_up` is called once.
        keeper = keeper_of(client)
        self._needs_asyncio = keeper is not None
        self._keeper = None if warm_up is None else keeper

    @property
    def is_unused(self) -> bool:
        """Return whether the server does nothing for the client."""
        return self._warm_up is None and not self._closes

    @property
    def can_begin_late(self) -> bool:
        """Return whether `begin` has an effect."""
        return self._keeper is not None

    def begin(self) -> None:
        """Begin to load keys in the background, unless this process already has."""
        if self._keeper is not None:
            self._keeper.begin(keep_fresh=self._keeps_fresh)

    def check_loop(self) -> None:
        """Raise RuntimeError unless the client can be used on the server's event loop."""
        if self._needs_asyncio:
            check_asyncio()

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        """Start before the block, and end after it.

        Raises RuntimeError if the keys are required and cannot be loaded, or if asyncio does not
        run.
        """
        self.check_loop()
        failure, warming = await self.start()
        try:
            if failure is not None:
                raise RuntimeError(failure)
            yield
        finally:
            await self.end(warming)

    async def start(self) -> tuple[str | None, WarmingUp]:
        """Load required keys, and begin the rest. Return the failure, and what `end` is given."""
        failure = await self._loaded() if self._warm_up == "required" else None
        if failure is not None:
            return failure, None
        self.begin()
        if self._warm_up == "background" and self._keeper is None:
            return None, asyncio.create_task(self._load(), name="jwks-client warm-up")
        return None, None

    async def end(self, warming: WarmingUp) -> None:
        """End what `start` began, and close the client if that was asked for."""
        await self.stop(warming)
        if self._closes:
            try:
                await self._client.aclose()
            except Exception:  # noqa: BLE001 (the server must be able to end)
                _log.exception("the client could not be closed")

    async def stop(self, warming: WarmingUp) -> None:
        """End what `start` began, without closing the client."""
        if self._keeper is not None:
            self._keeper.end()
        if warming is not None:
            warming.cancel()
            await asyncio.wait([warming])

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
