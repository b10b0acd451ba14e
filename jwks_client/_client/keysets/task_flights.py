"""Flights that are tasks of the caller's event loop, for a caller-supplied async client."""

from __future__ import annotations

import asyncio
import contextvars
import math
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Final, TypeVar, cast

from ..._core.keysets.fetch import Broken, Failed, Outcome, Request, Response, Validators
from ..http import Line, lower_names, timed_out, timeouts
from ..latch import Latch
from .flight import Flight, overdue, refused_headers
from .thread_flights import gone, thread_of
from .visit import Visit

if TYPE_CHECKING:
    from ..._core.policy import FetchPolicy
    from ...protocols import AsyncHTTPClient, AsyncHTTPResponse
    from .flights import End, Wait
    from .source import KeySource

# Seconds within which another event loop must answer a ping, or its flight is abandoned.
_PING: Final = 1.0
# How many chunks of a response are read in one turn of the event loop. One read from a socket can
# contain thousands of chunks of one byte, which httpx yields without awaiting anything.
_CHUNKS: Final = 100


T = TypeVar("T")


class TaskCrew:
    """Carries flights in tasks.

    Arguments:
        http: the caller-supplied client.
        policy: the limits.
    """

    def __init__(self, http: AsyncHTTPClient, policy: FetchPolicy) -> None:
        self.http = http
        self._policy = policy

    def launch(self, source: KeySource, flight: Flight, end: End) -> None:
        """Start fetching; see `Crew`."""
        flight.loop = loop = asyncio.get_running_loop()
        # An empty context: a flight belongs to no request, and must not be traced as part of one.
        context = contextvars.Context()
        flight.task = loop.create_task(
            self._fly(source, flight, end), name=f"jwks-client {source.name}", context=context
        )
        self._keep_time(flight, end, flight.overdue_at - time.monotonic())

    def call(self, flight: Flight, listeners: Callable[[], None]) -> None:
        """Call the listeners in a later turn of the loop."""
        try:
            cast("asyncio.AbstractEventLoop", flight.loop).call_soon(
                listeners, context=contextvars.Context()
            )
        except RuntimeError:  # the loop was closed, and the flight vanishes with it
            listeners()

    def stop(self, flight: Flight) -> None:
        """Make a flight vanish."""
        flight.abandoned = True
        task = flight.task
        if task is not None:
            with suppress(RuntimeError):  # the loop is closed, which ended the task
                task.get_loop().call_soon_threadsafe(task.cancel)

    def _give_up(self, flight: Flight, end: End) -> None:
        """Answer the callers at the deadline, even if the task is stuck."""
        end(overdue(flight.requests))
        if flight.task is not None:
            flight.task.cancel()

    async def _fly(self, source: KeySource, flight: Flight, end: End) -> None:
        outcome: Outcome | None = None  # if the task is cancelled, the flight vanishes
        try:
            outcome = await self._fetch(source, flight, end)
        except Exception as error:  # noqa: BLE001 (a caller-supplied client may raise anything)
            outcome = Failed(code="fetch_failed", message="the fetch failed", cause=error)
        finally:
            end(outcome)

    async def _fetch(self, source: KeySource, flight: Flight, end: End) -> Outcome:
        shared = source.shared
        if shared is None:
            return await self._ask_provider(source, flight, None)
        stopped = Latch()
        visit = Visit(flight)
        try:
            landed = await _aside(partial(shared.before, visit, source.cache, stopped), source)
            if landed is not None:
                return landed
            self._keep_time(flight, end, self._policy.deadline)
            outcome = await self._ask_provider(source, flight, visit.validators)
            return await _aside(partial(shared.after, visit, source.cache, outcome), source)
        except asyncio.CancelledError:
            stopped.open()
            # Give the lease back, so that others do not wait for it.
            thread_of(source, shared.give_back, visit).start()
            raise

    def _keep_time(self, flight: Flight, end: End, seconds: float) -> None:
        """End a flight after ``seconds``, unless it has ended before."""
        loop, task = cast("asyncio.AbstractEventLoop", flight.loop), flight.task
        flight.overdue_at = time.monotonic() + seconds
        context = contextvars.Context()
        timer = loop.call_later(seconds, self._give_up, flight, end, context=context)
        if task is not None:
            task.add_done_callback(lambda _: timer.cancel())

    async def _ask_provider(
        self, source: KeySource, flight: Flight, seed: Validators | None
    ) -> Outcome:
        try:
            if callable(source.plan.provider.headers):
                # It may call a vault, and hang. The threads of `asyncio.to_thread` are the
                # application's: it has few of them, and `asyncio.run` waits for their end.
                talk = await _aside(partial(source.talk, flight, seed), source)
            else:
                talk = source.talk(flight, seed)
        except Exception as error:  # noqa: BLE001 (the application's code)
            return refused_headers(error)
        steps = talk.converse()
        answer: Response | Broken | None = None
        while True:
            try:
                request = next(steps) if answer is None else steps.send(answer)
            except StopIteration as done:
                return cast("Outcome", done.value)
            flight.url, flight.requests = request.url, talk.requests
            answer = await self._ask(request)

    async def _ask(self, request: Request) -> Response | Broken:
        policy, http = self._policy, self.http
        line = Line()
        try:
            async with asyncio.timeout(policy.attempt_timeout):
                built = http.build_request(
                    "GET",
                    request.url,
                    headers=dict(request.headers),
                    extensions={"timeout": timeouts(policy), "trace": line.trace_async},
                )
                response = await http.send(built, stream=True, follow_redirects=False)
                try:
                    return await self._read(response)
                finally:
                    await response.aclose()
        except asyncio.CancelledError:
            await line.cut_async()
            raise
        except Exception as error:  # noqa: BLE001 (errors of httpx, or of a caller-supplied client)
            await line.cut_async()
            return Broken(error, timed_out(error))

    async def _read(self, response: AsyncHTTPResponse) -> Response:
        headers = lower_names(response.headers)
        if response.is_stream_consumed:  # read whole already: a mock transport's response
            return Response(response.status_code, headers, response.content, decoded=True)
        body, chunks = bytearray(), 0
        async for chunk in response.aiter_raw():
            body += chunk
            if len(body) > self._policy.max_body:
                return Response(response.status_code, headers, None)
            chunks += 1
            if not chunks % _CHUNKS:
                await asyncio.sleep(0)
        return Response(response.status_code, headers, bytes(body))


