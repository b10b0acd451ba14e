"""The fake provider's identity, URLs, shape and keys.

Must not depend on tokens (`_issuer`) or on how clients reach it (`_provider`). Cryptography is
imported when it is used, because pytest imports the plugin in every run.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final, Self
from urllib.parse import urlsplit

from .._client.clock import SystemClock
from .._core import settings
from .._core.keysets.discovery import OPENID_PATH
from .._core.provider import IssuerTemplate, Provider
from .._core.unchecked import UNCHECKED, Unchecked, restriction
from ..protocols import Clock
from ._keys.ring import KeyRing
from ._shapes.shape import Shape

__all__ = ["KEY_PATH", "NOWHERE", "Identity", "path_of"]

NOWHERE: Final = "https://issuer.test"  # RFC 6761: .test never resolves
KEY_PATH: Final = "/.well-known/jwks.json"


class Identity:
    """The identity and keys of a `FakeProvider`."""

    def __init__(
        self,
        issuer: str | None,
        audience: str | tuple[str, ...] | Unchecked,
        algorithm: str,
        clock: Clock | None,
    ) -> None:
        self.clock: Final[Clock] = SystemClock() if clock is None else clock
        self._issuer = None if issuer is None else settings.text("issuer", issuer)
        self._audience = restriction("audience", audience)
        self._served_at: str | None = None
        self._lock: Final = threading.RLock()  # guards keys, shape and place
        self._shape = Shape(audience=None if self._audience is UNCHECKED else self._audience)
        self._keys = KeyRing(algorithm, self._shape.kid)
        self._other_keys: list[Mapping[str, object]] = []

    # Identity and URLs.

    @property
    def base_url(self) -> str:
        """The served base URL inside `serve`, otherwise the issuer, if that is a URL.

        In the shape of a provider, it is the origin of that provider's URL.
        """
        with self._lock:
            if self._served_at is not None:
                return self._served_at
            if (real := _url_of(self._shape.provider)) is not None:
                return real.removesuffix(_from_path_on(real))
            if self._issuer is not None and self._issuer.startswith(("https://", "http://")):
                return self._issuer.rstrip("/")
            return NOWHERE

    @property
    def issuer(self) -> str:
        """The ``iss`` of its tokens; empty if the imitated provider's tokens have none."""
        with self._lock:
            if self._shape.provider is None:
                return self.base_url if self._issuer is None else self._issuer
            issuer = self._shape.issuer
            if isinstance(issuer, IssuerTemplate):
                value = self._shape.claims.get(issuer.claim, f"{{{issuer.claim}}}")
                return issuer.template.replace(f"{{{issuer.claim}}}", str(value))
            return issuer or ""

    @property
    def audience(self) -> str | tuple[str, ...] | Unchecked:
        """The ``aud`` that a client must expect; ``UNCHECKED`` if its tokens have none."""
        real = self._shape.provider
        return self._audience if real is None else real.audience

    @property
    def algorithm(self) -> str:
        """The algorithm of its keys."""
        return self._keys.algorithm

    @property
    def jwks_url(self) -> str:
        """The URL of its key set, which is the ``jwks_uri`` of its metadata."""
        real = self._shape.provider
        if real is None or real.jwks_url is None:
            return f"{self.base_url}{KEY_PATH}"
        return f"{self.base_url}{_from_path_on(real.jwks_url)}"

    @property
    def discovery_url(self) -> str:
        """The URL of its metadata (OpenID Connect Discovery 1.0, section 4)."""
        real = self._shape.provider
        if real is not None and real.discovery_url is not None:
            return f"{self.base_url}{_from_path_on(real.discovery_url)}"
        return f"{self.base_url}{'' if real is None else path_of(self.issuer)}{OPENID_PATH}"

    @property
    def provider(self) -> Provider:
        """The `Provider` for a client under test: its issuer, audience, key-set URL and algorithm.

        Its name is the issuer without the scheme. Inside `serve` the URL is the served one. After
        `as_provider` it is the imitated provider, with the URLs of this one.
        """
        with self._lock:
            real = self._shape.provider
            if real is None:
                return Provider(
                    name=self.issuer.split("://", 1)[-1].rstrip("/"),
                    issuer=self.issuer,
                    audience=self.audience,
                    jwks_url=self.jwks_url,
                    algorithms=(self.algorithm,),
                )
            if real.discovery_url is not None:
                return replace(real, discovery_url=self.discovery_url)
            return replace(real, jwks_url=self.jwks_url, jwks=None)

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
        own code uses. The keys are replaced, so call it first. Whatever is not known of a provider
        stays unchanged: its kids are ``key-1``, ``key-2`` …

        Arguments:
            which: the name of a factory in `jwks_client.providers`, or any `Provider`.
            arguments: of the factory; a missing identifier is replaced by a valid made-up one.
            algorithm: of its keys. None: the algorithm of that provider; for a `Provider`, this
                one's own, if the `Provider` allows it.
            options: keyword arguments of the factory.

        Raises ValueError for an unknown name, and the factory's own errors.
        """
        from ._shapes.known import algorithm_of, named, shape_of

        if isinstance(which, Provider):
            if arguments or options:
                raise TypeError("a Provider accepts no arguments; use dataclasses.replace()")
            real = which if algorithm is None else replace(which, algorithms=(algorithm,))
            own = self.algorithm
            algorithm = own if own in real.algorithms else next(iter(real.algorithms))
        else:
            real = named(which, arguments, options)
            algorithm = algorithm or algorithm_of(which)
            if algorithm not in real.algorithms:
                real = replace(real, algorithms=(algorithm,))
        shape = shape_of(real)
        with self._lock:
            self._shape = shape
            self._keys.reshape(algorithm, shape.kid)
            self._other_keys = shape.other_keys(self)
            self._reshaped(shape)
        return self

    def _reshaped(self, shape: Shape) -> None:
        """React to a new shape; called with the lock held."""

    # Keys.

    @property
    def kid(self) -> str:
        """The kid of the current signing key."""
        with self._lock:
            return self._keys.signing.kid

    def jwks(self) -> dict[str, list[dict[str, Any]]]:
        """Return the published key set, oldest key first (RFC 7517, section 5)."""
        with self._lock:
            keys = [
                _without_none({**key.jwk(), **self._shape.key_members(key)})
                for key in self._keys.published.values()
            ]
            return {"keys": [*keys, *(dict(one) for one in self._other_keys)]}

    def rotate(self, *, overlap: bool = True) -> str:
        """Publish a new signing key and return its kid; the old keys stay published.

        Arguments:
            overlap: False withdraws the old keys at the same moment.
        """
        key = self._keys.make_next()
        with self._lock:
            self._keys.publish(key, overlap=overlap)
        return key.kid

    def revoke(self, kid: str) -> None:
        """Withdraw a published key; the signing key is replaced. Else raises ValueError."""
        with self._lock:
            self._keys.revoke(kid)

    def swap(self, kid: str) -> None:
        """Replace the key under a published kid; another kid is a ValueError."""
        with self._lock:
            self._keys.swap(kid)


def path_of(url: str) -> str:
    """Return the path of a URL without a trailing slash; empty if it is not a URL."""
    return urlsplit(url).path.rstrip("/") if "://" in url else ""


def _from_path_on(url: str) -> str:
    return url[url.index("/", url.index("://") + 3) :] if url.count("/") > 2 else ""


def _url_of(provider: Provider | None) -> str | None:
    return None if provider is None else provider.jwks_url or provider.discovery_url


def _without_none(members: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in members.items() if value is not None}
