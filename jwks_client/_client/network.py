"""Connect a client to the network: directly or through a proxy, with or without TLS.

The environment is read once, when a client is made, and the settings for the configured URLs are
checked then. Imported when a client is made, never by ``import jwks_client``, because httpx is slow
to import.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final
from urllib.request import getproxies

import httpx

from .._core import addresses
from ..errors import ConfigurationError
from .authorities import Authorities
from .dialing import EveryAddress
from .fork_gate import no_fork

if TYPE_CHECKING:
    from .._core.policy import FetchPolicy

# An example of a tenant's URL, to check the settings that such URLs will use.
_TENANT: Final = "https://tenant.invalid/"


@dataclass(frozen=True, slots=True)
class Route:
    """A route to the network: direct, or through a proxy.

    Arguments:
        proxy: the proxy's URL, which may contain a password; None for a direct connection.
        variable: the setting or environment variable that named the proxy.
        problem: why it cannot be used, if so.
    """

    proxy: str | None = field(default=None, repr=False)
    variable: str = "proxy"
    problem: ConfigurationError | None = None


class Network:
    """The network settings of one client, from its policy and the environment.

    Arguments:
        fetch: the policy.
        urls: the configured URLs; the settings that they use are checked now.
        resolves: whether the application resolves further providers, whose URLs are not known yet.
        context: a caller-supplied SSL context, instead of one by policy and environment.

    Raises `ConfigurationError` naming the setting or the environment variable.
    """

    def __init__(
        self,
        fetch: FetchPolicy,
        urls: Iterable[str],
        *,
        resolves: bool = False,
        context: ssl.SSLContext | None = None,
    ) -> None:
        _import_what_a_fetch_needs()
        self.authorities = Authorities(fetch.ca_file, context)
        if fetch.proxy is None:
            self._routes = dict(_environment())
        else:
            self._routes = {"all://": _route(fetch.proxy, "proxy")}
        self._check([*urls, _TENANT] if resolves else urls)

    def open(self) -> httpx.Client:
        """Return an HTTP client for one flight; the caller closes it."""
        return self._client(lambda route: _Transport(route, self.authorities))

    def after_fork(self) -> None:
        """Drop the SSL context in a forked child: the parent may hold OpenSSL's locks."""
        self.authorities.after_fork()

    def _client(self, make: Callable[[Route], httpx.BaseTransport]) -> httpx.Client:
        mounts = {pattern: make(route) for pattern, route in self._routes.items()}
        return httpx.Client(transport=make(Route()), mounts=mounts, trust_env=False)

    def _check(self, urls: Iterable[str]) -> None:
        origins = {addresses.origin(url): url for url in urls}
        if any(scheme == "https" for scheme, _, _ in origins):
            self.authorities.check()
        for route in self._routes.values():  # an invalid setting is an error even if no URL uses it
            if route.variable == "proxy" and route.problem is not None:
                raise route.problem
        if self._routes:
            with self._client(_Checking) as asking:
                for url in origins.values():
                    with suppress(_Usable):
                        asking.get(url)


def _import_what_a_fetch_needs() -> None:
    """Import what httpx and the system import lazily, in the thread that makes the client.

    A forked child must not wait for an import lock that a flight of its parent held.
    """
    for name in (
        *("httpcore", "httpcore._backends.sync", "httpcore._sync", "h11", "certifi"),
        *("socket", "encodings.idna", "stringprep", "idna"),
    ):
        with suppress(ImportError):  # the module differs between releases
            import_module(name)


# --- the proxies from the environment, as httpx reads them


