"""Check the verification of tokens with arbitrary bytes.

A token is refused with an error of this library, or every JSON reader reads the same claims. Must
not depend on: atheris; `python -m fuzz` and tests call `check`.

An input is a token, or three lines: ``sign``, a header and a payload. These are signed, so that the
fuzzer reaches the claim checks, although it cannot forge a signature.
"""

from __future__ import annotations

import base64
import itertools
import json
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from jwks_client import IssuerTemplate, JWKSClient, JWKSError, Provider, TokenError, providers
from jwks_client._core.encoding import decode_segment, read_segments, strict_object
from jwks_client._core.tokens.unverified import parse
from jwks_client.testing import FakeClock
from jwks_client.testing._keys.signing_key import SigningKey

NOW: Final = 1_700_000_000
ISSUER: Final = "https://issuer.test"
#: Always the same key, so that the valid tokens of the corpus remain valid.
KEY: Final = SigningKey("k1", "EdDSA", Ed25519PrivateKey.from_private_bytes(bytes(range(32))))
USUAL: Final[dict[str, Any]] = {"jwks": {"keys": [KEY.jwk()]}, "audience": "api"}

# One that checks almost nothing, and several that check almost everything: together they reach
# every line.
CLIENTS: Final = [
    JWKSClient(
        Provider(
            **{**USUAL, "audience": providers.UNCHECKED},
            name="open",
            issuer=providers.UNCHECKED,
            require_expiry=False,
            bound_tokens="checked_elsewhere",
            token_types=(None, "jwt", "at+jwt", "other"),
        ),
        clock=FakeClock(NOW),
        token_cache_size=8,
    ),
    JWKSClient(
        Provider(**USUAL, name="usual", issuer=ISSUER),
        Provider(
            **USUAL,
            name="strict",
            issuer=(ISSUER, "https://b.test"),
            max_age=60,
            required_claims=("sub", "org"),
            claim_values={"org": frozenset({"a", 1})},
            forbidden_claims=("act",),
            scope_claim="scp",
        ),
        Provider(
            **USUAL,
            name="tenants",
            issuer=IssuerTemplate("https://{tid}.test", allowed=lambda tid: tid != "issuer"),
        ),
        clock=FakeClock(NOW),
        token_cache_size=8,
    ),
]


def check(data: bytes) -> None:
    """Verify an input, and compare the result with Python's base64 and json."""
    token = _signed(data)
    _read_alike(token)
    verdicts = [_verdict(client, token) for client in CLIENTS]
    try:
        text = token.decode()
    except UnicodeDecodeError:
        assert all(isinstance(one, str) for one in verdicts), "accepted, although it is not text"
        return
    assert verdicts == [_verdict(client, text) for client in CLIENTS], "octets and text differ"
    try:
        parsed = parse(text, 4096)
    except TokenError as error:
        assert all(isinstance(one, str) for one in verdicts), f"accepted despite {error.code}"
        return
    header, payload, _ = (_canonical(segment) for segment in token.split(b"."))
    _same(parsed.header.members, header)
    _same(parsed.claims, payload)
    for one in verdicts:
        if not isinstance(one, str):
            _same(one, payload)


def _signed(data: bytes) -> bytes:
    mark, _, rest = data.partition(b"\n")
    if mark != b"sign":
        return data
    header, _, payload = rest.partition(b"\n")
    return KEY.sign_compact(header, payload).encode()


def _read_alike(token: bytes) -> None:
    """Check that the extra `fast` reads two segments like the readers that decide."""
    segments = token.split(b".")
    for one, other in itertools.pairwise(segments):
        octets = decode_segment(one)
        claims = None if octets is None else strict_object(octets)
        read = read_segments(one, other)
        assert repr(read) == repr((octets, claims, decode_segment(other)))


def _verdict(client: JWKSClient, token: str | bytes) -> Any:
    """Return the claims, or the code of the error; raise any other error."""
    try:
        return client.verify(token).claims
    except JWKSError as error:
        assert isinstance(error, TokenError), "the keys are static"
        assert error.__cause__ is error.__context__ is None
        return error.code


def _canonical(segment: bytes) -> bytes:
    octets = base64.urlsafe_b64decode(segment + b"=" * (-len(segment) % 4))
    assert base64.urlsafe_b64encode(octets).rstrip(b"=") == segment, (
        "these octets have two encodings"
    )
    return octets


def _same(read: dict[str, Any], octets: bytes) -> None:
    """Check that Python's json reads the same, and that no member is repeated."""
    plain = json.loads(octets.decode(), object_pairs_hook=_once)
    # No NaN, infinity or lone surrogate may reach other readers.
    written = json.dumps(read, sort_keys=True, allow_nan=False, ensure_ascii=False).encode()
    assert written == json.dumps(plain, sort_keys=True, ensure_ascii=False).encode()


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    assert len({name for name, _ in pairs}) == len(pairs), "a member is repeated"
    return dict(pairs)
