"""Find problems of one entry of a key set: its members, its certificate, its thumbprints.

Must not depend on the other entries, or on how the set was fetched. The library decides whether an
entry is usable.
"""

from __future__ import annotations

import string
from collections.abc import Iterator, Mapping
from typing import Final

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
# The beginnings of the names of key-encryption algorithms (RFC 7518, 4.1; RFC 8037, 3.2).
_ENCRYPTS: Final = ("RSA-OAEP", "RSA1_5", "ECDH-ES")


def of_entry(entry: Entry, now: float) -> Iterator[Finding]:
    """Yield findings on one entry."""
    yield from _of_use(entry)
    if entry.key is not None or _is_public_for_signatures(entry):
        yield from _of_names(entry)
    yield from _of_spelling(entry)
    yield from _of_certificate(entry, now)


def _of_spelling(entry: Entry) -> Iterator[Finding]:
    """Yield findings on encodings that this library accepts, but strict clients reject."""
    loose = [
        member
        for member in ("n", "e", "x", "y", "pub")
        if not _ALPHABET.issuperset(entry.word(member) or "")
    ]
    if loose:
        text = f"has {' and '.join(loose)} that is not base64url without padding"
        yield _finding(entry, "loose_encoding", "info", text, "RFC 7518, section 2")
    if (entry.modulus or b"").startswith(b"\0"):
        text = "has an n that begins with a zero octet, which strict clients reject"
        yield _finding(entry, "loose_encoding", "info", text, "RFC 7518, section 6.3.1.1")


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
            "is for encryption, but clients that select keys by kid or type alone may use it to "
            "verify",
            "RFC 7517, section 4.2",
        )
        return
    severity, see = _UNUSABLE.get(bad.code, ("error", "RFC 7517, section 4"))
    yield _finding(entry, bad.code, severity, f"is unusable: {bad.reason}", see)


def _of_names(entry: Entry) -> Iterator[Finding]:
    if entry.kid is None:
        yield _finding(
            entry,
            "missing_kid",
            "warning",
            "has no kid, so tokens cannot name it and clients do not notice a rotation",
            "RFC 7517, section 4.5",
        )
    if entry.word("alg") is None:
        yield _finding(
            entry,
            "missing_alg",
            "info",
            "has no alg, so each client must be configured with the algorithm to accept",
            "RFC 8725, section 3.1",
        )


def _of_certificate(entry: Entry, now: float) -> Iterator[Finding]:
    try:
        leaf = leaf_of(entry.jwk)
    except Unreadable as unreadable:
        text = f"has an unreadable certificate ({unreadable}); clients that read it fail"
        yield _finding(entry, "certificate_unreadable", "warning", text, "RFC 7517, section 4.7")
        leaf = None
    if leaf is not None:
        if entry.key is not None and leaf.is_for(entry.key.key) is False:
            yield _finding(
                entry,
                "certificate_mismatch",
                "error",
                "has a certificate (x5c) for another key than its own members describe; clients "
                "may use either",
                "RFC 7517, section 4.7",
            )
        if leaf.ends <= now:
            text = "has an expired certificate (x5c); clients that check it reject the key"
            yield _finding(entry, "certificate_expired", "info", text, "RFC 7517, section 4.7")
    for member in THUMBPRINTS:
        if member in entry.jwk:
            yield from _of_thumbprint(entry, member, leaf)


def _of_thumbprint(entry: Entry, member: str, leaf: Certificate | None) -> Iterator[Finding]:
    _, correct = THUMBPRINTS[member]
    see = "RFC 7517, section 4.8" if correct == "x5t" else "RFC 7517, section 4.9"
    if member != correct:
        text = f"spells {correct} as {member}, which clients ignore or reject"
        yield _finding(entry, "misspelled_thumbprint", "info", text, see)
    value = entry.word(member)
    if value is None:
        text = f"has a {member} that is not a string"
        yield _finding(entry, "thumbprint_mismatch", "warning", text, see)
        return
    if leaf is None:
        return
    match spelling_of(member, value, leaf):
        case "padded":
            text = f"has a {member} that is not base64url without padding"
            yield _finding(entry, "thumbprint_encoding", "info", text, see)
        case "hex":
            text = f"has a {member} that encodes the hex digits of the digest, not its octets"
            yield _finding(entry, "thumbprint_encoding", "warning", text, see)
        case "wrong":
            text = f"has a {member} that does not match its certificate; clients that use it fail"
            yield _finding(entry, "thumbprint_mismatch", "warning", text, see)
        case _:
            pass


def _finding(entry: Entry, code: str, severity: Severity, predicate: str, see: str) -> Finding:
    return Finding(
        code=code,
        severity=severity,
        message=f"key {printable(entry.title, 80)} {predicate}",
        see=see,
        kid=entry.kid,
    )
