"""Read a provider's metadata, and decide whether to fetch its ``jwks_uri``.

Covers OpenID Connect Discovery and RFC 8414. Must not depend on: requests and responses (`fetch`).
The metadata is untrusted: it must not make the client send requests into a private network.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final, cast
from urllib.parse import urlsplit

from .. import addresses
from ..encoding import Repeated, tolerant_json
from ..provider import IssuerTemplate, Provider
from ..unchecked import Unchecked, UncheckedType
from . import reasons

#: The paths of an issuer's metadata: below its URL (OpenID Connect Discovery 1.0, section 4), or
#: before its path (RFC 8414, section 3).
OPENID_PATH: Final = "/.well-known/openid-configuration"
OAUTH_PATH: Final = "/.well-known/oauth-authorization-server"
#: Seconds after which metadata is fetched again.
METADATA_LIFETIME: Final = 24 * 3600.0
#: Seconds after which metadata is no longer used, even if the provider cannot serve it.
METADATA_KEPT_FOR: Final = 7 * METADATA_LIFETIME


@dataclass(frozen=True, slots=True)
class Discovered:
    """The key set's URL in the metadata, and when that was fetched (monotonic seconds)."""

    jwks_url: str
    at: float


class BadMetadata(ValueError):
    """A document that is not the provider's metadata; the text completes "the metadata …"."""


def jwks_uri(body: bytes, provider: Provider) -> str:
    """Return the ``jwks_uri`` of a provider's metadata.

    Raises `BadMetadata`: not a JSON object, another issuer, or a URL that must not be fetched.
    """
    try:
        document = tolerant_json(body)
    except ValueError:
        raise BadMetadata("is not JSON") from None
    if not isinstance(document, dict) or isinstance(document, Repeated):
        raise BadMetadata("is not a JSON object, or repeats a member")
    members = cast("dict[str, Any]", document)
    named = members.get("issuer")
    if not _is_issuer(named, provider.issuer):
        # OpenID Connect Discovery, section 4.3; RFC 8414, section 3.3.
        raise BadMetadata(
            f"names another issuer than configured: it names {reasons.value(named)}, "
            f"configured is {_configured(provider.issuer)}{_slash_hint(named, provider.issuer)}"
        )
    url = members.get("jwks_uri")
    if not isinstance(url, str):
        raise BadMetadata("has no jwks_uri")
    if not may_ask(url, provider):
        raise BadMetadata(
            f"names a jwks_uri that must not be fetched, '{reasons.place(url)}': it must be https "
            "and must not be a private address; if the URL is right, configure it as jwks_url="
        )
    return url


def _configured(issuer: object) -> str:
    match issuer:
        case tuple():
            return " or ".join(map(reasons.value, cast("tuple[str, ...]", issuer)))
        case IssuerTemplate():
            return reasons.value(issuer.template)
        case _:
            return reasons.value(issuer)


def _slash_hint(named: object, configured: object) -> str:
    differs = isinstance(named, str) and isinstance(configured, str) and named != configured
    only = differs and str(named).rstrip("/") == str(configured).rstrip("/")
    return " (they differ in the trailing slash)" if only else ""


def may_ask(url: str, provider: Provider) -> bool:
    """Return whether to fetch a ``jwks_uri``: metadata must not point into a private network.

    Requires https (or plain http on loopback if the issuer is there, or with ``allow_http``). An
    address literal must be public, unless the configured host is a private literal too.
    """
    parts, home = addresses.split_url(url), addresses.split_url(provider.discovery_url)
    if parts is None or home is None:
        return False
    # A resolver ignores trailing dots.
    host, home_host = ((one.hostname or "").rstrip(".") for one in (parts, home))
    loopback = addresses.is_loopback(host)
    if addresses.may_be_loopback(host) and not addresses.may_be_loopback(home_host):
        return False
    if parts.scheme != "https" and not (loopback or provider.allow_http):
        return False
    address, home_address = addresses.ip_literal(host), addresses.ip_literal(home_host)
    if address is None:
        # A resolver reads "2130706433" and "0x7f.1" as addresses (WHATWG URL, section 3.5).
        last = host.rpartition(".")[2]
        return _HOST_NAME.fullmatch(host) is not None and not (
            last.isdigit() or last.startswith("0x")
        )
    if loopback or addresses.is_public(address):
        return True
    return home_address is not None and not addresses.is_public(home_address)


# Excludes everything that a client or resolver would decode into another host ("127.0.0.%31").
_HOST_NAME = re.compile(r"[a-z0-9_](?:[a-z0-9_.-]*[a-z0-9_])?")


def _is_issuer(
    found: object, configured: str | tuple[str, ...] | IssuerTemplate | Unchecked
) -> bool:
    match configured:
        case UncheckedType.UNCHECKED:
            return True
        case str():
            return found == configured
        case IssuerTemplate():
            # A template's metadata names one of its issuers, or the template itself with any
            # placeholder name (Entra ID).
            before, _, after = configured.template.partition(f"{{{configured.claim}}}")
            template = re.escape(before) + r"\{\w{1,64}\}" + re.escape(after)
            return isinstance(found, str) and (
                configured.value_in(found) is not None or re.fullmatch(template, found) is not None
            )
        case _:
            return found in configured


def oauth_metadata_url(url: str) -> str | None:
    """Return the RFC 8414 (section 3.1) counterpart of an OpenID Connect Discovery URL."""
    parts = urlsplit(url)
    if not parts.path.endswith(OPENID_PATH) or parts.query:
        return None
    return f"{parts.scheme}://{parts.netloc}{OAUTH_PATH}{parts.path.removesuffix(OPENID_PATH)}"
