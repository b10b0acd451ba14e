"""Find the key set behind URL_OR_ISSUER, which is the URL of a key set or an issuer.

If the path contains ``jwks``, ``jwk``, ``keys`` or ``certs`` as a word, the URL is tried as a key
set first, then as an issuer. Any other URL is tried as an issuer first: its metadata is fetched
(OpenID Connect Discovery, then RFC 8414), then the URL itself. So the usual cost is one request for
a key set and two for an issuer. A URL of metadata is recognized by its ``/.well-known/`` name. A
host that does not respond is not tried again.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, TypeAlias
from urllib.parse import urlsplit

import click

from ... import Provider, providers
from ..._core import addresses
from ..._core.encoding import tolerant_json
from ..._core.keysets.discovery import OAUTH_PATH, OPENID_PATH
from ..._core.keysets.fetch import Failed, Fetched, Outcome
from ..._core.keysets.jwk import BadKeySet
from .._output import printable, without_tokens
from .._presets import provider_of
from .entries import Entry, read_entries
from .prober import Exchange, Prober
from .trouble import Trouble

__all__ = [
    "Inspection",
    "Place",
    "checked_url",
    "inspect_place",
    "inspect_url",
    "metadata_of",
    "place_of",
    "url_of",
]

# A checked URL, or the provider of a preset.
Place: TypeAlias = str | Provider


_KEY_PATH: Final = re.compile(r"(?:^|[/_.-])(?:jwks?|keys|certs)(?:[/_.-]|$)", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspection:
    """The result of inspecting a URL.

    Attributes:
        target: the URL as given.
        issuer: the issuer, if the URL was tried as one, else None.
        metadata: the last exchange for its metadata.
        keys: the exchange for its key set.
        fetched: what the library reads from it; None if the library rejects it.
        entries: the entries of the key set; None without a key set.
        trouble: why the library gets no keys from it; None if it gets some.
    """

    target: str
    issuer: str | None = None
    metadata: Exchange | None = None
    keys: Exchange | None = None
    fetched: Fetched | None = None
    entries: tuple[Entry, ...] | None = None
    trouble: Trouble | None = None

    @property
    def is_found(self) -> bool:
        """Return whether a key set or metadata was found, so that nothing else must be tried."""
        return self.entries is not None or (
            self.metadata is not None and _is_metadata(self.metadata)
        )

    @property
    def is_silent(self) -> bool:
        """Return whether the last request got no response."""
        last = self.keys or self.metadata
        return last is None or last.status is None

    @property
    def is_missing(self) -> bool:
        """Return whether the last response was 404 or 410."""
        last = self.keys or self.metadata
        return last is not None and last.status in {404, 410}


def place_of(url_or_issuer: str | None, preset: str | None) -> Place:
    """Return what the arguments of a command name. Raises click's UsageError."""
    if (url_or_issuer is None) == (preset is None):
        raise click.UsageError("give either URL_OR_ISSUER or --provider")
    if url_or_issuer is not None:
        return checked_url(url_or_issuer)
    return provider_of(preset or "", {}, keys_alone=True)


def checked_url(text: str) -> str:
    """Return an http or https URL unchanged. Raises click's UsageError for anything else."""
    if addresses.split_url(text) is not None:
        return text
    completed = f"https://{text}"
    escaped = printable(without_tokens(text), 80)
    bare = ":" not in text.partition("/")[0] and "." in text
    if bare and addresses.split_url(completed) is not None:
        raise click.UsageError(f"{escaped!r} is not a URL; did you mean https://{escaped}?")
    raise click.UsageError(
        f"{escaped!r} cannot be used as a URL; give an https URL without a user or a fragment, such"
        " as https://idp.example.com, or a preset with --provider"
    )


def inspect_url(target: str, prober: Prober) -> Inspection:
    """Find the key set at a URL, or the key set of the issuer with this URL."""
    tried: list[Inspection] = []
    for provider, issuer in _candidates(target):
        inspection = _inspect(target, provider, prober, issuer)
        if inspection.is_found or inspection.is_silent:
            return inspection
        tried.append(inspection)
    # Return the first that exists; if none does, the URL itself.
    existing = [one for one in tried if not one.is_missing]
    if existing:
        return existing[0]
    itself = next((one for one in tried if one.keys is not None), tried[0])
    return Inspection(
        target=target, metadata=itself.metadata, keys=itself.keys, trouble=_not_found(target, tried)
    )


