"""Fetch from a provider as the clients do, and keep a record of every request and response.

`_core.keysets.fetch` decides what is requested and which responses count; the limits are those of
the clients.
"""

from __future__ import annotations

import ssl
import threading
from collections.abc import Mapping
from dataclasses import dataclass, replace
from time import monotonic
from typing import TYPE_CHECKING, Any, Self, cast

import click

from ... import CachePolicy, FetchPolicy, Provider
from ..._client.clock import SystemClock
from ..._client.http import Line, get
from ..._client.network import Network
from ..._core.keysets.fetch import Broken, Outcome, Plan, Request, Response, Talk
from ..._core.keysets.gzip_body import BadGzip, gunzip
from ...errors import ConfigurationError
from .._output import printable, waiting
from .trouble import Trouble, trouble_from_error, trouble_from_response

if TYPE_CHECKING:
    import httpx

__all__ = ["Exchange", "Prober"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """One GET request and its response.

    Attributes:
        url: the requested URL.
        status: the status of the response, or None without a response.
        headers: the headers of the response, with names in lower case.
        body: the decompressed body; None without a response, or if it exceeds the limit.
        seconds: how long it took until the whole response had arrived.
        certificate_ends: when the server's certificate expires, in seconds since the epoch.
        trouble: why no response arrived, or why it is not a document.
    """

    url: str
    status: int | None = None
    headers: Mapping[str, str]
    body: bytes | None = None
    seconds: float = 0.0
    certificate_ends: float | None = None
    trouble: Trouble | None = None


class Prober:
    """Fetches, and keeps what it received; a context manager that closes its connections.

    Arguments:
        timeout: the deadline of each request in seconds.
        url: the first URL to fetch; the settings of the environment that it uses are checked now.
        ca_file: a PEM file of certificate authorities to trust in addition to the public ones.

    Attributes:
        policy: the default limits with that deadline, and without retries.
        http: the HTTP client, with the network settings of a client of this library.

    Raises click's UsageError if ``--ca`` or a variable of the environment cannot be used.
    """

    def __init__(self, timeout: float, url: str, ca_file: str | None = None) -> None:
        self.policy = FetchPolicy(
            connect_timeout=timeout, attempt_timeout=timeout, deadline=timeout, retries=0
        )
        self.http = _network(replace(self.policy, ca_file=ca_file), url).open()
        self.http.event_hooks = {"response": [self._note_certificate]}
        self._certificate_ends: float | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.http.close()

    def fetch(self, provider: Provider) -> tuple[Outcome, list[Exchange]]:
        """Fetch a provider's key set once; return the outcome and every exchange."""
        steps = self._talk(provider).converse()
        exchanges: list[Exchange] = []
        response: Response | Broken | None = None
        while True:
            try:
                request = next(steps) if response is None else steps.send(response)
            except StopIteration as done:
                return cast("Outcome", done.value), exchanges
            response, exchange = self._exchange(request)
            exchanges.append(exchange)

    def _talk(self, provider: Provider) -> Talk:
        headers = provider.headers
        pairs = (headers() if callable(headers) else headers or {}).items()
        return Talk(
            plan=Plan(provider=provider, cache=CachePolicy(), fetch=self.policy),
            now=0.0,
            wall=SystemClock().time(),
            validators=None,
            discovered=None,
            last_failed=True,  # so that no request is retried
            headers=tuple(pairs),
        )

    def _exchange(self, request: Request) -> tuple[Response | Broken, Exchange]:
        line = Line()
        timer = threading.Timer(self.policy.attempt_timeout, line.cut)
        timer.daemon = True
        self._certificate_ends = None
        began = monotonic()
        timer.start()
        try:
            with waiting(f"fetching {printable(request.url)}"):
                response = get(self.http, request, line, self.policy)
        finally:
            timer.cancel()
        seconds = monotonic() - began
        if isinstance(response, Broken):
            trouble = trouble_from_error(
                request.url, response.cause, late=response.timed_out, policy=self.policy
            )
            return response, Exchange(url=request.url, headers={}, seconds=seconds, trouble=trouble)
        body = _decompressed(response, self.policy.max_body)
        return response, Exchange(
            url=request.url,
            status=response.status,
            headers=response.headers,
            body=body,
            seconds=seconds,
            certificate_ends=self._certificate_ends,
            trouble=trouble_from_response(request.url, response.status, response.headers, body),
        )

    def _note_certificate(self, response: httpx.Response) -> None:
        stream = response.extensions.get("network_stream")
        secure = None if stream is None else stream.get_extra_info("ssl_object")
        certificate: Mapping[str, Any] = (secure.getpeercert() if secure else None) or {}
        if "notAfter" in certificate:
            self._certificate_ends = float(ssl.cert_time_to_seconds(certificate["notAfter"]))


def _network(policy: FetchPolicy, url: str) -> Network:
    try:
        return Network(policy, [url])
    except ConfigurationError as error:
        of_ca_file = error.field == "ca_file"
        message = f"--ca{error.message.removeprefix('ca_file')}" if of_ca_file else error.message
        raise click.UsageError(message) from None


def _decompressed(response: Response, limit: int) -> bytes | None:
    """Return the body for inspection, decompressed if it is gzip."""
    body = response.body
    if body is None or "gzip" not in response.headers.get("content-encoding", ""):
        return body
    try:
        return gunzip(body, limit)
    except BadGzip:
        return body
