"""Decode base64url and JSON: strictly for tokens, tolerantly for key material.

Must not depend on: what the members mean. Tokens are read so that one text has one meaning (RFC
7515, section 5.2; RFC 8725, section 2.6): every reader of the same bytes must see the same claims.
Functions return None for invalid input instead of raising, so that an error caused by a token's
bytes has no cause.
"""

from __future__ import annotations

import binascii
import json
import re
from base64 import b64encode
from binascii import a2b_base64
from collections.abc import Callable
from typing import Any, Final

MAX_DEPTH: Final = 32
MAX_DIGITS: Final = 64

# One translation maps base64url to base64, and maps the characters that only base64 has ("+", "/",
# "=") to one outside the alphabet, so that binascii's strict mode rejects it.
_STRICT = bytes.maketrans(b"-_+/=", b"+/!!!")
# Indexed by the number of characters after the last group of four: the padding, and the last
# characters whose unused bits are zero (RFC 4648, section 3.5). One character alone encodes
# nothing.
_PADDING = (b"", b"", b"==", b"=")
_LAST: Final[tuple[frozenset[int], ...]] = (
    frozenset(),
    frozenset(),
    frozenset(b"AQgw"),
    frozenset(b"AEIMQUYcgkosw048"),
)


def decode_segment(segment: bytes) -> bytes | None:
    """Return the octets of a JWS segment (canonical base64url without padding), or None."""
    rest = len(segment) & 3
    if rest and segment[-1] not in _LAST[rest]:
        return None
    try:
        return a2b_base64(segment.translate(_STRICT) + _PADDING[rest], strict_mode=True)
    except binascii.Error:
        return None


class _NotStrict(ValueError):
    """Text that Python's JSON parser accepts and this library does not."""


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise _NotStrict
    return members


def _finite(number: str) -> float:
    value = float(number)
    if value - value != 0:  # infinite: 1e999
        raise _NotStrict
    return value


def _no_constant(_: str) -> float:
    raise _NotStrict  # NaN, Infinity and -Infinity are not JSON (RFC 8259, section 6)


_reader = json.JSONDecoder(
    object_pairs_hook=_unique, parse_float=_finite, parse_constant=_no_constant
)
_decode = _reader.decode
_scan: Callable[[str, int], tuple[Any, int]] = _reader.scan_once  # type: ignore[attr-defined]

# For text that was read strictly before. `json.loads` would look for blanks around it.
_scan_again: Callable[[str, int], tuple[Any, int]] = json.JSONDecoder().scan_once  # type: ignore[attr-defined]

# Every octet that can be part of a number becomes "0", an opening bracket "(", any other a blank. A
# long number then is a long run of "0", and there are at least as many "(" as levels of nesting.
_OUTLINE = bytes(
    48 if octet in b"-+.0123456789eE" else 40 if octet in b"[{" else 32 for octet in range(256)
)
_LONG_RUN = "0" * (MAX_DIGITS + 1)
# Possessive, and also matches up to the end of the text, so that no input causes backtracking.
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*+(?:"|\\?\Z)', re.DOTALL)
_AS_PARENTHESES = bytes.maketrans(b"[{]}", b"(())")
_ALL_BUT_BRACKETS = bytes(octet for octet in range(256) if octet not in b"[]{}")


def strict_object(raw: bytes) -> dict[str, Any] | None:
    """Return the JSON object in ``raw``, or None if two readers could read it differently.

    Requires UTF-8 without byte order mark; no duplicate members, NaN, infinities or lone
    surrogates; at most 32 levels (the outermost included) and 64 digits per number.
    """
    # The limits are checked before anything is built. The common case has few brackets and no long
    # run of digits. The search runs on str, which Python searches several times faster than bytes.
    outline = raw.translate(_OUTLINE).decode()
    if outline.count("(") > MAX_DEPTH and _is_too_deep(raw):
        return None
    if _LONG_RUN in outline and _has_long_number(raw):
        return None
    try:
        text = raw.decode()
        # One call reads an object without blanks around it, the common form.
        value, end = _scan(text, 0) if text[:1] == "{" else (None, 0)
        if text[end:]:
            value = _decode(text)
        if "\\" in text and "\\u" in text:  # a one-character search is much faster
            # A lone surrogate can only come from an escape, and cannot be encoded as UTF-8.
            json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError, StopIteration):
        return None
    return value if type(value) is dict else None


def octets_by_pybase64() -> Callable[[bytes, None, bool], bytes] | None:
    """Return pybase64's ``b64decode``, or None if it is not installed."""
    try:
        from pybase64 import b64decode
    except ImportError:
        return None
    return b64decode


def object_by_orjson() -> Callable[..., dict[str, Any] | None] | None:
    """Return a `strict_object` based on orjson, or None if orjson is not installed.

    Its second argument says whether the depth is known to be within the limit.

    orjson accepts duplicate members and turns large integers into floats. So its result only counts
    if writing it gives the same octets again: a dict has each member once, and so did the input.
    Everything else (blanks, other escapes, exponents) yields None, which is not a verdict;
    `strict_object` then decides.
    """
    try:
        from orjson import dumps, loads
    except ImportError:
        return None

    def read(raw: bytes, is_shallow: bool = False) -> dict[str, Any] | None:  # noqa: FBT001, FBT002 (keywords cost)
        # Checked first: orjson has had faults in how it limits depth.
        if not is_shallow and raw.count(b"{") + raw.count(b"[") > MAX_DEPTH and _is_too_deep(raw):
            return None
        try:
            value = loads(raw)
            return value if type(value) is dict and dumps(value) == raw else None
        except (TypeError, ValueError):
            return None

    return read


