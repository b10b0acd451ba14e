"""`FakeProvider`: its tokens and its keys, verified by PyJWT and cryptography."""

import base64
import gc
import itertools
import json
import threading
from collections import deque

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import mldsa

from jwks_client import ConfigurationError, providers
from jwks_client.testing import FakeClock, FakeProvider
from jwks_client.testing._keys import signing_key as _keys

NOW = 1_700_000_000
ALGORITHMS = [
    *("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
    *("ES256", "ES384", "ES512", "ES256K", "EdDSA", "Ed25519", "Ed448"),
    *("ML-DSA-44", "ML-DSA-65", "ML-DSA-87"),
]
ML_DSA = {
    "ML-DSA-44": mldsa.MLDSA44PublicKey,
    "ML-DSA-65": mldsa.MLDSA65PublicKey,
    "ML-DSA-87": mldsa.MLDSA87PublicKey,
}


def decode(segment):
    return base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4))


def claims_of(token):
    return json.loads(decode(token.split(".")[1]))


def header_of(token):
    return json.loads(decode(token.split(".")[0]))


def is_signed_by(token, jwk):
    """Return whether the signature of a token is valid under a published key, by PyJWT or cryptography."""
    message, _, signature = token.rpartition(".")
    if jwk["kty"] == "AKP":
        key = ML_DSA[jwk["alg"]].from_public_bytes(decode(jwk["pub"]))
        try:
            key.verify(decode(signature), message.encode())
        except Exception:
            return False
        return True
    name = "EdDSA" if jwk["kty"] == "OKP" else jwk["alg"]  # PyJWT knows no names of RFC 9864
    algorithm = jwt.get_algorithm_by_name(name)
    return algorithm.verify(message.encode(), algorithm.from_jwk(jwk), decode(signature))


def modulus(idp):
    return [key["n"] for key in idp.jwks()["keys"]]


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_every_algorithm_signs_for_its_published_key(algorithm):
    """A token of each supported algorithm is valid under the key published for it, and under no other."""
    idp, other = (FakeProvider(algorithm=algorithm) for _ in range(2))
    token = idp.issue()
    [jwk] = idp.jwks()["keys"]
    assert header_of(token) == {"alg": algorithm, "kid": idp.kid, "typ": "JWT"}
    assert (jwk["alg"], jwk["kid"], jwk["use"]) == (algorithm, idp.kid, "sig")
    assert is_signed_by(token, jwk)
    assert not is_signed_by(token, other.jwks()["keys"][0])


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_key_set_shows_nothing_private(algorithm):
    """A published key has only the public members of its type."""
    members = {"RSA": "n e", "EC": "crv x y", "OKP": "crv x", "AKP": "pub"}
    [jwk] = FakeProvider(algorithm=algorithm).jwks()["keys"]
    assert set(jwk) == {"kty", "kid", "use", "alg", *members[jwk["kty"]].split()}


@pytest.mark.parametrize(("algorithm", "width"), [("ES256", 32), ("ES384", 48), ("ES512", 66)])
def test_coordinates_and_signatures_have_their_full_width(algorithm, width):
    """Leading zero octets are kept, in keys and in signatures (RFC 7518, sections 3.4 and 6.2.1)."""
    idp = FakeProvider(algorithm=algorithm)
    for _ in range(300):  # one of 256 coordinates begins with a zero octet (P-521: every other)
        idp.rotate()
    for jwk in idp.jwks()["keys"]:
        assert len(decode(jwk["x"])) == len(decode(jwk["y"])) == width
    assert {len(decode(idp.issue().split(".")[2])) for _ in range(300)} == {2 * width}


def test_an_unknown_algorithm_is_refused():
    """An unknown algorithm is an error at once that names the known ones."""
    for algorithm in ("HS256", "none", "rs256", ""):
        with pytest.raises(ValueError, match=r"RS256.*ML-DSA-87"):
            FakeProvider(algorithm=algorithm)


def test_the_usual_claims(clock):
    """A token has issuer, audience, subject and, from the clock, its times; a scope only if given."""
    idp = FakeProvider(clock=clock)
    usual = {"iss": "https://issuer.test", "aud": "api", "sub": "u1", "iat": NOW, "exp": NOW + 60}
    assert claims_of(idp.issue()) == usual
    assert claims_of(idp.issue(scope="a b")) == {**usual, "scope": "a b"}
    clock.jump_wall(0.75)
    assert claims_of(idp.issue(sub="u2", expires_in=5)) == {**usual, "sub": "u2", "exp": NOW + 5}


