"""How the application's resolver is run: in a thread of its own, or as a task.

Owns: the threads and tasks that run it, until they really end, and how many there may be. May not
know: which issuers are asked about or what an answer means. A plain function runs in a daemon
thread on both clients, so that whatever it is stuck in holds up neither a caller nor an event loop;
a thread cannot be ended from outside, so those that are stuck are counted. A coroutine function is
a task of the event loop that asked, and is cancelled when its time is over.
"""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import threading
import traceback
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from pathlib import PurePath
from typing import Any, Final, TypeAlias, cast

from ..._core.issuers.resolver_answers import Failure
from ..._core.provider import Provider
from ...errors import ConfigurationError
from ..lock import InterruptibleLock
from .resolver_call import Resolution

# New issuers at once: within two seconds the bucket admits no more, so more of them are stuck.
MOST_FOR_NEW: Final = 32
MOST_FOR_ONE: Final = 2  # for one issuer: a call that is stuck, and one that tries again

Resolve: TypeAlias = Callable[[str], Provider | Awaitable[Provider | None] | None]
BROKEN_OFF: Final = object()  # in an answer's place: the task was cancelled, its loop is ending
TOO_LATE: Final = Failure("the application's resolver took too long", slow=True)
STUCK: Final = Failure("too many calls of the application's resolver are still running", slow=True)


class Resolver:
    """Runs the application's resolver.

    Arguments:
        resolve: the application's.
        lock: guards what is running; the caller's own, so that it knows who was interrupted.
        asynchronous: it may be a coroutine function, or return an awaitable.
        most_known: how many tenants may be loaded.
        on_end: given each call and its answer, or in the answer's place a `Failure` or
            `BROKEN_OFF`; in any thread, and without a lock held.

    Raises `ConfigurationError` if this kind of client cannot call it.
    """

    def __init__(
        self,
        resolve: Resolve,
        *,
        lock: InterruptibleLock,
        asynchronous: bool,
        most_known: int,
        on_end: Callable[[Resolution, object], None],
    ) -> None:
        if not callable(resolve):  # pyright: ignore[reportUnnecessaryComparison]
            raise ConfigurationError("resolve", "takes a callable that is given an issuer")
        called: Any = getattr(type(resolve), "__call__", None)  # noqa: B004 (an object's own)
        self.as_task = inspect.iscoroutinefunction(resolve) or inspect.iscoroutinefunction(called)
        if self.as_task and not asynchronous:
            raise ConfigurationError(
                "resolve",
                "the sync client cannot await; give AsyncJWKSClient a coroutine function",
            )
        self._resolve = resolve
        self._most_known = MOST_FOR_ONE * most_known
        self._on_end = on_end
        self._lock = lock
        self._running: dict[Resolution, bool] = {}  # until it really ended: is its issuer new?

    def start(self, call: Resolution, *, new: bool) -> None:
        """Begin a call. ``new``: its issuer has no tenant that is loaded."""
        if not self._make_room(call, new=new):
            self._on_end(call, STUCK)
            return
        context = contextvars.copy_context()
        if self.as_task:
            self._await_answer(call, None, context)
            return
        thread = threading.Thread(
            target=self._run, args=(call, context), name="jwks-client resolver", daemon=True
        )
        try:
            thread.start()
        except RuntimeError as error:  # no more threads, or the interpreter is ending
            self._end(call, Failure("no thread could start for the resolver", error))

    def close(self) -> list[asyncio.Task[None]]:
        """Cancel what can be. Returns the tasks among them that are this event loop's."""
        try:
            here = asyncio.get_running_loop()
        except RuntimeError:
            here = None
        with self._lock:
            tasks = [one.task for one in list(self._running) if one.task is not None]
        for task in tasks:
            with suppress(RuntimeError):  # its loop is closed, and took the task along
                task.get_loop().call_soon_threadsafe(task.cancel)
        return [task for task in tasks if task.get_loop() is here]

    def after_fork(self) -> None:
        """Start anew in the child, where no thread of the parent runs the resolver."""
        self._running = {}

    def _make_room(self, call: Resolution, *, new: bool) -> bool:
        """Claim the room to run in, where stuck calls have left any."""
        with self._lock:
            for one in list(self._running):
                if one.task is not None and one.task.get_loop().is_closed():
                    self._running.pop(one, None)  # a closed loop takes its tasks along
            running = list(self._running.items())  # a signal handler may begin a call meanwhile
            of_one = sum(one.issuer == call.issuer for one, _ in running)
            alike = sum(was_new is new for _, was_new in running)
            if of_one >= MOST_FOR_ONE or alike >= (MOST_FOR_NEW if new else self._most_known):
                return False
            self._running[call] = new
            return True

    def _end(self, call: Resolution, answer: object) -> None:
        with self._lock:
            self._running.pop(call, None)
        self._on_end(call, answer)

    def _run(self, call: Resolution, context: contextvars.Context) -> None:
        """Run a plain function, in a thread of its own."""
        try:
            answer = context.run(self._resolve, call.issuer)
        except BaseException as error:  # noqa: BLE001 (nobody else hears of it in this thread)
            self._end(call, _raised(error))
            return
        if not inspect.isawaitable(answer):
            self._end(call, answer)
            return
        if call.loop is not None:
            try:
                call.loop.call_soon_threadsafe(self._await_answer, call, answer, context)
            except RuntimeError:  # it is closed
                pass
            else:
                return
        _discard(answer)
        self._end(call, Failure("nothing here can await what the application's resolver returned"))

    def _await_answer(
        self, call: Resolution, answer: Awaitable[object] | None, context: contextvars.Context
    ) -> None:
        """On the call's event loop: await an answer, by a call if there is none yet."""
        loop = cast("asyncio.AbstractEventLoop", call.loop)
        # The first thing that runs in the task's own context is the application's code.
        call.task = loop.create_task(
            self._awaited(call, answer), name="jwks-client resolver", context=context
        )
        call.task.add_done_callback(partial(self._after_task, call, answer))

    async def _awaited(self, call: Resolution, answer: Awaitable[object] | None) -> None:
        limit = asyncio.timeout(call.left)
        given: object
        try:
            async with limit:
                given = await cast("Any", self._resolve(call.issuer) if answer is None else answer)
        except Exception as error:  # noqa: BLE001 (the application's code)
            given = TOO_LATE if limit.expired() else _raised(error)
        self._end(call, given)

    def _after_task(
        self, call: Resolution, answer: Awaitable[object] | None, task: asyncio.Task[None]
    ) -> None:
        """Cancelled from outside, perhaps before it began: nothing is known, and callers ask on."""
        if task.cancelled():
            _discard(answer)
            self._end(call, BROKEN_OFF)


def _discard(answer: object) -> None:
    if inspect.iscoroutine(answer):
        answer.close()


def _raised(error: BaseException) -> Failure:
    """A failure that tells where it arose, and holds none of the frames that it went through."""
    place = ""
    for frame, line in traceback.walk_tb(error.__traceback__):
        place = f" at {PurePath(frame.f_code.co_filename).name}:{line}"  # the last one counts
    cause: BaseException | None = error
    seen: set[int] = set()
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        cause.__traceback__ = None
        cause = cause.__cause__ or cause.__context__
    return Failure(
        "the application's resolver raised an exception",
        error,
        f"{type(error).__name__}{place}"[:200],
    )
