"""Asking a provider, with a record of what came: status, headers, body, time taken, certificate.

Owns: the wire under the commands that look at a provider, and what went wrong on it in plain words.
May not know: key sets. What is asked, and which answers count, `_core.fetch` decides: here its
conversation is driven, under the same limits as in the clients, but everything is kept.
"""

from __future__ import annotations

import socket
import ssl
import threading
import time
import zlib
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Self, cast
from urllib.parse import urlsplit

import click

from ... import CachePolicy, FetchPolicy, Provider, __version__
from ..._client.clock import SystemClock
from ..._client.http import Line, read_answer, timed_out, timeouts
from ..._core.keysets.fetch import Broken, Outcome, Plan, Request, Response, Talk
from ..._core.keysets.reasons import strictness
from ...errors import KeysUnavailableCode
from .._output import printable, waiting

if TYPE_CHECKING:
    import httpx

__all__ = [
    "Asker",
    "Trouble",
    "Visit",
    "fetch_policy",
    "is_page",
    "trouble_from",
    "trouble_with",
]

_AGENT: Final = f"jwks-client-sdk/{__version__}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """Why there is no key set.

    Attributes:
        code: the library's code for it.
        kind: a finer word, which is also the code of a finding.
        message: what happened, and what to try; one line.
    """

    code: KeysUnavailableCode
    kind: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """One GET and what came of it.

    Attributes:
        url: what was asked.
        status: of the answer, or None if none came.
        headers: of the answer, names in lower case.
        body: inflated; None if none came, or one over the limit.
        seconds: until the whole answer was there.
        certificate_ends: when the server's certificate does, in seconds since the epoch.
        trouble: why no answer came, or what the answer is instead of a document.
    """

    url: str
    status: int | None = None
    headers: Mapping[str, str]
    body: bytes | None = None
    seconds: float = 0.0
    certificate_ends: float | None = None
    trouble: Trouble | None = None


def fetch_policy(timeout: float) -> FetchPolicy:
    """The library's limits with another deadline, for one attempt and for all of them."""
    return FetchPolicy(
        connect_timeout=timeout, attempt_timeout=timeout, deadline=timeout, retries=0
    )


class Asker:
    """Asks, and keeps what came; a context that closes its connections.

    Arguments:
        policy: the limits.
        ca_file: a PEM file of authorities trusted besides the public ones.
        progress: shows that something is waited for.
    """

    def __init__(
        self,
        policy: FetchPolicy,
        ca_file: str | None = None,
        progress: Callable[[str], AbstractContextManager[None]] = waiting,
    ) -> None:
        self.policy = policy
        self.visits: list[Visit] = []
        self._trust = None if ca_file is None else _trust(ca_file)
        self.progress = progress
        self._open = ExitStack()
        self._clients: dict[str, httpx.Client] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def converse(self, provider: Provider) -> tuple[Outcome, list[Visit]]:
        """Fetch a provider's key set once, without retries; what came of it, and all visits."""
        steps = self._talk(provider).converse()
        visits: list[Visit] = []
        answer: Response | Broken | None = None
        while True:
            try:
                request = next(steps) if answer is None else steps.send(answer)
            except StopIteration as done:
                return cast("Outcome", done.value), visits
            answer, visit = self.ask(request)
            visits.append(visit)

    def _talk(self, provider: Provider) -> Talk:
        headers = provider.headers
        pairs = (headers() if callable(headers) else headers or {}).items()
        return Talk(
            plan=Plan(provider=provider, cache=CachePolicy(), fetch=self.policy, user_agent=_AGENT),
            now=0.0,
            wall=SystemClock().time(),
            validators=None,
            discovered=None,
            last_failed=True,  # then nothing is tried twice
            headers=tuple(pairs),
        )

    def ask(self, request: Request) -> tuple[Response | Broken, Visit]:
        """Make one GET within the limits."""
        line = Line()
        attempt = threading.Timer(self.policy.attempt_timeout, line.cut)
        attempt.daemon = True
        attempt.start()
        began = time.monotonic()
        try:
            with self.progress(f"asking {printable(request.url)}"):
                response, ends = self._send(request, line)
        except Exception as error:  # noqa: BLE001 (httpx's tree)
            broken = Broken(error, line.is_cut or timed_out(error))
            trouble = trouble_from(request.url, error, late=broken.timed_out, policy=self.policy)
            return broken, Visit(
                url=request.url,
                headers={},
                seconds=time.monotonic() - began,
                trouble=trouble,
            )
        finally:
            attempt.cancel()
        body = _inflated(response, self.policy.max_body)
        return response, Visit(
            url=request.url,
            status=response.status,
            headers=response.headers,
            body=body,
            seconds=time.monotonic() - began,
            certificate_ends=ends,
            trouble=trouble_with(request.url, response.status, response.headers, body),
        )

    def _send(self, request: Request, line: Line) -> tuple[Response, float | None]:
        http = self.client(request.url)
        built = http.build_request(
            "GET",
            request.url,
            headers=dict(request.headers),
            extensions={"timeout": timeouts(self.policy), "trace": line.trace},
        )
        answer = http.send(built, stream=True, follow_redirects=False)
        try:
            ends = _certificate_ends(answer)
            return read_answer(answer, line, self.policy.max_body), ends
        finally:
            answer.close()

    def client(self, url: str) -> httpx.Client:
        """An HTTP client for a URL, made when it is first asked for."""
        import httpx

        scheme = urlsplit(url).scheme
        if scheme not in self._clients:
            # A context costs tens of milliseconds, and plain http needs none: one that trusts
            # nobody.
            secure = self._trust or httpx.create_ssl_context() if scheme == "https" else None
            context = secure or ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            self._clients[scheme] = self._open.enter_context(httpx.Client(verify=context))
        return self._clients[scheme]