def test_a_claim_given_wins_and_none_leaves_it_out(idp):
    """Any claim can be set to anything, or be left out."""
    claims = claims_of(
        idp.issue(iss="x", aud=["a", "b"], exp=1, iat=2, nbf=3, scope=None, sub=None, roles=["r"])
    )
    assert claims == {"iss": "x", "aud": ["a", "b"], "exp": 1, "iat": 2, "nbf": 3, "roles": ["r"]}
    bare = idp.issue(iss=None, aud=None, exp=None, iat=None, sub=None)
    assert claims_of(bare) == {}
    assert claims_of(idp.issue(expires_in=None)).keys() == {"iss", "aud", "sub", "iat"}
    over = claims_of(idp.issue(expires_in=-10))
    assert (over["exp"], over["iat"]) == (NOW - 10, NOW - 10)
    assert claims_of(idp.issue(expires_in=-10, iat=NOW))["iat"] == NOW
    assert (
        claims_of(idp.issue(**{"https://app.test/plan": "pro"}))["https://app.test/plan"] == "pro"
    )


def test_headers_given_win_and_none_leaves_them_out(idp):
    """Any header member can be set; the signature stays that of the current key."""
    token = idp.issue(headers={"kid": None, "alg": "none", "typ": "at+jwt", "crit": ["x"]})
    assert header_of(token) == {"alg": "none", "typ": "at+jwt", "crit": ["x"]}
    assert is_signed_by(token, idp.jwks()["keys"][0])


def test_octets_are_signed_unchanged(idp):
    """Text that no JSON writer would write can be signed too."""
    token = idp.sign(b'{"alg": "RS256", "alg": "none"}', b"\xff\x00")
    header, payload, _ = token.split(".")
    assert (decode(header), decode(payload)) == (b'{"alg": "RS256", "alg": "none"}', b"\xff\x00")
    assert is_signed_by(token, idp.jwks()["keys"][0])


def test_the_audience_of_its_tokens():
    """Several audiences are a list in the token; with UNCHECKED the token has none."""
    assert claims_of(FakeProvider(audience=("a", "b")).issue())["aud"] == ["a", "b"]
    assert "aud" not in claims_of(FakeProvider(audience=providers.UNCHECKED).issue())


def test_without_a_clock_the_system_s_clock_counts():
    """A token of a provider without a clock is valid by the system's clock."""
    idp = FakeProvider()
    key = jwt.PyJWK(idp.jwks()["keys"][0])
    options = {"require": ["exp", "iat", "sub"]}
    claims = jwt.decode(idp.issue(), key, audience="api", issuer=idp.issuer, options=options)
    assert claims["sub"] == "u1"
    with pytest.raises(jwt.ExpiredSignatureError):
        jwt.decode(idp.issue(expires_in=-1), key, audience="api")


def test_rotate_adds_a_signing_key(idp):
    """After a rotation the new key signs, and tokens of the old one are still valid."""
    old, before = idp.kid, idp.issue()
    new = idp.rotate()
    assert new != old
    assert idp.kid == new
    assert [key["kid"] for key in idp.jwks()["keys"]] == [old, new]
    assert header_of(idp.issue())["kid"] == new
    assert is_signed_by(before, idp.jwks()["keys"][0])
    assert is_signed_by(idp.issue(), idp.jwks()["keys"][1])


def test_revoke_withdraws_a_key(idp):
    """A revoked key is no longer published; the signing key stays."""
    old, new = idp.kid, idp.rotate()
    idp.revoke(old)
    assert [key["kid"] for key in idp.jwks()["keys"]] == [new]
    assert idp.kid == new


def test_revoking_the_signing_key_makes_another(idp):
    """A provider always has a published signing key."""
    old = idp.kid
    idp.revoke(old)
    [jwk] = idp.jwks()["keys"]
    assert jwk["kid"] == idp.kid != old
    assert is_signed_by(idp.issue(), jwk)


def test_swap_keeps_the_kid_and_changes_the_material(idp):
    """A reused kid: tokens of the old material are no longer valid, and tokens of the new are."""
    before, kid, old = idp.issue(), idp.kid, modulus(idp)
    idp.swap(kid)
    [jwk] = idp.jwks()["keys"]
    assert (jwk["kid"], idp.kid) == (kid, kid)
    assert modulus(idp) != old
    assert not is_signed_by(before, jwk)
    assert is_signed_by(idp.issue(), jwk)


def test_swapping_another_key_leaves_the_signing_key(idp):
    """Swapping a key that no longer signs changes nothing for new tokens."""
    old, new = idp.kid, idp.rotate()
    kept = modulus(idp)[1]
    idp.swap(old)
    assert [key["kid"] for key in idp.jwks()["keys"]] == [old, new]
    assert modulus(idp)[1] == kept
    assert header_of(idp.issue())["kid"] == new
    assert is_signed_by(idp.issue(), idp.jwks()["keys"][1])


def test_a_kid_that_is_not_published_is_refused(idp):
    """An unknown kid is an error that names the published ones, and changes nothing."""
    before = idp.jwks()
    for change in (idp.revoke, idp.swap):
        with pytest.raises(ValueError, match=r"key-1.*'gone'"):
            change("gone")
    assert idp.jwks() == before


