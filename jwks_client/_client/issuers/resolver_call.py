"""One call of the application's resolver, for which threads and tasks can wait.

It must not depend on how the resolver is called, or what an answer means. Like a flight, it belongs
to no caller: a cancelled caller cancels nothing.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from ..latch import Latch

if TYPE_CHECKING:
    import asyncio

    from ..._core.issuers.resolver_answers import Failure
    from ..._core.issuers.tenants import Tenant
    from ..keysets.source import KeySource


class Resolution:
    """A call of the resolver for one issuer.

    Arguments:
        issuer: the issuer that the resolver is asked about.
        loop: the event loop on which the call began; None in threads.
        number: the place of the call among all calls of the client.
        began_at: when it began, by the client's clock (monotonic).
        overdue_at: its deadline, by the system's monotonic clock. A later answer is dropped.

    Attributes:
        tenant: the tenant that the call returned, unless the answer was dropped. Callers that
            waited use it, even if it has been evicted since.
        failure: the failure of the call, if it failed.
        task: the task that awaits the answer, if one does.
    """

    __slots__ = (
        *("_end", "began_at", "failure", "issuer", "loop", "number", "overdue_at", "task"),
        "tenant",
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
        self.tenant: Tenant[KeySource] | None = None
        self.failure: Failure | None = None
        self.task: asyncio.Task[None] | None = None
        self._end = Latch()

    @property
    def left(self) -> float:
        """Return the seconds until the call is overdue, at least 0."""
        return max(self.overdue_at - time.monotonic(), 0.0)

    @property
    def ended(self) -> bool:
        """Return whether the call has an outcome, is overdue, or was given up."""
        return self._end.is_open

    def wait(self) -> None:
        """Wait in this thread until the call has ended or is overdue."""
        self._end.wait(self.left)

    async def waited(self) -> None:
        """Wait in this task, on any event loop, until the call has ended or is overdue."""
        await self._end.waited(self.left)

    def end(self) -> None:
        """Wake all waiting callers, in threads and on event loops."""
        self._end.open()
