"""``jwks-client keys``: list the keys that a provider publishes, and which are usable."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from .._options import as_json_option, ca_option, provider_option, timeout_option

if TYPE_CHECKING:
    from .._output import Cell
    from .._probe.entries import Entry
    from .._probe.target import Inspection

__all__ = ["keys"]


@click.command()
@click.argument("url_or_issuer", required=False)
@provider_option
@ca_option
@timeout_option
@as_json_option
def keys(
    *,
    url_or_issuer: str | None,
    preset: str | None,
    ca_file: str | None,
    timeout: float,
    as_json: bool,
) -> None:
    """List the keys at URL_OR_ISSUER, and explain why any of them is unusable.

    URL_OR_ISSUER is the URL of a key set (JWKS), or an issuer that publishes metadata. If its path
    contains jwks, keys or certs, it is tried as a key set first, otherwise as an issuer first; if
    that does not exist, the other is tried.

    \b
      jwks-client keys https://accounts.google.com
      jwks-client keys https://www.googleapis.com/oauth2/v3/certs --json
      jwks-client keys --provider stytch:project-live-0a1b
      jwks-client keys https://id.internal/realms/shop --ca company.pem

    Exit status: 0 a usable key was found, 2 wrong usage, 3 no usable key.
    """  # noqa: D301 (click wants the character behind \\b)
    from ..._client.clock import SystemClock
    from .._errors import KeysUnavailable
    from .._output import say_json
    from .._probe.prober import Prober
    from .._probe.target import inspect_place, place_of, url_of

    place = place_of(url_or_issuer, preset)
    with Prober(timeout, url_of(place), ca_file) as prober:
        inspection = inspect_place(place, prober)
    now = SystemClock().time()
    if not as_json and inspection.entries:
        _show(inspection, now)
    if inspection.trouble is not None:
        raise KeysUnavailable(inspection.trouble.code, inspection.trouble.message)
    if as_json:
        say_json(_as_json(inspection, now))


def _show(inspection: Inspection, now: float) -> None:
    from .._output import labelled, printable, table

    place = "" if inspection.keys is None else inspection.keys.url
    labelled([("key set", printable(place)), ("cached for", _cached(inspection, now))])
    columns = ("KID", "TYPE", "SIZE", "ALG", "USE", "THUMBPRINT", "CERTIFICATE", "USABLE")
    table(columns, [_row(entry, now) for entry in inspection.entries or ()])


def _row(entry: Entry, now: float) -> tuple[Cell, ...]:
    from .._output import printable

    def word(text: str | None) -> Cell:
        return ("-", "dim") if text is None or not text else printable(text, 128)

    key, bad = entry.key, entry.unusable
    usable: Cell = ("yes", "green") if bad is None else (f"no: {bad.reason}", "red")
    ends = _certificate_ends(entry)
    certificate = word(None if ends is None else _day(ends))
    if ends is not None and ends <= now:
        certificate = (f"{_day(ends)} (expired)", "yellow")
    return (
        word(entry.kid),
        word(entry.word("kty")),
        word(entry.size),
        word(entry.word("alg")),
        word(entry.word("use")),
        word(None if key is None else key.thumbprint),
        certificate,
        usable,
    )


def _cached(inspection: Inspection, now: float) -> str:
    from .._probe.lifetime import cache_lifetime, stated_lifetime

    if inspection.keys is None:
        return "-"
    kept = cache_lifetime(inspection.keys.headers, now)
    stated = stated_lifetime(inspection.keys.headers, now)
    if stated is None:
        return f"{kept:g} s (the response states no lifetime)"
    same = f"{kept:g} s, as the response states"
    return same if stated == kept else f"{kept:g} s (the response states {stated:g} s)"


def _as_json(inspection: Inspection, now: float) -> dict[str, object]:
    from .._probe.lifetime import cache_lifetime, stated_lifetime

    headers = {} if inspection.keys is None else inspection.keys.headers
    return {
        "target": inspection.target,
        "jwks_url": None if inspection.keys is None else inspection.keys.url,
        "cached_for": cache_lifetime(headers, now),
        "cached_for_told": stated_lifetime(headers, now),
        "keys": [_entry_as_json(entry) for entry in inspection.entries or ()],
    }


def _entry_as_json(entry: Entry) -> dict[str, object]:
    key, bad = entry.key, entry.unusable
    kty, size = entry.word("kty"), entry.size
    ends = _certificate_ends(entry)
    return {
        "kid": entry.kid,
        "kty": kty,
        "bits": int(size) if kty == "RSA" and size else None,
        "crv": entry.word("crv"),
        "alg": entry.word("alg"),
        "use": entry.word("use"),
        "thumbprint": None if key is None else key.thumbprint,
        "certificate_ends": None if ends is None else _day(ends),
        "usable": bad is None,
        "code": None if bad is None else bad.code,
        "reason": None if bad is None else bad.reason,
    }


def _certificate_ends(entry: Entry) -> float | None:
    from .._probe.certificates import Unreadable, leaf_of

    try:
        leaf = leaf_of(entry.jwk)
    except Unreadable:
        return None
    return None if leaf is None else leaf.ends


def _day(moment: float) -> str:
    from datetime import UTC, datetime

    return datetime.fromtimestamp(moment, UTC).date().isoformat()
