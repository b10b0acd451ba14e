"""Write the seeds of the corpus, made with the testing kit: ``python -m fuzz.seed``.

Must not depend on: atheris. Seeds are the same in each run, except for new keys and for signatures
that are not deterministic.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from fuzz.token_target import ISSUER, KEY, NOW
from jwks_client.testing import FakeClock, FakeProvider

CORPUS = Path(__file__).parent / "corpus"
ALGORITHMS = ("RS256", "ES256", "ES384", "ES512", "ES256K", "EdDSA", "Ed448", "ML-DSA-44")
CLAIMS = {"iss": ISSUER, "aud": "api", "sub": "u1", "iat": NOW, "exp": NOW + 60, "org": "a"}
HEADER = {"alg": "EdDSA", "kid": "k1", "typ": "JWT"}


def tokens() -> dict[str, bytes]:
    """Return valid tokens, forged tokens, and pairs of header and payload to sign."""
    signed = {
        "usual": (HEADER, CLAIMS),
        "access_token": ({**HEADER, "typ": "at+jwt"}, {**CLAIMS, "scope": "a b", "jti": "1"}),
        "tenant": (HEADER, {**CLAIMS, "iss": "https://a.test", "tid": "a", "aud": ["api", "x"]}),
        "no_kid": ({"alg": "Ed25519"}, {**CLAIMS, "nbf": NOW, "scp": ["a"], "cnf": {"jkt": "x"}}),
        "floats": (HEADER, {**CLAIMS, "iat": NOW + 0.5, "exp": 1.7e9 + 60}),
        "expired": (HEADER, {**CLAIMS, "exp": NOW - 31}),
        "nested": (HEADER, {**CLAIMS, "x": {"y": [{"z": [None, True, "\ud83d\ude00"]}]}}),
    }
    idp = FakeProvider(ISSUER, algorithm="EdDSA", clock=FakeClock(NOW))
    seeds = {one.name: one.encode() for one in idp.forge.all()}
    odd = {"nan": "NaN", "lone_surrogate": '"\\ud800"', "infinity": "1e999", "text": '"\\u0000"'}
    for name, text in odd.items():
        payload = json.dumps(CLAIMS)[:-1] + f', "x": {text}}}'
        seeds[f"sign_{name}"] = b"\n".join([b"sign", json.dumps(HEADER).encode(), payload.encode()])
    seeds |= {f"sign_{name}": _to_sign(*pair) for name, pair in signed.items()}
    # A former defect, where str and bytes had different errors: five segments, not ASCII.
    seeds["encrypted_beyond_ascii"] = seeds["encrypted"] + "\u01d1".encode()
    good = KEY.sign_compact(json.dumps(HEADER).encode(), json.dumps(CLAIMS).encode())
    return {**seeds, "good": good.encode()}


def _to_sign(header: object, payload: object) -> bytes:
    return b"\n".join([b"sign", json.dumps(header).encode(), json.dumps(payload).encode()])


def key_sets() -> dict[str, bytes]:
    """Return key sets: one for each type of key, unusual ones of real providers, invalid ones."""
    entries = [FakeProvider(algorithm=one).jwks()["keys"][0] for one in ALGORITHMS]
    by_name = dict(zip(ALGORITHMS, entries, strict=True))
    ec, rsa = by_name["ES256"], by_name["RS256"]
    padded = {**ec, "x": ec["x"].replace("-", "+").replace("_", "/") + "="}
    documents: dict[str, Any] = {name.lower(): {"keys": [entry]} for name, entry in by_name.items()}
    documents |= {
        "several": {"keys": [ec, rsa, {**ec, "kid": "key-2", "use": "enc"}], "issuer": ISSUER},
        "odd": {"keys": [padded, {**rsa, "key_ops": ["verify"], "x5c": ["MII"], "issuer": "x"}]},
        "private": {"keys": [ec, {**by_name["EdDSA"], "d": "AAAA"}, {"kty": "oct", "k": "AA"}]},
        "weak": {"keys": [ec, {**rsa, "n": rsa["n"][:171]}, {**rsa, "e": "AQ"}]},
        "empty": {"keys": []},
    }
    seeds = {name: json.dumps(document).encode() for name, document in documents.items()}
    twice = json.dumps(ec)[:-1].encode() + b', "kid": "twice"}'
    seeds["member_twice"] = b'{"keys": [' + twice + b", " + json.dumps(ec).encode() + b"]}"
    seeds["byte_order_mark"] = b"\xef\xbb\xbf" + seeds["es256"]
    return seeds


def requests() -> dict[str, bytes]:
    """Return requests with credentials in each location, and in several."""
    cross_site = b"origin: https://evil.test\nhost: api.test"
    return {
        "bearer": b"\nAuthorization: Bearer abc.def.ghi",
        "bearer_alone": b"\nAuthorization: Bearer",
        "two_words": b"\nAuthorization: Bearer a b",
        "two_headers": b"\nAuthorization: Bearer a\nAuthorization: Bearer b",
        "basic": b"\nAuthorization: Basic dTpw",
        "cookie": b'\nCookie: a=b; session="abc"; c=d\nsec-fetch-site: same-origin',
        "cookie_cross_site": b"\nCookie: session=abc\n" + cross_site,
        "two_cookies": b"\nCookie: session=a; session=b",
        "other_header": b"\nX-Token: abc",
        "query": b"?a=b&access_token=abc%2Edef&c=d\nhost: api.test",
        "query_and_header": b"?access_token=abc\nAuthorization: Bearer abc",
        "subprotocol": b"?\nSec-WebSocket-Protocol: chat, bearer, abc.def, other",
        "subprotocol_cookie": b"?\nCookie: session=abc\n" + cross_site,
    }


def main() -> None:
    """Write the seeds that do not exist yet; existing ones are kept, so that keys do not change."""
    for target, seeds in {"token": tokens(), "key_set": key_sets(), "bearer": requests()}.items():
        folder = CORPUS / target
        folder.mkdir(parents=True, exist_ok=True)
        for name, octets in seeds.items():
            if not (folder / name).exists():
                (folder / name).write_bytes(octets)


if __name__ == "__main__":
    main()