async def _aside(call: Callable[[], T], source: KeySource) -> T:
    """Call in a daemon thread of this library, and wait for it in this task."""
    done, answers, errors = Latch(), list[T](), list[BaseException]()

    def run() -> None:
        try:
            answers.append(call())
        except BaseException as error:  # noqa: BLE001 (the task raises it)
            errors.append(error)
        finally:
            done.open()

    thread_of(source, run).start()
    await done.waited(math.inf)
    for error in errors:
        raise error
    return answers[0]


async def wait(want: Wait) -> None:
    """Wait in this task, on any event loop.

    A flight whose own event loop does not answer is abandoned.
    """
    flight = want.flight
    if want.over:
        if await flight.over.waited(want.seconds):
            gone(flight)
        return
    until = time.monotonic() + min(want.seconds, flight.left)
    here, there = asyncio.get_running_loop(), flight.loop
    while there is not None and there is not here:
        answered = Latch()
        try:
            there.call_soon_threadsafe(answered.open)
        except RuntimeError:  # the loop is closed
            flight.abandoned = True
            return
        left = until - time.monotonic()
        if await flight.landed.waited(min(left, _PING)) or left <= _PING:
            return
        if not answered.is_open:
            flight.abandoned = True
            return
    await flight.landed.waited(until - time.monotonic())
