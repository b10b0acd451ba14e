"""The fake provider: its keys, the tokens it issues, and what a test may do to it.

Owns: which keys there are, what is published, who it says it is. May not know: sockets and clients;
how it is reached is in `_transport` and `_wire`, how it answers and fails in `_responder`. Those
and cryptography are imported on use, so that the kit costs nothing where it is only installed.
"""

from __future__ import annotations

import itertools
import json
import threading
from collections.abc import Generator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from .. import Provider
from .._clock import SystemClock
from ..protocols import Clock
from ._responder import Document, Failure, Responder

if TYPE_CHECKING:
    from ._gate import Hold
    from ._keys import SigningKey
    from ._responder import Request, Turn
    from ._transport import FakeTransport
    from ._wire import FakeApp

__all__ = ["FakeProvider"]

_NOWHERE: Final = "https://issuer.test"  # RFC 6761: .test never resolves


class FakeProvider:
    """An identity provider in memory, for tests and development only.

    It is reached in three ways that behave alike: `transport` (httpx, no sockets), `app` (ASGI) and
    `serve` (real HTTP on loopback). They answer three paths, under the path of the issuer if it has
    one: ``/.well-known/jwks.json``, ``/.well-known/openid-configuration`` and, placed as
    RFC 8414 says, ``/.well-known/oauth-authorization-server``. All methods may be called from any
    thread.

    Keys are named ``key-1``, ``key-2`` … in each provider, so a second provider with the same
    issuer is a forger: its first token names the kid of the first provider's first key. Two
    providers that live never share a key.

    Arguments:
        issuer: the ``iss`` of its tokens. None: the base URL at which it is served, and
            ``https://issuer.test`` outside `serve`.
        audience: the ``aud`` of its tokens: one, several, or None for tokens without.
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
        issuer: str | None = _NOWHERE,
        audience: str | tuple[str, ...] | None = "api",
        algorithm: str = "RS256",
        clock: Clock | None = None,
    ) -> None:
        self.audience: Final = audience
        self.algorithm: Final = algorithm
        self.clock: Final[Clock] = SystemClock() if clock is None else clock
        self._issuer = issuer
        self._served_at: str | None = None
        self._lock = threading.RLock()  # guards keys and place; the responder's state too
        self._responder = Responder(self._lock)
        self._numbers = itertools.count(1)
        self._published: dict[str, SigningKey] = {}
        self._signing = self._new_key(f"key-{next(self._numbers)}")
        self._published[self._signing.kid] = self._signing

    # Who it is, and where.

    @property
    def base_url(self) -> str:
        """Where it is: the served base URL inside `serve`, else its issuer, if that is a URL."""
        with self._lock:
            if self._served_at is not None:
                return self._served_at
            if self._issuer is not None and self._issuer.startswith(("https://", "http://")):
                return self._issuer.rstrip("/")
            return _NOWHERE

    @property
    def issuer(self) -> str:
        """The ``iss`` of its tokens."""
        return self.base_url if self._issuer is None else self._issuer

    @property
    def jwks_url(self) -> str:
        """Where its key set is; also the ``jwks_uri`` of its metadata."""
        return f"{self.base_url}/.well-known/jwks.json"

    @property
    def discovery_url(self) -> str:
        """Where its metadata is (OpenID Connect Discovery 1.0, section 4)."""
        return f"{self.base_url}/.well-known/openid-configuration"

    @property
    def provider(self) -> Provider:
        """The `Provider` for a client under test: its issuer, audience, key-set URL and algorithm.

        Its name is the issuer without the scheme. Inside `serve` the URL is the served one.
        """
        with self._lock:
            return Provider(
                name=self.issuer.split("://", 1)[-1].rstrip("/"),
                issuer=self.issuer,
                audience=self.audience,
                jwks_url=self.jwks_url,
                algorithms=(self.algorithm,),
            )

    # Tokens.

    def issue(
        self,
        sub: object = "u1",
        scope: object = None,
        expires_in: float | None = 60,
        *,
        headers: Mapping[str, object] | None = None,
        **claims: object,
    ) -> str:
        """A token, signed with the current key.

        It has ``iss``, ``aud``, ``sub``, ``iat`` (now, in whole seconds) and ``exp``, and ``scope``
        if one is given. Any other claim is given by name: it wins over those (``iss=``, ``aud=``,
        ``iat=``, ``exp=``), and None leaves a claim out.

        Arguments:
            sub: the ``sub`` claim; None leaves it out.
            scope: the ``scope`` claim, as it is to stand there.
            expires_in: seconds from ``iat`` to ``exp``, negative for a token that is over; None: no
                ``exp``.
            headers: header members over the usual ``alg``, ``kid`` and ``typ``; None leaves one
                out. The signature is that of the current key, whatever they say.
            claims: claims by name.
        """
        with self._lock:
            key = self._signing
            issued_at = int(self.clock.time())
            usual: dict[str, object] = {
                "iss": self.issuer,
                "aud": self._audience_claim(),
                "sub": sub,
            }
        usual |= {"scope": scope, "iat": issued_at}
        if expires_in is not None:
            usual["exp"] = issued_at + expires_in
        header = {"alg": key.algorithm, "kid": key.kid, "typ": "JWT", **(headers or {})}
        return key.sign_compact(_json(header), _json({**usual, **claims}))

    def sign(self, header: bytes, payload: bytes) -> str:
        """A token of these very octets, for what `issue` cannot make: null, duplicates, no JSON."""
        with self._lock:
            key = self._signing
        return key.sign_compact(header, payload)

    # Keys.

    @property
    def kid(self) -> str:
        """The kid of the key that signs now."""
        with self._lock:
            return self._signing.kid

    def jwks(self) -> dict[str, list[dict[str, str]]]:
        """The key set as it is published now, oldest key first (RFC 7517, section 5)."""
        with self._lock:
            return {"keys": [key.jwk() for key in self._published.values()]}

    def rotate(self) -> str:
        """Publish a new key, which signs from now on, and give its kid; the old ones stay."""
        key = self._new_key(f"key-{next(self._numbers)}")
        with self._lock:
            self._published[key.kid] = key
            self._signing = key
        return key.kid

    def revoke(self, kid: str) -> None:
        """Withdraw a published key (else ValueError); the one that signs has a new one follow."""
        with self._lock:
            self._check_published(kid)
            if kid == self._signing.kid:
                self.rotate()
            del self._published[kid]

    def swap(self, kid: str) -> None:
        """Put other material under a published kid (else ValueError); that signs if the kid did."""
        with self._lock:
            self._check_published(kid)
            self._published[kid] = key = self._new_key(kid)
            if kid == self._signing.kid:
                self._signing = key

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

    def recover(self) -> None:
        """Answer well again. Requests that hang are ended now, and have no answer."""
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

    @property
    def transport(self) -> FakeTransport:
        """A transport for ``httpx.Client`` and ``httpx.AsyncClient``; it answers for any host."""
        from ._transport import FakeTransport

        return FakeTransport(self._turn_for)

    @property
    def app(self) -> FakeApp:
        """An ASGI app; where nobody gives up, a hanging request ends with `recover`."""
        from ._wire import FakeApp

        return FakeApp(self._turn_for)

    @contextmanager
    def serve(self, port: int = 0) -> Generator[str]:
        """Serve on 127.0.0.1 until the block ends, from threads of its own; gives the base URL.

        Inside the block `base_url`, `provider` and the published ``jwks_uri`` say that URL. After
        it no thread, socket or connection is left; requests that hang or are held end without an
        answer.

        Arguments:
            port: 0 for any free one. One that is taken is an OSError.

        A provider is served once at a time; again inside the block is a RuntimeError.
        """
        from ._wire import serve

        with serve(self._turn_for, port) as base_url:
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

    def __repr__(self) -> str:
        return f"FakeProvider(issuer={self.issuer!r}, algorithm={self.algorithm!r})"

    # Behind all that.

    def _turn_for(self, request: Request) -> Turn:
        with self._lock:
            return self._responder.turn_for(request, self._documents())

    def _documents(self) -> dict[str, tuple[Document, Mapping[str, object]]]:
        issuer = self.issuer
        metadata = {
            "issuer": issuer,
            "jwks_uri": self.jwks_url,
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": [self.algorithm],
        }
        # A client made before serve() began still asks under the issuer's own path.
        places = {_path_of(self.base_url), _path_of(issuer)}
        keys = self.jwks()
        documents: dict[str, tuple[Document, Mapping[str, object]]] = {}
        for place in places:
            documents |= {
                f"{place}/.well-known/jwks.json": ("jwks.json", keys),
                f"{place}/.well-known/openid-configuration": ("openid-configuration", metadata),
                f"/.well-known/oauth-authorization-server{place}": (
                    "oauth-authorization-server",
                    metadata,
                ),
            }
        return documents

    def _audience_claim(self) -> object:
        return list(self.audience) if isinstance(self.audience, tuple) else self.audience

    def _new_key(self, kid: str) -> SigningKey:
        from ._keys import make_key

        return make_key(self.algorithm, kid, borrower=self)

    def _check_published(self, kid: str) -> None:
        if kid not in self._published:
            raise ValueError(f"no key {kid!r} is published; there are {', '.join(self._published)}")


def _json(members: Mapping[str, object]) -> bytes:
    given = {name: value for name, value in members.items() if value is not None}
    return json.dumps(given).encode("ascii")


def _path_of(url: str) -> str:
    return urlsplit(url).path.rstrip("/") if "://" in url else ""
