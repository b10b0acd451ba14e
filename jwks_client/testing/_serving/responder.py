"""Choose a `FakeProvider`'s response to each request, the same for all its interfaces.

Must not depend on how requests arrive and responses are sent: see `transport` (httpx) and `servers`
(ASGI, loopback HTTP).

A request gets its `Turn` when it arrives, and later changes do not affect it, as on a slow network.
A turn with a gate is carried out when the gate opens.
"""

from __future__ import annotations

import json
import math
import threading
from collections import deque
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final, Literal, NamedTuple, TypeAlias, get_args

from ..._client.http import lower_names
from .gate import Gate, Hold
from .pace import Pace

__all__ = [
    "KEY_SET",
    "Document",
    "Failure",
    "Published",
    "Request",
    "Responder",
    "Response",
    "Silence",
    "Turn",
    "TurnFor",
]

Document: TypeAlias = Literal["jwks.json", "openid-configuration", "oauth-authorization-server"]
Failure: TypeAlias = int | bytes | Literal["hang", "empty", "html"] | Exception | type[Exception]

KEY_SET: Final[Document] = "jwks.json"
_REMEMBERED: Final = 10_000  # requests, which bounds the memory of a development server
_JSON: Final = "application/json"
_KEY_SET_TYPE: Final = "application/jwk-set+json"  # RFC 7517, section 8.5.2
_PAGE: Final = b"<!doctype html><title>Sign in</title><p>This is not a key set.</p>"


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request as it arrived; header names are in lower case."""

    path: str
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    method: str = "GET"


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """A complete HTTP response."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


class Silence(NamedTuple):
    """No response: the request ends with this error, or if None, when the client gives up."""

    error: Exception | type[Exception] | None

    def to_raise(self) -> Exception | None:
        """Return the error to raise instead of a response, if any."""
        if isinstance(self.error, type):
            return self.error("the fake provider fails")
        # One instance may be raised many times and must not accumulate tracebacks.
        return self.error and self.error.with_traceback(None)


_HANG: Final = Silence(None)


class Turn(NamedTuple):
    """The outcome of a request, the gate to wait for, and the pace of the response."""

    outcome: Response | Silence
    gate: Gate | None = None
    pace: Pace | None = None


TurnFor: TypeAlias = Callable[[Request], Turn]


class Published(NamedTuple):
    """The documents of a provider by path, and the default headers of its key set."""

    by_path: Mapping[str, tuple[Document, Mapping[str, object]]]
    key_set_headers: Mapping[str, str]


class _Broken(NamedTuple):
    outcome: Response | Silence
    only: Document | None


