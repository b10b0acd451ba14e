"""Explain in one line why a request did not return a document, and what to try.

Must not depend on how requests are made.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from ... import FetchPolicy
from ..._core.causes import causes as chain_of
from ..._core.keysets.reasons import strictness
from .._output import printable

if TYPE_CHECKING:
    from ...errors import KeysUnavailableCode

__all__ = ["Trouble", "is_page", "trouble_from_error", "trouble_from_response"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """The reason for a missing key set.

    Attributes:
        code: the library's code for it.
        kind: a more specific code, which is also the code of a finding.
        message: what happened and what to try, in one line.
    """

    code: KeysUnavailableCode
    kind: str
    message: str


def trouble_from_response(
    url: str, status: int, headers: Mapping[str, str], body: bytes | None
) -> Trouble | None:
    """Return what is wrong with a response: a redirect, another status, a web page."""
    where = printable(url)
    if status != 304 and 300 <= status < 400:
        location = headers.get("location")
        to = "" if location is None else f" to {printable(location)}"
        return Trouble(
            code="fetch_failed",
            kind="redirect",
            message=f"{where} redirects ({status}){to}, and redirects are not followed; "
            "give the URL it redirects to, if that is the provider's own",
        )
    if status != 200:
        hint = {
            401: "it requires credentials; give the public URL of the key set",
            403: "it may require credentials, or block this network",
            404: "check the path; the provider's metadata contains the URL as jwks_uri",
            410: "it is gone; the provider's metadata contains the new URL as jwks_uri",
            429: "it received too many requests; try again later",
        }.get(status, "the provider fails; try later" if status >= 500 else "see its documentation")
        message = f"{where} responded with status {status}; {hint}"
        return Trouble(code="fetch_failed", kind="bad_status", message=message)
    if is_page(headers, body):
        return Trouble(
            code="bad_key_set",
            kind="web_page",
            message=f"{where} responded with a web page (HTML) instead of JSON; give the URL of "
            "the key set itself (jwks_uri), or the issuer as it appears in tokens",
        )
    return None


def is_page(headers: Mapping[str, str], body: bytes | None) -> bool:
    """Return whether a response is HTML, by its content or its Content-Type."""
    beginning = (body or b"").lstrip(b"\xef\xbb\xbf \t\r\n")[:1]
    return beginning == b"<" or (
        beginning not in {b"{", b"["} and "html" in headers.get("content-type", "").lower()
    )


def trouble_from_error(
    url: str, error: BaseException, *, late: bool, policy: FetchPolicy
) -> Trouble:
    """Return why no response arrived."""
    where, host = printable(url), printable(urlsplit(url).hostname or "")
    if late:
        return Trouble(
            code="fetch_timeout",
            kind="timeout",
            message=f"{where} did not respond within {policy.attempt_timeout:g} s; check that it "
            "is reachable from here, or wait longer with --timeout",
        )
    causes = list(chain_of(error))
    certificate = next((one for one in causes if isinstance(one, ssl.SSLError)), None)
    if certificate is not None:
        return _bad_certificate(where, host, certificate)
    if any(isinstance(one, socket.gaierror) for one in causes):
        message = f"the host name {host} cannot be resolved on this machine; check its spelling"
        return Trouble(code="fetch_failed", kind="unknown_host", message=message)
    if any(isinstance(one, ConnectionRefusedError) for one in causes):
        message = f"the connection to {where} was refused; check that the server is running"
        return Trouble(code="fetch_failed", kind="refused", message=message)
    reason = printable(str(error) or type(error).__name__)
    message = f"{where} did not respond ({reason}); try again"
    return Trouble(code="fetch_failed", kind="no_answer", message=message)


def _bad_certificate(where: str, host: str, error: ssl.SSLError) -> Trouble:
    if not isinstance(error, ssl.SSLCertVerificationError):
        reason = printable(error.reason or str(error))
        message = f"TLS with {where} failed ({reason}); check that the port speaks https"
        return Trouble(code="fetch_failed", kind="tls_failed", message=message)
    hint = {
        10: "it has expired; its owner must renew it",
        62: f"it is not valid for {host}; check the host name",
    }.get(
        error.verify_code,
        strictness(error) or "if a private authority issued it, give that one with --ca FILE",
    )
    return Trouble(
        code="fetch_failed",
        kind="bad_certificate",
        message=f"the certificate of {where} is not trusted "
        f"({printable(error.verify_message)}); {hint}",
    )
