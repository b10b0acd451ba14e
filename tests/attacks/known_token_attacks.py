"""Attacks on tokens, claims and fetches that published advisories are about, each as it would be tried here.

One function for each class of mistake; `test_past_cves` says which advisory is which. Each makes a `Stand`, or a client,
where an honest token is accepted before and after.
"""

from __future__ import annotations

import json
import zlib

import pytest
from forging import (
    CLOCK,
    EC,
    ED,
    ISSUER,
    MALLORY,
    MARKER,
    NOW,
    RSA,
    Stand,
    assembled,
    b64,
    claims_of,
    header_of,
    honest_token,
    made_by,
    octets_of,
    parts_of,
    shown_by,
    signed,
    without_network,
)

from jwks_client import (
    ConfigurationError,
    JWKSError,
    KeysUnavailableError,
    Provider,
    TokenError,
    providers,
)
from jwks_client.testing import FakeClock, FakeProvider


def unsigned(drive):
    """``none`` with an empty signature, with a blank one, with a good token's."""
    stand = Stand(drive, RSA)
    header, payload, signature = parts_of(honest_token(RSA))
    for alg in ("none", "None", "NONE", "nOnE"):
        changed = octets_of({**json.loads(header), "alg": alg})
        for one in (b"", signature):
            stand.refuses(assembled(changed, payload, one), "algorithm_not_allowed")
        stand.refuses(f"{b64(changed)}.{b64(payload)}. ", "malformed_token")
        stand.refuses(f"{b64(changed)}.{b64(payload)}", "malformed_token")
    with pytest.raises(ConfigurationError):
        Provider(
            name="p",
            issuer=providers.UNCHECKED,
            audience=providers.UNCHECKED,
            jwks=RSA.jwks(),
            algorithms=["none"],
        )


def no_signature_at_all(drive):
    """The segment empty, or a few octets, where nobody asks how long it must be."""
    for idp in (RSA, EC, ED):
        stand = Stand(drive, idp)
        header, payload, signature = parts_of(honest_token(idp))
        short = [signature[:size] for size in (0, 1, 2, 8, 16)]
        stand.refuses_all([assembled(header, payload, one) for one in short], "bad_signature")


def critical_extension(drive):
    """``crit`` with names that nobody knows, and with ``b64``."""
    stand = Stand(drive, EC)
    for crit in (["x-custom-policy"], ["bork"], ["cnf"], ["b64"], ["exp"], []):
        header = header_of(EC, crit=crit, **dict.fromkeys(crit, True))
        stand.refuses(signed(EC, header), "unsupported_critical_header")


def unencoded_payload(drive):
    """``b64: false`` with a payload of megabytes, or none: refused by size or header, not decoded first."""
    stand = Stand(drive, EC)
    header = b64(octets_of(header_of(EC, b64=False, crit=["b64"])))
    stand.refuses(f"{header}.{'A' * 3_000_000}.AAAA", "token_too_large")
    stand.refuses(f"{header}.{'A' * 12_000}.AAAA", "malformed_token")
    stand.refuses(f"{header}..AAAA", "malformed_token")
    stand.refuses(signed(EC, header_of(EC, b64=False, crit=["b64"])), "unsupported_critical_header")


def part_of_the_issuer(drive):
    """A string that is inside the expected one, or that it is inside of."""
    stand = Stand(drive, EC)
    for issuer in (
        "issuer",
        "https://",
        ISSUER[:-1],
        ISSUER[1:],
        "",
        "t",
        f"x{ISSUER}",
        f"{ISSUER}x",
    ):
        stand.refuses(signed(EC, payload=claims_of(EC, iss=issuer)), "wrong_issuer", "iss")


def list_as_issuer(drive):
    """A list with the expected issuer in it; and so for ``sub`` and ``jti``."""
    stand = Stand(drive, EC)
    for issuer in (
        [ISSUER],
        ["https://attacker.test/", ISSUER],
        [ISSUER, "https://attacker.test/"],
    ):
        stand.refuses(signed(EC, payload=claims_of(EC, iss=issuer)), "invalid_claim", "iss")
    for name in ("sub", "jti"):
        stand.refuses(signed(EC, payload=claims_of(EC, **{name: ["u1"]})), "invalid_claim", name)


def list_as_audience(drive):
    """An empty list, or one without the expected audience, is not no audience."""
    stand = Stand(drive, EC)
    for audience in ([], [""], ["other"], ""):
        stand.refuses(signed(EC, payload=claims_of(EC, aud=audience)), "wrong_audience", "aud")
    stand.accepts(signed(EC, payload=claims_of(EC, aud=["other", "api"])))


def zeros_for_a_signature(drive):
    """r = s = 0, and 1, and the order."""
    stand = Stand(drive, EC)
    order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
    octets = [one.to_bytes(32, "big") * 2 for one in (0, 1, order)]
    stand.refuses_all(
        [assembled(header_of(EC), claims_of(EC), one) for one in octets], "bad_signature"
    )


