"""Attacks on tokens, claims and fetches from published advisories, each as it would be tried here.

Each function stands for one class of mistake; `test_past_cves` maps advisories to functions. Each makes a `Stand`, or a client,
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
    """Try ``none`` with an empty signature, a blank one, and a good token's."""
    stand = Stand(drive, RSA)
    header, payload, signature = parts_of(honest_token(RSA))
    for alg in ("none", "None", "NONE", "nOnE"):
        changed = octets_of({**json.loads(header), "alg": alg})
        for one in (b"", signature):
            stand.assert_refused(assembled(changed, payload, one), "algorithm_not_allowed")
        stand.assert_refused(f"{b64(changed)}.{b64(payload)}. ", "malformed_token")
        stand.assert_refused(f"{b64(changed)}.{b64(payload)}", "malformed_token")
    with pytest.raises(ConfigurationError):
        Provider(
            name="p",
            issuer=providers.UNCHECKED,
            audience=providers.UNCHECKED,
            jwks=RSA.jwks(),
            algorithms=["none"],
        )


def no_signature_at_all(drive):
    """Try an empty signature segment, and a few octets, where a verifier does not check the length."""
    for idp in (RSA, EC, ED):
        stand = Stand(drive, idp)
        header, payload, signature = parts_of(honest_token(idp))
        short = [signature[:size] for size in (0, 1, 2, 8, 16)]
        stand.assert_all_refused(
            [assembled(header, payload, one) for one in short], "bad_signature"
        )


def critical_extension(drive):
    """Try ``crit`` with unknown names, and with ``b64``."""
    stand = Stand(drive, EC)
    for crit in (["x-custom-policy"], ["bork"], ["cnf"], ["b64"], ["exp"], []):
        header = header_of(EC, crit=crit, **dict.fromkeys(crit, True))
        stand.assert_refused(signed(EC, header), "unsupported_critical_header")


def unencoded_payload(drive):
    """Try ``b64: false`` with a payload of megabytes or none: refused by size or header, not decoded first."""
    stand = Stand(drive, EC)
    header = b64(octets_of(header_of(EC, b64=False, crit=["b64"])))
    stand.assert_refused(f"{header}.{'A' * 3_000_000}.AAAA", "token_too_large")
    stand.assert_refused(f"{header}.{'A' * 12_000}.AAAA", "malformed_token")
    stand.assert_refused(f"{header}..AAAA", "malformed_token")
    stand.assert_refused(
        signed(EC, header_of(EC, b64=False, crit=["b64"])), "unsupported_critical_header"
    )


def part_of_the_issuer(drive):
    """Try an issuer that is part of the expected one, or contains it."""
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
        stand.assert_refused(signed(EC, payload=claims_of(EC, iss=issuer)), "wrong_issuer", "iss")


def list_as_issuer(drive):
    """Try a list that contains the expected issuer, and lists for ``sub`` and ``jti``."""
    stand = Stand(drive, EC)
    for issuer in (
        [ISSUER],
        ["https://attacker.test/", ISSUER],
        [ISSUER, "https://attacker.test/"],
    ):
        stand.assert_refused(signed(EC, payload=claims_of(EC, iss=issuer)), "invalid_claim", "iss")
    for name in ("sub", "jti"):
        stand.assert_refused(
            signed(EC, payload=claims_of(EC, **{name: ["u1"]})), "invalid_claim", name
        )


def list_as_audience(drive):
    """Try an empty list, and one without the expected audience: neither counts as an absent audience."""
    stand = Stand(drive, EC)
    for audience in ([], [""], ["other"], ""):
        stand.assert_refused(
            signed(EC, payload=claims_of(EC, aud=audience)), "wrong_audience", "aud"
        )
    stand.assert_accepted(signed(EC, payload=claims_of(EC, aud=["other", "api"])))


def zeros_for_a_signature(drive):
    """Try r = s = 0, 1, and the order."""
    stand = Stand(drive, EC)
    order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
    octets = [one.to_bytes(32, "big") * 2 for one in (0, 1, order)]
    stand.assert_all_refused(
        [assembled(header_of(EC), claims_of(EC), one) for one in octets], "bad_signature"
    )