def inspect_place(place: Place, prober: Prober) -> Inspection:
    """Find the key set at a URL, or the one of a provider."""
    if isinstance(place, str):
        return inspect_url(place, prober)
    return _inspect(url_of(place), place, prober, None)


def url_of(place: Place) -> str:
    """Return the URL that is fetched first to inspect a place."""
    return place if isinstance(place, str) else place.jwks_url or place.discovery_url or ""


def _candidates(target: str) -> Iterator[tuple[Provider, str | None]]:
    """Yield providers for each meaning of a URL, the likeliest first, each with its issuer."""
    parts = urlsplit(target)
    itself = _provider(jwks_url=target), None
    if parts.path.endswith(OPENID_PATH) or OAUTH_PATH in parts.path:
        before, _, after = target.partition(OAUTH_PATH)
        yield _provider(discovery_url=target), before.removesuffix(OPENID_PATH) + after
        return
    if parts.query:
        yield itself
        return
    issuer = _provider(discovery_url=f"{target.removesuffix('/')}{OPENID_PATH}"), target
    yield from (itself, issuer) if _KEY_PATH.search(parts.path) else (issuer, itself)


def _provider(*, jwks_url: str | None = None, discovery_url: str | None = None) -> Provider:
    # No token is verified. Plain http in the given URL is reported, not rejected. In a jwks_uri
    # from metadata it is rejected, as in the library.
    return Provider(
        name="target",
        issuer=providers.UNCHECKED,
        audience=providers.UNCHECKED,
        jwks_url=jwks_url,
        discovery_url=discovery_url,
        allow_http=addresses.is_remote_http(urlsplit(jwks_url or discovery_url or "")),
    )


def _inspect(target: str, provider: Provider, prober: Prober, issuer: str | None) -> Inspection:
    outcome, exchanges = prober.fetch(provider)
    url = provider.jwks_url
    if url is None and isinstance(outcome, Fetched) and outcome.discovered is not None:
        url = outcome.discovered.jwks_url
    if url is None:
        url = _jwks_uri(exchanges)
    keys = next((one for one in reversed(exchanges) if one.url == url), None)
    rest = [one for one in exchanges if one is not keys]
    entries = _entries(keys, prober.policy.max_keys)
    return Inspection(
        target=target,
        issuer=issuer,
        metadata=rest[-1] if rest else None,
        keys=keys,
        fetched=outcome if isinstance(outcome, Fetched) else None,
        entries=entries,
        trouble=_trouble(outcome, exchanges, has_entries=entries is not None),
    )


def _jwks_uri(exchanges: list[Exchange]) -> str | None:
    """Return the ``jwks_uri`` of the first metadata document that contains one."""
    for exchange in exchanges:
        url = metadata_of(exchange).get("jwks_uri")
        if isinstance(url, str):
            return url
    return None


def _entries(exchange: Exchange | None, max_keys: int) -> tuple[Entry, ...] | None:
    if exchange is None or exchange.status != 200 or exchange.body is None:
        return None
    try:
        return read_entries(exchange.body, max_keys)
    except BadKeySet:
        return None


def metadata_of(exchange: Exchange) -> dict[str, object]:
    """Return the members of a metadata document; none if the response is not one."""
    if exchange.status != 200 or exchange.body is None:
        return {}
    try:
        document = tolerant_json(exchange.body)
    except ValueError:
        return {}
    return dict(document) if isinstance(document, dict) else {}


def _is_metadata(exchange: Exchange) -> bool:
    return not metadata_of(exchange).keys().isdisjoint({"issuer", "jwks_uri"})


def _trouble(outcome: Outcome, exchanges: list[Exchange], *, has_entries: bool) -> Trouble | None:
    if not isinstance(outcome, Failed):
        return None
    last = exchanges[-1] if exchanges else None
    if last is not None and last.trouble is not None:
        return last.trouble
    where = "" if last is None else f"{printable(last.url)}: "
    hint = "check its response, or give the URL of the key set itself (jwks_uri)"
    if has_entries:
        hint = "jwks-client doctor explains more"
    return Trouble(
        code=outcome.code, kind=outcome.code, message=f"{where}{outcome.message}; {hint}"
    )


def _not_found(target: str, tried: list[Inspection]) -> Trouble:
    if len(tried) == 1 and tried[0].trouble is not None:
        return tried[0].trouble
    return Trouble(
        code="discovery_failed",
        kind="nothing_there",
        message=f"{printable(target)} is neither a key set nor an issuer: it responds with 404, "
        f"and so does its metadata at {OPENID_PATH}; check the path",
    )
