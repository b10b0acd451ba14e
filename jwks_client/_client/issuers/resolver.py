"""Call the application's resolver, in a thread or as a task.

A plain function runs in a daemon thread with both clients, so that it blocks neither a caller nor
an event loop. A thread cannot be stopped from outside, so the number of stuck threads is limited. A
coroutine function runs as a task of the caller's event loop, and is cancelled at its deadline. Must
not depend on which issuers are resolved or what an answer means.
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

from ..._core.callables import is_coroutine_function
from ..._core.causes import causes
from ..._core.issuers.resolver_answers import Failure
from ..._core.provider import Provider
from ...errors import ConfigurationError
from ..lock import InterruptibleLock
from .resolver_call import Resolution

# Concurrent calls for new issuers. The bucket allows no more in two seconds, so if there are more,
# some are stuck.
MOST_FOR_NEW: Final = 32
MOST_FOR_ONE: Final = 2  # per issuer: a stuck call, and another attempt

Resolve: TypeAlias = Callable[[str], Provider | Awaitable[Provider | None] | None]
CANCELLED: Final = object()  # replaces the answer of a task that was cancelled with its loop
TOO_LATE: Final = Failure("the application's resolver took too long", slow=True)
STUCK: Final = Failure("too many calls of the application's resolver are still running", slow=True)


class Resolver:
    """Calls the application's resolver.

    Arguments:
        resolve: the application's resolver.
        lock: guards the running calls; the caller's lock, so that it covers both.
        asynchronous: whether the resolver may be a coroutine function, or return an awaitable.
        most_known: how many tenants may be loaded.
        on_end: called with each call and its answer, which may be a `Failure` or `CANCELLED`; in
            any thread, without the lock.

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
            raise ConfigurationError(
                "resolve",
                "must be a callable that accepts an issuer",
            )
        self.as_task = is_coroutine_function(resolve)
        if self.as_task and not asynchronous:
            raise ConfigurationError(
                "resolve",
                "the sync client cannot await; give AsyncJWKSClient a coroutine function",
            )
        self._resolve = resolve
        self._most_known = MOST_FOR_ONE * most_known
        self._on_end = on_end
        self._lock = lock
        self._running: dict[Resolution, bool] = {}  # running calls, and whether the issuer is new

    def start(self, call: Resolution, *, new: bool) -> None:
        """Start a call. ``new``: its issuer has no loaded tenant."""
        try:
            self._start(call, new=new)
        except BaseException:  # a signal handler raised, so perhaps no thread answers
            self._end(call, CANCELLED)
            raise

    def _start(self, call: Resolution, *, new: bool) -> None:
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
        """Cancel all tasks. Return the tasks of this event loop."""
        try:
            here = asyncio.get_running_loop()
        except RuntimeError:
            here = None
        with self._lock.held:
            tasks = [one.task for one in list(self._running) if one.task is not None]
        for task in tasks:
            with suppress(RuntimeError):  # its loop is closed, and the task has ended
                task.get_loop().call_soon_threadsafe(task.cancel)
        return [task for task in tasks if task.get_loop() is here]

    def after_fork(self) -> None:
        """Reset the state in a forked child, where the parent's threads do not exist."""
        self._running = {}

    def _make_room(self, call: Resolution, *, new: bool) -> bool:
        """Claim a place among the running calls. Return whether stuck calls left one free."""
        with self._lock.held:
            for one in list(self._running):
                if one.task is not None and one.task.get_loop().is_closed():
                    self._running.pop(one, None)  # its loop is closed, which ended the task
            running = [
                (one, was_new)
                # A copy, because a signal handler may begin a call concurrently.
                for one, was_new in list(self._running.items())
                # Each event loop calls a coroutine function separately.
                if not self.as_task or one.loop is call.loop
            ]
            of_one = sum(one.issuer == call.issuer for one, _ in running)
            alike = sum(was_new is new for _, was_new in running)
            if of_one >= MOST_FOR_ONE or alike >= (MOST_FOR_NEW if new else self._most_known):
                return False
            self._running[call] = new
            return True

    def _end(self, call: Resolution, answer: object) -> None:
        with self._lock.held:
            self._running.pop(call, None)
        self._on_end(call, answer)

    def _run(self, call: Resolution, context: contextvars.Context) -> None:
        """Call a plain function in this thread, which serves only this call."""
        try:
            answer = context.run(self._resolve, call.issuer)
        except BaseException as error:  # noqa: BLE001 (this thread has no caller)
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
        self._end(call, Failure("no event loop can await what the application's resolver returned"))

    def _await_answer(
        self, call: Resolution, answer: Awaitable[object] | None, context: contextvars.Context
    ) -> None:
        """Await an answer on the call's event loop. Call the resolver if it has not been called."""
        loop = cast("asyncio.AbstractEventLoop", call.loop)
        # The application's code runs in the task's context.
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
        """End the call of a cancelled task, which may never have started. Its callers ask again."""
        if task.cancelled():
            _discard(answer)
            self._end(call, CANCELLED)


def _discard(answer: object) -> None:
    if inspect.iscoroutine(answer):
        answer.close()


def _raised(error: BaseException) -> Failure:
    """Return a failure that says where the exception was raised, and holds no frames."""
    place = ""
    for frame, line in traceback.walk_tb(error.__traceback__):
        place = f" at {PurePath(frame.f_code.co_filename).name}:{line}"  # the last frame wins
    for cause in causes(error):
        cause.__traceback__ = None
    return Failure(
        "the application's resolver raised an exception",
        error,
        f"{type(error).__name__}{place}"[:200],
    )
