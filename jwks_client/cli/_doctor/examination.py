"""Turn a recorded inspection into findings, worst first.

Must not depend on the network or a clock. This module examines the key set as a whole; `material`
examines single entries, `wire` the transport, and `discovery` the metadata.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final

from ..._core.keysets.jwk import MAX_CANDIDATES
from .._output import printable
from .._probe.certificates import THUMBPRINTS
from .._probe.entries import Entry
from .._probe.target import Inspection
from .._probe.trouble import Trouble
from .discovery import of_metadata
from .finding import Finding, Severity, worst_first
from .material import of_entry
from .wire import of_lifetime, of_wire

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

# From RFC 7517, 7518 and 9964, OpenID Federation and Web Crypto, and misspellings, which have a
# separate finding.
_MEMBERS: Final = frozenset(
    {"kty", "use", "key_ops", "alg", "kid", "x5u", "x5c", "crv", "x", "y", "n", "e", "pub", "k"}
    | {"d", "p", "q", "dp", "dq", "qi", "oth", "priv", "ext", "iat", "nbf", "exp", "revoked"}
    | THUMBPRINTS.keys()
)


def examine(inspection: Inspection, now: float) -> list[Finding]:
    """Return the findings on an inspection, worst first.

    Arguments:
        inspection: the recorded requests and responses.
        now: seconds since the epoch.
    """
    return worst_first(_findings(inspection, now))


def _findings(inspection: Inspection, now: float) -> Iterator[Finding]:
    for exchange in (inspection.metadata, inspection.keys):
        if exchange is not None and exchange.status is not None:
            yield from of_wire(exchange, now)
    yield from of_metadata(inspection)
    if inspection.entries is None or inspection.keys is None:
        if inspection.trouble is not None:
            yield _of_trouble(inspection.trouble)
        return
    yield from of_lifetime(inspection.keys, now)
    yield from _of_whole(inspection)
    for entry in inspection.entries:
        yield from of_entry(entry, now)
    yield from _of_kids(inspection.entries)
    yield from _of_material(inspection.entries)
    yield from _of_members(inspection.entries)


def _of_trouble(trouble: Trouble) -> Finding:
    return Finding(
        code=trouble.kind,
        severity="error",
        message=trouble.message,
        see=_SEE.get(trouble.kind, "docs/how-keys-live.md"),
    )


def _of_whole(inspection: Inspection) -> Iterator[Finding]:
    usable = [entry for entry in inspection.entries or () if entry.key is not None]
    if not usable:
        message = "the key set has no usable key, so every token is refused"
        yield _of_set("no_usable_key", "error", message, "RFC 7517, section 5")
    elif inspection.trouble is not None:
        yield _of_trouble(inspection.trouble)
    if len(_materials(usable)) == 1:
        message = (
            "the key set has only one key; when it is replaced, clients with the old set refuse "
            "new tokens, or clients with the new set refuse old ones; publish the next key early"
        )
        yield _of_set("single_key", "warning", message, "OpenID Connect Core 1.0, section 10.1.1")


def _of_kids(entries: Sequence[Entry]) -> Iterator[Finding]:
    named = Counter(entry.kid for entry in entries if entry.kid is not None)
    for kid, times in named.items():
        if times < 2:
            continue
        keys = [entry.key for entry in entries if entry.kid == kid and entry.key is not None]
        escaped = printable(kid, 80)
        most = max(Counter(name for key in keys for name in key.algorithms).values(), default=0)
        severity: Severity = "warning"
        message = (
            f"{times} entries share the kid {escaped}; some clients use the first, some the last"
        )
        if len(keys) == times and len({key.thumbprint for key in keys}) == 1:
            severity, message = "info", f"{times} entries share the kid {escaped} and the key"
        elif most > MAX_CANDIDATES and len({key.thumbprint for key in keys}) > MAX_CANDIDATES:
            severity = "error"
            message = (
                f"{times} keys share the kid {escaped}; the library tries at most {MAX_CANDIDATES}"
            )
        yield Finding(
            code="duplicate_kid",
            severity=severity,
            message=message,
            see="RFC 7517, section 4.5",
            kid=kid,
        )


def _of_material(entries: Sequence[Entry]) -> Iterator[Finding]:
    for same in _materials(entries).values():
        kids = list(dict.fromkeys(entry.kid or "(none)" for entry in same))
        if len(kids) > 1:
            named = ", ".join(printable(kid, 40) for kid in kids[:5])
            message = f"one key is published under {len(kids)} kids ({named}); withdraw all of them"
            yield _of_set("shared_material", "info", message, "RFC 7638, section 1")


def _of_members(entries: Sequence[Entry]) -> Iterator[Finding]:
    others = sorted({member for entry in entries for member in entry.jwk} - _MEMBERS)
    if others:
        named = ", ".join(printable(member, 40) for member in others[:8])
        message = f"keys have members that no RFC defines ({named}); clients must ignore them"
        yield _of_set("other_members", "info", message, "RFC 7517, section 4")


def _materials(entries: Sequence[Entry]) -> dict[str, list[Entry]]:
    """Return the entries by key material."""
    found: dict[str, list[Entry]] = {}
    for entry in entries:
        if entry.material is not None:
            found.setdefault(entry.material, []).append(entry)
    return found


def _of_set(code: str, severity: Severity, message: str, see: str) -> Finding:
    return Finding(code=code, severity=severity, message=message, see=see)
