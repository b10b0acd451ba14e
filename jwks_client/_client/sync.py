"""`JWKSClient`: carries out the rules in threads.

This module decides how a caller waits. It must not depend on the async client.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Generator, Mapping
from typing import TYPE_CHECKING, Any, Final, Self, TypeVar, cast

from .._core.keysets.jwk import Key, KeySet
from .._core.provider import Provider
from .._core.tokens.verified import VerifiedToken
from ..errors import JWKSError
from ..protocols import HTTPClient
from .base import BaseClient
from .issuers.resolver_call import Resolution
from .keysets.flights import Wait
from .keysets.thread_flights import wait
from .verify.waiting import Want

if TYPE_CHECKING:
    from .._core.tokens.explain import Explanation

CLOSING: Final = 2.0  # seconds for which `close` waits for the end of a flight
T = TypeVar("T")


class JWKSClient(BaseClient[Callable[[str], Provider | None], HTTPClient]):
    """Verifies JWTs of one or more providers, in threads; one client serves a whole process.

    Arguments:
        providers: the providers whose tokens are accepted.
        resolve: a function that receives an issuer which no provider names, and returns that
            issuer's `Provider` from the application's own records, or None. Runs in its own
            thread.
        max_resolved: how many resolved providers are kept (1 to 100 000).
        resolve_ttl: seconds (at least 1) after which ``resolve`` is asked again.
        cache: how long keys are used.
        fetch: how keys are fetched, and the limits on a fetch.
        token_cache_size: how many verified tokens are remembered; 0 for none.
        http: an ``httpx.Client``, or a client with the same methods, for all fetches. It is never
            closed.
        store: where processes share key sets; from `jwks_client.stores`, or a custom store.
        count_keys: whether `usage` counts the tokens that each key verifies.
        listeners: callables that receive each event of `jwks_client.events`.
        clock: an object with ``time()`` and ``monotonic()``; by default the system's.

    Raises `ConfigurationError` naming the setting.
    """

    def verify(
        self,
        token: str | bytes,
        *,
        provider: str | None = None,
        claim_values: Mapping[str, Any] | None = None,
    ) -> VerifiedToken:
        """Verify a token: its shape, its signature, its claims (RFC 7515, RFC 7519, RFC 8725).

        Arguments:
            token: the compact token, without ``Bearer``.
            provider: the name of the only provider to try; by default the token's issuer decides.
            claim_values: claims that must have exactly these JSON values in this call (a nonce).

        Returns the verified token. Raises `TokenError` if the token is refused, and
        `KeysUnavailableError` if the keys are unavailable. A token causes no other error. Raises
        ValueError for an unknown provider name or a value that is not JSON.
        """
        begun = self._begin(token, provider, claim_values)
        if type(begun) is VerifiedToken:
            return begun
        if isinstance(begun, JWKSError):
            try:
                raise begun
            finally:
                del begun  # or the error's traceback would hold the frame that holds the error
        return self._drive(begun)

    def get_signing_key(
        self, kid: str | None, *, alg: str | None = None, provider: str | None = None
    ) -> Key:
        """Return the key of a kid, fetched if needed. ``jwt.decode`` accepts its ``key``.

        Arguments:
            kid: the key ID, or None if the provider's only key has none.
            alg: the algorithm that the key must fit; by default any of the provider's algorithms.
            provider: the provider's name; optional if the client has one provider.

        Raises TokenError ``unknown_key``, ``ambiguous_key`` or ``algorithm_not_allowed``;
        KeysUnavailableError; ConfigurationError if the provider must be named.
        """
        return self._drive(self._requests.signing_key(kid, alg, provider))

    def get_signing_key_from_jwt(self, token: str | bytes) -> Key:
        """Return the key that a token names. The token is not verified.

        Raises TokenError for shape and algorithm, as `verify` does, and the errors of
        `get_signing_key`.
        """
        return self._drive(self._requests.key_of_token(token))

    def keys(self, provider: str | None = None) -> KeySet:
        """Return the cached key set, fetched if none is cached. Raises KeysUnavailableError.

        Arguments:
            provider: the provider's name; optional if the client has one provider.
        """
        return self._drive(self._requests.key_set(provider))

    def refresh(self, provider: str | None = None) -> None:
        """Fetch now, regardless of budgets and backoff, or join the in-flight fetch.

        Arguments:
            provider: the provider's name; by default all providers, concurrently.

        Raises KeysUnavailableError: the first failure, in the order of the providers.
        """
        self._drive(self._requests.refresh(provider))

    def warm_up(self, timeout: float = 10) -> None:
        """Load all providers concurrently, at startup. Try all, then raise the first failure.

        Arguments:
            timeout: maximum wait in seconds, from 0 to an hour.

        Raises KeysUnavailableError; ValueError if the timeout is not such a number.
        """
        self._drive(self._requests.warm_up(timeout))

    def _warm_up_required(self) -> None:
        """Load the required providers, and begin to load the others."""
        self._drive(self._requests.warm_up(10, required=True))

    def explain(self, token: str | bytes) -> Explanation:
        """Return every key considered and every check with its outcome, for people, not responses.

        Arguments:
            token: the compact token. It is verified as in `verify`, fetches included, but without
                the memory of verified tokens. The verdict is neither raised nor emitted.
        """
        return self._drive(self._verifier.explained(token))

    def close(self) -> None:
        """End all flights. Fresh keys still verify; a fetch raises KeysUnavailableError."""
        flying = self._flights.close()
        self._keeper.end()
        if self._tenants is not None:
            self._tenants.close()
        for flight in flying:
            wait(Wait(flight, CLOSING, over=True))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _drive(self, steps: Generator[Want, object, T]) -> T:
        error: Exception | None = None
        while True:
            # Resumed outside any except block, so that no error of this library gets a context.
            try:
                want = next(steps) if error is None else steps.throw(error)
            except StopIteration as done:
                return cast("T", done.value)
            error = None
            if isinstance(want, Wait):
                wait(want)
            elif isinstance(want, Resolution):
                want.wait()
            else:
                error = TypeError(
                    "a check returned an awaitable, which the sync client cannot await"
                )
                if inspect.iscoroutine(want):
                    want.close()
