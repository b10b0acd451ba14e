"""The doctor's examination: from what was recorded at an address to findings, worst first.

Owns: what is found in a key set as a whole. May not know: the network or a clock: `examine` is a
function of its arguments. One entry is looked at in `material`, the way it came in `wire`, the
metadata in `discovery`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final

from ..._core.keysets.jwk import MAX_CANDIDATES
from .._output import printable
from .._probe.certificates import THUMBPRINTS
from .._probe.entries import Entry
from .._probe.network import Trouble
from .._probe.target import Look
from .discovery import of_metadata
from .finding import Finding, Severity, worst_first
from .material import of_entry
from .wire import of_life, of_wire

__all__ = ["examine"]

_SEE: Final = {
    "redirect": "RFC 9110, section 15.4",
    "bad_status": "RFC 9110, section 15",
    "web_page": "RFC 7517, section 5",
    "bad_key_set": "RFC 7517, section 5",
    "timeout": "docs/how-keys-live.md",
    "bad_certificate": "RFC 9110, section 4.3.4",
    "tls_failed": "RFC 9110, section 4.3.4",
    "discovery_failed": "OpenID Connect Discovery 1.0, section 4; RFC 8414, section 3",
    "nothing_there": "OpenID Connect Discovery 1.0, section 4; RFC 8414, section 3",
}

# RFC 7517, 7518 and 9964, OpenID Federation, Web Crypto; misspelled ones have their own finding.
_MEMBERS: Final = frozenset(
    {"kty", "use", "key_ops", "alg", "kid", "x5u", "x5c", "crv", "x", "y", "n", "e", "pub", "k"}
    | {"d", "p", "q", "dp", "dq", "qi", "oth", "priv", "ext", "iat", "nbf", "exp", "revoked"}
    | THUMBPRINTS.keys()
)


def examine(look: Look, now: float) -> list[Finding]:
    """Examine what was found at an address.

    Arguments:
        look: what was recorded.
        now: seconds since the epoch.
    """
    return worst_first(_findings(look, now))


def _findings(look: Look, now: float) -> Iterator[Finding]:
    for visit in (look.metadata, look.keys):
        if visit is not None and visit.status is not None:
            yield from of_wire(visit, now)
    yield from of_metadata(look)
    if look.entries is None or look.keys is None:
        if look.trouble is not None:
            yield _of_trouble(look.trouble)
        return
    yield from of_life(look.keys, now)
    yield from _of_whole(look)
    for entry in look.entries:
        yield from of_entry(entry, now)
    yield from _of_kids(look.entries)
    yield from _of_material(look.entries)
    yield from _of_members(look.entries)


def _of_trouble(trouble: Trouble) -> Finding:
    return Finding(
        code=trouble.kind,
        severity="error",
        message=trouble.message,
        see=_SEE.get(trouble.kind, "docs/how-keys-live.md"),
    )


def _of_whole(look: Look) -> Iterator[Finding]:
    usable = [entry for entry in look.entries or () if entry.key is not None]
    if not usable:
        told = "it has no key that could verify anything: every token is refused"
        yield _of_set("no_usable_key", "error", told, "RFC 7517, section 5")
    elif look.trouble is not None:
        yield _of_trouble(look.trouble)
    if len(_materials(usable)) == 1:
        told = (
            "it has only one key: when that is replaced, clients which still have the old set "
            "refuse new tokens, or those with the new set old ones; publish the next key ahead"
        )
        yield _of_set("single_key", "warning", told, "OpenID Connect Core 1.0, section 10.1.1")


def _of_kids(entries: Sequence[Entry]) -> Iterator[Finding]:
    named = Counter(entry.kid for entry in entries if entry.kid is not None)
    for kid, times in named.items():
        if times < 2:
            continue
        keys = [entry.key for entry in entries if entry.kid == kid and entry.key is not None]
        shown = printable(kid, 80)
        most = max(Counter(name for key in keys for name in key.algorithms).values(), default=0)
        severity: Severity = "warning"
        told = f"{times} entries share the kid {shown}; some clients take the first, some the last"
        if len(keys) == times and len({key.thumbprint for key in keys}) == 1:
            severity, told = "info", f"{times} entries of one key share the kid {shown}"
        elif most > MAX_CANDIDATES and len({key.thumbprint for key in keys}) > MAX_CANDIDATES:
            severity = "error"
            told = f"{times} keys share the kid {shown}: the library tries at most {MAX_CANDIDATES}"
        yield Finding(
            code="duplicate_kid",
            severity=severity,
            message=told,
            see="RFC 7517, section 4.5",
            kid=kid,
        )


def _of_material(entries: Sequence[Entry]) -> Iterator[Finding]:
    for same in _materials(entries).values():
        kids = list(dict.fromkeys(entry.kid or "(none)" for entry in same))
        if len(kids) > 1:
            named = ", ".join(printable(kid, 40) for kid in kids[:5])
            told = f"one key stands under {len(kids)} kids ({named}): withdraw them together"
            yield _of_set("shared_material", "info", told, "RFC 7638, section 1")


def _of_members(entries: Sequence[Entry]) -> Iterator[Finding]:
    others = sorted({member for entry in entries for member in entry.jwk} - _MEMBERS)
    if others:
        named = ", ".join(printable(member, 40) for member in others[:8])
        told = f"its keys have members that no RFC knows ({named}); readers must ignore them"
        yield _of_set("other_members", "info", told, "RFC 7517, section 4")


def _materials(entries: Sequence[Entry]) -> dict[str, list[Entry]]:
    """The entries by what their keys are made of."""
    found: dict[str, list[Entry]] = {}
    for entry in entries:
        if entry.material is not None:
            found.setdefault(entry.material, []).append(entry)
    return found


def _of_set(code: str, severity: Severity, message: str, see: str) -> Finding:
    return Finding(code=code, severity=severity, message=message, see=see)
