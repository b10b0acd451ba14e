"""From the arguments of `keys` and `doctor` to a look at what they name.

Owns: that exactly one of an address and a preset is given. May not know: what is shown of it.
"""

from __future__ import annotations

import click

from ... import Provider
from .._presets import provider_of
from .network import Asker, fetch_policy
from .target import Look, checked_url, look_at, look_at_provider

__all__ = ["Place", "look", "place_of", "visit"]

Place = str | Provider


def place_of(url_or_issuer: str | None, preset: str | None) -> Place:
    """What to look at: a checked address, or a preset's provider. Raises click's UsageError."""
    if (url_or_issuer is None) == (preset is None):
        raise click.UsageError("give URL_OR_ISSUER or --provider, one of them")
    if url_or_issuer is not None:
        return checked_url(url_or_issuer)
    return provider_of(preset or "", {}, keys_alone=True)


def look(place: Place, asker: Asker) -> Look:
    """Look at it, once."""
    return look_at(place, asker) if isinstance(place, str) else look_at_provider(place, asker)


def visit(
    url_or_issuer: str | None, preset: str | None, ca_file: str | None, timeout: float
) -> Look:
    """Look at what the arguments name, once."""
    place = place_of(url_or_issuer, preset)
    with Asker(fetch_policy(timeout), ca_file) as asker:
        return look(place, asker)
