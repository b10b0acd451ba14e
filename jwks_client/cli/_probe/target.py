"""URL_OR_ISSUER: what is behind an address that is a key set's or an issuer's.

Owns: how the two are told apart. May not know: what is done with what was found.

A path that speaks of keys (``jwks``, ``jwk``, ``keys`` or ``certs`` as a word of its own) is asked
for a key set first, and taken for an issuer if none is there. Any other address is taken for an
issuer first: its metadata is asked for, where OpenID Connect Discovery and then RFC 8414 put it,
and the address itself if neither is there. So both kinds cost the fewest requests: one for a key
set, two for an issuer. The address of the metadata itself is known by its ``/.well-known/`` name.
Once a host gave no answer at all, it is not asked again.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

import click

from ... import Provider, providers
from ..._core import addresses
from ..._core.encoding import tolerant_json
from ..._core.keysets.fetch import Failed, Fetched, Outcome
from ..._core.keysets.jwk import BadKeySet
from .._output import printable, without_tokens
from .entries import Entry, read_entries
from .network import Asker, Trouble, Visit

__all__ = ["Look", "checked_url", "look_at", "look_at_provider", "metadata_of"]

_OPENID: Final = "/.well-known/openid-configuration"
_OAUTH: Final = "/.well-known/oauth-authorization-server"
_OF_KEYS: Final = re.compile(r"(?:^|[/_.-])(?:jwks?|keys|certs)(?:[/_.-]|$)", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What was found at an address.

    Attributes:
        target: the address, as it was given.
        issuer: the issuer it was taken for, or None.
        exact: whether that is the very spelling that was given.
        metadata: the last visit to its metadata.
        keys: the visit to its key set.
        fetched: what the library makes of it; None if it would refuse the answer.
        entries: of the key set; None if there is none.
        trouble: why the library has no keys of it; None if it has.
    """

    target: str
    issuer: str | None = None
    exact: bool = True
    metadata: Visit | None = None
    keys: Visit | None = None
    fetched: Fetched | None = None
    entries: tuple[Entry, ...] | None = None
    trouble: Trouble | None = None

    @property
    def is_found(self) -> bool:
        """Whether this is what the address stands for, so that nothing else need be tried."""
        return self.entries is not None or (
            self.metadata is not None and _is_metadata(self.metadata)
        )

    @property
    def is_silent(self) -> bool:
        """Whether the last visit brought no answer at all."""
        last = self.keys or self.metadata
        return last is None or last.status is None

    @property
    def is_nothing(self) -> bool:
        """Whether all that came is that nothing is there."""
        last = self.keys or self.metadata
        return last is not None and last.status in {404, 410}


def checked_url(text: str) -> str:
    """The address, if it is an http or https URL; else wrong usage, with what was meant perhaps."""
    if addresses.split_url(text) is not None:
        return text
    meant = f"https://{text}"
    shown = printable(without_tokens(text), 80)
    if ":" not in text.partition("/")[0] and "." in text and addresses.split_url(meant) is not None:
        raise click.UsageError(f"{shown!r} is no URL; did you mean https://{shown}?")
    raise click.UsageError(
        f"{shown!r} is no URL; give an absolute https URL such as https://idp.example.com"
    )


def look_at(target: str, asker: Asker) -> Look:
    """Find the key set behind an address, whether that is its own or its issuer's."""
    looks: list[Look] = []
    for provider, issuer in _ways(target):
        look = _looked(target, provider, asker, issuer)
        if look.is_found or look.is_silent:
            return look
        looks.append(look)
    # Of all that was tried: the first that answered with something, else the address itself.
    telling = [look for look in looks if not look.is_nothing]
    if telling:
        return telling[0]
    itself = next((look for look in looks if look.keys is not None), looks[0])
    return Look(
        target=target, metadata=itself.metadata, keys=itself.keys, trouble=_nothing(target, looks)
    )


def look_at_provider(provider: Provider, asker: Asker) -> Look:
    """Find the key set of a provider that says where it is."""
    target = provider.jwks_url or provider.discovery_url or ""
    return _looked(target, provider, asker, None)


