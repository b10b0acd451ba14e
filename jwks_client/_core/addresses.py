"""URLs, hosts and IP addresses: how they are split, and which are loopback, public or private.

Owns: every judgement on an address. Must not depend on: settings, which name a field when they
refuse one.
"""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import SplitResult, urlsplit

_VISIBLE_ASCII = re.compile(r"[\x21-\x7e]+")


def split_url(value: object) -> SplitResult | None:
    """The parts of an absolute http or https URL without user, password or fragment, else None."""
    parts = _split(value, ("http", "https"))
    bad = parts is not None and ("\\" in str(value) or "@" in parts.netloc or "#" in str(value))
    return None if bad else parts


def split_proxy(value: object) -> SplitResult | None:
    """The parts of a proxy's URL, which unlike others may hold a user and a password, else None."""
    return _split(value, ("http", "https", "socks5", "socks5h"))


def _split(value: object, schemes: tuple[str, ...]) -> SplitResult | None:
    if not isinstance(value, str) or len(value) > 2048 or not _VISIBLE_ASCII.fullmatch(value):
        return None
    try:
        parts = urlsplit(value)
        parts.port  # noqa: B018 (reading it is what checks it)
    except ValueError:
        return None
    return parts if parts.scheme in schemes and parts.hostname else None


def is_loopback(host: str) -> bool:
    """Whether a host name or address literal is this machine (RFC 6761, section 6.3)."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    address = ip_literal(host)
    return address is not None and address.is_loopback


def ip_literal(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """The address of a host literal, an IPv4-mapped one unwrapped; None for a name."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def is_public(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    """Whether an address may be anybody's: neither private, link-local, site-local nor special.

    An IPv4 address that a translator would take out of an IPv6 one is judged in its place.
    """
    if isinstance(address, ipaddress.IPv6Address):
        if address.is_site_local or address.sixtofour:
            return False
        if any(address in net for net in _IPV4_INSIDE):
            return is_public(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
    return address.is_global and not address.is_multicast


# IPv4-compatible addresses (RFC 4291, section 2.5.5.1) and NAT64's (RFC 6052, section 2.1).
_IPV4_INSIDE = (ipaddress.ip_network("::/96"), ipaddress.ip_network("64:ff9b::/96"))


def origin(address: str) -> tuple[str, str, int]:
    """Scheme, host and port of a checked URL: what may see the application's own headers."""
    parts = urlsplit(address)
    default = 443 if parts.scheme == "https" else 80
    return parts.scheme, (parts.hostname or "").lower(), parts.port or default