def _environment() -> Iterator[tuple[str, Route]]:
    """Return the route for each pattern of URLs that the environment's variables define."""
    found = getproxies()
    exempt = [one.strip() for one in found.get("no", "").split(",")]
    proxies = {scheme: found[scheme] for scheme in ("http", "https", "all") if found.get(scheme)}
    if not proxies or "*" in exempt:
        return
    problem: ConfigurationError | None = None
    for host in filter(None, exempt):
        pattern = _pattern(host)
        try:
            httpx.Client(
                transport=_Checking(Route()), mounts={pattern: None}, trust_env=False
            ).close()
        except (httpx.InvalidURL, ValueError):
            problem = ConfigurationError(
                _variable("no"),
                f"must be a list of hosts, domains and addresses, got an entry {host[:80]!r} that "
                "httpx cannot read (it does not support IPv6 networks)",
            )
        else:
            yield pattern, Route()
    for scheme, proxy in proxies.items():
        # If an exemption cannot be read, no URL may use a proxy, because it might be exempt.
        variable = _variable(scheme)
        route = _route(proxy if "://" in proxy else f"http://{proxy}", variable)
        yield f"{scheme}://", route if problem is None else Route(route.proxy, variable, problem)


def _pattern(exempt: str) -> str:
    """Return the pattern of an entry of NO_PROXY, in the notation of ``httpx.Client(mounts=…)``."""
    if "://" in exempt:
        return exempt
    address = addresses.ip_literal(exempt.partition("/")[0])
    if address is not None and ":" in exempt:
        return f"all://[{exempt}]"
    plain = address is not None or exempt.lower() == "localhost"
    return f"all://{exempt}" if plain else f"all://*{exempt}"


def _variable(scheme: str) -> str:
    """Return the variable's name in the environment; the lower-case one has priority."""
    name = f"{scheme}_proxy"
    return name if os.environ.get(name) else name.upper()


def _route(proxy: str, variable: str) -> Route:
    wrong = None
    try:
        url = httpx.Proxy(proxy).url
    except (httpx.InvalidURL, ValueError):
        url = None
    # httpx reads a host that is missing (an unset variable in a template), or contains a space.
    if url is None or addresses.split_proxy(str(url)) is None or "%" in url.host:
        # Without the URL, which may contain a password.
        wrong = "must be an http, https, socks5 or socks5h URL with a host"
    elif url.scheme.startswith("socks") and find_spec("socksio") is None:
        wrong = "needs socksio for a SOCKS proxy: pip install 'httpx[socks]'"
    problem = None if wrong is None else ConfigurationError(variable, wrong)
    return Route(proxy, variable, problem)


# --- transports


class _Usable(Exception):
    """The route for a URL is usable."""


class _Checking(httpx.BaseTransport):
    """Sends nothing, but raises the problem of the route for a URL, or `_Usable`."""

    def __init__(self, route: Route) -> None:
        self._route = route

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        raise _route_for(request, self._route).problem or _Usable


class _Transport(httpx.BaseTransport):
    """One route to the network, with a connection pool for each scheme in use."""

    def __init__(self, route: Route, authorities: Authorities) -> None:
        self._route = route
        self._authorities = authorities
        self._open: dict[tuple[Route, bool], httpx.HTTPTransport] = {}

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        route = _route_for(request, self._route)
        secure = request.url.scheme == "https"
        if (route, secure) not in self._open:
            self._open[route, secure] = self._make(route, secure=secure)
        return self._open[route, secure].handle_request(request)

    def _make(self, route: Route, *, secure: bool) -> httpx.HTTPTransport:
        if route.problem is not None:
            raise route.problem
        proxy = None
        with no_fork:  # making a TLS context holds locks of OpenSSL
            # Plain http needs no certificates: its context trusts no authority.
            tls = self._authorities.context() if secure else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            if route.proxy is not None:
                over_tls = route.proxy.lower().startswith("https:")
                trusted = self._authorities.context() if over_tls else None
                proxy = httpx.Proxy(route.proxy, ssl_context=trusted)
        return _Dialing(verify=tls, trust_env=False, proxy=proxy)

    def close(self) -> None:
        for transport in self._open.values():
            transport.close()


def _route_for(request: httpx.Request, route: Route) -> Route:
    """Return the route for a request: the environment's proxies do not apply to loopback."""
    local = route.variable != "proxy" and addresses.may_be_loopback(request.url.host)
    return Route() if local else route


class _Dialing(httpx.HTTPTransport):
    """httpx's own transport, which mocks of users replace, with `EveryAddress` as its backend.

    httpx has no argument for httpcore's network backend.
    """

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        pool: Any = self._pool
        pool._network_backend = EveryAddress()  # noqa: SLF001 (httpx has no argument for it)
