"""The conversation that fetches a key set, as a generator without I/O.

It decides what to request, in which order, and which response counts: metadata first if the
provider has any (`discovery`), then the key set, with a retry where one may help. Must not depend
on: sockets, threads, clocks. A driver sends each `Request` and answers with a `Response` or a
`Broken`. The generator returns an `Outcome`, and never raises for anything that an outsider sent.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass, field, replace
from typing import Final, TypeAlias, cast

from ..._version import __version__
from ...errors import KeysUnavailableCode
from .. import addresses
from ..encoding import printable
from ..policy import CachePolicy, FetchPolicy
from ..provider import Provider
from . import reasons
from .discovery import (
    METADATA_KEPT_FOR,
    METADATA_LIFETIME,
    BadMetadata,
    Discovered,
    jwks_uri,
    oauth_metadata_url,
)
from .freshness import Freshness, caching_headers, read_freshness, retry_after
from .gzip_body import BadGzip, gunzip
from .jwk import BadKeySet, KeySet, read_key_set

ACCEPT: Final = "application/jwk-set+json, application/json"
USER_AGENT: Final = f"jwks-client-sdk/{__version__}"
_RETRIABLE = frozenset({408, 429})
# Content codings that leave a body unchanged; object stores send the last two.
_NO_CODING = frozenset({"", "identity", "utf-8", "aws-chunked"})


@dataclass(frozen=True, slots=True)
class Request:
    """A GET request. The driver applies limits and follows no redirect."""

    url: str
    headers: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Response:
    """A response. ``body`` is raw, or already ``decoded``; None if it exceeds the limit."""

    status: int
    headers: Mapping[str, str]
    body: bytes | None
    decoded: bool = False


@dataclass(frozen=True, slots=True)
class Broken:
    """No response arrived."""

    cause: BaseException
    timed_out: bool


@dataclass(frozen=True, slots=True)
class Validators:
    """The validators of the last response, for a conditional request (RFC 9110, section 8.8)."""

    url: str
    etag: str | None
    last_modified: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """A key set arrived. ``key_set`` is None if the cached one is still current (304)."""

    key_set: KeySet | None
    freshness: Freshness | None
    validators: Validators
    discovered: Discovered | None
    requests: int
    content_type: str | None = None  # recorded, never relied on
    body: bytes | None = None  # of the response, decompressed; None for a 304
    caching: Mapping[str, str] = field(default_factory=dict[str, str])  # determines the lifetime
    asked_at: float | None = None  # of a stored record, by this process's monotonic clock


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """No key set arrived. ``message`` and ``cause`` are for logs, never for HTTP responses.

    ``private``: the cause comes from the application's own code, and its text may contain a secret.
    """

    code: KeysUnavailableCode
    message: str
    cause: BaseException | None = None
    retry_after: float | None = None
    requests: int = 0
    private: bool = False
    kept: Fetched | None = None  # a stored record that is used while the provider fails
    postponed: float | None = None  # seconds until an unknown kid may cause a fetch; not a failure


Outcome: TypeAlias = Fetched | Failed
Conversation: TypeAlias = Generator[Request, Response | Broken, Outcome]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The provider to fetch from, and the limits."""

    provider: Provider
    cache: CachePolicy
    fetch: FetchPolicy


