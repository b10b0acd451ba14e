"""Vectors of bare signatures by NIST and the Ed25519 authors, from PyPI's `cryptography-vectors`.

The signed octets are not JWTs, so they are checked with the verifier of the parsed key.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import cryptography_vectors
import pytest
from vectors import key_set, verified

from jwks_client._core.encoding import to_base64url
from jwks_client._core.keysets.jwk import Key, read_key_set

HASHES = {"SHA256": "256", "SHA384": "384", "SHA512": "512"}
CURVES = {"P-256,SHA-256": "ES256", "P-384,SHA-384": "ES384", "P-521,SHA-512": "ES512"}
WIDTHS = {"ES256": 32, "ES384": 48, "ES512": 66}


def lines_of(path: str) -> list[str]:
    with cryptography_vectors.open_vector_file(f"asymmetric/{path}", "rb") as file:
        return file.read().decode("ascii").splitlines()


def sections_of(path: str) -> Iterator[tuple[str, list[dict[str, str]]]]:
    """Yield each section of a NIST file: its title and its cases, each ended by a Result."""
    lines = lines_of(path)
    starts = [place for place, line in enumerate(lines) if line.startswith("[")]
    for start, end in pairwise([*starts, len(lines)]):
        cases, case = [], {}
        for line in lines[start + 1 : end]:
            name, found, value = (part.strip() for part in line.partition("="))
            if not found:
                continue
            case[name] = value
            if name == "Result":
                cases.append(case)
                case = {"n": case["n"]} if "n" in case else {}
        yield lines[start].strip("[]"), cases


def key_of(**members: Any) -> Key:
    (key,) = read_key_set(key_set({"use": "sig", **members}), max_keys=1)
    return key


def encoded(number: str, width: int | None = None) -> str:
    octets = bytes.fromhex(number.zfill(len(number) + len(number) % 2)).lstrip(b"\0")
    return to_base64url(octets.rjust(width or 0, b"\0"))


def judged(key: Key, algorithm: str, case: dict[str, str], signature: bytes) -> bool:
    holds = verified(key, algorithm, bytes.fromhex(case["Msg"]), signature)
    assert holds == case["Result"].startswith("P"), case
    return holds


def test_rsa():
    """FIPS 186-3 PKCS #1 v1.5: valid signatures of 2048 to 4096 bits are accepted, and altered ones are not."""
    counts = {True: 0, False: 0}
    for title, cases in sections_of("RSA/FIPS_186-2/SigVer15_186-3.rsp"):
        if re.search("1024|1536", title):
            continue
        for case in cases:
            if case["SHAAlg"] not in HASHES or int(case["e"], 16) >= 2**32:
                continue
            key = key_of(kty="RSA", n=encoded(case["n"]), e=encoded(case["e"]))
            signature = bytes.fromhex(case["S"])
            counts[judged(key, f"RS{HASHES[case['SHAAlg']]}", case, signature)] += 1
    assert all(counts.values())


def test_ecdsa():
    """FIPS 186-3 ECDSA: valid signatures on three curves are accepted, and altered ones are not."""
    counts = {True: 0, False: 0}
    for title, cases in sections_of("ECDSA/FIPS_186-3/SigVer.rsp"):
        if title not in CURVES:
            continue
        algorithm = CURVES[title]
        width = WIDTHS[algorithm]
        for case in cases:
            x, y = (encoded(case[name], width) for name in ("Qx", "Qy"))
            keys = read_key_set(
                key_set({"kty": "EC", "crv": title[:5], "x": x, "y": y}), max_keys=1
            )
            signature = b"".join(
                bytes.fromhex(case[name].zfill(2 * width)[-2 * width :]) for name in "RS"
            )
            for key in keys:
                counts[judged(key, algorithm, case, signature)] += 1
            assert list(keys) or case["Result"].startswith("F")
    assert all(counts.values())


@pytest.mark.parametrize("alg", ["EdDSA", "Ed25519"])
def test_ed25519(alg):
    """The authors' 1024 signatures are valid under both names, and none over another message."""
    for line in lines_of("Ed25519/sign.input"):
        _, public, message, signed, _ = line.split(":")
        key = key_of(kty="OKP", crv="Ed25519", x=to_base64url(bytes.fromhex(public)))
        octets, signature = bytes.fromhex(message), bytes.fromhex(signed)[:64]
        assert verified(key, alg, octets, signature)
        assert not verified(key, alg, octets + b"\0", signature)