def test_no_two_live_providers_share_a_key():
    """Keys of one provider never verify tokens of another, even past the pool."""
    idps = [FakeProvider() for _ in range(3)]
    for idp in idps:
        for _ in range(_keys.POOL_SIZE // 2):
            idp.rotate()
    material = [n for idp in idps for n in modulus(idp)]
    assert len(material) > _keys.POOL_SIZE
    assert len(set(material)) == len(material)


def test_rsa_keys_are_reused_when_their_provider_is_gone(monkeypatch):
    """Once the pool is full, a new provider makes no new RSA key, so tests stay fast."""
    # A separate pool: leftovers of other tests may be returned at any time.
    monkeypatch.setattr(_keys, "_made", deque(maxlen=_keys.POOL_SIZE))
    monkeypatch.setattr(_keys, "_returned", deque())
    idp = FakeProvider()
    while len(set(modulus(idp))) < _keys.POOL_SIZE:
        idp.rotate()
    known = set(modulus(idp))
    del idp
    gc.collect()

    def refuse(**_):
        raise AssertionError("an RSA key was made")

    monkeypatch.setattr(_keys.rsa, "generate_private_key", refuse)
    again = FakeProvider()
    again.rotate()
    assert len(set(modulus(again)) & known) == 2


def test_the_pool_is_filled_before_a_key_is_reused(monkeypatch):
    """A provider does not get the key of the provider that just ended; the key that was free the longest is reused first."""
    monkeypatch.setattr(_keys, "_made", deque(maxlen=_keys.POOL_SIZE))
    monkeypatch.setattr(_keys, "_returned", deque())
    fresh = iter("abcdefghijkl")
    monkeypatch.setattr(_keys.rsa, "generate_private_key", lambda **_: next(fresh))

    class Borrower:
        pass

    lent = [_keys.make_key("RS256", "k", borrower=Borrower()).private for _ in range(8)]
    assert lent == [*"abcdef", "a", "b"]


def test_the_keys_of_many_providers_are_reused(monkeypatch):
    """When many providers are garbage-collected at once, the next ones need no new RSA key."""
    monkeypatch.setattr(_keys, "_made", deque(maxlen=_keys.POOL_SIZE))
    monkeypatch.setattr(_keys, "_returned", deque())
    fresh = itertools.count()
    monkeypatch.setattr(_keys.rsa, "generate_private_key", lambda **_: next(fresh))

    class Borrower:
        pass

    def borrowed(borrowers):
        return {_keys.make_key("RS256", "k", borrower=one).private for one in borrowers}

    many = 3 * _keys.POOL_SIZE
    first = borrowed([Borrower() for _ in range(many)])
    assert len(first) == many
    assert borrowed([Borrower() for _ in range(many)]) == first


def test_a_second_provider_cannot_forge_under_the_same_kid(idp):
    """An imitation under the same kid is refused by the real provider's key."""
    forged = FakeProvider(clock=idp.clock).issue()
    assert header_of(forged)["kid"] == idp.kid
    assert not is_signed_by(forged, idp.jwks()["keys"][0])


@pytest.mark.parametrize(
    ("issuer", "name", "url"),
    [
        ("https://a.test", "a.test", "https://a.test/.well-known/jwks.json"),
        ("https://a.test/", "a.test", "https://a.test/.well-known/jwks.json"),
        ("https://a.test/t/1", "a.test/t/1", "https://a.test/t/1/.well-known/jwks.json"),
        ("stytch.test/p-1", "stytch.test/p-1", "https://issuer.test/.well-known/jwks.json"),
        (None, "issuer.test", "https://issuer.test/.well-known/jwks.json"),
    ],
)
def test_the_provider_for_a_client(issuer, name, url):
    """`provider` has the fake's issuer, audience, key set and algorithm."""
    idp = FakeProvider(issuer=issuer, audience=("a", "b"), algorithm="ES256")
    provider = idp.provider
    assert provider.issuer == claims_of(idp.issue())["iss"] == (issuer or "https://issuer.test")
    assert provider.audience == ("a", "b")
    assert provider.algorithms == ("ES256",)
    assert (provider.name, provider.jwks_url, idp.jwks_url) == (name, url, url)
    assert idp.provider == provider


def test_a_wrong_field_is_refused():
    """A bad audience is the same error as with a real provider."""
    with pytest.raises(ConfigurationError, match="audience"):
        _ = FakeProvider(audience="").provider


def test_threads_may_rotate_together(idp):
    """Concurrent rotations are all kept, and every kid differs."""
    start = threading.Barrier(4)
    idp = FakeProvider(algorithm="ES256", clock=FakeClock())
    kids = []

    def rotate():
        start.wait(10)
        kids.extend(idp.rotate() for _ in range(20))

    threads = [threading.Thread(target=rotate) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert len(set(kids)) == 80
    assert {key["kid"] for key in idp.jwks()["keys"]} == {"key-1", *kids}
    assert idp.kid in kids


def test_its_repr_names_the_provider():
    """A failed assertion shows which provider it was, and no key."""
    idp = FakeProvider(issuer="https://a.test", algorithm="ES256")
    assert repr(idp) == "FakeProvider(issuer='https://a.test', algorithm='ES256')"
