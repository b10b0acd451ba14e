"""``jwks-client keys``: the keys behind an address, and what each is good for.

Owns: the table. May not know: how they are found (`_target`) or read (`_entries`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from .._options import as_json_option, ca_option, provider_option, timeout_option

if TYPE_CHECKING:
    from .._output import Cell
    from .._probe.entries import Entry
    from .._probe.target import Look

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
    """Show the keys at URL_OR_ISSUER: which are usable, which are not and why.

    URL_OR_ISSUER is the URL of a key set (JWKS), or an issuer that publishes its metadata. A path
    that speaks of keys (jwks, keys, certs) is asked for a key set first, any other address for the
    metadata of an issuer first; if that is not there, the other is tried.

    \b
      jwks-client keys https://accounts.google.com
      jwks-client keys https://www.googleapis.com/oauth2/v3/certs --json
      jwks-client keys --provider stytch:project-live-0a1b
      jwks-client keys https://id.internal/realms/shop --ca company.pem

    Exit status: 0 there is a usable key, 2 wrong usage, 3 there is none to be had.
    """  # noqa: D301 (click wants the character behind \\b)
    from ..._client.clock import SystemClock
    from .._errors import KeysNotToBeHad
    from .._output import say_json
    from .._probe.visit import visit

    look = visit(url_or_issuer, preset, ca_file, timeout)
    now = SystemClock().time()
    if not as_json and look.entries:
        _show(look, now)
    if look.trouble is not None:
        raise KeysNotToBeHad(look.trouble.code, look.trouble.message)
    if as_json:
        say_json(_as_json(look, now))


def _show(look: Look, now: float) -> None:
    from .._output import labelled, printable, table

    place = "" if look.keys is None else look.keys.url
    labelled([("key set", printable(place)), ("cached for", _cached(look, now))])
    columns = ("KID", "TYPE", "SIZE", "ALG", "USE", "THUMBPRINT", "CERTIFICATE", "USABLE")
    table(columns, [_row(entry, now) for entry in look.entries or ()])


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


def _cached(look: Look, now: float) -> str:
    from .._probe.lifetime import life_of, life_told

    if look.keys is None:
        return "-"
    life = life_of(look.keys.headers, now)
    told = life_told(look.keys.headers, now)
    if told is None:
        return f"{life:g} s (the answer says nothing)"
    same = f"{life:g} s, as the answer says"
    return same if told == life else f"{life:g} s (the answer says {told:g} s)"


def _as_json(look: Look, now: float) -> dict[str, object]:
    from .._probe.lifetime import life_of, life_told

    headers = {} if look.keys is None else look.keys.headers
    return {
        "target": look.target,
        "jwks_url": None if look.keys is None else look.keys.url,
        "cached_for": life_of(headers, now),
        "cached_for_told": life_told(headers, now),
        "keys": [_entry_as_json(entry) for entry in look.entries or ()],
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
