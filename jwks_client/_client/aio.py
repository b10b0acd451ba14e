"""`AsyncJWKSClient`: carries out the rules on event loops.

This module decides how a caller waits. It must not depend on the sync client.
"""

from __future__ import annotations

import asyncio
import sys
from asyncio import _get_running_loop as running_loop  # pyright: ignore[reportPrivateUsage] (in C)
from collections.abc import Awaitable, Callable, Generator, Mapping
from typing import Any, Final, Self, TypeVar, cast

from .._core.keysets.jwk import Key, KeySet
from .._core.provider import Provider
from .._core.tokens.explain import Explanation
from .._core.tokens.verified import VerifiedToken
from ..errors import JWKSError
from ..protocols import AsyncHTTPClient
from .base import BaseClient
from .issuers.resolver_call import Resolution
from .keysets.flights import Wait
from .keysets.task_flights import wait
from .verify.waiting import Want

CLOSING: Final = 1.0  # seconds for which `aclose` waits for the end of a flight
T = TypeVar("T")


class AsyncJWKSClient(
    BaseClient[Callable[[str], Provider | Awaitable[Provider | None] | None], AsyncHTTPClient]
):
    """Verifies JWTs of one or more providers, in asyncio; one client may serve many event loops.

    Arguments:
        providers: the providers whose tokens are accepted.
        resolve: a function, or a coroutine function, that receives an issuer which no provider
            names, and returns that issuer's `Provider` from the application's own records, or
            None.
        max_resolved: how many resolved providers are kept (1 to 100 000).
        resolve_ttl: seconds (at least 1) after which ``resolve`` is asked again.
        cache: how long keys are used.
        fetch: how keys are fetched, and the limits on a fetch.
        token_cache_size: how many verified tokens are remembered; 0 for none.
        http: an ``httpx.AsyncClient``, or a client with the same methods, for all fetches. The
            caller closes it.
        store: where processes share key sets; from `jwks_client.stores`, or a custom store.
        count_keys: whether `usage` counts the tokens that each key verifies.
        listeners: callables that receive each event of `jwks_client.events`.
        clock: an object with ``time()`` and ``monotonic()``; by default the system's.

    Raises `ConfigurationError` naming the setting.
    """

    _asynchronous = True

    async def verify(
        self,
        token: str | bytes,
        *,
        provider: str | None = None,
        claim_values: Mapping[str, Any] | None = None,
    ) -> VerifiedToken:
        """Verify a token; see `JWKSClient.verify`."""
        # In Python 3.11 the check makes a system call, which most processes need not pay for.
        if "trio" in sys.modules:
            check_asyncio()
        begun = self._begin(token, provider, claim_values)
        if type(begun) is VerifiedToken:
            return begun
        if isinstance(begun, JWKSError):
            try:
                raise begun
            finally:
                del begun  # or the error's traceback would hold the frame that holds the error
        return await self._drive(begun)

    async def get_signing_key(
        self, kid: str | None, *, alg: str | None = None, provider: str | None = None
    ) -> Key:
        """Return the key of a kid; see `JWKSClient.get_signing_key`."""
        return await self._drive(self._requests.signing_key(kid, alg, provider))

    async def get_signing_key_from_jwt(self, token: str | bytes) -> Key:
        """Return the key that a token names; see `JWKSClient.get_signing_key_from_jwt`."""
        return await self._drive(self._requests.key_of_token(token))

    async def keys(self, provider: str | None = None) -> KeySet:
        """Return the cached key set, fetched if none is cached; see `JWKSClient.keys`."""
        return await self._drive(self._requests.key_set(provider))

    async def refresh(self, provider: str | None = None) -> None:
        """Fetch now, regardless of budgets and backoff; see `JWKSClient.refresh`."""
        await self._drive(self._requests.refresh(provider))

    async def warm_up(self, timeout: float = 10) -> None:  # noqa: ASYNC109 (the contract's name)
        """Load all providers concurrently; see `JWKSClient.warm_up`."""
        await self._drive(self._requests.warm_up(timeout))

    async def _warm_up_required(self) -> None:
        """Load the required providers; see `JWKSClient`."""
        await self._drive(self._requests.warm_up(10, required=True))

    async def explain(self, token: str | bytes) -> Explanation:
        """Return every key and check with its outcome, for people; see `JWKSClient.explain`."""
        return await self._drive(self._verifier.explained(token))

    async def aclose(self) -> None:
        """End all flights. Fresh keys still verify; a fetch raises KeysUnavailableError."""
        check_asyncio()
        flying = self._flights.close()
        self._keeper.end()
        if self._tenants is not None:
            calls = self._tenants.close()
            if calls:
                await asyncio.wait(calls)
        for flight in flying:
            await wait(Wait(flight, CLOSING, over=True))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def _drive(self, steps: Generator[Want, object, T]) -> T:
        check_asyncio()
        value: object = None
        error: Exception | None = None
        while True:
            # Resumed outside any except block, so that no error of this library gets a context.
            try:
                want = steps.send(value) if error is None else steps.throw(error)
            except StopIteration as done:
                return cast("T", done.value)
            value, error = None, None
            if isinstance(want, Wait):
                await wait(want)
                continue
            if isinstance(want, Resolution):
                await want.waited()
                continue
            try:
                value = await cast("Any", want)
            except Exception as raised:  # noqa: BLE001 (the application's check)
                error = raised


def check_asyncio() -> None:
    """Raise RuntimeError, saying what to do instead, unless an asyncio event loop runs."""
    if running_loop() is None:
        raise RuntimeError(
            "AsyncJWKSClient needs a running asyncio event loop; under trio, use JWKSClient in a "
            "thread: await trio.to_thread.run_sync(client.verify, token)"
        )
