"""Learn from Django, Flask and Quart which exceptions of a handler were not handled.

These frameworks answer every exception themselves. Each sends a signal for an unhandled exception,
which is enough to answer the client (`handling`). This module also registers an error handler for
refusals, so that metrics and other error handlers inside the app see the status that is sent.

Only frameworks that the application has imported are considered.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from .._core.credentials.answers import Answer
from ..errors import JWKSError
from .flask_connection import Framework, flask_request
from .guard import is_refusal
from .handling import Handling, handling_of
from .identity import mapping_of

if TYPE_CHECKING:
    from django.http import HttpResponse

__all__ = ["answer_in_django", "ask_frameworks", "connect_django", "django_response"]

# The attributes in which wrappers keep the app that they wrap.
_WRAPPED: Final = ("app", "application", "wsgi_app", "asgi_app", "__wrapped__", "__self__")
_DEEPEST: Final = 20


def ask_frameworks(app: object) -> None:
    """Connect to the signals of the imported frameworks, and to the error handlers of an app."""
    if "django.core.signals" in sys.modules:
        connect_django()
    names: tuple[Framework, ...] = ("flask", "quart")
    for name in names:
        if name in sys.modules:
            _connect_flask(name)
    for inner in _wrapped(app):
        _add_handler(inner)


def _wrapped(app: object) -> Iterator[object]:
    """Yield an app and the apps that it wraps, outermost first."""
    waiting, seen = [app], list[object]()
    while waiting and len(seen) < _DEEPEST:
        one = waiting.pop(0)
        if any(one is other for other in seen):
            continue
        seen.append(one)
        yield one
        for name in _WRAPPED:
            inner = getattr(one, name, None)
            if callable(inner):
                waiting.append(inner)


def _add_handler(app: Any) -> None:
    django = sys.modules.get("django.core.handlers.base")
    if django is not None and isinstance(app, django.BaseHandler):
        handlers = getattr(app, "_exception_middleware", None)
        if isinstance(handlers, list) and answer_in_django not in handlers:
            handlers.append(answer_in_django)
    for name, answer in (("flask", _answer_in_flask), ("quart", _answer_in_quart)):
        module = sys.modules.get(name)
        kind = getattr(module, name.capitalize(), None)
        if kind is not None and isinstance(app, kind):
            known = app.error_handler_spec[None][None]
            if JWKSError not in known:  # the application's handler wins
                known[JWKSError] = answer


# --- Django


def connect_django() -> None:
    """Record in the `Handling` of a request which exception Django did not handle."""
    from django.core import signals

    for signal, receiver in (
        (signals.request_started, _django_began),
        (signals.got_request_exception, _django_failed),
    ):
        signal.connect(receiver, weak=False, dispatch_uid=receiver.__name__)


def _django_began(environ: Any = None, scope: Any = None, **_: object) -> None:
    handling = handling_of(environ or scope or {})
    if handling is not None:
        handling.reports = True


def _django_failed(request: Any = None, **_: object) -> None:
    _failed(request, sys.exception())


def answer_in_django(request: Any, error: Exception) -> Any:
    """Answer a refusal, as ``process_exception`` of a middleware; return None for other errors."""
    handling = handling_of(mapping_of(request))
    if handling is None or not is_refusal(error):
        return None
    return django_response(handling.answer(error), request)


def django_response(answer: Answer, request: Any) -> HttpResponse:
    """Return an answer as a Django response."""
    from django.http import HttpResponse

    response = HttpResponse(b"" if request.method == "HEAD" else answer.body, status=answer.status)
    del response["Content-Type"]
    for name, value in answer.headers_to_send:
        response[name.decode("latin-1")] = value.decode("latin-1")
    return response


# --- Flask and Quart


def _connect_flask(name: Framework) -> None:
    import importlib

    signals = importlib.import_module(f"{name}.signals")
    began, failed = (
        (_flask_began, _flask_failed) if name == "flask" else (_quart_began, _quart_failed)
    )
    signals.request_started.connect(began, weak=False)
    signals.got_request_exception.connect(failed, weak=False)
    if name == "quart":
        signals.websocket_started.connect(began, weak=False)
        signals.got_websocket_exception.connect(failed, weak=False)


def _flask_began(_sender: object, **_: object) -> None:
    _began("flask")


def _flask_failed(_sender: object, exception: BaseException | None = None, **_: object) -> None:
    _failed(flask_request("flask"), exception)


async def _quart_began(_sender: object, **_: object) -> None:
    _began("quart")


async def _quart_failed(
    _sender: object, exception: BaseException | None = None, **_: object
) -> None:
    _failed(flask_request("quart"), exception)


def _began(name: Framework) -> None:
    handling = _handling_of(flask_request(name))
    if handling is not None:
        handling.reports = True


def _answer_in_flask(error: JWKSError) -> Any:
    return _response("flask", error)


async def _answer_in_quart(error: JWKSError) -> Any:
    return _response("quart", error)


def _response(name: Framework, error: JWKSError) -> Any:
    module: Any = sys.modules[name]
    handling = _handling_of(flask_request(name))
    if handling is None or not is_refusal(error) or not module.has_request_context():
        raise error
    answer = handling.answer(error)
    return module.Response(answer.body, answer.status, answer.text_headers)


# --- all frameworks


def _handling_of(request: object) -> Handling | None:
    return None if request is None else handling_of(mapping_of(request))


def _failed(request: object, error: BaseException | None) -> None:
    handling = _handling_of(request)
    if handling is not None:
        handling.unhandled = error
