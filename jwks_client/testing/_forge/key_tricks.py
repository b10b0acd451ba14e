"""Tokens whose signature, algorithm or key must be refused.

Must not depend on claims.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from ..._core.encoding import to_base64url
from ..._core.provider import Provider
from .._shapes.drafts import to_json
from .forged_token import Bench, Draft, trick

if TYPE_CHECKING:
    from .._keys.signing_key import SigningKey

_ATTACKER: Final = "https://attacker.test"


def _is_rsa(provider: Provider) -> bool:
    return provider.algorithms != () and all(one[:2] in ("RS", "PS") for one in provider.algorithms)


def _fits_into_a_header(provider: Provider) -> bool:
    return "ML-DSA-87" not in provider.algorithms  # its keys exceed FetchPolicy's limit


# Signatures.


@trick("bad_signature")
def tampered(_: Bench, draft: Draft) -> str:
    """Its claims were changed after signing."""
    header, _payload, signature = draft.sign().split(".")
    draft.claims["sub"] = "admin" if draft.claims["sub"] != "admin" else "root"
    return f"{header}.{to_base64url(to_json(draft.claims))}.{signature}"


@trick("bad_signature")
def foreign_signature(bench: Bench, draft: Draft) -> str:
    """Another key signed it, under the kid of the right key."""
    return bench.signed_by_stranger(draft)


@trick("bad_signature")
def empty_signature(_: Bench, draft: Draft) -> str:
    """Its signature was removed; the algorithm is unchanged."""
    return draft.sign().rpartition(".")[0] + "."


@trick("bad_signature")
def zero_signature(_: Bench, draft: Draft) -> str:
    """Its signature consists of zeros, at the right length (CVE-2022-21449)."""
    signature = draft.key.sign(b"for its length")
    return f"{draft.sign().rpartition('.')[0]}.{to_base64url(bytes(len(signature)))}"


# Algorithms (RFC 8725, sections 2.1 and 3.1).


@trick("algorithm_not_allowed")
def unsigned(_: Bench, draft: Draft) -> str:
    """Its ``alg`` is ``none``, and its signature is empty."""
    draft.header["alg"] = "none"
    return draft.sign().rpartition(".")[0] + "."


@trick("algorithm_not_allowed")
def unsigned_in_disguise(_: Bench, draft: Draft) -> str:
    """Its ``alg`` is ``nOnE``, against verifiers that reject only the spelling ``none``."""
    draft.header["alg"] = "nOnE"
    return draft.sign().rpartition(".")[0] + "."


@trick("algorithm_not_allowed")
def hmac_with_public_key(_: Bench, draft: Draft) -> str:
    """An HS256 token whose secret is the public key."""
    draft.header["alg"] = "HS256"
    message = draft.sign().rpartition(".")[0]
    digest = hmac.digest(draft.key.public_octets(), message.encode(), hashlib.sha256)
    return f"{message}.{to_base64url(digest)}"


@trick("algorithm_not_allowed")
def other_algorithm(_: Bench, draft: Draft) -> str:
    """Its ``alg`` is for another key type than its kid."""
    draft.header["alg"] = "ES256" if draft.key.algorithm[:2] in ("RS", "PS") else "RS256"
    return draft.sign()


@trick("algorithm_not_allowed", when=_is_rsa)
def other_padding(_: Bench, draft: Draft) -> str:
    """Its ``alg`` is for the same key type, but not the key's own."""
    algorithm = draft.key.algorithm
    draft.header["alg"] = f"{'PS' if algorithm.startswith('RS') else 'RS'}{algorithm[2:]}"
    return draft.sign()


# Keys that the token contains or names (RFC 8725, sections 3.9 and 3.10).


@trick("unknown_key")
def unknown_kid(bench: Bench, draft: Draft) -> str:
    """It names a key that the provider does not publish."""
    draft.header["kid"] = "no-such-key"
    return bench.signed_by_stranger(draft)


@trick("unknown_key")
def kid_as_path(bench: Bench, draft: Draft) -> str:
    """Its kid is the path of a file."""
    draft.header["kid"] = "../../../../../../dev/null"
    return bench.signed_by_stranger(draft)


@trick("malformed_token")
def kid_as_number(_: Bench, draft: Draft) -> str:
    """Its kid is not a string (RFC 7515, section 4.1.4)."""
    draft.header["kid"] = 1
    return draft.sign()


@trick("bad_signature", when=_fits_into_a_header)
def embedded_jwk(bench: Bench, draft: Draft) -> str:
    """It contains the key that signed it, in ``jwk`` (CVE-2018-0114)."""
    return bench.signed_by_stranger(draft, lambda key: {"jwk": key.jwk()})


@trick("bad_signature", when=_is_rsa)
def embedded_certificate(bench: Bench, draft: Draft) -> str:
    """It contains a certificate of the key that signed it, in ``x5c``."""
    return bench.signed_by_stranger(draft, _certificate_of)


@trick("unknown_key")
def jku(bench: Bench, draft: Draft) -> str:
    """Its ``jku`` is the URL of an attacker's key set."""
    draft.header.update({"jku": f"{_ATTACKER}/jwks.json", "kid": "attacker-1"})
    return bench.signed_by_stranger(draft)


@trick("unknown_key")
def x5u(bench: Bench, draft: Draft) -> str:
    """Its ``x5u`` is the URL of an attacker's certificate."""
    draft.header.update({"x5u": f"{_ATTACKER}/chain.pem", "kid": "attacker-1"})
    return bench.signed_by_stranger(draft)


def _certificate_of(key: SigningKey) -> Mapping[str, object]:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

    from .._keys.certificates import self_signed

    if not isinstance(key.private, RSAPrivateKey):
        return {}
    return {"x5c": [base64.b64encode(self_signed(key.private)).decode()]}