def other_texts_of_a_token(drive):
    """Padding, junk letters, spare bits: what decodes alike is not the same token."""
    stand = Stand(drive, RSA)
    good = honest_token(RSA)
    more = ["=", "==", "!!!!", "!@$%", "\\11", " ", "\n", "+", "/", "=="]
    stand.refuses_all([good + one for one in more], "malformed_token")
    stand.refuses_all([good[:-5] + one + good[-5:] for one in more], "malformed_token")
    stand.accepts(good)


def json_serialisation(drive):
    """Without signatures, with an empty list of them, or wrapped around a good token."""
    stand = Stand(drive, EC)
    header, payload, signature = honest_token(EC).split(".")
    forms = [{"payload": payload}, {"payload": payload, "signatures": []}]
    forms += [{"payload": payload, "protected": header}, {"payload": payload, "signatures": [{}]}]
    forms += [{"payload": payload, "protected": header, "signature": signature}]
    stand.refuses_all([json.dumps(one) for one in forms], "malformed_token")
    forged = b64(octets_of(claims_of(EC, sub="admin")))
    mixed = f'{{"  {header}.{forged}.":"","protected":"{header}","payload":"{payload}","signature":"{signature}"}}'
    stand.refuses(mixed, "malformed_token")


def encrypted_instead_of_signed(drive):
    """A token encrypted to the public key, compressed or with a million rounds: never opened."""
    stand = Stand(drive, RSA)
    bomb = zlib.compress(b"a" * 1_000_000)
    for members in (
        {"alg": "RSA-OAEP-256", "enc": "A256GCM", "zip": "DEF"},
        {"alg": "PBES2-HS256+A128KW", "enc": "A256GCM", "p2c": 2**31 - 1, "p2s": "AAAA"},
        {"alg": "dir", "enc": "A128GCM"},
    ):
        parts = [octets_of({**members, "kid": RSA.kid}), b"k" * 256, b"i" * 12, bomb, b"t" * 16]
        stand.refuses(".".join(map(b64, parts)), "encrypted_token")


def depth(drive):
    """Thousands of brackets in header or payload, for `verify` and for who only asks for the key."""
    stand = Stand(drive, EC)
    deep = b'{"a":' + b"[" * 5_000 + b"]" * 5_000 + b"}"
    stand.refuses(signed(EC, payload=deep), "malformed_token")
    deep = b'{"a":' + b"[" * 2_000 + b"]" * 2_000 + b"}"
    for token in (
        assembled(header_of(EC), deep, b"x"),
        assembled(b'{"alg":"ES256","a":' + b"[" * 1500, b"{}"),
    ):
        stand.refuses(token, "malformed_token")
        with pytest.raises(TokenError) as caught:
            drive.get_signing_key_from_jwt(token)
        assert caught.value.code == "malformed_token"


def size(drive):
    """Header, signature or dots of megabytes: refused by length, and the error does not repeat them."""
    stand = Stand(drive, EC)
    big = 2_000_000
    for token in (
        "A" * big,
        "." * big,
        f"{'A' * big}.e30.AA",
        f"e30.e30.{'A' * big}",
        f"Bearer {'.' * big}",
    ):
        error = stand.refuses(token, "token_too_large")
        assert len(shown_by(error)) < 2_000


def expired_and_forged(drive):
    """The signature's verdict comes first: a forged token is not said to be merely expired."""
    stand = Stand(drive, EC)
    forged = made_by(MALLORY["ES256"].sign, header_of(EC), claims_of(EC, exp=1, iat=0, aud="x"))
    stand.refuses(forged, "bad_signature")
    stand.refuses(signed(EC, payload=claims_of(EC, exp=1, iat=0, aud="x")), "token_expired", "exp")


def claim_that_switches_a_check_off(drive):
    """``nonce_supported: false`` and its like: the token does not say how it is checked."""
    stand = Stand(drive, EC)
    off = {
        "nonce_supported": False,
        "verify": False,
        "verify_exp": False,
        "options": {"verify_aud": False},
    }
    wanted = {"nonce": "n"}
    stand.accepts(signed(EC, payload=claims_of(EC, nonce="n", **off)), claim_values=wanted)
    stand.refuses(
        signed(EC, payload=claims_of(EC, **off)), "missing_claim", "nonce", claim_values=wanted
    )
    stand.refuses(signed(EC, payload=claims_of(EC, exp=1, iat=0, **off)), "token_expired", "exp")
    stand.refuses(signed(EC, payload=claims_of(EC, aud="x", **off)), "wrong_audience", "aud")


