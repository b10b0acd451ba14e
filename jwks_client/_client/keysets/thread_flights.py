"""Flights that are daemon threads of this library.

A flight has two threads. One talks to the provider, and may block in a system call. The other one
watches the time: it cuts the connection at the limits, ends the flight at its deadline even if the
first one is blocked, and calls the listeners.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, cast

from ..._core.keysets.fetch import Broken, Failed, Outcome, Request, Response, Validators
from ..http import Line, get
from ..latch import Latch
from .flight import Flight, overdue, refused_headers
from .visit import Visit

if TYPE_CHECKING:
    from ..._core.policy import FetchPolicy
    from ...protocols import HTTPClient
    from .flights import End, Wait
    from .source import KeySource

OpenHTTP = Callable[[], AbstractContextManager["HTTPClient"]]


class Conversation:
    """One flight's conversation with the provider, which another thread can cut short.

    Arguments:
        source: the key set.
        flight: the flight.
        http: opens an HTTP client for one flight.
        policy: the limits.

    Attributes:
        done: opens when there is an outcome, or when the conversation was stopped.
        outcome: the outcome; None until then.
    """

    def __init__(
        self, source: KeySource, flight: Flight, http: OpenHTTP, policy: FetchPolicy
    ) -> None:
        self.source = source
        self.flight = flight
        self.done = Latch()
        self.outcome: Outcome | None = None
        self._http = http
        self._policy = policy
        self._line = Line()

    def run(self) -> None:
        """Fetch, in this thread."""
        try:
            self.outcome = self._fetch()
        except Exception as error:  # noqa: BLE001 (a caller-supplied client may raise anything)
            self.outcome = Failed(code="fetch_failed", message="the fetch failed", cause=error)
        finally:
            self.done.open()

    def _fetch(self) -> Outcome:
        """Ask the store, if there is one, then the provider."""
        source, flight, shared = self.source, self.flight, self.source.shared
        if shared is None:
            return self._ask_provider(None)
        visit = Visit(flight)
        landed = shared.before(visit, source.cache, self.done)
        if landed is not None:
            return landed
        flight.overdue_at = time.monotonic() + self._policy.deadline
        outcome = self._ask_provider(visit.validators)
        return shared.after(visit, source.cache, outcome)

    def _ask_provider(self, seed: Validators | None) -> Outcome:
        try:
            talk = self.source.talk(self.flight, seed)
        except Exception as error:  # noqa: BLE001 (the application's code)
            return refused_headers(error)
        steps = talk.converse()
        answer: Response | Broken | None = None
        with self._http() as http:
            while True:
                try:
                    request = next(steps) if answer is None else steps.send(answer)
                except StopIteration as done:
                    return cast("Outcome", done.value)
                self.flight.requests = talk.requests
                answer = self._ask(http, request)

    def stop(self) -> None:
        """Cut the connection, and make no other."""
        self.done.open()
        self._line.cut()

    def wait(self) -> Outcome | None:
        """Wait for the outcome, and cut what takes too long. Return None if it was stopped."""
        # Checked again after each wait: another attempt, or the end of the store's part, may have
        # moved the limit in the meantime.
        longest = min(self._policy.attempt_timeout, self._policy.deadline)
        while True:
            now, overdue_at = time.monotonic(), self.flight.overdue_at
            wake_at = min(self._line.until, overdue_at, now + longest)
            if self.done.wait(wake_at - now):
                return self.outcome
            now, line, overdue_at = time.monotonic(), self._line, self.flight.overdue_at
            if now >= overdue_at:
                self.stop()
                return self.outcome or overdue(self.flight.requests)
            if now >= line.until:
                line.until = math.inf
                line.cut()

    def _ask(self, http: HTTPClient, request: Request) -> Response | Broken:
        policy, flight = self._policy, self.flight
        flight.url = request.url
        now = time.monotonic()
        self._line = line = Line(min(now + policy.attempt_timeout, flight.overdue_at))
        # Checked after the line is assigned: a concurrent stop cuts this line, or is noticed here.
        if now >= flight.overdue_at or self.done.is_open:
            return Broken(TimeoutError("the deadline has passed"), timed_out=True)
        return get(http, request, line, policy)


class ThreadCrew:
    """Carries flights in threads.

    Arguments:
        http: opens an HTTP client for one flight.
        policy: the limits.
    """

    def __init__(self, http: OpenHTTP, policy: FetchPolicy) -> None:
        self._http = http
        self._policy = policy

    def launch(self, source: KeySource, flight: Flight, end: End) -> None:
        """Start fetching; see `Crew`. A signal handler may call this a second time."""
        thread = thread_of(source, self._fly, source, flight, end)
        try:
            thread.start()
        except RuntimeError as error:  # no more threads, or the interpreter is ending
            if flight.take_off.acquire(blocking=False):
                end(_no_thread(error))
        except BaseException:  # a signal handler raised, so perhaps the thread does not run
            if flight.take_off.acquire(blocking=False):
                end(None)
            raise
        else:
            flight.thread = thread

    def call(self, flight: Flight, listeners: Callable[[], None]) -> None:  # noqa: ARG002 (`Crew`)
        """Call the listeners at once, because this is the flight's own thread."""
        listeners()

    def stop(self, flight: Flight) -> None:
        """Make a flight vanish."""
        flight.abandoned = True  # first, because the flight may be about to start its conversation
        cut = flight.cut
        if cut is not None:
            cut()

    def _fly(self, source: KeySource, flight: Flight, end: End) -> None:
        if not flight.take_off.acquire(blocking=False):
            return
        conversation = Conversation(source, flight, self._http, self._policy)
        flight.cut = conversation.stop
        if flight.abandoned:
            end(None)
            return
        talking = thread_of(source, conversation.run)
        try:
            talking.start()
        except RuntimeError as error:
            end(_no_thread(error))
            return
        outcome = conversation.wait()
        if conversation.outcome is not None:
            talking.join()  # it has nothing left to do
        end(outcome)


def wait(want: Wait) -> None:
    """Wait in this thread."""
    flight = want.flight
    if not want.over:
        flight.landed.wait(min(want.seconds, flight.left))
        return
    # A listener that waits for its own flight would prevent its end.
    if flight.thread is not threading.current_thread() and flight.over.wait(want.seconds):
        gone(flight)


def gone(flight: Flight) -> None:
    """Wait an instant until the thread of a flight that is over has ended as well."""
    if flight.thread is not None:
        flight.thread.join(1)


def thread_of(source: KeySource, run: Callable[..., None], *arguments: object) -> threading.Thread:
    name = f"jwks-client {source.name}"
    return threading.Thread(target=run, args=arguments, name=name, daemon=True)


def _no_thread(error: RuntimeError) -> Failed:
    return Failed(code="fetch_failed", message="no thread could start", cause=error)
