"""The fake provider: how it is reached, what a test may do to it, and what was asked of it.

Owns: the ways in and the controls. May not know: who it is (`_identity`), what it issues
(`_issuer`), how it answers and fails (`_responder`), sockets (`_wire`). What costs something is
imported on use.
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

    It is reached in three ways that behave alike: `transport` (httpx, no sockets), `app` (ASGI) and
    `serve` (real HTTP on loopback). They answer three paths, under the path of the issuer if it has
    one: ``/.well-known/jwks.json``, ``/.well-known/openid-configuration`` and, placed as
    RFC 8414 says, ``/.well-known/oauth-authorization-server``. All methods may be called from any
    thread.

    Keys are named ``key-1``, ``key-2`` … in each provider, so a second provider with the same
    issuer is a forger: its first token names the kid of the first provider's first key. Two
    providers that live never share a key.

    As a context manager it recovers at the end, and closes the clients of `client`.

    Arguments:
        issuer: the ``iss`` of its tokens. None: the base URL at which it is served, and
            ``https://issuer.test`` outside `serve`.
        audience: the ``aud`` of its tokens: one, several, or ``providers.UNCHECKED`` for tokens
            without.
        algorithm: what its keys sign with: RS256 RS384 RS512 PS256 PS384 PS512 ES256 ES384 ES512
            ES256K EdDSA Ed25519 Ed448 ML-DSA-44 ML-DSA-65 ML-DSA-87; else ValueError.
        clock: an object whose ``time()`` dates the tokens, such as a `FakeClock`. None: the
            system's.

    Attributes:
        answer_headers: headers of every good answer with the key set (``Cache-Control``, ``Age``,
            …), over the usual ones. With an ``ETag`` or ``Last-Modified`` among them, a request
            that names the same is answered 304, whatever the keys are by then: change it where the
            keys change.
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
        """Answer all that arrives from now on in this way, until `recover` or another `fail`.

        ==================  ==================================================================
        a status, 200-599   that status, with a small JSON body
        an exception        an instance or a class; raised by `transport` and by `app`;
                            served, the connection is closed without an answer
        ``"hang"``          the request is accepted and never answered. `transport`:
                            ``httpx.ReadTimeout`` after the request's own read timeout; `app`
                            and served: silence until the other side gives up
        ``"empty"``         200 with a key set without keys
        ``"html"``          200 with a page of HTML
        bytes               200 with this very body, as a key set
        ==================  ==================================================================

        Arguments:
            how: see the table; anything else is a ValueError.
            headers: headers of that answer, such as ``{"Retry-After": "120"}``.
            only: fail for this document alone: ``"jwks.json"``, ``"openid-configuration"`` or
                ``"oauth-authorization-server"``. None: whatever is asked.
        """
        self._responder.fail(how, headers=headers, only=only)

    def delay(self, seconds: float) -> None:
        """Answer each request that arrives from now on so many real seconds late; 0: at once.

        For servers and timeouts as they are. A test that wants an answer to be late, and not to
        wait itself, uses `hold`. It ends with `recover`. Through `transport` a request whose read
        timeout is no longer than that is ``httpx.ReadTimeout``.
        """
        self._responder.slow(delay=seconds)

    def drip(self, octets: int = 1, every: float = 0.05) -> None:
        """Send each body from now on in pieces of so many octets, so many real seconds apart.

        It ends with `recover`, also for an answer that is under way.
        """
        self._responder.slow(drip=(octets, every))

    def recover(self) -> None:
        """Answer well and at once again. Requests that hang are ended now, and have no answer."""
        self._responder.recover()

    def hold(self, *, only: Document | None = None) -> AbstractContextManager[Hold]:
        """Hold back the answers to requests that arrive inside the block: a gate for tests.

        ::

            with idp.hold() as held:
                …                              # start what will ask
                held.wait()                    # until a request is there (await held.wait_async())
                …                              # it is in the air now
                held.release()                 # the answers go out, as at the end of the block

        A held request gets the answer of the moment it arrived, as on a slow network; through
        `transport` it waits no longer than its own read timeout. Holds may be nested: a request
        belongs to the youngest that is not released. A request that hangs counts as arrived, and
        hangs on.

        Arguments:
            only: hold requests for this document alone, as in `fail`.
        """
        return self._responder.hold(only=only)

    # What was asked.

    @property
    def fetches(self) -> int:
        """How many GETs of the key set have arrived, whatever became of them."""
        return self._responder.fetches

    @property
    def requests(self) -> list[Request]:
        """What has arrived, oldest first: each its ``method``, ``path`` and ``headers``.

        Names of headers are in lower case. The last 10 000 requests are kept.
        """
        return self._responder.requests

    @property
    def answer_headers(self) -> dict[str, str]:
        return self._responder.answer_headers

    @answer_headers.setter
    def answer_headers(self, headers: Mapping[str, str]) -> None:
        self._responder.answer_headers = dict(headers)

    # How it is reached.

    def client(self, *providers: Provider, **settings: Unpack[ClientSettings]) -> JWKSClient:
        """A `JWKSClient` for this provider, over `transport` and on its clock.

        Arguments:
            providers: whose tokens it accepts; none: `provider`.
            settings: any setting of the client, over those.
        """
        from ._clients import sync_client

        client = sync_client(self, providers, settings)
        self._closing.callback(client.close)
        return client

    def async_client(
        self, *providers: Provider, **settings: Unpack[ClientSettings]
    ) -> AsyncJWKSClient:
        """An `AsyncJWKSClient`, otherwise as `client`; it holds nothing that must be closed."""
        from ._clients import async_client

        return async_client(self, providers, settings)

    def mock(self, router: Router) -> None:
        """Answer, on a respx router, what is asked at this provider's URLs.

        For code that opens connections of its own: nothing in it is replaced. One route is added,
        named ``jwks``, for the key set and the metadata; other routes stay as they are.

        Arguments:
            router: ``respx.mock``, or the fixture ``respx_mock``.
        """
        from ._clients import route

        with self._lock:
            paths = tuple(self._documents())
        route(router, self.transport, self.base_url, paths)

    @property
    def transport(self) -> FakeTransport:
        """A transport for ``httpx.Client`` and ``httpx.AsyncClient``; it answers for any host."""
        from ._serving.transport import FakeTransport

        return FakeTransport(self._turn_for)

    @property
    def app(self) -> FakeApp:
        """An ASGI app; where nobody gives up, a hanging request ends with `recover`."""
        from ._serving.servers import FakeApp

        return FakeApp(self._turn_for)

    @contextmanager
    def serve(self, port: int = 0, *, tls: bool = False) -> Generator[str]:
        """Serve on 127.0.0.1 until the block ends, from threads of its own; gives the base URL.

        Inside the block `base_url`, `provider` and the published ``jwks_uri`` say that URL. After
        it no thread, socket or connection is left; requests that hang or are held end without an
        answer.

        Arguments:
            port: 0 for any free one. One that is taken is an OSError.
            tls: serve https, with a certificate of a private authority: a client trusts it by
                ``FetchPolicy(ca_file=idp.ca_file)``.

        A provider is served once at a time; again inside the block is a RuntimeError.
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
                        f"this provider is being served already, at {self._served_at}"
                    )
                self._served_at = base_url
            try:
                yield base_url
            finally:
                with self._lock:
                    self._served_at = None

    @property
    def ca_file(self) -> str:
        """A PEM file of the authority behind ``serve(tls=True)``, there until the process ends."""
        from ._keys.certificates import authority

        return authority().ca_file

    @property
    def ca_pem(self) -> str:
        """The same as text. One authority, made on first use, serves the whole process."""
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

    # Behind all that.

    def _reshaped(self, shape: Shape) -> None:
        self._responder.usual_headers = shape.answer_headers

    def _turn_for(self, request: Request) -> Turn:
        with self._lock:
            return self._responder.turn_for(request, self._documents())

    def _documents(self) -> Documents:
        shape = self._shape
        return documents_of(self, shape.document_members, shaped=shape.provider is not None)
