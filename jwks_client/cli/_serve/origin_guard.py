"""Decide which requests may control the development provider, by Host, Origin and Sec-Fetch-Site.

The provider signs any token, and while it runs, the same browser may show other pages. Four rules
keep those pages out:

- Host must be a loopback name (or, beyond loopback, the provider's own name or an address). If an
  attacker points their own name at this machine, only Host reveals it.
- Origin must be this server if it is sent, and Sec-Fetch-Site must not contradict it. No CORS
  header is ever sent, so another page cannot read an answer either.
- A form of the page must prove its origin: browsers send Origin or Sec-Fetch-Site with every POST.
- A POST below ``/dev/`` must be JSON, which another page cannot send without CORS.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from starlette.requests import Request

from ..._core.addresses import ip_literal, is_loopback
from .answers import Refused, media_type_of, problem

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

__all__ = ["OriginGuard"]

_SAME: frozenset[str] = frozenset({"same-origin", "none"})


@dataclass(frozen=True, slots=True)
class OriginGuard:
    """Middleware that refuses requests from other pages, except for published documents.

    Attributes:
        app: the app behind it.
        base_url: the provider's base URL.
        beyond_loopback: whether other machines may reach the provider. Then Host may also be the
            host of ``base_url``, or any address: only a name can be rebound.
    """

    app: ASGIApp
    base_url: str
    beyond_loopback: bool = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one connection."""
        if scope["type"] == "http" and _is_guarded(scope["path"]):
            try:
                self._check(Request(scope))
            except Refused as refused:
                await problem(refused)(scope, receive, send)
                return
        await self.app(scope, receive, send)

    def _check(self, request: Request) -> None:
        headers, path = request.headers, request.scope["path"]
        hosts, origins = headers.getlist("host"), headers.getlist("origin")
        sites = set(headers.getlist("sec-fetch-site"))
        if len(hosts) != 1 or not self._is_own(hosts[0]):
            raise Refused(403, "foreign_host", "use 127.0.0.1 or localhost to reach this server")
        if not {*origins} <= {f"http://{hosts[0]}", self.base_url}:
            raise Refused(403, "foreign_origin", "pages of other origins are not answered")
        if request.method in ("GET", "HEAD"):
            return  # any page may link here, but it cannot read the answer
        if not sites <= _SAME:
            raise Refused(403, "foreign_origin", "pages of other origins are not answered")
        if path == "/" and request.method == "POST" and not origins and sites != {"same-origin"}:
            raise Refused(403, "foreign_origin", "only the page's own form is accepted; see /dev/")
        if (
            path.startswith("/dev/")
            and request.method == "POST"
            and media_type_of(request) != "application/json"
        ):
            raise Refused(415, "not_json", "a POST must have Content-Type: application/json")

    def _is_own(self, host: str) -> bool:
        name = _name_in(host)
        if name is not None and is_loopback(name):
            return True
        own = urlsplit(self.base_url).hostname
        return (
            self.beyond_loopback
            and name is not None
            and (name == own or ip_literal(name) is not None)
        )


def _is_guarded(path: str) -> bool:
    return path in ("/", "/token") or path.startswith(("/dev/", "/page/"))


def _name_in(host: str) -> str | None:
    """Return the host without its port, in lower case."""
    try:
        return urlsplit(f"//{host}").hostname
    except ValueError:
        return None
