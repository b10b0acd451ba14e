"""The conversation that fetches a key set, as a generator that talks and does not know the wire.

Owns: what is asked, in which order, and what answer counts: metadata where the provider has it
(OpenID Connect Discovery; RFC 8414) with its issuer compared exactly, then the key set; one retry
where one may help. May not know: sockets, threads, clocks. A driver takes each `Request` to the
wire and sends back a `Response` or a `Broken`; the generator returns an `Outcome` and never raises
for anything an outsider sent.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias, cast
from urllib.parse import urlsplit

from ..errors import KeysUnavailableCode
from . import settings
from .encoding import Repeated, tolerant_json
from .freshness import Freshness, read_freshness, retry_after
from .jwk import BadKeySet, KeySet, read_key_set
from .policy import CachePolicy, FetchPolicy
from .provider import IssuerTemplate, Provider

ACCEPT: Final = "application/jwk-set+json, application/json"
_TRY_AGAIN = frozenset({408, 429})
_OPENID = "/.well-known/openid-configuration"
_OAUTH = "/.well-known/oauth-authorization-server"
DISCOVERY_LIFE: Final = 24 * 3600.0


@dataclass(frozen=True, slots=True)
class Request:
    """One GET to be made: the driver adds limits and follows no redirect."""

    url: str
    headers: tuple[tuple[str, str], ...]
    for_keys: bool


@dataclass(frozen=True, slots=True)
class Response:
    """An answer. ``body`` is as it came, or ``decoded`` already; None if it is over the limit."""

    status: int
    headers: Mapping[str, str]
    body: bytes | None
    decoded: bool = False


@dataclass(frozen=True, slots=True)
class Broken:
    """No answer came."""

    cause: BaseException
    timed_out: bool


@dataclass(frozen=True, slots=True)
class Discovered:
    """Where the provider's metadata says the key set is, and when (monotonic seconds)."""

    jwks_url: str
    at: float


@dataclass(frozen=True, slots=True)
class Validators:
    """What the last answer offered for a conditional request (RFC 9110, section 8.8)."""

    url: str
    etag: str | None
    last_modified: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """A key set came. ``key_set`` is None where the provider said that ours is current (304)."""

    key_set: KeySet | None
    freshness: Freshness | None
    validators: Validators
    discovered: Discovered | None
    requests: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """No key set came, and why. ``message`` names no host; ``cause`` is for logs.

    ``private``: the cause comes from the application's own code, and its text may hold a secret.
    """

    code: KeysUnavailableCode
    message: str
    cause: BaseException | None = None
    retry_after: float | None = None
    requests: int = 0
    private: bool = False


Outcome: TypeAlias = Fetched | Failed
Conversation: TypeAlias = Generator[Request, Response | Broken, Outcome]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to fetch: the provider's side of a conversation, with the limits it runs under."""

    provider: Provider
    cache: CachePolicy
    fetch: FetchPolicy
    user_agent: str


