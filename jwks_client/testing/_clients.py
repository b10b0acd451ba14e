"""Clients wired to a fake provider, and its routes on a respx router.

Must not depend on how the provider responds. It imports httpx, so it is imported only when a
client is requested.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Protocol, TypedDict
from urllib.parse import urlsplit

import httpx

from .. import AsyncJWKSClient, CachePolicy, FetchPolicy, JWKSClient, Provider
from ..protocols import Clock, Listener, Store

if TYPE_CHECKING:
    from ._serving.transport import FakeTransport

__all__ = [
    "AsyncClientSettings",
    "ClientSettings",
    "Router",
    "async_client",
    "route",
    "sync_client",
]


class CommonSettings(TypedDict, total=False):
    """The settings that both clients have in common, without the providers."""

    max_resolved: int
    resolve_ttl: float
    cache: CachePolicy
    fetch: FetchPolicy
    token_cache_size: int
    http: Any
    store: Store | None
    count_keys: bool
    listeners: Iterable[Listener]
    clock: Clock | None


class ClientSettings(CommonSettings, total=False):
    """The settings of a `JWKSClient`."""

    resolve: Callable[[str], Provider | None] | None


class AsyncClientSettings(CommonSettings, total=False):
    """The settings of an `AsyncJWKSClient`."""

    resolve: Callable[[str], Provider | Awaitable[Provider | None] | None] | None


class Router(Protocol):
    """The part of respx's router that this module uses."""

    @property
    def route(self) -> Callable[..., Any]:
        """Add a route with the patterns given as keyword arguments."""
        ...


def sync_client(
    providers: tuple[Provider, ...], transport: FakeTransport, settings: Mapping[str, Any]
) -> JWKSClient:
    """Return a sync client that fetches through a transport, unless the settings have ``http``."""
    http = settings.get("http") or httpx.Client(transport=transport, trust_env=False)
    wired: dict[str, Any] = {**settings, "http": http}
    return JWKSClient(*providers, **wired)


def async_client(
    providers: tuple[Provider, ...], transport: FakeTransport, settings: Mapping[str, Any]
) -> AsyncJWKSClient:
    """Return an async client, as `sync_client` does."""
    http = settings.get("http") or httpx.AsyncClient(transport=transport, trust_env=False)
    wired: dict[str, Any] = {**settings, "http": http}
    return AsyncJWKSClient(*providers, **wired)


def route(router: Router, transport: FakeTransport, base_url: str, paths: tuple[str, ...]) -> None:
    """Add a route to a respx router for these paths on a base URL's host."""

    def answer(request: httpx.Request) -> Any:
        # respx calls the same function for both kinds of client. If a loop runs in this thread, the
        # client is async and awaits the result, so that a held response blocks no other task.
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return transport.handle_request(request)
        return transport.handle_async_request(request)

    added = router.route(host=urlsplit(base_url).hostname, path__in=paths, name="jwks")
    added.mock(side_effect=answer)
