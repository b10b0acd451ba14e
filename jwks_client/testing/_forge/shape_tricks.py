"""Malformed tokens, and tokens that two parsers would read differently.

Must not depend on the recipient of a token.
"""

from __future__ import annotations

import json
from typing import Final

from ..._core.encoding import to_base64url
from .._shapes.drafts import to_json
from .forged_token import Bench, Draft, trick

_MAX_TOKEN: Final = 16 * 1024  # FetchPolicy.max_token, by default


# Shape (RFC 7515, section 4.1.11; RFC 8725, section 2.4 to 2.7).


@trick("unsupported_critical_header")
def critical_header(_: Bench, draft: Draft) -> str:
    """Its ``crit`` requires an unknown extension."""
    draft.header.update({"crit": ["https://attacker.test/x"], "https://attacker.test/x": True})
    return draft.sign()


@trick("unsupported_critical_header")
def unencoded_payload(_: Bench, draft: Draft) -> str:
    """It has ``b64: false`` (RFC 7797)."""
    draft.header.update({"b64": False, "crit": ["b64"]})
    return draft.sign()


@trick("malformed_token")
def duplicate_header_member(_: Bench, draft: Draft) -> str:
    """Its header contains ``alg`` twice."""
    header, payload = draft.octets()
    return draft.key.sign_compact(b'{"alg": "none", ' + header[1:], payload)


@trick("malformed_token")
def duplicate_claim(bench: Bench, draft: Draft) -> str:
    """It contains ``iat`` twice."""
    draft.claims["iat"] = bench.now()
    header, payload = draft.octets()
    return draft.key.sign_compact(header, b'{"iat": 1, ' + payload[1:])


@trick("malformed_token")
def infinite_number(_: Bench, draft: Draft) -> str:
    """It contains Infinity, which is not JSON."""
    draft.claims["level"] = float("inf")
    return draft.sign()


@trick("malformed_token")
def deeply_nested(_: Bench, draft: Draft) -> str:
    """Its claims contain a thousand nested lists."""
    header, payload = draft.octets()
    nested = b"[" * 1000 + b"]" * 1000
    return draft.key.sign_compact(header, b'{"deep": ' + nested + b", " + payload[1:])


@trick("malformed_token")
def not_an_object(_: Bench, draft: Draft) -> str:
    """Its payload is JSON, but not an object."""
    return draft.key.sign_compact(to_json(draft.header), json.dumps("claims").encode())


@trick("malformed_token")
def stray_bits(_: Bench, draft: Draft) -> str:
    """Its base64url has unused bits set, and is signed with them."""
    header, payload = draft.octets()
    payload += b" " * (-(len(payload) - 1) % 3)  # leaves one octet: two characters, 4 bits
    encoded = to_base64url(payload)
    message = f"{to_base64url(header)}.{encoded[:-1]}{_next_letter(encoded[-1])}"
    return f"{message}.{to_base64url(draft.key.sign(message.encode()))}"


@trick("malformed_token")
def padded(_: Bench, draft: Draft) -> str:
    """Its last segment ends in ``=`` (RFC 7515, section 2)."""
    return f"{draft.sign()}=="


@trick("malformed_token")
def two_segments(_: Bench, draft: Draft) -> str:
    """It has two segments, without even an empty signature."""
    return draft.sign().rpartition(".")[0]


@trick("malformed_token")
def no_token(*_: object) -> str:
    """It is a single word."""
    return "no-token"


@trick("encrypted_token")
def encrypted(_: Bench, draft: Draft) -> str:
    """It has the five segments of an encrypted token (RFC 7516)."""
    header = {"alg": "RSA-OAEP-256", "enc": "A256GCM", "kid": draft.key.kid}
    parts = [to_json(header), b"k" * 256, b"i" * 12, b"c" * 64, b"t" * 16]
    return ".".join(map(to_base64url, parts))


@trick("token_too_large")
def huge(_: Bench, draft: Draft) -> str:
    """It is larger than 16 KiB; some servers reject such a header themselves."""
    draft.claims["padding"] = "x" * _MAX_TOKEN
    return draft.sign()


def _next_letter(letter: str) -> str:
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    return letters[letters.index(letter) + 1]
