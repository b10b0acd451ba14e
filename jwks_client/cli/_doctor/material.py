"""What the doctor finds in one entry of a key set: its members, its certificate, its thumbprints.

Owns: how bad each is. May not know: the other entries, or how the set came. Whether an entry can be
used is the library's verdict, which each finding repeats.
"""

from __future__ import annotations

import string
from collections.abc import Iterator, Mapping
from typing import Final

from ..._core.encoding import tolerant_octets
from .._output import printable
from .._probe.certificates import THUMBPRINTS, Certificate, Unreadable, leaf_of, spelling_of
from .._probe.entries import Entry
from .finding import Finding, Severity

__all__ = ["of_entry"]

_UNUSABLE: Final[Mapping[str, tuple[Severity, str]]] = {
    "private_key": ("error", "RFC 7517, section 9.2"),
    "symmetric_key": ("error", "RFC 7517, section 9.2"),
    "weak_key": ("error", "RFC 7518, section 3.3"),
    "oversized_key": ("warning", "RFC 7518, section 6.3"),
    "malformed_key": ("error", "RFC 7517, section 4"),
    "repeated_member": ("error", "RFC 7517, section 4"),
    "wrong_algorithm": ("error", "RFC 7517, section 4.4"),
    "not_for_signatures": ("info", "RFC 7517, section 4.2"),
    "unknown_type": ("info", "RFC 7517, section 5"),
    "unknown_curve": ("info", "RFC 7517, section 5"),
    "unknown_algorithm": ("info", "RFC 7517, section 5"),
}
_ALPHABET: Final = frozenset(string.ascii_letters + string.digits + "-_")
# RFC 7518, section 4.1 and RFC 8037, section 3.2: what keys that encrypt are named for.
_ENCRYPTS: Final = ("RSA-OAEP", "RSA1_5", "ECDH-ES")


def of_entry(entry: Entry, now: float) -> Iterator[Finding]:
    """Findings on one entry."""
    yield from _of_use(entry)
    if entry.key is not None or _is_public_for_signatures(entry):
        yield from _of_names(entry)
    yield from _of_spelling(entry)
    yield from _of_certificate(entry, now)


def _of_spelling(entry: Entry) -> Iterator[Finding]:
    """Key material that strict readers refuse and this library reads all the same."""
    loose = [
        member
        for member in ("n", "e", "x", "y", "pub")
        if not _ALPHABET.issuperset(entry.word(member) or "")
    ]
    modulus = tolerant_octets(entry.jwk.get("n"), 4096) or b""
    if loose:
        told = f"its {' and '.join(loose)} is not base64url without padding"
        yield _finding(entry, "loose_encoding", "info", told, "RFC 7518, section 2")
    if modulus.startswith(b"\0"):
        told = "its n begins with a zero octet, which strict readers refuse"
        yield _finding(entry, "loose_encoding", "info", told, "RFC 7518, section 6.3.1.1")


def _is_public_for_signatures(entry: Entry) -> bool:
    code = "" if entry.unusable is None else entry.unusable.code
    return code in {"weak_key", "wrong_algorithm", "oversized_key"} and not _encrypts(entry)


def _encrypts(entry: Entry) -> bool:
    return entry.word("use") == "enc" or (entry.word("alg") or "").startswith(_ENCRYPTS)


def _of_use(entry: Entry) -> Iterator[Finding]:
    bad = entry.unusable
    if bad is None:
        return
    if _encrypts(entry) and bad.code in {"not_for_signatures", "wrong_algorithm"}:
        yield _finding(
            entry,
            "encryption_key",
            "info",
            "it is for encryption and stands among the signing keys; clients that choose by kid "
            "or type alone may take it",
            "RFC 7517, section 4.2",
        )
        return
    severity, see = _UNUSABLE.get(bad.code, ("error", "RFC 7517, section 4"))
    told = f"it verifies nothing: {bad.reason}"
    yield _finding(entry, bad.code, severity, told, see)


def _of_names(entry: Entry) -> Iterator[Finding]:
    if entry.kid is None:
        yield _finding(
            entry,
            "missing_kid",
            "warning",
            "it has no kid, so a token cannot name it, and clients do not see a rotation",
            "RFC 7517, section 4.5",
        )
    if entry.word("alg") is None:
        yield _finding(
            entry,
            "missing_alg",
            "info",
            "it names no alg, so clients must be told which to accept: one key, one algorithm",
            "RFC 8725, section 3.1",
        )


def _of_certificate(entry: Entry, now: float) -> Iterator[Finding]:
    try:
        leaf = leaf_of(entry.jwk)
    except Unreadable as unreadable:
        told = f"{unreadable}; clients that read certificates fail on it"
        yield _finding(entry, "certificate_unreadable", "warning", told, "RFC 7517, section 4.7")
        leaf = None
    if leaf is not None:
        if entry.key is not None and leaf.is_for(entry.key.key) is False:
            yield _finding(
                entry,
                "certificate_mismatch",
                "error",
                "its certificate (x5c) is for another key than its own members are: which of the "
                "two a client uses is chance",
                "RFC 7517, section 4.7",
            )
        if leaf.ends <= now:
            told = "its certificate (x5c) has expired; clients that check it refuse the key"
            yield _finding(entry, "certificate_expired", "info", told, "RFC 7517, section 4.7")
    for member in THUMBPRINTS:
        if member in entry.jwk:
            yield from _of_thumbprint(entry, member, leaf)


def _of_thumbprint(entry: Entry, member: str, leaf: Certificate | None) -> Iterator[Finding]:
    _, rightly = THUMBPRINTS[member]
    see = "RFC 7517, section 4.8" if rightly == "x5t" else "RFC 7517, section 4.9"
    if member != rightly:
        told = f"it spells {rightly} as {member}, which readers ignore, or stumble over"
        yield _finding(entry, "misspelled_thumbprint", "info", told, see)
    value = entry.word(member)
    if value is None:
        told = f"its {member} is no string"
        yield _finding(entry, "thumbprint_mismatch", "warning", told, see)
        return
    if leaf is None:
        return
    match spelling_of(member, value, leaf):
        case "padded":
            told = f"its {member} is not base64url without padding"
            yield _finding(entry, "thumbprint_encoding", "info", told, see)
        case "hex":
            told = f"its {member} is made of the hex digits of the digest, not of its octets"
            yield _finding(entry, "thumbprint_encoding", "warning", told, see)
        case "wrong":
            told = f"its {member} is not that of its certificate; clients that choose by it miss"
            yield _finding(entry, "thumbprint_mismatch", "warning", told, see)
        case _:
            pass


def _finding(entry: Entry, code: str, severity: Severity, message: str, see: str) -> Finding:
    return Finding(
        code=code,
        severity=severity,
        message=f"key {printable(entry.title, 80)}: {message}",
        see=see,
        kid=entry.kid,
    )
