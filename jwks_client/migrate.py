"""A replacement for PyJWT's `PyJWKClient` on top of `JWKSClient`: only the import line changes.

It has PyJWT's arguments and methods, returns PyJWT's `PyJWK` and raises PyJWT's errors. The client
alone caches the key set.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from ssl import SSLContext
from typing import TYPE_CHECKING, Any, Final, TypeVar
from urllib.parse import urlsplit

import jwt
from jwt import PyJWK, PyJWKClientConnectionError, PyJWKClientError, PyJWKSet, PyJWKSetError
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from ._client.network import Network
from ._client.sync import JWKSClient
from ._core.keysets.jwk import Key, KeySet
from ._core.policy import CachePolicy, FetchPolicy
from ._core.provider import SUPPORTED_ALGORITHMS, Provider
from ._core.unchecked import UNCHECKED
from .errors import ConfigurationError, KeysUnavailableError, TokenError

if TYPE_CHECKING:
    import httpx

__all__ = ["PyJWKClient"]

T = TypeVar("T")

_NAME: Final = "PyJWKClient"
# PyJWT's algorithms, by the type of their keys.
_ALGORITHMS: Final[Mapping[str, Any]] = {
    "RSA": RSAAlgorithm,
    "EC": ECAlgorithm,
    "OKP": OKPAlgorithm,
}
_LONGEST_KID: Final = 80  # in a message, because an attacker can choose it
# Each fetch is one request, as with PyJWT, and the next lookup tries again within a second.
_BACKOFF: Final = (0.001, 1)


class PyJWKClient:
    """Fetches the signing keys of a JWKS endpoint; a replacement for ``jwt.PyJWKClient``.

    Arguments:
        uri: the URL of the key set.
        cache_keys: with ``cache_jwk_set=False``, use the cached set for lookups by kid.
        max_cached_keys: accepted, but has no effect: the whole key set is cached.
        cache_jwk_set: cache the key set; False fetches for each call.
        lifespan: seconds that the key set is cached, above 0.
        headers: sent with each fetch.
        timeout: seconds that a fetch may take in total, from 0.001 to 300.
        ssl_context: what TLS connections trust; by default the public authorities.
        cooldown_duration: seconds after which unknown kids may cause one more fetch, in addition to
            two at once.
        allow_http: accept plain http beyond loopback, where anyone on the path can replace the
            keys. PyJWT always accepts it.

    Raises ``jwt.PyJWKClientError`` if an argument is wrong.
    """

    def __init__(  # noqa: PLR0917 (PyJWT's signature)
        self,
        uri: str,
        cache_keys: bool = False,  # noqa: FBT001, FBT002 (as above)
        max_cached_keys: int = 16,  # noqa: ARG002 (as above)
        cache_jwk_set: bool = True,  # noqa: FBT001, FBT002 (as above)
        lifespan: float = 300,
        headers: Mapping[str, Any] | None = None,
        timeout: float = 30,
        ssl_context: SSLContext | None = None,
        cooldown_duration: float = 30,
        *,
        allow_http: bool = False,
    ) -> None:
        if not cache_jwk_set:
            lifespan = lifespan if cache_keys else 300  # PyJWT does not check it either
        _check_arguments(uri, lifespan, cooldown_duration)
        self._uri = uri
        self._caches_set = cache_jwk_set
        self._caches_lookups = cache_jwk_set or cache_keys
        try:
            self._client = JWKSClient(
                Provider(
                    name=_NAME,
                    issuer=UNCHECKED,
                    audience=UNCHECKED,
                    jwks_url=uri,
                    algorithms=SUPPORTED_ALGORITHMS,
                    headers=headers,
                    allow_http=allow_http,
                ),
                cache=CachePolicy(
                    ttl=lifespan,
                    honour_headers=False,
                    min_ttl=0,
                    max_ttl=lifespan,
                    stale_if_error=0,
                    unknown_kid_interval=max(cooldown_duration, 0.001),
                    negative_kid_ttl=min(cooldown_duration, 10),
                    failure_backoff=_BACKOFF,
                ),
                fetch=FetchPolicy(
                    connect_timeout=timeout, attempt_timeout=timeout, deadline=timeout, retries=0
                ),
                http=None if ssl_context is None else _http_with(ssl_context, uri),
            )
        except ConfigurationError as error:
            raise PyJWKClientError(str(error)) from error

    def __init_subclass__(cls, **arguments: Any) -> None:
        """Reject overrides that would have no effect on lookups, such as one that filters keys."""
        super().__init_subclass__(**arguments)
        methods = ("fetch_data", "get_jwk_set", "get_signing_keys", "match_kid")
        ignored = [name for name in methods if name in vars(cls)]
        if ignored:
            raise TypeError(
                f"{cls.__name__} must not override {', '.join(ignored)}: get_signing_key does not "
                "call it; use JWKSClient, whose provider has checks and may have a static key set"
            )

    @property
    def uri(self) -> str:
        """Return the URL of the key set."""
        return self._uri

    def fetch_data(self) -> Any:
        """Fetch the key set now. Return its usable keys as a dictionary.

        Raises ``PyJWKClientConnectionError`` or ``PyJWKClientError``.
        """
        return {"keys": list(_jwks(self._key_set(refresh=True)))}

    def get_jwk_set(self, refresh: bool = False) -> PyJWKSet:  # noqa: FBT001, FBT002 (as above)
        """Return the key set, fetched now if ``refresh`` is true or none is cached.

        Raises as `fetch_data`.
        """
        return PyJWKSet(list(_jwks(self._key_set(refresh=refresh))))

    def get_signing_keys(self, refresh: bool = False) -> list[PyJWK]:  # noqa: FBT001, FBT002 (as above)
        """Return the keys that have a kid, fetched now if ``refresh`` is true or none are cached.

        Raises as `fetch_data`; ``PyJWKClientError`` if no key has a kid.
        """
        keys = _signing_keys(self._key_set(refresh=refresh))
        if not keys:
            raise PyJWKClientError("The JWKS endpoint did not contain any signing keys")
        return keys

    def get_signing_key(self, kid: str) -> PyJWK:
        """Return the key of a kid; fetch if it is unknown and the cooldown permits that.

        Raises as `fetch_data`; ``PyJWKClientError`` if no key has that kid.
        """
        key = self._find(kid) if isinstance(kid, str) and kid else None
        if key is None:
            shown = repr(str(kid)[:_LONGEST_KID])[1:-1]
            raise PyJWKClientError(f'Unable to find a signing key that matches: "{shown}"')
        return key

    def get_signing_key_from_jwt(self, token: str | bytes) -> PyJWK:
        """Return the key that a token names. The token is not verified.

        Raises as `get_signing_key`; ``jwt.DecodeError`` if the token cannot be read.
        """
        longest = FetchPolicy().max_token
        if isinstance(token, (str, bytes)) and len(token) > longest:
            raise jwt.DecodeError(f"The token is longer than {longest} characters")
        unverified = jwt.decode_complete(token, options={"verify_signature": False})
        return self.get_signing_key(unverified["header"].get("kid"))

    @staticmethod
    def match_kid(signing_keys: list[PyJWK], kid: str) -> PyJWK | None:
        """Return the first key with this kid, or None."""
        return next((key for key in signing_keys if key.key_id == kid), None)

    def _find(self, kid: str) -> PyJWK | None:
        if self._caches_lookups:
            try:
                return _as_pyjwk(_carried_out(lambda: self._client.get_signing_key(kid)))
            except TokenError as error:
                if error.code != "ambiguous_key":
                    return None
        # The first of several, as in PyJWT.
        return self.match_kid(_signing_keys(self._key_set(refresh=not self._caches_lookups)), kid)

    def _key_set(self, *, refresh: bool) -> KeySet:
        state = self._client.health()[_NAME].state
        if refresh or not self._caches_set or state not in {"fresh", "due"}:
            _carried_out(self._client.refresh)
        return _carried_out(self._client.keys)


class _NoKeysError(PyJWKClientError, PyJWKSetError):
    """The endpoint has no usable keys, for which PyJWT raises either of two errors."""


def _check_arguments(uri: str, lifespan: float, cooldown_duration: float) -> None:
    """Check arguments as PyJWT does. Raises PyJWKClientError."""
    scheme = urlsplit(uri).scheme  # in lower case
    if scheme not in {"http", "https"}:
        raise PyJWKClientError(
            f"Invalid JWKS URI scheme {scheme!r}: only 'http' and 'https' are supported."
        )
    if not lifespan > 0:
        raise PyJWKClientError(f'Lifespan must be greater than 0, the input is "{lifespan}"')
    if not 0 <= cooldown_duration < math.inf:
        raise PyJWKClientError(
            "Cooldown duration must be finite and greater than or equal to 0, "
            f'the input is "{cooldown_duration}"'
        )


def _carried_out(call: Callable[[], T]) -> T:
    """Return the result of a client's method; raise PyJWT's error if keys are unavailable."""
    try:
        return call()
    except KeysUnavailableError as error:
        if error.code == "bad_key_set":
            text = f"The JWKS endpoint did not contain any signing keys: {error.message}"
            raise _NoKeysError(text) from error
        cause = error.__cause__ or error.message
        raise PyJWKClientConnectionError(
            f'Fail to fetch data from the url, err: "{cause}"'
        ) from error


def _http_with(context: SSLContext, uri: str) -> httpx.Client:
    """Return an HTTP client for a caller's SSL context that keeps no connection open."""
    http = Network(FetchPolicy(), [uri], context=context).open()
    http.headers["Connection"] = "close"
    return http


def _signing_keys(key_set: KeySet) -> list[PyJWK]:
    return [made for key in key_set if key.kid and (made := _as_pyjwk(key)) is not None]


def _jwks(key_set: KeySet) -> Iterator[dict[str, Any]]:
    """Return PyJWT's form of the keys whose type it supports."""
    return (jwk for key in key_set if (jwk := _jwk(key)) is not None)


# Cached, because making a PyJWK is slow. Keys with the same material are equal.
@lru_cache(maxsize=256)
def _as_pyjwk(key: Key) -> PyJWK | None:
    """Return PyJWT's form of a key, or None if PyJWT does not know its algorithm."""
    jwk = _jwk(key)
    try:
        return None if jwk is None else PyJWK(jwk)
    except jwt.PyJWTError:
        return None


def _jwk(key: Key) -> dict[str, Any] | None:
    algorithm = _ALGORITHMS.get(key.kty)
    if algorithm is None:
        return None
    members: dict[str, Any] = algorithm.to_jwk(key.key, as_dict=True)
    named = {"kid": key.kid, "use": key.use, "alg": key.alg}
    return members | {name: value for name, value in named.items() if value is not None}