def settings_of_an_earlier_call(drive):
    """What one call asks for is neither changed by it nor left over for the next."""
    stand = Stand(drive, EC)
    wanted = {"nonce": "n"}
    good = signed(EC, payload=claims_of(EC, nonce="n"))
    stand.accepts(good, claim_values=wanted)
    assert wanted == {"nonce": "n"}
    other = signed(EC, payload=claims_of(EC, nonce="m"))
    stand.accepts(other)
    stand.refuses(other, "invalid_claim", "nonce", claim_values=wanted)
    stand.accepts(other)
    stand.refuses(signed(EC, payload=claims_of(EC, exp=1, iat=0)), "token_expired", "exp")


def claims_of_another_token(drive):
    """Two tokens that are alike in all but one letter, or as text and octets, are never mixed up."""
    stand = Stand(drive, EC)
    tokens = {
        name: signed(EC, payload=claims_of(EC, sub=name)) for name in ("alice", "alicf", "bob")
    }
    for _ in range(3):
        for name, token in tokens.items():
            assert stand.drive.verify(token).subject == name
            assert stand.drive.verify(token.encode()).claims["sub"] == name
    header, payload, _ = tokens["alice"].split(".")
    stand.refuses(f"{header}.{payload}.{tokens['bob'].split('.')[2]}", "bad_signature")


def place_of_another_scheme(drive):
    """``file:``, ``ftp:``, ``data:`` cannot be configured, and are not asked because a token says so."""
    for url in ("file:///etc/passwd", "ftp://issuer.test/", 'data:application/json,{"keys":[]}'):
        with pytest.raises(ConfigurationError):
            Provider(
                name="p", issuer=providers.UNCHECKED, audience=providers.UNCHECKED, jwks_url=url
            )
        stand = Stand(drive, EC)
        stand.accepts(EC.issue(headers={"jku": url}))
        stand.refuses(
            made_by(MALLORY["ES256"].sign, header_of(EC, jku=url, kid="x"), claims_of(EC)),
            "unknown_key",
        )


def redirect(drive):
    """The key set's URL answers with a redirect to the attacker's."""
    idp = FakeProvider(ISSUER, algorithm="ES256", clock=CLOCK)
    drive.client(idp)
    assert drive.verify(idp.issue()).subject == "u1"
    for status in (301, 302, 307, 308):
        idp.fail(status, headers={"Location": "https://attacker.test/evil.json"})
        with pytest.raises(KeysUnavailableError) as caught:
            drive.refresh()
        assert caught.value.code == "fetch_failed"
    assert {one.path for one in idp.requests} == {"/.well-known/jwks.json"}
    assert drive.verify(honest_token(idp)).subject == "u1"


def fetches_without_end(drive):
    """Random kids, or one again and again, also while the provider fails: few requests, no known key lost."""
    clock = FakeClock(NOW)
    idp = FakeProvider(ISSUER, algorithm="ES256", clock=clock)
    drive.client(idp)
    good = idp.issue(expires_in=3_000)
    assert drive.verify(good).subject == "u1"
    for failing in (False, True):
        if failing:
            idp.fail(500)
            clock.advance(30)
        before = idp.fetches
        for n in range(300):
            kid = "same" if n % 2 else f"evil-{n}"
            with pytest.raises(JWKSError):
                drive.verify(
                    made_by(MALLORY["ES256"].sign, header_of(idp, kid=kid), claims_of(idp))
                )
            assert drive.verify(good).subject == "u1"
        assert idp.fetches - before <= 4


def keys_of_an_issuer_nobody_named(drive):
    """A token of the attacker's own issuer leaves no key behind that a second token could use."""
    stand = Stand(drive, EC)
    for issuer in ("https://attacker.test", f"{ISSUER}:key-1", "https://issuer.tes", f"{ISSUER}/"):
        first = made_by(MALLORY["ES256"].sign, header_of(EC), claims_of(EC, iss=issuer))
        second = made_by(MALLORY["ES256"].sign, header_of(EC), claims_of(EC))
        stand.refuses(first, "bad_signature")
        stand.refuses(second, "bad_signature")
        odd = made_by(MALLORY["ES256"].sign, header_of(EC, kid="x"), claims_of(EC, iss=issuer))
        stand.refuses(odd, "wrong_issuer", "iss")
    assert set(stand.network.urls) == {EC.jwks_url}


def error_with_the_token_in_it(drive):
    """An oversized or odd token is not repeated in the message, however it is refused."""
    drive.client(without_network(EC), clock=CLOCK)
    assert drive.verify(EC.issue()).subject == "u1"
    for token in (
        signed(EC, payload=claims_of(EC, x="x" * 20_000)),
        f"{MARKER}.x.y",
        signed(EC, header_of(EC, x="y" * 5000)),
    ):
        with pytest.raises(TokenError) as caught:
            drive.verify(token)
        assert len(shown_by(caught.value)) < 2_000
        assert MARKER not in shown_by(caught.value)
        assert token[:40] not in shown_by(caught.value)
