"""Inspect the URL or provider that the arguments of `keys` and `doctor` name."""

from __future__ import annotations

import click

from ... import Provider
from .._presets import provider_of
from .prober import Prober, fetch_policy
from .target import Inspection, checked_url, inspect_provider, inspect_url

__all__ = ["Place", "inspect_arguments", "inspect_place", "place_of"]

Place = str | Provider


def place_of(url_or_issuer: str | None, preset: str | None) -> Place:
    """Return what to inspect: a checked URL, or a preset's provider. Raises click's UsageError."""
    if (url_or_issuer is None) == (preset is None):
        raise click.UsageError("give either URL_OR_ISSUER or --provider")
    if url_or_issuer is not None:
        return checked_url(url_or_issuer)
    return provider_of(preset or "", {}, keys_alone=True)


def inspect_place(place: Place, prober: Prober) -> Inspection:
    """Inspect a URL or a provider once."""
    return inspect_url(place, prober) if isinstance(place, str) else inspect_provider(place, prober)


def inspect_arguments(
    url_or_issuer: str | None, preset: str | None, ca_file: str | None, timeout: float
) -> Inspection:
    """Inspect once the URL or provider that the arguments name."""
    place = place_of(url_or_issuer, preset)
    with Prober(fetch_policy(timeout), ca_file) as prober:
        return inspect_place(place, prober)
