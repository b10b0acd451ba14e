"""The fake provider's identity, URLs, shape and keys: all of its state that tokens depend on.

Must not depend on tokens (`_tokens`) or on how clients reach it (`_provider`). Cryptography is
imported when it is used, because pytest imports the plugin in every run.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Final
from urllib.parse import urlsplit

from .._client.clock import SystemClock
from .._core import settings
from .._core.keysets.discovery import OPENID_PATH
from .._core.provider import IssuerTemplate, Provider
from .._core.unchecked import UNCHECKED, Unchecked, restriction
from ..protocols import Clock
from ._keys.ring import KeyRing
from ._locks import new_lock
from ._shapes.drafts import without_none
from ._shapes.shape import Shape

__all__ = ["KEY_PATH", "NOWHERE", "Identity", "path_of"]

NOWHERE: Final = "https://issuer.test"  # RFC 6761: .test never resolves
KEY_PATH: Final = "/.well-known/jwks.json"


class Identity:
    """The identity and keys of a `FakeProvider`, whose arguments these are.

    Attributes:
        lock: guards all that changes; a caller that reads several things holds it.
        shape: of its tokens and its key set.
        keys: the published keys and the signing key.
        served_at: the base URL at which it is served now, or None.
    """

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
        self.lock: Final = new_lock()
        self.served_at: str | None = None
        self.shape = Shape(audience=None if self._audience is UNCHECKED else self._audience)
        self.keys = KeyRing(algorithm, self.shape.kid)
        self._other_keys: list[Mapping[str, object]] = []

    # Identity and URLs.

    @property
    def base_url(self) -> str:
        with self.lock:
            if self.served_at is not None:
                return self.served_at
            if (real := _url_of(self.shape.provider)) is not None:
                return real.removesuffix(_from_path_on(real))
            if self._issuer is not None and self._issuer.startswith(("https://", "http://")):
                return self._issuer.rstrip("/")
            return NOWHERE

    @property
    def issuer(self) -> str:
        with self.lock:
            if self.shape.provider is None:
                return self.base_url if self._issuer is None else self._issuer
            issuer = self.shape.issuer
            if isinstance(issuer, IssuerTemplate):
                value = self.shape.claims.get(issuer.claim, f"{{{issuer.claim}}}")
                return issuer.template.replace(f"{{{issuer.claim}}}", str(value))
            return issuer or ""

    @property
    def audience(self) -> str | tuple[str, ...] | Unchecked:
        real = self.shape.provider
        return self._audience if real is None else real.audience

    @property
    def jwks_url(self) -> str:
        real = self.shape.provider
        if real is None or real.jwks_url is None:
            return f"{self.base_url}{KEY_PATH}"
        return f"{self.base_url}{_from_path_on(real.jwks_url)}"

    @property
    def discovery_url(self) -> str:
        real = self.shape.provider
        if real is not None and real.discovery_url is not None:
            return f"{self.base_url}{_from_path_on(real.discovery_url)}"
        return f"{self.base_url}{'' if real is None else path_of(self.issuer)}{OPENID_PATH}"

    @property
    def provider(self) -> Provider:
        with self.lock:
            real = self.shape.provider
            if real is None:
                return Provider(
                    name=self.issuer.split("://", 1)[-1].rstrip("/"),
                    issuer=self.issuer,
                    audience=self.audience,
                    jwks_url=self.jwks_url,
                    algorithms=(self.keys.algorithm,),
                )
            if real.discovery_url is not None:
                return replace(real, discovery_url=self.discovery_url)
            return replace(real, jwks_url=self.jwks_url, jwks=None)

    def imitate(
        self,
        which: str | Provider,
        arguments: tuple[object, ...],
        algorithm: str | None,
        options: Mapping[str, object],
    ) -> None:
        """Take the shape of a real provider, with new keys; see `FakeProvider.as_provider`."""
        from ._shapes.known import algorithm_of, named, shape_of

        if isinstance(which, Provider):
            if arguments or options:
                raise TypeError("a Provider accepts no arguments; use dataclasses.replace()")
            real = which if algorithm is None else replace(which, algorithms=(algorithm,))
            own = self.keys.algorithm
            algorithm = own if own in real.algorithms else next(iter(real.algorithms))
        else:
            real = named(which, arguments, options)
            algorithm = algorithm or algorithm_of(which)
            if algorithm not in real.algorithms:
                real = replace(real, algorithms=(algorithm,))
        shape = shape_of(real)
        with self.lock:
            self.shape = shape
            self.keys.reshape(algorithm, shape.kid)
            self._other_keys = shape.other_keys(self)

    # Keys.

    def jwks(self) -> dict[str, list[dict[str, Any]]]:
        """Return the published key set, oldest key first (RFC 7517, section 5)."""
        with self.lock:
            keys = [
                without_none({**key.jwk(), **self.shape.key_members(key)})
                for key in self.keys.published.values()
            ]
            return {"keys": [*keys, *(dict(one) for one in self._other_keys)]}

    def rotate(self, *, overlap: bool) -> str:
        """Publish a new signing key and return its kid."""
        key = self.keys.make_next()
        with self.lock:
            self.keys.publish(key, overlap=overlap)
        return key.kid

    @contextmanager
    def served(self, base_url: str) -> Generator[None]:
        """Use this base URL during the block. Raises RuntimeError if it has one already."""
        with self.lock:
            if self.served_at is not None:
                raise RuntimeError(f"this provider is already being served at {self.served_at}")
            self.served_at = base_url
        try:
            yield
        finally:
            with self.lock:
                self.served_at = None


def path_of(url: str) -> str:
    """Return the path of a URL without a trailing slash; empty if it is not a URL."""
    return urlsplit(url).path.rstrip("/") if "://" in url else ""


def _from_path_on(url: str) -> str:
    return url[url.index("/", url.index("://") + 3) :] if url.count("/") > 2 else ""


def _url_of(provider: Provider | None) -> str | None:
    return None if provider is None else provider.jwks_url or provider.discovery_url
