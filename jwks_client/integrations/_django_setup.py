"""Read ``JWKS_CLIENT`` and ``JWKS_OPTIONS`` from a Django project's settings, and start the client.

Must not depend on: requests, Django REST framework.
"""

from __future__ import annotations

import asyncio
import atexit
import functools
import inspect
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Final, Protocol

from django.conf import settings
from django.core.signals import request_finished, request_started, setting_changed
from django.utils.module_loading import import_string

from .._client.access import is_asynchronous
from .._client.keeper import keeper_of
from .._core.callables import is_coroutine_function
from .._core.settings import flag
from .._web.guard import Guard, checked_warm_up, required_start
from .._web.starlette_connection import GuardSettings
from ..errors import ConfigurationError

__all__ = [
    "client_from_settings",
    "guard_from_settings",
    "guard_of",
    "options_from_settings",
    "start",
    "start_with_requests",
]

_OF_GUARD: Final = frozenset(GuardSettings.__annotations__)
_guards: Final[list[Guard[Any]]] = []  # at most one
_OPTIONS: Final = _OF_GUARD | {
    *("optional", "exclude", "preflight", "warm_up", "keep_fresh", "close_client"),
}


class Background(Protocol):
    """Begins the background work of a client, unless it has begun in this process."""

    def __call__(self, *, under_asgi: bool) -> None:
        """Begin it."""
        ...


def client_from_settings() -> Any:
    """Return the client that ``JWKS_CLIENT`` names.

    Raises ConfigurationError ``JWKS_CLIENT``.
    """
    path = getattr(settings, "JWKS_CLIENT", None)
    if not isinstance(path, str) or "." not in path:
        raise ConfigurationError(
            "JWKS_CLIENT",
            "must be the dotted path of a client in the Django settings, such as "
            f"'project.auth.client', got {path!r}",
        )
    try:
        client = import_string(path)
    except ImportError as error:
        raise ConfigurationError(
            "JWKS_CLIENT", f"must be the dotted path of a client, got {path!r}: {error}"
        ) from error
    if inspect.isclass(client) or not callable(getattr(client, "verify", None)):
        found = "a class" if inspect.isclass(client) else type(client).__name__
        raise ConfigurationError(
            "JWKS_CLIENT", f"must name a JWKSClient or an AsyncJWKSClient, got {found} at {path!r}"
        )
    return client


def options_from_settings() -> Mapping[str, Any]:
    """Return the options in ``JWKS_OPTIONS``; their values are checked where they are used.

    Raises ConfigurationError ``JWKS_OPTIONS``.
    """
    options = getattr(settings, "JWKS_OPTIONS", {})
    if not isinstance(options, Mapping):
        raise ConfigurationError("JWKS_OPTIONS", f"must be a dict, got {type(options).__name__}")
    unknown = [name for name in options if name not in _OPTIONS]
    if unknown:
        raise ConfigurationError(
            "JWKS_OPTIONS",
            f"has no option {unknown[0]!r}; the options are {', '.join(sorted(_OPTIONS))}",
        )
    return options


def guard_of(client: Any, options: Mapping[str, Any], *, sync_because: str | None) -> Guard[Any]:
    """Return the guard of a client, with the options that concern requests and answers.

    Arguments:
        client: a sync or async client.
        options: the options in ``JWKS_OPTIONS``.
        sync_because: why the integration cannot await, or None if it can.

    Raises ConfigurationError ``JWKS_CLIENT`` for an async client where nothing can await it.
    """
    asynchronous = is_asynchronous(client)
    if asynchronous and sync_because is not None:
        raise ConfigurationError(
            "JWKS_CLIENT", f"must be a JWKSClient here, got an AsyncJWKSClient: {sync_because}"
        )
    return Guard(
        client,
        asynchronous=asynchronous,
        optional=options.get("optional") is True,
        **{name: value for name, value in options.items() if name in _OF_GUARD},
    )


def guard_from_settings() -> Guard[Any]:
    """Return the guard of the settings, for Django REST framework without the middleware.

    It is made again if ``JWKS_CLIENT`` names another object, because tests replace the client.
    """
    client = client_from_settings()
    if not _guards or _guards[0].client is not client:
        why = "Django REST framework does not await, so it needs JWKSMiddleware for that client"
        _guards[:] = [guard_of(client, options_from_settings(), sync_because=why)]
    return _guards[0]


def start_with_requests() -> None:
    """Load the keys in the background from the first request of a process, without the middleware.

    Django REST framework imports this package while the first request is routed, so that request
    starts the loading at its end.
    """
    for signal in (request_started, request_finished):
        signal.connect(_begin, dispatch_uid="jwks_client.start")


def _begin(sender: object = None, scope: object = None, **_: object) -> None:
    with suppress(Exception):  # a wrong setting is an error where a token is read
        begin = _background_from_settings()
        if begin is not None:
            begin(under_asgi=scope is not None or _is_asgi(sender))


def _is_asgi(handler: object) -> bool:
    """Return whether Django's handler of a request is the one for ASGI."""
    asgi: Any = sys.modules.get("django.core.handlers.asgi")
    return asgi is not None and isinstance(handler, type) and issubclass(handler, asgi.ASGIHandler)


@functools.cache
def _background_from_settings() -> Background | None:
    guard, options = guard_from_settings(), options_from_settings()
    if options.get("warm_up", "background") == "required":
        return None  # nothing waits for the keys without the middleware
    return _background(guard.client, options)


def _forget_settings(setting: str, **_: object) -> None:
    if setting in ("JWKS_CLIENT", "JWKS_OPTIONS"):
        _guards.clear()
        _background_from_settings.cache_clear()


setting_changed.connect(_forget_settings, dispatch_uid="jwks_client.guard")  # by tests


def start(client: Any, options: Mapping[str, Any]) -> Background | None:
    """Load the keys now if ``warm_up`` is ``"required"``; return what each request must call.

    Django reports neither the start nor the end of a server. ``close_client`` closes the client
    when the interpreter exits.
    """
    begin = _background(client, options)
    closes = flag("close_client", options.get("close_client", False))
    if options.get("warm_up") == "required":
        _call(required_start(client))
    if closes:
        close = client.aclose if is_asynchronous(client) else client.close
        atexit.register(_call, close)
    return begin


def _background(client: Any, options: Mapping[str, Any]) -> Background | None:
    """Return what begins the background work of a client, if there is any.

    The server may fork after the middleware is made, so the work begins with the first request of
    a process. As in the ASGI and WSGI middlewares, keys are only kept fresh under ASGI.
    """
    warm_up = checked_warm_up(options.get("warm_up", "background"))
    keeps_fresh = flag("keep_fresh", options.get("keep_fresh", True))
    keeper = None if warm_up is None else keeper_of(client)
    if keeper is None:
        return None

    def begin(*, under_asgi: bool) -> None:
        keeper.begin(keep_fresh=keeps_fresh and under_asgi)

    return begin


def _call(function: Callable[[], Any]) -> None:
    """Call a method of a client; a coroutine runs on a new event loop.

    An ASGI server creates the app inside its running event loop, so the new loop needs a thread.
    """
    if not is_coroutine_function(function):
        function()
        return
    failures: list[BaseException] = []

    def run() -> None:
        try:
            asyncio.run(function())
        except BaseException as error:  # noqa: BLE001 (raised below)
            failures.append(error)

    thread = threading.Thread(target=run, name="jwks-client call", daemon=True)
    thread.start()
    thread.join()
    if failures:
        raise failures[0]
