"""Check the parser of key sets with arbitrary bytes.

An input is not a key set, or each parsed key equals the key in its JSON. Must not depend on:
atheris; `python -m fuzz` and tests call `check`.
"""

from __future__ import annotations

import base64
import json
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from jwks_client import ConfigurationError, JWKSClient, Provider, providers
from jwks_client._core.keysets.jwk import BadKeySet, Key, KeySet, read_key_set

PRIVATE = {"d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"}


def check(data: bytes) -> None:
    """Parse an input as a key set, and compare its keys with the plain JSON."""
    try:
        key_set = read_key_set(data, max_keys=100)
    except BadKeySet:
        key_set = None
    try:
        client = JWKSClient(
            Provider(
                name="idp", issuer=providers.UNCHECKED, audience=providers.UNCHECKED, jwks=data
            )
        )
    except ConfigurationError:
        assert key_set is None, "read, and refused by the client"
        return
    assert key_set == client.keys(), "read in two ways"
    _check_keys(key_set, data)


def _check_keys(key_set: KeySet, data: bytes) -> None:
    plain = json.loads(data.removeprefix(b"\xef\xbb\xbf").decode(), parse_int=float)
    entries = plain["keys"]
    unusable = {bad.index for bad in key_set.unusable}
    used = [entry for place, entry in enumerate(entries) if place not in unusable]
    assert len(key_set) == len(used) > 0
    for key, entry in zip(key_set, used, strict=True):
        assert entry.get("kid") == key.kid
        assert entry["kty"] == key.kty
        assert entry.get("use", "sig") == "sig"
        assert "verify" in entry.get("key_ops", ["verify"])
        assert PRIVATE.isdisjoint(entry), "private members in a usable entry"
        assert key.algorithms
        assert all(name.isascii() and not name.startswith("HS") for name in key.algorithms)
        _check_material(key, entry)


def _check_material(key: Key, entry: dict[str, Any]) -> None:
    match key.key:
        case RSAPublicKey() as rsa:
            numbers = rsa.public_numbers()
            assert 2048 <= rsa.key_size <= 8192
            assert (numbers.n, numbers.e) == (_number(entry["n"]), _number(entry["e"]))
        case EllipticCurvePublicKey() as ec:
            point = ec.public_numbers()
            assert (point.x, point.y) == (_number(entry["x"]), _number(entry["y"]))
        case other:
            assert other.public_bytes_raw() == _octets(entry["pub" if key.kty == "AKP" else "x"])


def _octets(text: str) -> bytes:
    plain = text.rstrip("=").replace("+", "-").replace("/", "_")
    return base64.urlsafe_b64decode(plain + "=" * (-len(plain) % 4))


def _number(text: str) -> int:
    return int.from_bytes(_octets(text), "big")
