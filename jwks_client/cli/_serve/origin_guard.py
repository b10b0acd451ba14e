"""Who may drive the development provider.

Owns: the judgement of Host, Origin and Sec-Fetch-Site. May not know: what is asked for.

Browsers visit foreign pages while the provider runs, and it signs whatever it is asked to. Three
things keep those pages out:

- Host must be a name that is known to lead here. A page whose own name was rebound to this address
  is of one origin with it, and only its Host gives it away.
- Origin, where there is one, must be this server, and Sec-Fetch-Site must not say otherwise. No
  leave (CORS) is ever given, so a foreign page cannot read an answer either.
- What a foreign form could send without asking (no JSON) must prove where it comes from: a browser
  says Origin or Sec-Fetch-Site with each POST, and a request without either is not a browser's.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

from .requests import Refused
from .responses import Message, header_values

__all__ = ["Callers", "is_loopback"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Callers:
    """Whom this server answers.

    Attributes:
        base_url: where it is reached.
        beyond_loopback: whether it is knowingly reached from other machines. Then the host of
            ``base_url`` will do as Host too, and any address: only a name can be rebound.
    """

    base_url: str
    beyond_loopback: bool = False

    def check(self, scope: Message) -> None:
        """Refuse a request by a foreign name or from a foreign page."""
        headers = scope["headers"]
        hosts = header_values(headers, "host")
        if len(hosts) != 1 or not self._is_ours(hosts[0]):
            raise Refused(403, "foreign_host", "this is reached as 127.0.0.1 or localhost only")
        own = {f"http://{hosts[0]}", self.base_url}
        if any(origin not in own for origin in header_values(headers, "origin")):
            raise Refused(403, "foreign_origin", "a page of another origin is not answered")
        # GET is left out: a link from elsewhere may lead here, and what it shows is not told back.
        sites = _sites(headers)
        if scope["method"] not in ("GET", "HEAD") and not sites <= {"same-origin", "none"}:
            raise Refused(403, "foreign_origin", "a page of another origin is not answered")

    def check_form(self, scope: Message) -> None:
        """As `check`, and it must be proven that it was a page of this very server."""
        self.check(scope)
        headers = scope["headers"]
        if not header_values(headers, "origin") and _sites(headers) != {"same-origin"}:
            raise Refused(403, "foreign_origin", "a form is taken from the page itself; see /dev/")

    def _is_ours(self, host: str) -> bool:
        name = _name_in(host)
        if is_loopback(name):
            return True
        own = urlsplit(self.base_url).hostname
        return self.beyond_loopback and name is not None and (name == own or _is_address(name))


def is_loopback(name: str | None) -> bool:
    """Whether a host is this machine, by its very name."""
    try:
        return name == "localhost" or ipaddress.ip_address(name or "").is_loopback
    except ValueError:  # neither that name nor an address
        return False


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _name_in(host: str) -> str | None:
    """The host without its port, in lower case."""
    try:
        return urlsplit(f"//{host}").hostname
    except ValueError:  # neither a host nor an address
        return None


def _sites(headers: Iterable[tuple[bytes, bytes]]) -> set[str]:
    return set(header_values(headers, "sec-fetch-site"))