# The extra `fast`. It never rejects anything, and never reads anything differently.
_quick_octets = octets_by_pybase64()
_quick_object = object_by_orjson()


def read_segments(
    payload_segment: bytes, signature_segment: bytes
) -> tuple[bytes | None, dict[str, Any] | None, bytes | None]:
    """Return payload octets, claims and signature octets; None for each part that is invalid.

    Hot path: `decode_segment` and `strict_object` kept inline. For anything unusual, the separate
    functions run and decide.
    """
    rest, other = len(payload_segment) & 3, len(signature_segment) & 3
    if (rest and payload_segment[-1] not in _LAST[rest]) or (
        other and signature_segment[-1] not in _LAST[other]
    ):
        return _piece_by_piece(payload_segment, signature_segment)
    try:
        one = payload_segment.translate(_STRICT) + _PADDING[rest]
        two = signature_segment.translate(_STRICT) + _PADDING[other]
        if _quick_octets is None:
            payload = a2b_base64(one, strict_mode=True)
            signature = a2b_base64(two, strict_mode=True)
        else:
            payload = _quick_octets(one, None, True)  # noqa: FBT003 (keywords cost)
            signature = _quick_octets(two, None, True)  # noqa: FBT003 (as above)
    except binascii.Error:
        return _piece_by_piece(payload_segment, signature_segment)
    if _quick_object is not None and (claims := _quick_object(payload)) is not None:
        return payload, claims, signature
    try:
        outline, text = payload.translate(_OUTLINE).decode(), payload.decode()
        if (
            "\\" not in text
            and _LONG_RUN not in outline
            and (outline.count("(") <= MAX_DEPTH or not _is_too_deep(payload))
        ):
            value, end = _scan(text, 0)
            if type(value) is dict and not text[end:]:
                return payload, value, signature
    except (ValueError, RecursionError, StopIteration):
        pass
    return payload, strict_object(payload), signature


def _piece_by_piece(
    payload_segment: bytes, signature_segment: bytes
) -> tuple[bytes | None, dict[str, Any] | None, bytes | None]:
    octets = decode_segment(payload_segment)
    claims = None if octets is None else strict_object(octets)
    return octets, claims, decode_segment(signature_segment)


def read_again(raw: bytes) -> dict[str, Any]:
    """Return a fresh copy of an object that was read strictly before; the caller may change it."""
    claims = None if _quick_object is None else _quick_object(raw, True)  # noqa: FBT003 (as above)
    if claims is not None:
        return claims
    # Decoded first: json would otherwise detect the encoding, which is known to be UTF-8.
    text = raw.decode()
    return _scan_again(text, 0)[0] if text[:1] == "{" else json.loads(text)  # type: ignore[no-any-return]


def _is_too_deep(raw: bytes) -> bool:
    """Return whether JSON has more than `MAX_DEPTH` levels, or brackets without their partner.

    Invalid JSON is not found here, but no parser gets deeper in it before it finds the fault.
    """
    # Without escapes, every other piece between quotes is outside strings.
    outside = [_STRING.sub(b"", raw)] if b"\\" in raw else raw.split(b'"')[::2]
    brackets = b"".join(outside).translate(_AS_PARENTHESES, _ALL_BUT_BRACKETS)
    for _ in range(MAX_DEPTH):  # each time, the innermost level goes
        brackets = brackets.replace(b"()", b"")
        if not brackets:
            return False
    return True


def _has_long_number(raw: bytes) -> bool:
    outside = _STRING.sub(b'""', raw)
    return any(
        sum(48 <= octet <= 57 for octet in run) > MAX_DIGITS
        for run in re.findall(rb"[-+.0-9eE]+", outside)
    )


class Repeated(dict[str, Any]):
    """A JSON object with a duplicate member: it is ambiguous, so it is never used."""


def _marked(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    return members if len(members) == len(pairs) else Repeated(members)


def _whole(digits: str) -> float:
    # No number is ever used, and Python refuses to convert very long ones.
    return int(digits) if len(digits) <= MAX_DIGITS else float("inf")


_decode_tolerantly = json.JSONDecoder(object_pairs_hook=_marked, parse_int=_whole).decode


def tolerant_json(raw: bytes) -> object:
    """Return any JSON value, with ambiguous objects marked as `Repeated`. Raises ValueError."""
    try:
        return _decode_tolerantly(raw.removeprefix(b"\xef\xbb\xbf").decode())
    except RecursionError:
        raise ValueError("nested too deeply") from None


def tolerant_octets(value: object, longest: int) -> bytes | None:
    """Return the octets of a key member (either base64 alphabet, padded or not), or None."""
    if not isinstance(value, str) or not value.isascii() or len(value) > 4 * longest:
        return None
    text = value.rstrip("=").replace("-", "+").replace("_", "/")
    try:
        octets = binascii.a2b_base64(text + "=" * (-len(text) % 4), strict_mode=True)
    except binascii.Error:
        return None
    return octets if octets and len(octets) <= longest else None


def to_base64url(octets: bytes) -> str:
    """Return canonical base64url without padding (RFC 7515, section 2)."""
    return b64encode(octets, b"-_").rstrip(b"=").decode()


def printable(text: str, longest: int, *, limit: int | None = None) -> str:
    """Return untrusted text for messages, events and logs: printable ASCII on one line.

    Arguments:
        text: the text.
        longest: how many of its characters to keep.
        limit: maximum length after escaping, which may turn one character into several.
    """
    return text[:longest].encode("unicode_escape").decode("ascii")[:limit]


def one_line(text: str) -> str:
    """Return text without characters that end a line or control a terminal."""
    return "".join(
        one if one.isprintable() else one.encode("unicode_escape").decode("ascii") for one in text
    )