class Responder:
    """Answers requests with documents, or with the failure in force.

    Arguments:
        lock: also guards the state behind the documents, so that a response is consistent.
        publish: returns what is published now.
    """

    def __init__(self, lock: threading.RLock, publish: Callable[[], Published]) -> None:
        self.answer_headers: dict[str, str] = {}
        self._lock = lock
        self._publish = publish
        self._requests: deque[Request] = deque(maxlen=_REMEMBERED)
        self._fetches = 0
        self._broken: _Broken | None = None
        self._recovered = Gate()
        self._pace: Pace | None = None
        self._holds: list[tuple[Hold, Document | None]] = []

    @property
    def requests(self) -> list[Request]:
        with self._lock:
            return list(self._requests)

    @property
    def fetches(self) -> int:
        with self._lock:
            return self._fetches

    def fail(
        self, how: Failure, *, headers: Mapping[str, str] | None, only: Document | None
    ) -> None:
        _check_document(only)
        broken = _Broken(_outcome(how, headers or {}), only)
        with self._lock:
            self._broken = broken

    def recover(self) -> None:
        with self._lock:
            self._broken = self._pace = None
            recovered, self._recovered = self._recovered, Gate()
        recovered.open()

    def slow(self, *, delay: float | None = None, drip: tuple[int, float] | None = None) -> None:
        with self._lock:
            pace = self._pace or Pace(self._recovered)
            if delay is not None:
                pace = pace._replace(delay=_seconds("seconds", delay))
            if drip is not None:
                octets, every = drip
                if octets < 1:
                    raise ValueError(f"octets must be at least 1, got {octets!r}")
                pace = pace._replace(octets=octets, every=_seconds("every", every))
            self._pace = pace

    @contextmanager
    def hold(self, *, only: Document | None) -> Generator[Hold]:
        _check_document(only)
        held = Hold()
        with self._lock:
            self._holds.append((held, only))
        try:
            yield held
        finally:
            held.release()

    def turn_for(self, request: Request) -> Turn:
        """Return the turn of a request, which has arrived now."""
        with self._lock:
            published = self._publish()
            name, content = published.by_path.get(request.path, (None, {}))
            self._requests.append(request)
            if name == KEY_SET and request.method == "GET":
                self._fetches += 1
            broken = self._broken
            if broken is None or (broken.only is not None and broken.only != name):
                answer = self._answer(request, name, content, published.key_set_headers)
                return Turn(answer, self._hold_for(name), self._pace)
            gate = self._hold_for(name)  # a hanging request counts as arrived
            hangs = broken.outcome == _HANG
            return Turn(broken.outcome, self._recovered if hangs else gate, self._pace)

    def _hold_for(self, name: Document | None) -> Gate | None:
        self._holds = [one for one in self._holds if not one[0].gate.is_open]
        for held, only in reversed(self._holds):
            if only is None or only == name:
                held.arrive()
                return held.gate
        return None

    def _answer(
        self,
        request: Request,
        name: Document | None,
        content: Mapping[str, object],
        usual_headers: Mapping[str, str],
    ) -> Response:
        if name is None:
            return _json(404, {"error": f"nothing is served at {request.path}"})
        if request.method != "GET":
            return _json(405, {"error": "only GET is answered"}, {"allow": "GET"})
        if name != KEY_SET:
            return _json(200, content)
        own = {**lower_names(usual_headers), **lower_names(self.answer_headers)}
        if _is_known(request, own):
            return _answer(304, b"", {}, own)
        return _answer(200, json.dumps(content).encode(), {"content-type": _KEY_SET_TYPE}, own)


def _is_known(request: Request, validators: Mapping[str, str]) -> bool:
    # RFC 9110, section 13.1.3: If-Modified-Since counts only without If-None-Match.
    if (known := request.headers.get("if-none-match")) is not None:
        etag = validators.get("etag")
        tags = [tag.strip().removeprefix("W/") for tag in known.split(",")]
        return etag is not None and ("*" in tags or etag.removeprefix("W/") in tags)
    modified = validators.get("last-modified")
    return modified is not None and request.headers.get("if-modified-since") == modified


def _outcome(how: Failure, headers: Mapping[str, str]) -> Response | Silence:
    match how:
        case "hang":
            return _HANG
        case "empty":
            return _answer(200, b'{"keys": []}', {"content-type": _KEY_SET_TYPE}, headers)
        case "html":
            return _answer(200, _PAGE, {"content-type": "text/html; charset=utf-8"}, headers)
        case bytes():
            return _answer(200, how, {"content-type": _KEY_SET_TYPE}, headers)
        case int() if 200 <= how <= 599:
            return _json(how, {"error": f"the fake provider answers {how}"}, headers)
        case Exception():
            return Silence(how)
        case type() if issubclass(how, Exception):
            return Silence(how)
        case _:
            raise ValueError(
                "how must be a status from 200 to 599, an exception, 'hang', 'empty', 'html' "
                f"or the bytes of a body, got {how!r}"
            )


def _json(
    status: int, content: Mapping[str, object], headers: Mapping[str, str] | None = None
) -> Response:
    return _answer(status, json.dumps(content).encode(), {"content-type": _JSON}, headers or {})


def _answer(status: int, body: bytes, usual: Mapping[str, str], own: Mapping[str, str]) -> Response:
    named = {**usual, **lower_names(own)}
    if status in (204, 304):  # without a body (RFC 9110, section 6.4.1)
        named.pop("content-type", None)
        return Response(status=status, headers=tuple(named.items()), body=b"")
    named["content-length"] = str(len(body))
    return Response(status=status, headers=tuple(named.items()), body=body)


def _seconds(name: str, value: float) -> float:
    if not 0 <= value < math.inf:
        raise ValueError(f"{name} must be a finite number of seconds from 0, got {value!r}")
    return value


def _check_document(only: Document | None) -> None:
    if only is not None and only not in get_args(Document):
        raise ValueError(f"only must be one of {', '.join(get_args(Document))}, got {only!r}")