def other_texts_of_a_token(drive):
    """Try padding, junk letters and spare bits: a text that decodes alike is not the same token."""
    stand = Stand(drive, RSA)
    good = honest_token(RSA)
    more = ["=", "==", "!!!!", "!@$%", "\\11", " ", "\n", "+", "/", "=="]
    stand.assert_all_refused([good + one for one in more], "malformed_token")
    stand.assert_all_refused([good[:-5] + one + good[-5:] for one in more], "malformed_token")
    stand.assert_accepted(good)


def json_serialisation(drive):
    """Try JSON without signatures, with an empty list of them, or wrapped around a good token."""
    stand = Stand(drive, EC)
    header, payload, signature = honest_token(EC).split(".")
    forms = [{"payload": payload}, {"payload": payload, "signatures": []}]
    forms += [{"payload": payload, "protected": header}, {"payload": payload, "signatures": [{}]}]
    forms += [{"payload": payload, "protected": header, "signature": signature}]
    stand.assert_all_refused([json.dumps(one) for one in forms], "malformed_token")
    forged = b64(octets_of(claims_of(EC, sub="admin")))
    mixed = f'{{"  {header}.{forged}.":"","protected":"{header}","payload":"{payload}","signature":"{signature}"}}'
    stand.assert_refused(mixed, "malformed_token")


def encrypted_instead_of_signed(drive):
    """Try a token encrypted to the public key, compressed or with a million rounds: it is never decrypted."""
    stand = Stand(drive, RSA)
    bomb = zlib.compress(b"a" * 1_000_000)
    for members in (
        {"alg": "RSA-OAEP-256", "enc": "A256GCM", "zip": "DEF"},
        {"alg": "PBES2-HS256+A128KW", "enc": "A256GCM", "p2c": 2**31 - 1, "p2s": "AAAA"},
        {"alg": "dir", "enc": "A128GCM"},
    ):
        parts = [octets_of({**members, "kid": RSA.kid}), b"k" * 256, b"i" * 12, bomb, b"t" * 16]
        stand.assert_refused(".".join(map(b64, parts)), "encrypted_token")


def depth(drive):
    """Try thousands of brackets in header or payload, with `verify` and with the key look-up alone."""
    stand = Stand(drive, EC)
    deep = b'{"a":' + b"[" * 5_000 + b"]" * 5_000 + b"}"
    stand.assert_refused(signed(EC, payload=deep), "malformed_token")
    deep = b'{"a":' + b"[" * 2_000 + b"]" * 2_000 + b"}"
    for token in (
        assembled(header_of(EC), deep, b"x"),
        assembled(b'{"alg":"ES256","a":' + b"[" * 1500, b"{}"),
    ):
        stand.assert_refused(token, "malformed_token")
        with pytest.raises(TokenError) as caught:
            drive.get_signing_key_from_jwt(token)
        assert caught.value.code == "malformed_token"


def size(drive):
    """Try a header, signature or dots of megabytes: refused by length, and the error does not repeat them."""
    stand = Stand(drive, EC)
    big = 2_000_000
    for token in (
        "A" * big,
        "." * big,
        f"{'A' * big}.e30.AA",
        f"e30.e30.{'A' * big}",
        f"Bearer {'.' * big}",
    ):
        error = stand.assert_refused(token, "token_too_large")
        assert len(shown_by(error)) < 2_000


def expired_and_forged(drive):
    """Try a token that is forged and expired: the signature's verdict comes first."""
    stand = Stand(drive, EC)
    forged = made_by(MALLORY["ES256"].sign, header_of(EC), claims_of(EC, exp=1, iat=0, aud="x"))
    stand.assert_refused(forged, "bad_signature")
    stand.assert_refused(
        signed(EC, payload=claims_of(EC, exp=1, iat=0, aud="x")), "token_expired", "exp"
    )