@dataclass(slots=True, kw_only=True)
class Talk:
    """One conversation: what it starts from, and the count of requests for the key set it made."""

    plan: Plan
    now: float  # monotonic, for the age of what was discovered
    wall: float  # since the epoch, for Expires and Retry-After
    validators: Validators | None
    discovered: Discovered | None
    last_failed: bool
    headers: tuple[tuple[str, str], ...]
    requests: int = field(default=0, init=False)

    def converse(self) -> Conversation:
        """Talk until there is an outcome."""
        try:
            return (yield from self._converse())
        except _Failure as failure:
            failed = failure.failed
        return Failed(
            code=failed.code,
            message=failed.message,
            cause=failed.cause,
            retry_after=failed.retry_after,
            requests=self.requests,
        )

    def _converse(self) -> Conversation:
        configured = self.plan.provider.jwks_url
        if configured is not None:
            answer = yield from self._ask(configured, for_keys=True)
            return self._read_keys(configured, answer, None)
        discovered = self.discovered
        if discovered is not None and self.now - discovered.at < DISCOVERY_LIFE:
            answer = yield from self._ask(discovered.jwks_url, for_keys=True)
            if answer.status not in {404, 410}:
                return self._read_keys(discovered.jwks_url, answer, discovered)
            # The provider may have moved its keys: ask its metadata again.
        found = Discovered((yield from self._discover()), self.now)
        answer = yield from self._ask(found.jwks_url, for_keys=True)
        return self._read_keys(found.jwks_url, answer, found)

    def _ask(self, url: str, *, for_keys: bool) -> Generator[Request, Response | Broken, Response]:
        request = Request(url, self._headers_for(url, for_keys=for_keys), for_keys)
        retries = 0 if self.last_failed else self.plan.fetch.retries
        while True:
            self.requests += for_keys
            answer = yield request
            may_help = isinstance(answer, Broken) or (
                (answer.status in _TRY_AGAIN or answer.status >= 500)
                and "retry-after" not in answer.headers
            )
            if not may_help or retries == 0:
                break
            retries -= 1
        if isinstance(answer, Broken):
            what = "the key set" if for_keys else "the provider's metadata"
            if answer.timed_out:
                raise _Failure("fetch_timeout", f"{what} did not come in time", cause=answer.cause)
            raise _Failure("fetch_failed", f"{what} could not be fetched", cause=answer.cause)
        return answer

    def _headers_for(self, url: str, *, for_keys: bool) -> tuple[tuple[str, str], ...]:
        headers = {"Accept": ACCEPT, "Accept-Encoding": "gzip", "User-Agent": self.plan.user_agent}
        held = self.validators
        if for_keys and held is not None and held.url == url:
            if held.etag:
                headers["If-None-Match"] = held.etag
            if held.last_modified:
                headers["If-Modified-Since"] = held.last_modified
        provider = self.plan.provider
        configured = provider.jwks_url or provider.discovery_url or ""
        if settings.origin(url) == settings.origin(configured):
            # The application's own headers, perhaps a secret, go where it pointed and nowhere else.
            own = {name.lower() for name, _ in self.headers}
            headers = {name: value for name, value in headers.items() if name.lower() not in own}
            return (*headers.items(), *self.headers)
        return tuple(headers.items())

    def _body(self, answer: Response) -> bytes:
        limit = self.plan.fetch.max_body
        body = answer.body
        if body is not None and not answer.decoded:
            match answer.headers.get("content-encoding", "identity").strip().lower():
                case "identity" | "":
                    pass
                case "gzip" | "x-gzip":
                    body = _inflate(body, limit)
                case _:
                    raise _Failure(
                        "bad_key_set", "the answer has a Content-Encoding that was not asked for"
                    )
        if body is None or len(body) > limit:
            raise _Failure("bad_key_set", f"the answer is longer than {limit} bytes (max_body)")
        return body

    def _read_keys(self, url: str, answer: Response, discovered: Discovered | None) -> Outcome:
        held = self.validators
        key_set: KeySet | None = None
        if answer.status == 304 and held is not None and held.url == url:
            if not (held.etag or held.last_modified):
                raise _Failure("fetch_failed", "the key set's URL answered 304 to no condition")
        elif answer.status == 200:
            try:
                key_set = read_key_set(self._body(answer), max_keys=self.plan.fetch.max_keys)
            except BadKeySet as bad:
                raise _Failure("bad_key_set", f"the answer is no usable key set: {bad}") from None
        else:
            wait = retry_after(answer.headers, self.wall)
            raise _Failure(
                "fetch_failed", _told("the key set's URL", answer.status), retry_after=wait
            )
        etag, modified = answer.headers.get("etag"), answer.headers.get("last-modified")
        if key_set is None and held is not None:  # a 304 need not repeat its validators
            etag, modified = etag or held.etag, modified or held.last_modified
        return Fetched(
            key_set=key_set,
            freshness=read_freshness(
                answer.headers, self.plan.cache, self.wall, renewed=key_set is None
            ),
            validators=Validators(url, _field(etag), _field(modified)),
            discovered=discovered,
            requests=self.requests,
        )

    def _discover(self) -> Generator[Request, Response | Broken, str]:
        url = cast("str", self.plan.provider.discovery_url)
        answer = yield from self._ask(url, for_keys=False)
        other = _oauth_metadata_url(url)
        if answer.status in {404, 410} and other is not None:
            answer = yield from self._ask(other, for_keys=False)
        if answer.status != 200:
            wait = retry_after(answer.headers, self.wall)
            raise _Failure(
                "discovery_failed",
                _told("the provider's metadata", answer.status),
                retry_after=wait,
            )
        try:
            document = tolerant_json(self._body(answer))
        except ValueError:
            raise _Failure("discovery_failed", "the provider's metadata is not JSON") from None
        except _Failure as failure:
            raise _Failure("discovery_failed", failure.failed.message) from None
        if not isinstance(document, dict) or isinstance(document, Repeated):
            raise _Failure(
                "discovery_failed", "the provider's metadata is no JSON object, or repeats a member"
            )
        return self._jwks_uri(cast("dict[str, Any]", document))

    def _jwks_uri(self, document: dict[str, Any]) -> str:
        issuer = self.plan.provider.issuer
        if not _is_issuer(document.get("issuer"), issuer):
            # OpenID Connect Discovery, section 4.3; RFC 8414, section 3.3.
            raise _Failure(
                "discovery_failed", "the provider's metadata names another issuer than configured"
            )
        url = document.get("jwks_uri")
        if not isinstance(url, str):
            raise _Failure("discovery_failed", "the provider's metadata has no jwks_uri")
        if not may_ask(url, self.plan.provider):
            raise _Failure(
                "discovery_failed",
                "the provider's metadata names a jwks_uri that may not be asked: "
                "https is wanted, and no private address",
            )
        return url


