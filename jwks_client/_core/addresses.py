"""Split URLs, and classify addresses as loopback, public or private.

Must not depend on: settings, which name a field when they reject an address.
"""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import SplitResult, urlsplit

_VISIBLE_ASCII = re.compile(r"[\x21-\x7e]+")


def split_url(value: object) -> SplitResult | None:
    """Return the parts of an absolute http(s) URL without user and fragment, else None."""
    parts = _split(value, ("http", "https"))
    bad = parts is not None and ("\\" in str(value) or "@" in parts.netloc or "#" in str(value))
    return None if bad else parts


def split_proxy(value: object) -> SplitResult | None:
    """Return the parts of a proxy URL, which may contain a user and a password, else None."""
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


def is_remote_http(parts: SplitResult) -> bool:
    """Return whether a URL is plain http beyond loopback: anyone on the path can change it."""
    return parts.scheme == "http" and not is_loopback(parts.hostname or "")


def is_loopback(host: str) -> bool:
    """Return whether a host name or address literal always means this machine (RFC 6761, 6.3)."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    address = ip_literal(host)
    return address is not None and address.is_loopback


def may_be_loopback(host: str) -> bool:
    """Return whether a host could be this machine; includes names commonly found in hosts files.

    Use it to reject, never to permit: such a name may also be another machine.
    """
    name = host.lower().rstrip(".")
    address = ip_literal(name)
    return (
        is_loopback(name)
        or name in _HOSTS_FILE
        or name.endswith(".localdomain")
        or (address is not None and address.is_unspecified)  # connects to this machine
    )


_HOSTS_FILE = frozenset({"localhost4", "localhost6", "ip6-localhost", "ip6-loopback", "loopback"})


def ip_literal(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """Return the address of a host literal (an IPv4-mapped one unwrapped), or None for a name."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def is_public(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    """Return whether an address belongs to the public internet.

    The tables are this module's own, because those of `ipaddress` differ between Python releases.
    For a NAT64 address, the embedded IPv4 address decides.
    """
    if isinstance(address, ipaddress.IPv4Address):
        return not any(address in net for net in _IPV4_SPECIAL)
    if address in _NAT64:
        return is_public(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
    return address in _IPV6_GLOBAL and not any(address in net for net in _IPV6_SPECIAL)


def _networks(*written: str) -> tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]:
    return tuple(ipaddress.ip_network(one) for one in written)


# IANA's registries of special-purpose addresses (RFC 6890), as of November 2026.
_IPV4_SPECIAL = _networks(
    *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16"),
    *("172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24"),
    *("192.88.99.0/24", "192.168.0.0/16", "192.175.48.0/24", "198.18.0.0/15", "198.51.100.0/24"),
    *("203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4"),
)
# Everything outside 2000::/3 is private, reserved or used for translation (RFC 4291, section 2.4),
# except NAT64's well-known prefix (RFC 6052). Tunnels (Teredo, 6to4) could lead anywhere.
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_IPV6_GLOBAL = ipaddress.ip_network("2000::/3")
_IPV6_SPECIAL = _networks("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")


def origin(address: str) -> tuple[str, str, int]:
    """Return scheme, host and port of a checked URL: the only origin to send custom headers to."""
    parts = urlsplit(address)
    default = 443 if parts.scheme == "https" else 80
    return parts.scheme, (parts.hostname or "").lower(), parts.port or default