def _ways(target: str) -> Iterator[tuple[Provider, str | None]]:
    parts = urlsplit(target)
    itself = _provider(jwks_url=target), None
    if parts.path.endswith(_OPENID) or _OAUTH in parts.path:
        before, _, after = target.partition(_OAUTH)
        yield _provider(discovery_url=target), before.removesuffix(_OPENID) + after
        return
    if parts.query:
        yield itself
        return
    issuer = _provider(discovery_url=f"{target.removesuffix('/')}{_OPENID}"), target
    yield from (itself, issuer) if _OF_KEYS.search(parts.path) else (issuer, itself)


def _provider(*, jwks_url: str | None = None, discovery_url: str | None = None) -> Provider:
    # Nothing of a token is checked. Plain http is told, not refused, where the address itself is;
    # where only metadata leads to it, it is refused as the library does.
    given = urlsplit(jwks_url or discovery_url or "")
    return Provider(
        name="target",
        issuer=providers.UNCHECKED,
        audience=providers.UNCHECKED,
        jwks_url=jwks_url,
        discovery_url=discovery_url,
        allow_http=given.scheme == "http" and not addresses.is_loopback(given.hostname or ""),
    )


def _looked(target: str, provider: Provider, asker: Asker, issuer: str | None) -> Look:
    outcome, visits = asker.converse(provider)
    place = provider.jwks_url
    if place is None and isinstance(outcome, Fetched) and outcome.discovered is not None:
        place = outcome.discovered.jwks_url
    if place is None:
        place = _jwks_uri(visits)
    keys = next((visit for visit in reversed(visits) if visit.url == place), None)
    rest = [visit for visit in visits if visit is not keys]
    entries = _entries(keys, asker.policy.max_keys)
    return Look(
        target=target,
        issuer=issuer,
        exact=issuer == target,
        metadata=rest[-1] if rest else None,
        keys=keys,
        fetched=outcome if isinstance(outcome, Fetched) else None,
        entries=entries,
        trouble=_trouble(outcome, visits, read=entries is not None),
    )


def _jwks_uri(visits: list[Visit]) -> str | None:
    """Where metadata said the key set is, among what was visited."""
    for visit in visits:
        found = metadata_of(visit).get("jwks_uri")
        if isinstance(found, str):
            return found
    return None


def _entries(visit: Visit | None, max_keys: int) -> tuple[Entry, ...] | None:
    if visit is None or visit.status != 200 or visit.body is None:
        return None
    try:
        return read_entries(visit.body, max_keys)
    except BadKeySet:
        return None


def metadata_of(visit: Visit) -> dict[str, object]:
    """The members of a metadata document; empty if it is none."""
    if visit.status != 200 or visit.body is None:
        return {}
    try:
        document = tolerant_json(visit.body)
    except ValueError:
        return {}
    return dict(document) if isinstance(document, dict) else {}


def _is_metadata(visit: Visit) -> bool:
    return not metadata_of(visit).keys().isdisjoint({"issuer", "jwks_uri"})


def _trouble(outcome: Outcome, visits: list[Visit], *, read: bool) -> Trouble | None:
    if not isinstance(outcome, Failed):
        return None
    last = visits[-1] if visits else None
    if last is not None and last.trouble is not None:
        return last.trouble
    where = "" if last is None else f"{printable(last.url)}: "
    hint = "see what it answers, or point at the key set itself (jwks_uri)"
    if read:
        hint = "jwks-client doctor says more"
    return Trouble(
        code=outcome.code, kind=outcome.code, message=f"{where}{outcome.message}; {hint}"
    )


def _nothing(target: str, looks: list[Look]) -> Trouble:
    if len(looks) == 1 and looks[0].trouble is not None:
        return looks[0].trouble
    return Trouble(
        code="discovery_failed",
        kind="nothing_there",
        message=f"{printable(target)} is neither a key set nor an issuer: there is nothing at it "
        f"(404), nor metadata below it at {_OPENID}; see whether the path is right",
    )
