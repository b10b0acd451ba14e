"""One call of the application's resolver that is under way, and how callers wait for it.

Owns: a call's end, once, and the waiting for that in threads and in tasks alike. May not know: what
is called or what an answer means. Like a flight it is nobody's request: a caller that is cancelled
cancels nothing.
"""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio

    from ..._core.issuers.resolver_answers import Failure
    from ..._core.issuers.tenants import Tenant
    from ..keysets.source import KeySource


class Resolution:
    """A call of the resolver for one issuer.

    Arguments:
        issuer: whom it asks about.
        loop: the event loop it was begun on; None in threads.
        number: its place among all calls of the client.
        began_at: by the client's clock, monotonic.
        overdue_at: by the system's monotonic clock; an answer after it is dropped.

    Attributes:
        ended: it brought something, is overdue, or was given up; set once, by `end`.
        tenant: what it brought, if that counts. Who waited uses it, whatever became of it since.
        failure: why it brought nothing that counts, where the call failed.
        task: that awaits the answer, where a task does.
    """

    __slots__ = (
        *("_done", "_lock", "_waiting", "began_at", "ended", "failure", "issuer", "loop"),
        *("number", "overdue_at", "task", "tenant"),
    )

    def __init__(
        self,
        issuer: str,
        loop: asyncio.AbstractEventLoop | None,
        number: int,
        began_at: float,
        overdue_at: float,
    ) -> None:
        self.issuer = issuer
        self.loop = loop
        self.number = number
        self.began_at = began_at
        self.overdue_at = overdue_at
        self.ended = False
        self.tenant: Tenant[KeySource] | None = None
        self.failure: Failure | None = None
        self.task: asyncio.Task[None] | None = None
        self._done = threading.Event()
        self._lock = threading.Lock()
        self._waiting: list[asyncio.Future[None]] = []

    @property
    def left(self) -> float:
        """Seconds until it is overdue, at least 0."""
        return max(self.overdue_at - time.monotonic(), 0.0)

    def wait(self) -> None:
        """Wait in this thread until it has ended or is overdue."""
        self._done.wait(self.left)

    async def waited(self) -> None:
        """Wait in this task, on whatever event loop, until it has ended or is overdue."""
        import asyncio

        future = asyncio.get_running_loop().create_future()
        with self._lock:
            if self.ended:
                return
            self._waiting.append(future)
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(self.left):
                    await future
        finally:
            with self._lock, suppress(ValueError):
                self._waiting.remove(future)

    def end(self) -> None:
        """Wake all who wait, in any thread and on any event loop."""
        with self._lock:
            self.ended = True
            waiting, self._waiting = self._waiting, []
        self._done.set()
        for future in waiting:
            with suppress(RuntimeError):  # its loop is closed: nobody waits there any more
                future.get_loop().call_soon_threadsafe(_wake, future)


def _wake(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
