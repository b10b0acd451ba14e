"""How bytes become octets and JSON: strictly for tokens, tolerantly for key material.

Owns: base64url and JSON as this library reads them. May not know: what the members mean. Tokens are
read so that one text has one meaning (RFC 7515, section 5.2; RFC 8725, section 2.6): every reader
of the same bytes must see the same claims, or a check made here says nothing about what is used
there. Each function answers None, never an exception, when the text does not hold: an error that
arose from a token's bytes carries no cause.
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

# One translation maps base64url to base64 and everything that base64 has beside it ("+", "/", "=")
# to a character that no alphabet holds, so that binascii's strict mode refuses it.
_STRICT = bytes.maketrans(b"-_+/=", b"+/!!!")
# By the number of characters after the last whole four: the padding, and the last characters whose
# bits that carry nothing are zero (RFC 4648, section 3.5). One character alone carries no octet.
_PADDING = (b"", b"", b"==", b"=")
_LAST: Final[tuple[frozenset[int], ...]] = (
    frozenset(),
    frozenset(),
    frozenset(b"AQgw"),
    frozenset(b"AEIMQUYcgkosw048"),
)


def decode_segment(segment: bytes) -> bytes | None:
    """The octets of one segment of a compact JWS: canonical base64url without padding, or None."""
    rest = len(segment) & 3
    if rest and segment[-1] not in _LAST[rest]:
        return None
    try:
        return a2b_base64(segment.translate(_STRICT) + _PADDING[rest], strict_mode=True)
    except binascii.Error:
        return None


class _Refused(ValueError):
    """A text that is JSON for Python's reader but not for ours."""


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise _Refused
    return members


def _finite(number: str) -> float:
    value = float(number)
    if value - value != 0:  # infinite: 1e999
        raise _Refused
    return value


def _no_constant(_: str) -> float:
    raise _Refused  # NaN, Infinity and -Infinity are not JSON (RFC 8259, section 6)


_reader = json.JSONDecoder(
    object_pairs_hook=_unique, parse_float=_finite, parse_constant=_no_constant
)
_decode = _reader.decode
_scan: Callable[[str, int], tuple[Any, int]] = _reader.scan_once  # type: ignore[attr-defined]

# Every octet that a number can hold becomes "0", what opens a level "(", every other a blank: a
# long number is a long run, and there are at least as many "(" as levels.
_OUTLINE = bytes(
    48 if octet in b"-+.0123456789eE" else 40 if octet in b"[{" else 32 for octet in range(256)
)
_LONG_RUN = "0" * (MAX_DIGITS + 1)
# Possessive, and ending at the end of the text too, so that no input makes it try a place twice.
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*+(?:"|\\?\Z)', re.DOTALL)
_BRACKETS = re.compile(rb"[\[\]{}]")


def strict_object(raw: bytes) -> dict[str, Any] | None:
    """The JSON object in ``raw``, or None for anything that two readers could read differently.

    UTF-8 without byte order mark; no duplicate members, NaN, infinities or lone surrogates; at most
    32 levels, the outermost counted, and 64 digits a number.
    """
    # The limits come before anything is built. Few brackets and no long run of digits: the common
    # case. All is looked for in texts: Python searches them several times as fast as bytes.
    outline = raw.translate(_OUTLINE).decode()
    if outline.count("(") > MAX_DEPTH and _depth(raw) > MAX_DEPTH:
        return None
    if _LONG_RUN in outline and _has_long_number(raw):
        return None
    try:
        text = raw.decode()
        # Without blanks around it, as everybody writes it, one call reads it.
        value, end = _scan(text, 0) if text[:1] == "{" else (None, 0)
        if text[end:]:
            value = _decode(text)
        if "\\" in text and "\\u" in text:  # one character is looked for much faster than two
            # A lone surrogate can only come from an escape, and has no UTF-8 form.
            json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError, StopIteration):
        return None
    return value if type(value) is dict else None


def octets_by_pybase64() -> Callable[[bytes, None, bool], bytes] | None:
    """What decodes padded base64, strictly if the last argument says so; None if not installed."""
    try:
        from pybase64 import b64decode
    except ImportError:
        return None
    return b64decode


