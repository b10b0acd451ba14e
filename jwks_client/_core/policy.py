"""Settings for the lifetime of keys and tenants and for fetching, checked when they are made.

Must not depend on: providers, tokens, or how the settings are carried out. Times are in seconds.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from ..errors import ConfigurationError
from . import addresses, settings

__all__ = ["CachePolicy", "FetchPolicy"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CachePolicy:
    """How long a key set lives, and when the provider may be asked for it.

    Arguments:
        ttl: lifetime of a set if the response gives none; within ``min_ttl`` and ``max_ttl``.
        honour_headers: let ``Cache-Control: max-age`` (minus ``Age``) or ``Expires`` set the
            lifetime.
        min_ttl: shortest lifetime that a response can set (also no-store and no-cache).
        max_ttl: longest lifetime that a response can set.
        refresh_ahead: share of the lifetime, above 0 and below 1, after which one background fetch
            runs; None for no background work at all (Lambda, scripts).
        stale_if_error: how long stale keys are used while the provider fails; 0 fails closed. A
            smaller ``stale-if-error`` in the response wins (RFC 5861, section 4).
        unknown_kid_burst: fetches that unknown kids can cause at once (whole number, 1 to a
            million).
        unknown_kid_interval: seconds after which one more such fetch is allowed.
        unknown_kid_wait: the longest time that a caller waits for a fetch that another caller
            began, while the key set is usable; None for 1 in `JWKSClient`, and for
            ``FetchPolicy.deadline`` in `AsyncJWKSClient`.
        bad_signature_interval: at most one fetch per interval if a known kid's signature is
            invalid.
        negative_kids: how many unknown kids are remembered (whole number; 0 for none).
        negative_kid_ttl: how long unknown kids are remembered.
        failure_backoff: first and longest wait after a failed fetch; doubles in between.
    """

    ttl: float = 300
    honour_headers: bool = True
    min_ttl: float = 60
    max_ttl: float = 3600
    refresh_ahead: float | None = 0.8
    stale_if_error: float = 3600
    unknown_kid_burst: int = 2
    unknown_kid_interval: float = 10
    unknown_kid_wait: float | None = None
    bad_signature_interval: float = 60
    negative_kids: int = 1024
    negative_kid_ttl: float = 10
    failure_backoff: tuple[float, float] = (1, 30)

    def __post_init__(self) -> None:
        settings.flag("honour_headers", self.honour_headers)
        settings.number("min_ttl", self.min_ttl)
        settings.number("max_ttl", self.max_ttl, minimum=self.min_ttl)
        settings.number("ttl", self.ttl, minimum=self.min_ttl, maximum=self.max_ttl)
        settings.number("stale_if_error", self.stale_if_error)
        settings.whole("unknown_kid_burst", self.unknown_kid_burst, minimum=1, maximum=1_000_000)
        settings.number("unknown_kid_interval", self.unknown_kid_interval, minimum=0.001)
        if self.unknown_kid_wait is not None:
            settings.number("unknown_kid_wait", self.unknown_kid_wait)
        settings.number("bad_signature_interval", self.bad_signature_interval)
        settings.whole("negative_kids", self.negative_kids, maximum=1_000_000)
        settings.number("negative_kid_ttl", self.negative_kid_ttl)
        self._check_refresh_ahead()
        self._check_backoff()

    def _check_refresh_ahead(self) -> None:
        share = self.refresh_ahead
        if share is None:
            return
        settings.number("refresh_ahead", share, maximum=1, unit="a share of the lifetime, or None")
        if not 0 < share < 1:
            raise ConfigurationError(
                "refresh_ahead",
                f"must be a share of the lifetime above 0 and below 1, or None, got {share!r}",
            )

    def _check_backoff(self) -> None:
        pair = self.failure_backoff
        if not isinstance(pair, tuple) or len(pair) != 2:  # pyright: ignore[reportUnnecessaryIsInstance, reportUnnecessaryComparison]
            raise ConfigurationError("failure_backoff", f"must be (first, longest), got {pair!r}")
        first = settings.number("failure_backoff", pair[0], minimum=0.001)
        settings.number("failure_backoff", pair[1], minimum=first)


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchPolicy:
    """How a key set is fetched, and the limits on every response.

    Arguments:
        connect_timeout: for the connection and its TLS handshake, above 0.
        attempt_timeout: for one request and its whole response, above 0.
        deadline: for everything: DNS, connection, each header byte, body, retries.
        retries: further attempts (0 to 5) after a failed connection, a timeout, 408, 429 or 5xx.
        max_body: longest response in bytes, counted after decompression.
        max_keys: largest number of entries in a key set.
        max_token: longest token, in characters; checked before anything else.
        max_header: longest header segment of a token, in characters.
        ca_file: a PEM file of authorities trusted in addition to the public ones (a private CA);
            read again when it changes.
        proxy: URL of a proxy for all fetches; None uses the usual environment variables, which
            never apply to loopback.
    """

    connect_timeout: float = 2
    attempt_timeout: float = 3
    deadline: float = 5
    retries: int = 1
    max_body: int = 512 * 1024
    max_keys: int = 100
    max_token: int = 16 * 1024
    max_header: int = 4 * 1024
    ca_file: str | None = None
    proxy: str | None = field(default=None, repr=False)  # may contain a password

    def __post_init__(self) -> None:
        for name in ("connect_timeout", "attempt_timeout", "deadline"):
            settings.number(name, getattr(self, name), minimum=0.001, maximum=300)
        settings.whole("retries", self.retries, maximum=5)
        for name, most in (
            ("max_body", 64 * 1024 * 1024),
            ("max_keys", 10_000),
            ("max_token", 1024 * 1024),
            ("max_header", 1024 * 1024),
        ):
            settings.whole(name, getattr(self, name), minimum=1, maximum=most)
        if self.ca_file is not None:
            settings.text("ca_file", self.ca_file)
        if self.proxy is not None and addresses.split_proxy(self.proxy) is None:
            # The URL may contain a password, so the message omits it.
            raise ConfigurationError(
                "proxy",
                "must be an http, https, socks5 or socks5h URL such as http://proxy.internal:3128",
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class TenantPolicy:
    """How long the resolver's result is used, and how many tenants are kept.

    Arguments:
        max_resolved: largest number of tenants (1 to 100 000).
        resolve_ttl: lifetime of a result in seconds (at least 1).
        stale_if_error: how long after its lifetime a result is used while the resolver fails, in
            seconds.
        backoff: first and longest wait in seconds after a failed call; doubles in between, half of
            it fixed and half random.
        ask_ahead: call the resolver again in the background after 0.8 of ``resolve_ttl``, and after
            a failure; False for no background work at all.

    Raises `ConfigurationError` naming the setting.
    """

    max_resolved: int = 256
    resolve_ttl: float = 300
    stale_if_error: float = 3600
    backoff: tuple[float, float] = (1, 30)
    ask_ahead: bool = True

    def __post_init__(self) -> None:
        settings.whole("max_resolved", self.max_resolved, minimum=1, maximum=100_000)
        settings.number("resolve_ttl", self.resolve_ttl, minimum=1)