def _trust(ca_file: str) -> ssl.SSLContext:
    import httpx

    context = httpx.create_ssl_context()
    try:
        context.load_verify_locations(cafile=ca_file)
    except (OSError, ssl.SSLError):
        raise click.UsageError(
            f"--ca takes a PEM file of certificate authorities; {ca_file!r} is none"
        ) from None
    return context


def _certificate_ends(answer: httpx.Response) -> float | None:
    stream = answer.extensions.get("network_stream")
    secure = None if stream is None else stream.get_extra_info("ssl_object")
    told: Mapping[str, Any] = (secure.getpeercert() if secure is not None else None) or {}
    return float(ssl.cert_time_to_seconds(told["notAfter"])) if "notAfter" in told else None


def _inflated(response: Response, limit: int) -> bytes | None:
    """The body for looking at. What is no gzip is left as it is: it was judged already."""
    raw = response.body
    if raw is None or "gzip" not in response.headers.get("content-encoding", ""):
        return raw
    try:
        return zlib.decompressobj(wbits=31).decompress(raw, limit)
    except zlib.error:
        return raw


def trouble_with(
    url: str, status: int, headers: Mapping[str, str], body: bytes | None
) -> Trouble | None:
    """What is wrong with an answer at sight: a redirect, another status, a web page."""
    where = printable(url)
    if status != 304 and 300 <= status < 400:
        to = headers.get("location")
        told = "elsewhere" if to is None else f"to {printable(to)}"
        return Trouble(
            code="fetch_failed",
            kind="redirect",
            message=f"{where} redirects ({status}) {told}, and no redirect is followed; "
            "give the address it leads to, if that is the provider's own",
        )
    if status != 200:
        hint = {
            401: "it wants credentials: give the public address of the key set",
            403: "it may want credentials, or not like where you ask from",
            404: "see whether the path is right; the provider's metadata names it as jwks_uri",
            410: "it is gone; the provider's metadata names the new one as jwks_uri",
            429: "it has had too many requests; try later",
        }.get(status, "the provider fails; try later" if status >= 500 else "see its documentation")
        message = f"{where} answered {status}; {hint}"
        return Trouble(code="fetch_failed", kind="bad_status", message=message)
    if is_page(headers, body):
        return Trouble(
            code="bad_key_set",
            kind="web_page",
            message=f"{where} answered with a web page (HTML) and no JSON; give the address of the "
            "key set itself (jwks_uri), or the issuer as its tokens spell it",
        )
    return None


def is_page(headers: Mapping[str, str], body: bytes | None) -> bool:
    """Whether an answer is HTML, by its own word or by its look."""
    beginning = (body or b"").lstrip(b"\xef\xbb\xbf \t\r\n")[:1]
    return beginning == b"<" or (
        beginning not in {b"{", b"["} and "html" in headers.get("content-type", "").lower()
    )


def trouble_from(url: str, error: BaseException, *, late: bool, policy: FetchPolicy) -> Trouble:
    """What kept an answer from coming, in words."""
    where, host = printable(url), printable(urlsplit(url).hostname or "")
    if late:
        return Trouble(
            code="fetch_timeout",
            kind="timeout",
            message=f"{where} did not answer within {policy.attempt_timeout:g} s; see whether it "
            "can be reached from here, or wait longer with --timeout",
        )
    causes = _causes(error)
    certificate = next((one for one in causes if isinstance(one, ssl.SSLError)), None)
    if certificate is not None:
        return _bad_certificate(where, host, certificate)
    if any(isinstance(one, socket.gaierror) for one in causes):
        told = f"there is no host named {host}, as far as this machine can tell; is it spelled so?"
        return Trouble(code="fetch_failed", kind="unknown_host", message=told)
    if any(isinstance(one, ConnectionRefusedError) for one in causes):
        told = f"nothing answers at {where}: the connection was refused; is it running there?"
        return Trouble(code="fetch_failed", kind="refused", message=told)
    told = f"{where} gave no answer ({printable(str(error) or type(error).__name__)}); try again"
    return Trouble(code="fetch_failed", kind="no_answer", message=told)


def _bad_certificate(where: str, host: str, error: ssl.SSLError) -> Trouble:
    if not isinstance(error, ssl.SSLCertVerificationError):
        reason = printable(error.reason or str(error))
        told = f"{where}: TLS failed ({reason}); is that port meant for https?"
        return Trouble(code="fetch_failed", kind="tls_failed", message=told)
    strict = strictness(error)
    hint = {
        10: "'exp' is in the past: its owner must renew it",
        62: f"it is not for {host}: see whether the name is right",
    }.get(error.verify_code, strict or "if a private authority made it, name that with --ca FILE")
    return Trouble(
        code="fetch_failed",
        kind="bad_certificate",
        message=f"the certificate of {where} is not trusted "
        f"({printable(error.verify_message)}); {hint}",
    )


def _causes(error: BaseException) -> list[BaseException]:
    found: list[BaseException] = []
    one: BaseException | None = error
    while one is not None and one not in found:
        found.append(one)
        one = one.__cause__ or one.__context__
    return found
