"""Verification beside raw cryptography and peers: `python -m benchmarks`, or `make bench`.

Rounds are interleaved, so that a machine whose speed drifts is slow for everybody, and the median
round counts. Every contestant must give the right answer before it is timed. Peers that are not
installed (the extra `bench`) are left out. Ratios can be compared between machines, times cannot.
"""

from __future__ import annotations

import base64
import statistics
import time
from collections.abc import Callable
from importlib.util import find_spec

import httpx
import jwt
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from jwks_client import JWKSClient
from jwks_client.testing import FakeProvider

ROUNDS, TOKENS = 15, 300
Contestants = dict[str, Callable[[], object]]


def raw_verify(key: object, token: str, algorithm: str) -> Callable[[], object]:
    """The signature alone, as cryptography checks it, with everything decoded beforehand."""
    message, _, text = token.rpartition(".")
    signature = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    signed = message.encode()
    match algorithm:
        case "RS256":
            return lambda: key.verify(signature, signed, padding.PKCS1v15(), hashes.SHA256())
        case "ES256":
            r, s = (int.from_bytes(half, "big") for half in (signature[:32], signature[32:]))
            der = encode_dss_signature(r, s)
            return lambda: key.verify(der, signed, ec.ECDSA(hashes.SHA256()))
        case _:
            return lambda: key.verify(signature, signed)


def each(verify: Callable[[str], object], tokens: list[str]) -> Callable[[], object]:
    def run() -> None:
        for token in tokens:
            verify(token)

    return run


def contestants(algorithm: str) -> Contestants:
    """Who is timed, each over the same number of tokens; the first is the floor."""
    idp = FakeProvider(algorithm=algorithm)
    http = httpx.Client(transport=idp.transport)
    claims = {"scope": "orders:read orders:write", "roles": ["a", "b"], "expires_in": 3600}
    tokens = [idp.issue(sub=f"user-{number}", **claims) for number in range(TOKENS)]
    plain = JWKSClient(idp.provider, http=http, token_cache_size=0)
    remembering = JWKSClient(idp.provider, http=http)
    key = plain.get_signing_key(idp.kid).key
    options = {"algorithms": [algorithm], "audience": idp.audience, "issuer": idp.issuer}
    raw = raw_verify(key, tokens[0], algorithm)
    found: Contestants = {
        "cryptography, the signature alone": lambda: [raw() for _ in tokens],
        "jwks_client, distinct tokens": each(plain.verify, tokens),
        "jwks_client, the same token again": each(remembering.verify, [tokens[0]] * TOKENS),
        "PyJWT, key in hand": each(lambda token: jwt.decode(token, key, **options), tokens),
    }
    assert remembering.verify(tokens[0]).subject == "user-0"
    assert plain.verify(tokens[1]).subject == "user-1"
    return found | peers(idp, tokens, options, algorithm)


def peers(
    idp: FakeProvider, tokens: list[str], options: dict[str, object], algorithm: str
) -> Contestants:
    """Libraries with the key set parsed already, and PyJWT's own client with it cached."""
    found: Contestants = {}
    client = jwt.PyJWKClient("https://issuer.test/jwks")
    client.fetch_data = idp.jwks  # no network: what is timed is the usual day
    keys = jwt.PyJWKSet.from_dict(idp.jwks())
    client.jwk_set_cache.put(keys if hasattr(keys, "keys") else idp.jwks())

    def with_pyjwkclient(token: str) -> object:
        return jwt.decode(token, client.get_signing_key_from_jwt(token).key, **options)

    try:
        with_pyjwkclient(tokens[0])
        found["PyJWT with PyJWKClient"] = each(with_pyjwkclient, tokens)
    except Exception as error:  # noqa: BLE001 (a release whose cache wants another form)
        print(f"PyJWKClient left out: {error}")
    if find_spec("joserfc"):
        from joserfc import jwt as jose
        from joserfc.jwk import KeySet

        key_set = KeySet.import_key_set(idp.jwks())
        rules = jose.JWTClaimsRegistry(
            iss={"essential": True, "value": idp.issuer},
            aud={"essential": True, "value": idp.audience},
            exp={"essential": True},
        )

        def with_joserfc(token: str) -> object:
            decoded = jose.decode(token, key_set, algorithms=[algorithm])
            rules.validate(decoded.claims)
            return decoded

        with_joserfc(tokens[0])
        found["joserfc"] = each(with_joserfc, tokens)
    return found


def timed(run: Callable[[], object]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def main() -> None:
    for algorithm in ("RS256", "ES256", "EdDSA"):
        runs = contestants(algorithm)
        rounds: dict[str, list[float]] = {name: [] for name in runs}
        for _ in range(ROUNDS):
            for name, run in runs.items():
                rounds[name].append(timed(run))
        medians = {name: statistics.median(times) for name, times in rounds.items()}
        floor = next(iter(medians.values()))
        print(f"\n{algorithm}")
        for name, median in medians.items():
            each_one = median / TOKENS * 1e6
            print(f"  {name:36} {each_one:9.2f} µs {median / floor:8.3f} x")


if __name__ == "__main__":
    main()
