"""A provider served on loopback, its tokens, and tokens that every verifier must refuse."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType
from typing import Any, NamedTuple

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from jwks_client import JWKSClient, Provider, providers
from jwks_client.testing import FakeProvider

CLAIMS: dict[str, Any] = {
    "scope": "orders:read orders:write",
    "roles": ["a", "b"],
    "expires_in": 7200,
}


class Scene(NamedTuple):
    idp: FakeProvider
    algorithm: str
    issuer: str
    audience: str
    jwks_url: str
    tokens: list[bytes]
    bad: dict[str, str]

    @property
    def provider(self) -> Provider:
        return providers.generic(
            self.jwks_url,
            issuer=self.issuer,
            audience=self.audience,
            algorithms=(self.algorithm,),
        )


def issued(
    idp: FakeProvider, count: int, claims: Mapping[str, Any] = MappingProxyType(CLAIMS)
) -> list[bytes]:
    return [
        idp.issue(**{"sub": f"user-{number}", "jti": f"{number:032x}", **claims}).encode()
        for number in range(count)
    ]


@contextmanager
def scene(
    algorithm: str, count: int, claims: Mapping[str, Any] = MappingProxyType(CLAIMS)
) -> Iterator[Scene]:
    idp = FakeProvider(issuer=None, algorithm=algorithm)
    idp.answer_headers = {"Cache-Control": "max-age=3600"}
    with idp.serve() as base_url:
        yield Scene(
            idp,
            algorithm,
            base_url,
            "api",
            f"{base_url}/.well-known/jwks.json",
            issued(idp, count, claims),
            refused(idp, base_url),
        )


def refused(idp: FakeProvider, issuer: str) -> dict[str, str]:
    """Return tokens that every verifier must refuse before it is timed."""
    header, _, signature = idp.issue(sub="one").split(".")
    other = idp.issue(sub="another").split(".")[1]
    forger = FakeProvider(issuer=issuer, algorithm=idp.algorithm)
    return {
        "another payload": f"{header}.{other}.{signature}",
        "another's signature": forger.issue(sub="one"),
        "expired": idp.issue(sub="one", expires_in=-3600),
        "another audience": idp.issue(sub="one", aud="elsewhere"),
        "another issuer": idp.issue(sub="one", iss="https://elsewhere.test"),
    }


def decoded(token: bytes, algorithm: str) -> tuple[bytes, bytes]:
    """Return the signature in the form that cryptography accepts, and the signed text."""
    signed, _, text = token.rpartition(b".")
    signature = base64.urlsafe_b64decode(text + b"=" * (-len(text) % 4))
    return to_der(signature) if algorithm == "ES256" else signature, signed


def to_der(signature: bytes) -> bytes:
    """Return an ES256 signature in the form that cryptography accepts."""
    r, s = (int.from_bytes(half, "big") for half in (signature[:32], signature[32:]))
    return encode_dss_signature(r, s)


def bare(scene: Scene) -> Callable[[str], object]:
    """Return a verifier that decodes base64 and JSON and checks the signature, and nothing else."""
    check, algorithm = raw(scene), scene.algorithm
    to_base64 = bytes.maketrans(b"-_", b"+/")

    def octets_of(segment: bytes) -> bytes:
        return binascii.a2b_base64(segment.translate(to_base64) + b"==")

    def read(token: str) -> Any:
        signed, _, text = token.encode().rpartition(b".")
        claims = json.loads(octets_of(signed.partition(b".")[2]).decode())
        signature = octets_of(text)
        check((to_der(signature) if algorithm == "ES256" else signature, signed))
        return claims

    return read


def raw(scene: Scene) -> Callable[[tuple[bytes, bytes]], object]:
    """Return cryptography's ``verify``, with its arguments prepared beforehand."""
    with JWKSClient(scene.provider) as client:
        key: Any = client.get_signing_key_from_jwt(scene.tokens[0]).key
    verify, digest = key.verify, hashes.SHA256()
    match scene.algorithm:
        case "RS256":
            pkcs1 = padding.PKCS1v15()
            return lambda one: verify(one[0], one[1], pkcs1, digest)
        case "ES256":
            ecdsa = ec.ECDSA(digest)
            return lambda one: verify(one[0], one[1], ecdsa)
        case _:
            return lambda one: verify(*one)