def claim_that_switches_a_check_off(drive):
    """Try ``nonce_supported: false`` and the like: the token does not decide how it is checked."""
    stand = Stand(drive, EC)
    off = {
        "nonce_supported": False,
        "verify": False,
        "verify_exp": False,
        "options": {"verify_aud": False},
    }
    wanted = {"nonce": "n"}
    stand.assert_accepted(signed(EC, payload=claims_of(EC, nonce="n", **off)), claim_values=wanted)
    stand.assert_refused(
        signed(EC, payload=claims_of(EC, **off)), "missing_claim", "nonce", claim_values=wanted
    )
    stand.assert_refused(
        signed(EC, payload=claims_of(EC, exp=1, iat=0, **off)), "token_expired", "exp"
    )
    stand.assert_refused(signed(EC, payload=claims_of(EC, aud="x", **off)), "wrong_audience", "aud")


def settings_of_an_earlier_call(drive):
    """Try a call after one with other options: options neither change nor carry over."""
    stand = Stand(drive, EC)
    wanted = {"nonce": "n"}
    good = signed(EC, payload=claims_of(EC, nonce="n"))
    stand.assert_accepted(good, claim_values=wanted)
    assert wanted == {"nonce": "n"}
    other = signed(EC, payload=claims_of(EC, nonce="m"))
    stand.assert_accepted(other)
    stand.assert_refused(other, "invalid_claim", "nonce", claim_values=wanted)
    stand.assert_accepted(other)
    stand.assert_refused(signed(EC, payload=claims_of(EC, exp=1, iat=0)), "token_expired", "exp")


def claims_of_another_token(drive):
    """Try two tokens that differ in one letter, and text against octets: the memory never mixes them up."""
    stand = Stand(drive, EC)
    tokens = {
        name: signed(EC, payload=claims_of(EC, sub=name)) for name in ("alice", "alicf", "bob")
    }
    for _ in range(3):
        for name, token in tokens.items():
            assert stand.drive.verify(token).subject == name
            assert stand.drive.verify(token.encode()).claims["sub"] == name
    header, payload, _ = tokens["alice"].split(".")
    stand.assert_refused(f"{header}.{payload}.{tokens['bob'].split('.')[2]}", "bad_signature")


def place_of_another_scheme(drive):
    """Try ``file:``, ``ftp:`` and ``data:``: they cannot be configured, and a token cannot cause a request to them."""
    for url in ("file:///etc/passwd", "ftp://issuer.test/", 'data:application/json,{"keys":[]}'):
        with pytest.raises(ConfigurationError):
            Provider(
                name="p", issuer=providers.UNCHECKED, audience=providers.UNCHECKED, jwks_url=url
            )
        stand = Stand(drive, EC)
        stand.assert_accepted(EC.issue(headers={"jku": url}))
        stand.assert_refused(
            made_by(MALLORY["ES256"].sign, header_of(EC, jku=url, kid="x"), claims_of(EC)),
            "unknown_key",
        )


def redirect(drive):
    """Try a redirect from the key set's URL to the attacker's."""
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
    """Try random kids, and one kid again and again, even during an outage: few requests, no known key lost."""
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
    """Try a token of the attacker's own issuer: it leaves no key behind that a second token could use."""
    stand = Stand(drive, EC)
    for issuer in ("https://attacker.test", f"{ISSUER}:key-1", "https://issuer.tes", f"{ISSUER}/"):
        first = made_by(MALLORY["ES256"].sign, header_of(EC), claims_of(EC, iss=issuer))
        second = made_by(MALLORY["ES256"].sign, header_of(EC), claims_of(EC))
        stand.assert_refused(first, "bad_signature")
        stand.assert_refused(second, "bad_signature")
        odd = made_by(MALLORY["ES256"].sign, header_of(EC, kid="x"), claims_of(EC, iss=issuer))
        stand.assert_refused(odd, "wrong_issuer", "iss")
    assert set(stand.network.urls) == {EC.jwks_url}


def error_with_the_token_in_it(drive):
    """Try oversized and odd tokens: no message repeats them."""
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
