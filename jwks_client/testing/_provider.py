"""The fake provider: its transports, its failures, and the requests that it received.

Must not depend on how responses are chosen (`_serving.responder`) or on sockets
(`_serving.servers`). Slow modules are imported when they are used.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Self, Unpack

from .. import Provider
from .._core.unchecked import Unchecked
from ..protocols import Clock
from ._documents import Documents, documents_of
from ._identity import NOWHERE
from ._issuer import Issuer
from ._serving.responder import Document, Failure, Responder
from ._shapes.shape import Shape

if TYPE_CHECKING:
    from .. import AsyncJWKSClient, JWKSClient
    from ._clients import ClientSettings, Router
    from ._serving.gate import Hold
    from ._serving.responder import Request, Turn
    from ._serving.servers import FakeApp
    from ._serving.transport import FakeTransport

__all__ = ["FakeProvider"]


class FakeProvider(Issuer):
    """An identity provider in memory, for tests and development only.

    It has three interfaces that behave alike: `transport` (httpx, no sockets), `app` (ASGI) and
    `serve` (real HTTP on loopback). They serve three paths, below the path of the issuer if it has
    one: ``/.well-known/jwks.json``, ``/.well-known/openid-configuration`` and, placed as
    RFC 8414 requires, ``/.well-known/oauth-authorization-server``. It is safe to use from any
    thread.

    Keys are named ``key-1``, ``key-2`` … in each provider, so a second provider with the same
    issuer is a forger: its first token names the kid of the first provider's first key. Two
    existing providers never share a key.

    As a context manager, it recovers at the end and closes the clients made by `client`.

    Arguments:
        issuer: the ``iss`` of its tokens. None: the served base URL, and
            ``https://issuer.test`` outside `serve`.
        audience: the ``aud`` of its tokens: one, several, or ``providers.UNCHECKED`` for tokens
            without.
        algorithm: of its keys: RS256 RS384 RS512 PS256 PS384 PS512 ES256 ES384 ES512
            ES256K EdDSA Ed25519 Ed448 ML-DSA-44 ML-DSA-65 ML-DSA-87; else ValueError.
        clock: an object whose ``time()`` is used for tokens, such as a `FakeClock`. None: the
            system's clock.

    Attributes:
        answer_headers: headers of every successful response with the key set (``Cache-Control``,
            ``Age``, …), overriding the defaults. With an ``ETag`` or ``Last-Modified``, a request
            with the same value is answered 304, even if the keys have changed: change it with the
            keys.
    """

    def __init__(
        self,
        issuer: str | None = NOWHERE,
        audience: str | tuple[str, ...] | Unchecked = "api",
        algorithm: str = "RS256",
        clock: Clock | None = None,
    ) -> None:
        super().__init__(issuer, audience, algorithm, clock)
        self._responder = Responder(self._lock)
        self._closing = ExitStack()

    # Failure and recovery.

    def fail(
        self,
        how: Failure,
        *,
        headers: Mapping[str, str] | None = None,
        only: Document | None = None,
    ) -> None:
        """Fail all further requests in this way, until `recover` or another `fail`.

        ==================  ==================================================================
        a status, 200-599   that status, with a small JSON body
        an exception        an instance or a class; `transport` and `app` raise it;
                            `serve` closes the connection without a response
        ``"hang"``          the request is accepted and never answered. `transport`:
                            ``httpx.ReadTimeout`` after the request's own read timeout; `app`
                            and `serve`: silence until the client disconnects
        ``"empty"``         200 with a key set without keys
        ``"html"``          200 with an HTML page
        bytes               200 with this body as the key set
        ==================  ==================================================================

        Arguments:
            how: see the table; any other value is a ValueError.
            headers: headers of that response, such as ``{"Retry-After": "120"}``.
            only: fail for this document alone: ``"jwks.json"``, ``"openid-configuration"`` or
                ``"oauth-authorization-server"``. None: for all.
        """
        self._responder.fail(how, headers=headers, only=only)

    def delay(self, seconds: float) -> None:
        """Delay each further response by so many real seconds; 0: not at all.

        For tests of real timeouts. A test that needs a late response without waiting itself uses
        `hold`. The delay ends with `recover`. Through `transport`, a request whose read
        timeout is not longer than the delay is ``httpx.ReadTimeout``.
        """
        self._responder.slow(delay=seconds)

    def drip(self, octets: int = 1, every: float = 0.05) -> None:
        """Send each further body in pieces of so many octets, so many real seconds apart.

        This ends with `recover`, also for a response in progress.
        """
        self._responder.slow(drip=(octets, every))

    def recover(self) -> None:
        """End failures, delays and drips. Hanging requests end now, without a response."""
        self._responder.recover()

    def hold(self, *, only: Document | None = None) -> AbstractContextManager[Hold]:
        """Hold back the responses to requests that arrive in the block: a gate for tests.

        ::

            with idp.hold() as held:
                …                              # start something that fetches
                held.wait()                    # until a request arrived (await held.wait_async())
                …                              # the fetch is in flight now
                held.release()                 # respond, as at the end of the block

        A held request gets the response of the moment it arrived, as on a slow network; through
        `transport` it waits no longer than its own read timeout. Holds may be nested: a request
        belongs to the latest one that is not released. A hanging request counts as arrived and
        continues to hang.

        Arguments:
            only: hold requests for this document alone, as in `fail`.
        """
        return self._responder.hold(only=only)

    # Requests.

    @property
    def fetches(self) -> int:
        """How many GET requests for the key set have arrived, whether or not they succeeded."""
        return self._responder.fetches

    @property
    def requests(self) -> list[Request]:
        """The requests that have arrived, oldest first, with ``method``, ``path`` and ``headers``.

        Header names are in lower case. The last 10 000 requests are kept.
        """
        return self._responder.requests

    @property
    def answer_headers(self) -> dict[str, str]:
        return self._responder.answer_headers

    @answer_headers.setter
    def answer_headers(self, headers: Mapping[str, str]) -> None:
        self._responder.answer_headers = dict(headers)

    # Interfaces.

    def client(self, *providers: Provider, **settings: Unpack[ClientSettings]) -> JWKSClient:
        """Return a `JWKSClient` for this provider, with its `transport` and clock.

        Arguments:
            providers: the accepted providers; by default `provider`.
            settings: any setting of the client, overriding these.
        """
        from ._clients import sync_client

        client = sync_client(self, providers, settings)
        self._closing.callback(client.close)
        return client

    def async_client(
        self, *providers: Provider, **settings: Unpack[ClientSettings]
    ) -> AsyncJWKSClient:
        """Return an `AsyncJWKSClient`, as `client` does; it need not be closed."""
        from ._clients import async_client

        return async_client(self, providers, settings)

    def mock(self, router: Router) -> None:
        """Add this provider's URLs to a respx router.

        For code that makes its own HTTP clients and stays unchanged. One route is added,
        named ``jwks``, for the key set and the metadata; other routes are not changed.

        Arguments:
            router: ``respx.mock``, or the fixture ``respx_mock``.
        """
        from ._clients import route

        with self._lock:
            paths = tuple(self._documents())
        route(router, self.transport, self.base_url, paths)

    @property
    def transport(self) -> FakeTransport:
        """A transport for ``httpx.Client`` and ``httpx.AsyncClient``, for any host."""
        from ._serving.transport import FakeTransport

        return FakeTransport(self._turn_for)

    @property
    def app(self) -> FakeApp:
        """An ASGI app; a hanging request ends with `recover`, or when the client disconnects."""
        from ._serving.servers import FakeApp

        return FakeApp(self._turn_for)

    @contextmanager
    def serve(self, port: int = 0, *, tls: bool = False) -> Generator[str]:
        """Serve on 127.0.0.1 during the block, in background threads; yield the base URL.

        In the block, `base_url`, `provider` and the published ``jwks_uri`` use that URL. After
        it, no thread, socket or connection is left; hanging and held requests end without a
        response.

        Arguments:
            port: 0 for any free port. A port in use is an OSError.
            tls: serve https, with a certificate by a private authority. Clients trust it with
                ``FetchPolicy(ca_file=idp.ca_file)``.

        Serving a provider again within the block is a RuntimeError.
        """
        from ._serving.servers import serve

        context = None
        if tls:
            from ._keys.certificates import authority

            context = authority().server_context()
        with serve(self._turn_for, port, context) as base_url:
            with self._lock:
                if self._served_at is not None:
                    raise RuntimeError(
                        f"this provider is already being served at {self._served_at}"
                    )
                self._served_at = base_url
            try:
                yield base_url
            finally:
                with self._lock:
                    self._served_at = None

    @property
    def ca_file(self) -> str:
        """The authority behind ``serve(tls=True)``: a PEM file, removed when the process ends."""
        from ._keys.certificates import authority

        return authority().ca_file

    @property
    def ca_pem(self) -> str:
        """The same authority as PEM text. It is made on first use, once per process."""
        from ._keys.certificates import authority

        return authority().pem

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.recover()
        self._closing.close()

    def __repr__(self) -> str:
        return f"FakeProvider(issuer={self.issuer!r}, algorithm={self.algorithm!r})"

    # Internal.

    def _reshaped(self, shape: Shape) -> None:
        self._responder.usual_headers = shape.answer_headers

    def _turn_for(self, request: Request) -> Turn:
        with self._lock:
            return self._responder.turn_for(request, self._documents())

    def _documents(self) -> Documents:
        shape = self._shape
        return documents_of(self, shape.document_members, shaped=shape.provider is not None)