class _Failure(Exception):
    def __init__(
        self,
        code: KeysUnavailableCode,
        message: str,
        *,
        cause: BaseException | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.failed = Failed(code=code, message=message, cause=cause, retry_after=retry_after)


def may_ask(url: str, provider: Provider) -> bool:
    """Whether a ``jwks_uri`` may be fetched: no document may point us into a private net.

    https (plain http on loopback if the issuer is there, or with ``allow_http``); an address
    literal only where it is public or the configured host is a private literal too.
    """
    parts, home = settings.split_url(url), settings.split_url(provider.discovery_url)
    if parts is None or home is None:
        return False
    # A trailing dot names the same host to a resolver.
    host = (parts.hostname or "").removesuffix(".")
    home_host = (home.hostname or "").removesuffix(".")
    loopback = settings.is_loopback(host)
    if loopback and not settings.is_loopback(home_host):
        return False
    if parts.scheme != "https" and not (loopback or provider.allow_http):
        return False
    address, home_address = settings.ip_literal(host), settings.ip_literal(home_host)
    if address is None:
        # "2130706433" and "0x7f.1" are addresses to a resolver (WHATWG URL, section 3.5).
        last = host.rpartition(".")[2]
        return not (last.isdigit() or last.startswith("0x"))
    if loopback or settings.is_public(address):
        return True
    return home_address is not None and not settings.is_public(home_address)


def _is_issuer(found: object, configured: str | tuple[str, ...] | IssuerTemplate | None) -> bool:
    match configured:
        case None:
            return True
        case str():
            return found == configured
        case IssuerTemplate():
            # A template's metadata names one issuer of it, or the template itself, whatever its
            # placeholder is called there (Entra ID).
            before, _, after = configured.template.partition(f"{{{configured.claim}}}")
            template = re.escape(before) + r"\{\w{1,64}\}" + re.escape(after)
            return isinstance(found, str) and (
                configured.value_in(found) is not None or re.fullmatch(template, found) is not None
            )
        case _:
            return found in configured


def _oauth_metadata_url(url: str) -> str | None:
    """Where RFC 8414, section 3.1 puts what OpenID Connect Discovery puts at ``url``."""
    parts = urlsplit(url)
    if not parts.path.endswith(_OPENID) or parts.query:
        return None
    return f"{parts.scheme}://{parts.netloc}{_OAUTH}{parts.path.removesuffix(_OPENID)}"


def _told(what: str, status: int) -> str:
    if status != 304 and 300 <= status < 400:
        return f"{what} answered with a redirect ({status}), and none is followed"
    return f"{what} answered {status}"


def _inflate(raw: bytes, limit: int) -> bytes | None:
    """Gunzip at most ``limit`` bytes; None if there are more or it is no gzip."""
    inflater = zlib.decompressobj(wbits=31)
    try:
        body = inflater.decompress(raw, limit + 1)
    except zlib.error:
        raise _Failure("bad_key_set", "the answer says gzip and is not") from None
    if len(body) > limit:
        return None
    if not inflater.eof:
        raise _Failure("bad_key_set", "the answer's gzip is cut short")
    return body


def _field(value: str | None) -> str | None:
    """A validator that can be sent back as a header, else None."""
    return (
        value if value and len(value) <= 256 and value.isascii() and value.isprintable() else None
    )
