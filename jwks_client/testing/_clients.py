"""Clients wired to a fake provider, and its routes on a respx router.

Owns: this wiring. May not know: how the provider answers. This module imports httpx, so it is
imported only when a client is asked for.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Protocol, TypedDict
from urllib.parse import urlsplit

import httpx

from .. import AsyncJWKSClient, CachePolicy, FetchPolicy, JWKSClient, Provider
from ..protocols import Clock, Listener, Store

if TYPE_CHECKING:
    from ._provider import FakeProvider
    from ._serving.transport import FakeTransport

__all__ = ["ClientSettings", "Router", "async_client", "route", "sync_client"]


class ClientSettings(TypedDict, total=False):
    """Settings of both clients, beside the providers."""

    cache: CachePolicy
    fetch: FetchPolicy
    token_cache_size: int
    http: Any
    store: Store | None
    listeners: Iterable[Listener]
    clock: Clock | None


class Router(Protocol):
    """The shape of respx's routers, as far as it is used."""

    @property
    def route(self) -> Callable[..., Any]:
        """Adds a route of patterns, by keyword."""
        ...


def sync_client(
    idp: FakeProvider, providers: tuple[Provider, ...], settings: Mapping[str, Any]
) -> JWKSClient:
    """A client for threads."""
    http = settings.get("http") or httpx.Client(transport=idp.transport, trust_env=False)
    wired: dict[str, Any] = {"clock": idp.clock, **settings, "http": http}
    return JWKSClient(*(providers or (idp.provider,)), **wired)


def async_client(
    idp: FakeProvider, providers: tuple[Provider, ...], settings: Mapping[str, Any]
) -> AsyncJWKSClient:
    """A client for event loops."""
    http = settings.get("http") or httpx.AsyncClient(transport=idp.transport, trust_env=False)
    wired: dict[str, Any] = {"clock": idp.clock, **settings, "http": http}
    return AsyncJWKSClient(*(providers or (idp.provider,)), **wired)


def route(router: Router, transport: FakeTransport, base_url: str, paths: tuple[str, ...]) -> None:
    """Answer on a respx router what is asked at these paths of a base URL's host."""

    def answer(request: httpx.Request) -> Any:
        # respx asks the same callable for both kinds of client. Where a loop runs in this thread it
        # is the async one's, which awaits what it is given: a held answer holds nobody else.
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return transport.handle_request(request)
        return transport.handle_async_request(request)

    added = router.route(host=urlsplit(base_url).hostname, path__in=paths, name="jwks")
    added.mock(side_effect=answer)