def object_by_orjson() -> Callable[[bytes], dict[str, Any] | None] | None:
    """`strict_object` by orjson for what it cannot misread, or None where it is not installed.

    orjson says nothing of members that stand twice and makes a float of a large number. It is
    believed only if it writes what it read as the very octets it was given: a dict holds each
    member once, so then they do too, and they say what the dict says. All else (blanks, other
    escapes, exponents) gets None, which is no refusal: `strict_object` decides.
    """
    try:
        from orjson import dumps, loads
    except ImportError:
        return None

    def read(raw: bytes) -> dict[str, Any] | None:
        # Before anything is built: orjson has had faults in how deep it goes.
        if raw.count(b"{") + raw.count(b"[") > MAX_DEPTH:
            return None
        try:
            value = loads(raw)
            return value if type(value) is dict and dumps(value) == raw else None
        except (TypeError, ValueError):  # what its two functions raise
            return None

    return read


# The extra `fast`. It refuses nothing, and reads nothing otherwise than the code above.
_quick_octets = octets_by_pybase64()
_quick_object = object_by_orjson()


def read_segments(
    payload_segment: bytes, signature_segment: bytes
) -> tuple[bytes | None, dict[str, Any] | None, bytes | None]:
    """`decode_segment` of both, with the `strict_object` in the first between them.

    Every new token comes this way, so it is told in one piece: that saves 3 % of a verification.
    What is not plain goes piece by piece, or to `strict_object`, which decide.
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
            signature = _quick_octets(two, None, True)  # noqa: FBT003
    except binascii.Error:
        return _piece_by_piece(payload_segment, signature_segment)
    if _quick_object is not None and (claims := _quick_object(payload)) is not None:
        return payload, claims, signature
    try:
        outline, text = payload.translate(_OUTLINE).decode(), payload.decode()
        if "\\" not in text and _LONG_RUN not in outline and outline.count("(") <= MAX_DEPTH:
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
    """An object that was read strictly before, once more: whoever gets it may change it."""
    claims = None if _quick_object is None else _quick_object(raw)
    # As text: json would first find out the encoding of octets, which is known to be UTF-8.
    return json.loads(raw.decode()) if claims is None else claims


def _depth(raw: bytes) -> int:
    deepest = depth = 0
    for bracket in _BRACKETS.findall(_STRING.sub(b"", raw)):
        depth += 1 if bracket in b"[{" else -1
        deepest = max(deepest, depth)
    return deepest


def _has_long_number(raw: bytes) -> bool:
    outside = _STRING.sub(b'""', raw)
    return any(
        sum(48 <= octet <= 57 for octet in run) > MAX_DIGITS
        for run in re.findall(rb"[-+.0-9eE]+", outside)
    )


class Repeated(dict[str, Any]):
    """A JSON object in which a member stands twice: it has two meanings, so it is used for none."""


def _marked(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    return members if len(members) == len(pairs) else Repeated(members)


def _whole(digits: str) -> float:
    # No member that is read is a number, and Python refuses to convert very long ones.
    return int(digits) if len(digits) <= MAX_DIGITS else float("inf")


_decode_tolerantly = json.JSONDecoder(object_pairs_hook=_marked, parse_int=_whole).decode


def tolerant_json(raw: bytes) -> object:
    """Any JSON value; objects with repeated members are marked (`Repeated`). Else ValueError."""
    try:
        return _decode_tolerantly(raw.removeprefix(b"\xef\xbb\xbf").decode())
    except RecursionError:
        raise ValueError("nested too deeply") from None


def tolerant_octets(value: object, longest: int) -> bytes | None:
    """Octets of a key member: either base64 alphabet, padded or not, at most so many; or None."""
    if not isinstance(value, str) or not value.isascii() or len(value) > 4 * longest:
        return None
    text = value.rstrip("=").replace("-", "+").replace("_", "/")
    try:
        octets = binascii.a2b_base64(text + "=" * (-len(text) % 4), strict_mode=True)
    except binascii.Error:
        return None
    return octets if octets and len(octets) <= longest else None


def to_base64url(octets: bytes) -> str:
    """Canonical base64url without padding (RFC 7515, section 2)."""
    return b64encode(octets, b"-_").rstrip(b"=").decode()


def printable(text: str, longest: int) -> str:
    """Return an outsider's text for messages: truncated, on one line, in printable ASCII."""
    return text[:longest].encode("unicode_escape").decode("ascii")
