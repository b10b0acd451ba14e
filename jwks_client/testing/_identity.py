"""Who the fake provider is, and its keys: its name, its place, whose shape it has.

Owns: identity, shape, keys. May not know: tokens (`_issuer`), or how anybody gets at the key set
(`_provider`). Cryptography is imported on use, so that the kit costs nothing where it is only
installed.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final, Self
from urllib.parse import urlsplit

from .._client.clock import SystemClock
from .._core import settings
from .._core.provider import IssuerTemplate, Provider
from .._core.unchecked import UNCHECKED, Unchecked, restriction
from ..protocols import Clock
from ._keys.ring import KeyRing
from ._shapes.shape import Shape

__all__ = ["NOWHERE", "Identity", "path_of"]

NOWHERE: Final = "https://issuer.test"  # RFC 6761: .test never resolves
_KEY_PATH: Final = "/.well-known/jwks.json"
_METADATA_PATH: Final = "/.well-known/openid-configuration"


class Identity:
    """Who a `FakeProvider` is; made by it alone."""

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

    # Who it is, and where.

    @property
    def base_url(self) -> str:
        """Where it is: the served base URL inside `serve`, else its issuer, if that is a URL.

        In the shape of a provider: the origin of that provider's URL.
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
        """The ``iss`` of its tokens; empty in the shape of a provider whose tokens have none."""
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
        """The ``aud`` that a client is to expect; ``UNCHECKED`` where its tokens have none."""
        real = self._shape.provider
        return self._audience if real is None else real.audience

    @property
    def algorithm(self) -> str:
        """What its keys sign with."""
        return self._keys.algorithm

    @property
    def jwks_url(self) -> str:
        """Where its key set is; also the ``jwks_uri`` of its metadata."""
        real = self._shape.provider
        if real is None or real.jwks_url is None:
            return f"{self.base_url}{_KEY_PATH}"
        return f"{self.base_url}{_from_path_on(real.jwks_url)}"

    @property
    def discovery_url(self) -> str:
        """Where its metadata is (OpenID Connect Discovery 1.0, section 4)."""
        real = self._shape.provider
        if real is not None and real.discovery_url is not None:
            return f"{self.base_url}{_from_path_on(real.discovery_url)}"
        return f"{self.base_url}{'' if real is None else path_of(self.issuer)}{_METADATA_PATH}"

    @property
    def provider(self) -> Provider:
        """The `Provider` for a client under test: its issuer, audience, key-set URL and algorithm.

        Its name is the issuer without the scheme. Inside `serve` the URL is the served one. In the
        shape of a provider (`as_provider`) it is that very provider, pointed at this one.
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
        """Take the shape of a real provider: its URLs, its tokens, its kids, its key set.

        ::

            idp = FakeProvider().as_provider("auth0", "acme.eu.auth0.com", audience="my-api")
            idp = FakeProvider().as_provider(settings.PROVIDER)

        Its key set is then at the real URL, for whoever comes through `transport`, and `provider`
        is the one that your own code has. Keys begin anew, so do it first. What is not known of a
        provider is left as it was: its kids are ``key-1``, ``key-2`` …

        Arguments:
            which: the name of a factory in `jwks_client.providers`, or a `Provider` of any kind.
            arguments: the factory's; an id that is left out is a made-up one of the right form.
            algorithm: what its keys sign with. None: what that provider signs with; with a
                `Provider` this one's own, if it is allowed there.
            options: the factory's, by keyword.

        An unknown name is a ValueError; otherwise the errors are the factory's.
        """
        from ._shapes.known import algorithm_of, named, shape_of

        if isinstance(which, Provider):
            if arguments or options:
                raise TypeError("a Provider has all it needs; dataclasses.replace() changes it")
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
        """Follow a new shape; the lock is held."""

    # Keys.

    @property
    def kid(self) -> str:
        """The kid of the key that signs now."""
        with self._lock:
            return self._keys.signing.kid

    def jwks(self) -> dict[str, list[dict[str, Any]]]:
        """The key set as it is published now, oldest key first (RFC 7517, section 5)."""
        with self._lock:
            keys = [
                _without_none({**key.jwk(), **self._shape.key_members(key)})
                for key in self._keys.published.values()
            ]
            return {"keys": [*keys, *(dict(one) for one in self._other_keys)]}

    def rotate(self, *, overlap: bool = True) -> str:
        """Publish a new key, which signs from now on, and give its kid; the old ones stay.

        Arguments:
            overlap: False withdraws the old ones at the same moment.
        """
        key = self._keys.make_next()
        with self._lock:
            self._keys.publish(key, overlap=overlap)
        return key.kid

    def revoke(self, kid: str) -> None:
        """Withdraw a published key (else ValueError); the one that signs has a new one follow."""
        with self._lock:
            self._keys.revoke(kid)

    def swap(self, kid: str) -> None:
        """Put other material under a published kid (else ValueError); that signs if the kid did."""
        with self._lock:
            self._keys.swap(kid)


def path_of(url: str) -> str:
    """The path of a URL, without a slash at its end; empty for what is no URL."""
    return urlsplit(url).path.rstrip("/") if "://" in url else ""


def _from_path_on(url: str) -> str:
    return url[url.index("/", url.index("://") + 3) :] if url.count("/") > 2 else ""


def _url_of(provider: Provider | None) -> str | None:
    return None if provider is None else provider.jwks_url or provider.discovery_url


def _without_none(members: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in members.items() if value is not None}
