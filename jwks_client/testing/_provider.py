"""The fake provider: what tests see of its identity, its tokens, its responses and its interfaces.

It has an object for each of them and decides nothing itself. httpx is imported when it is used.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, Final, Self, Unpack

from .. import Provider
from .._core.unchecked import Unchecked
from ..protocols import Clock
from ._documents import Documents
from ._identity import NOWHERE, Identity
from ._keys.certificates import authority
from ._serving.responder import Document, Failure, Request, Responder
from ._serving.servers import FakeApp, serve
from ._shapes.drafts import SUBJECT, Wish
from ._tokens import Tokens

if TYPE_CHECKING:
    from .. import AsyncJWKSClient, JWKSClient
    from ._clients import AsyncClientSettings, ClientSettings, Router
    from ._forge.forge import Forge
    from ._serving.gate import Hold
    from ._serving.transport import FakeTransport

__all__ = ["FakeProvider"]


class FakeProvider:
    """An identity provider in memory, for tests and development only.

    It has three interfaces that behave alike: `transport` (httpx, no sockets), `app` (ASGI) and
    `serve` (real HTTP on loopback). They serve three paths, below the path of the issuer if it has
    one: ``/.well-known/jwks.json``, ``/.well-known/openid-configuration`` and, placed as RFC 8414
    requires, ``/.well-known/oauth-authorization-server``. It may be used from any thread. As a
    context manager, it recovers at the end and closes the clients made by `client`.

    Keys are named ``key-1``, ``key-2`` … in each provider, so a second provider with the same
    issuer is a forger: its first token names the kid of the first provider's first key. Two
    existing providers never share a key.

    Arguments:
        issuer: the ``iss`` of its tokens. None: the served base URL, and ``https://issuer.test``
            outside `serve`.
        audience: the ``aud`` of its tokens: one, several, or ``providers.UNCHECKED`` for none.
        algorithm: the algorithm of its keys: RS256 RS384 RS512 PS256 PS384 PS512 ES256 ES384 ES512
            ES256K EdDSA Ed25519 Ed448 ML-DSA-44 ML-DSA-65 ML-DSA-87; else ValueError.
        clock: an object whose ``time()`` is used for tokens, such as a `FakeClock`. None: the
            system's clock.
    """

    def __init__(
        self,
        issuer: str | None = NOWHERE,
        audience: str | tuple[str, ...] | Unchecked = "api",
        algorithm: str = "RS256",
        clock: Clock | None = None,
    ) -> None:
        self._identity = Identity(issuer, audience, algorithm, clock)
        self.clock: Final = self._identity.clock
        self._tokens = Tokens(self._identity)
        self._documents = Documents(self._identity)
        self._responder = Responder(self._identity.lock, self._documents.published)
        self._closing = ExitStack()

    @property
    def base_url(self) -> str:
        """The served base URL inside `serve`, else the imitated provider's or the issuer's URL."""
        return self._identity.base_url

    @property
    def issuer(self) -> str:
        """The ``iss`` of its tokens; empty if the imitated provider's tokens have none."""
        return self._identity.issuer

    @property
    def audience(self) -> str | tuple[str, ...] | Unchecked:
        """The ``aud`` that a client must expect; ``UNCHECKED`` if its tokens have none."""
        return self._identity.audience

    @property
    def algorithm(self) -> str:
        """The algorithm of its keys."""
        return self._identity.keys.algorithm

    @property
    def jwks_url(self) -> str:
        """The URL of its key set, which is the ``jwks_uri`` of its metadata."""
        return self._identity.jwks_url

    @property
    def discovery_url(self) -> str:
        """The URL of its metadata (OpenID Connect Discovery 1.0, section 4)."""
        return self._identity.discovery_url

    @property
    def provider(self) -> Provider:
        """The `Provider` for a client under test: its issuer, audience, key-set URL and algorithm.

        Its name is the issuer without the scheme. Inside `serve` the URL is the served one. After
        `as_provider` it is the imitated provider, with the URLs of this one.
        """
        return self._identity.provider

    def as_provider(
        self,
        which: str | Provider,
        /,
        *arguments: object,
        algorithm: str | None = None,
        **options: object,
    ) -> Self:
        """Imitate a real provider: its URLs, tokens, kids and key set.

        ::

            idp = FakeProvider().as_provider("auth0", "acme.eu.auth0.com", audience="my-api")
            idp = FakeProvider().as_provider(settings.PROVIDER)

        `transport` then serves the key set at the real URL, and `provider` is the one that your
        own code uses. The keys are replaced, so call it first. Unknown facts of a provider keep
        their defaults, such as the kids ``key-1``, ``key-2`` …

        Arguments:
            which: a factory's name (else ValueError), or any `Provider`.
            arguments: arguments of the factory; a missing identifier gets a valid made-up value.
            algorithm: the algorithm of its keys. None for that provider's algorithm; for a
                `Provider`, None for the current algorithm, if the `Provider` allows it.
            options: keyword arguments of the factory.
        """
        self._identity.imitate(which, arguments, algorithm, options)
        return self

    @property
    def kid(self) -> str:
        """The kid of the current signing key."""
        return self._identity.keys.signing.kid

    def jwks(self) -> dict[str, list[dict[str, Any]]]:
        """Return the published key set, oldest key first (RFC 7517, section 5)."""
        return self._identity.jwks()

    def rotate(self, *, overlap: bool = True) -> str:
        """Publish a new signing key and return its kid.

        The old keys stay published; without ``overlap`` they are withdrawn at the same moment.
        """
        return self._identity.rotate(overlap=overlap)

    def revoke(self, kid: str) -> None:
        """Withdraw a published key; the signing key is replaced. Else raises ValueError."""
        with self._identity.lock:
            self._identity.keys.revoke(kid)

    def swap(self, kid: str) -> None:
        """Replace the key under a published kid; another kid is a ValueError."""
        with self._identity.lock:
            self._identity.keys.swap(kid)

    def issue(
        self,
        sub: object = SUBJECT,
        scope: object = None,
        expires_in: float | None = 60,
        *,
        headers: Mapping[str, object] | None = None,
        **claims: object,
    ) -> str:
        """Return a token signed with the current key.

        It has ``iss``, ``aud``, ``sub``, ``iat`` (now, in whole seconds) and ``exp``, ``scope`` if
        given, and the claims of the imitated provider, if any.

        Arguments:
            sub: the ``sub`` claim; None omits it. After `as_provider`, ``"u1"`` stands for a
                typical subject of that provider.
            scope: the ``scope`` claim, unchanged. After `as_provider`, that provider's claim for
                scopes, as a list if that provider uses one.
            expires_in: seconds from ``iat`` to ``exp``; negative for an expired token; None omits
                ``exp``.
            headers: header members that override ``alg``, ``kid`` and ``typ``; None omits one.
            claims: further claims (``roles=["admin"]``), and values that replace the defaults
                (``iss=``, ``aud=``, ``iat=``, ``exp=``); None omits a claim.
        """
        return self._tokens.issue(Wish(sub, scope, expires_in, headers, claims))

    def issue_for(
        self,
        provider: Provider,
        sub: object = SUBJECT,
        scope: object = None,
        expires_in: float | None = 60,
        *,
        headers: Mapping[str, object] | None = None,
        **claims: object,
    ) -> str:
        """Return a token with the issuer, audience and claims that ``provider`` accepts.

        Its algorithms must include `algorithm`, else ValueError. Of its ``checks``, those of this
        library's factories are satisfied. The other arguments are those of `issue`.
        """
        return self._tokens.issue_for(provider, Wish(sub, scope, expires_in, headers, claims))

    def auth_headers(
        self,
        sub: object = SUBJECT,
        scope: object = None,
        expires_in: float | None = 60,
        *,
        headers: Mapping[str, object] | None = None,
        **claims: object,
    ) -> dict[str, str]:
        """Return request headers with a token: ``{"Authorization": "Bearer …"}``.

        The arguments are those of `issue`. After `as_provider`, the token is where that provider's
        tokens are, such as in another header or a cookie.
        """
        token = self.issue(sub, scope, expires_in, headers=headers, **claims)
        return self._tokens.in_headers(token)

    def sign(self, header: bytes, payload: bytes) -> str:
        """Sign these octets unchanged, for tokens that `issue` cannot make (null, duplicates)."""
        return self._tokens.sign(header, payload)

    @property
    def forge(self) -> Forge:
        """Forged tokens, which must be refused: ``idp.forge.expired()``, ``idp.forge.all()``."""
        return self._tokens.forge()

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

        Anything else is a ValueError. ``headers`` are those of that response, such as
        ``{"Retry-After": "120"}``. With ``only``, a single document fails: ``"jwks.json"``,
        ``"openid-configuration"`` or ``"oauth-authorization-server"``.
        """
        self._responder.fail(how, headers=headers, only=only)

    def delay(self, seconds: float) -> None:
        """Delay each further response by ``seconds`` of real time, until `recover`; see `hold`.

        Through `transport`, a read timeout that is not longer is an ``httpx.ReadTimeout``.
        """
        self._responder.slow(delay=seconds)

    def drip(self, octets: int = 1, every: float = 0.05) -> None:
        """Send further bodies in pieces of ``octets``, ``every`` seconds apart, until `recover`."""
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

        A held request gets the response that was due when it arrived, as on a slow network;
        through `transport` it waits no longer than its own read timeout. Holds may be nested: a
        request belongs to the latest one that is not released. A hanging request counts as arrived
        and continues to hang. With ``only``, only requests for one document are held, as in
        `fail`.
        """
        return self._responder.hold(only=only)

    @property
    def fetches(self) -> int:
        """How many GET requests for the key set have arrived, whether or not they succeeded."""
        return self._responder.fetches

    @property
    def requests(self) -> list[Request]:
        """The last 10 000 requests, with ``method``, ``path`` and ``headers`` in lower case."""
        return self._responder.requests

    @property
    def answer_headers(self) -> dict[str, str]:
        """Headers of every successful response with the key set (``Cache-Control``, ``Age``, …).

        They override the defaults. With an ``ETag`` or ``Last-Modified``, a request with the same
        value is answered 304, even if the keys have changed: change it with the keys.
        """
        return self._responder.answer_headers

    @answer_headers.setter
    def answer_headers(self, headers: Mapping[str, str]) -> None:
        self._responder.answer_headers = dict(headers)

    def client(self, *providers: Provider, **settings: Unpack[ClientSettings]) -> JWKSClient:
        """Return a `JWKSClient` of these providers; by default, of `provider`.

        It has this `transport` and clock, unless ``settings`` of the client override them.
        """
        from ._clients import sync_client

        several = providers or (self.provider,)
        client = sync_client(several, self.transport, {"clock": self.clock, **settings})
        self._closing.callback(client.close)
        return client

    def async_client(
        self, *providers: Provider, **settings: Unpack[AsyncClientSettings]
    ) -> AsyncJWKSClient:
        """Return an `AsyncJWKSClient`, as `client` does; closing it is optional."""
        from ._clients import async_client

        several = providers or (self.provider,)
        return async_client(several, self.transport, {"clock": self.clock, **settings})

    def mock(self, router: Router) -> None:
        """Add one route, named ``jwks``, for this provider's URLs to a respx router.

        For code that makes its own HTTP clients. ``router`` is ``respx.mock``, or the fixture
        ``respx_mock``.
        """
        from ._clients import route

        route(router, self.transport, self.base_url, tuple(self._documents.published().by_path))

    @property
    def transport(self) -> FakeTransport:
        """A transport for ``httpx.Client`` and ``httpx.AsyncClient``, for any host."""
        from ._serving.transport import FakeTransport

        return FakeTransport(self._responder.turn_for)

    @property
    def app(self) -> FakeApp:
        """An ASGI app; a hanging request ends with `recover`, or when the client disconnects."""
        return FakeApp(self._responder.turn_for)

    @contextmanager
    def serve(self, port: int = 0, *, tls: bool = False) -> Generator[str]:
        """Serve on 127.0.0.1 during the block, in background threads; yield the base URL.

        In the block, `base_url`, `provider` and the published ``jwks_uri`` use that URL, and a
        second `serve` is a RuntimeError. After it, no thread, socket or connection is left; hanging
        and held requests end without a response.

        Arguments:
            port: 0 for any free port. A port in use is an OSError.
            tls: serve https, with a certificate by a private authority. Clients trust it with
                ``FetchPolicy(ca_file=idp.ca_file)``.
        """
        context = authority().server_context if tls else None
        with (
            serve(self._responder.turn_for, port, context) as base_url,
            self._identity.served(base_url),
        ):
            yield base_url

    @property
    def ca_file(self) -> str:
        """The authority behind ``serve(tls=True)``: a PEM file, removed when the process ends."""
        return authority().ca_file

    @property
    def ca_pem(self) -> str:
        """The same authority as PEM text. It is made on first use, once per process."""
        return authority().pem

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.recover()
        self._closing.close()

    def __repr__(self) -> str:
        return f"FakeProvider(issuer={self.issuer!r}, algorithm={self.algorithm!r})"