@dataclass(slots=True, kw_only=True)
class Talk:
    """One conversation: its initial facts, and how many requests for the key set it has made.

    ``revalidate``: caches on the path must ask the provider, because an unknown kid, a bad
    signature or `refresh` caused the fetch.
    """

    plan: Plan
    now: float  # monotonic, for the age of the metadata
    wall: float  # seconds since the epoch, for Expires and Retry-After
    validators: Validators | None
    discovered: Discovered | None
    last_failed: bool
    headers: tuple[tuple[str, str], ...]
    revalidate: bool = False
    requests: int = field(default=0, init=False)

    def converse(self) -> Conversation:
        """Run the conversation until it has an outcome."""
        try:
            return (yield from self._converse())
        except _Failure as failure:
            failed = failure.failed
        return replace(failed, requests=self.requests)

    def _converse(self) -> Conversation:
        configured = self.plan.provider.jwks_url
        if configured is not None:
            response = yield from self._ask(configured, for_keys=True)
            return self._read_keys(configured, response, None)
        known = self.discovered
        if known is not None and self.now - known.at < METADATA_LIFETIME:
            response = yield from self._ask(known.jwks_url, for_keys=True)
            if response.status not in {404, 410}:
                return self._read_keys(known.jwks_url, response, known)
            known = None  # the provider may have moved its key set: fetch the metadata again
        elif known is not None and self.now - known.at >= METADATA_KEPT_FOR:
            known = None
        try:
            found = Discovered((yield from self._discover(once=known is not None)), self.now)
        except _Failure as failure:
            if known is None or not failure.transient:
                raise
            found = known
        response = yield from self._ask(found.jwks_url, for_keys=True)
        return self._read_keys(found.jwks_url, response, found)

    def _ask(
        self, url: str, *, for_keys: bool, once: bool = False
    ) -> Generator[Request, Response | Broken, Response]:
        request = Request(url, self._headers_for(url, for_keys=for_keys))
        retries = 0 if self.last_failed or once else self.plan.fetch.retries
        while True:
            self.requests += for_keys
            response = yield request
            may_help = isinstance(response, Broken) or (
                _is_transient(response.status) and "retry-after" not in response.headers
            )
            if not may_help or retries == 0:
                break
            retries -= 1
        if isinstance(response, Broken):
            what = f"{'the key set' if for_keys else 'the metadata'} at {reasons.place(url)}"
            code: KeysUnavailableCode = "fetch_timeout" if response.timed_out else "fetch_failed"
            how = "did not arrive in time" if response.timed_out else "could not be fetched"
            hint = reasons.rejected_strictly(response.cause)
            message = f"{what} {how}" if hint is None else f"{what} {how}: {hint}"
            raise _Failure(code, message, cause=response.cause, transient=True)
        return response

    def _headers_for(self, url: str, *, for_keys: bool) -> tuple[tuple[str, str], ...]:
        headers = {"Accept": ACCEPT, "Accept-Encoding": "gzip", "User-Agent": USER_AGENT}
        if self.revalidate:
            headers["Cache-Control"] = "no-cache"
        held = self.validators
        if for_keys and held is not None and held.url == url:
            if held.etag:
                headers["If-None-Match"] = held.etag
            if held.last_modified:
                headers["If-Modified-Since"] = held.last_modified
        provider = self.plan.provider
        configured = provider.jwks_url or provider.discovery_url or ""
        if addresses.origin(url) == addresses.origin(configured):
            # Custom headers may contain a secret, so they only go to the configured origin.
            custom = {name.lower() for name, _ in self.headers}
            headers = {name: value for name, value in headers.items() if name.lower() not in custom}
            return (*headers.items(), *self.headers)
        return tuple(headers.items())

    def _body(self, response: Response) -> bytes:
        limit = self.plan.fetch.max_body
        body = response.body
        if body is not None and not response.decoded:
            codings = response.headers.get("content-encoding", "").lower().split(",")
            match [one for name in codings if (one := name.strip()) not in _NO_CODING]:
                case []:
                    pass
                case ["gzip" | "x-gzip"]:
                    try:
                        body = gunzip(body, limit)
                    except BadGzip as bad:
                        raise _Failure("bad_key_set", str(bad)) from None
                case others:
                    named = printable(", ".join(others), 100)
                    raise _Failure(
                        "bad_key_set",
                        f"the response has a Content-Encoding that was not requested ({named})",
                    )
        if body is None or len(body) > limit:
            raise _Failure("bad_key_set", f"the response is longer than {limit} bytes (max_body)")
        return body

    def _read_keys(self, url: str, response: Response, discovered: Discovered | None) -> Outcome:
        held = self.validators
        key_set: KeySet | None = None
        body: bytes | None = None
        if response.status == 304 and held is not None and held.url == url:
            if not (held.etag or held.last_modified):
                where = reasons.place(url)
                raise _Failure(
                    "fetch_failed",
                    f"the key set's URL {where} answered 304 to an unconditional request",
                )
        elif response.status == 200:
            key_set, body = self._key_set(url, response)
        else:
            wait = retry_after(response.headers, self.wall)
            message = reasons.status(
                f"the key set's URL {reasons.place(url)}", response.status, response.headers
            )
            raise _Failure("fetch_failed", message, retry_after=wait)
        etag, modified = response.headers.get("etag"), response.headers.get("last-modified")
        if key_set is None and held is not None:  # a 304 need not repeat its validators
            etag, modified = etag or held.etag, modified or held.last_modified
        freshness = read_freshness(
            response.headers, self.plan.cache, self.wall, renewed=key_set is None
        )
        return Fetched(
            key_set=key_set,
            freshness=freshness,
            validators=Validators(url, _field(etag), _field(modified)),
            discovered=discovered,
            requests=self.requests,
            content_type=response.headers.get("content-type"),
            body=body,
            caching={} if freshness is None else caching_headers(response.headers, self.wall),
        )

    def _key_set(self, url: str, response: Response) -> tuple[KeySet, bytes]:
        where = reasons.place(url)
        try:
            body = self._body(response)
        except _Failure as failure:
            raise _Failure("bad_key_set", f"{where}: {failure.failed.message}") from None
        try:
            return read_key_set(body, max_keys=self.plan.fetch.max_keys), body
        except BadKeySet as bad:
            page = " (it looks like HTML)" if body.lstrip().startswith(b"<") else ""
            message = f"the response from {where} is not a usable key set: {bad}{page}"
            raise _Failure("bad_key_set", message) from None

    def _discover(self, *, once: bool) -> Generator[Request, Response | Broken, str]:
        url = cast("str", self.plan.provider.discovery_url)
        response = yield from self._ask(url, for_keys=False, once=once)
        other = oauth_metadata_url(url)
        if response.status in {404, 410} and other is not None:
            url = other
            response = yield from self._ask(url, for_keys=False, once=once)
        what = f"the metadata at {reasons.place(url)}"
        if response.status != 200:
            raise _Failure(
                "discovery_failed",
                reasons.status(what, response.status, response.headers),
                retry_after=retry_after(response.headers, self.wall),
                transient=_is_transient(response.status),
            )
        try:
            return jwks_uri(self._body(response), self.plan.provider)
        except BadMetadata as bad:
            raise _Failure("discovery_failed", f"{what} {bad}") from None
        except _Failure as failure:
            raise _Failure("discovery_failed", f"{what}: {failure.failed.message}") from None


class _Failure(Exception):
    def __init__(
        self,
        code: KeysUnavailableCode,
        message: str,
        *,
        cause: BaseException | None = None,
        retry_after: float | None = None,
        transient: bool = False,
    ) -> None:
        super().__init__(message)
        self.transient = transient  # the failure does not contradict what is known
        self.failed = Failed(code=code, message=message, cause=cause, retry_after=retry_after)


def _is_transient(status: int) -> bool:
    return status in _RETRIABLE or status >= 500


def _field(value: str | None) -> str | None:
    """Return a validator that can be sent back as a header, else None."""
    return (
        value if value and len(value) <= 256 and value.isascii() and value.isprintable() else None
    )
