"""Hostile tokens: each is refused with the code it states, by this library and without the kit."""

import asyncio
import base64
import json
import pickle
import subprocess
import sys

import jwt
import pytest

from jwks_client import JWKSClient, JWKSError, Provider, TokenError, providers
from jwks_client.testing import FakeClock, FakeProvider, ForgedToken
from jwks_client.testing._forge import claim_tricks, key_tricks, shape_tricks
from jwks_client.testing._forge.forge import Forge
from jwks_client.testing._forge.forged_token import Trick

ALGORITHMS = [
    *("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
    *("ES256", "ES384", "ES512", "ES256K", "EdDSA", "Ed25519", "Ed448"),
    *("ML-DSA-44", "ML-DSA-65", "ML-DSA-87"),
]
IDP = FakeProvider()  # made while tests are collected, as users do


def code_of(client, token):
    """Return the code with which a client refuses a token."""
    try:
        client.verify(token)
    except JWKSError as error:
        return error.code
    return "accepted"


def decode(segment):
    return json.loads(base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4)))


@pytest.mark.parametrize("token", IDP.forge.all())
def test_a_forged_token_is_refused_with_the_code_it_states(token):
    """A user writes one test for every hostile token, with its name as the id."""
    with pytest.raises(TokenError) as caught:
        IDP.client().verify(token)
    assert caught.value.code == token.code


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_every_algorithm_has_its_hostile_tokens(algorithm, clock):
    """Both clients refuse forged tokens of every algorithm with the stated codes."""
    idp = FakeProvider(algorithm=algorithm, clock=clock)
    tokens = idp.forge.all()
    sync_client, async_client = idp.client(), idp.async_client()

    async def judge():
        outcomes = []
        for token in tokens:
            try:
                await async_client.verify(token)
            except JWKSError as error:
                outcomes.append((token.name, error.code))
        return outcomes

    stated = [(token.name, token.code) for token in tokens]
    assert [(token.name, code_of(sync_client, token)) for token in tokens] == stated
    assert asyncio.run(judge()) == stated
    assert sync_client.verify(idp.issue()).subject == "u1"


APART = """
import json, sys
from jwks_client import JWKSClient, Provider, TokenError

given = json.load(sys.stdin)
client = JWKSClient(Provider(jwks=given["jwks"], **given["provider"]))
client.verify(given["good"])
for name, code, token in given["tokens"]:
    try:
        client.verify(token)
    except TokenError as error:
        assert error.code == code, (name, error.code, code)
    else:
        raise AssertionError(f"{name} was accepted")
assert not [one for one in sys.modules if one.startswith("jwks_client.testing")]
print(len(given["tokens"]))
"""


def test_they_are_refused_without_the_kit():
    """A client in another process, on the real clock and without this kit, refuses them all alike."""
    idp = FakeProvider()
    tokens = idp.forge.all()
    provider = {"name": "p", "issuer": idp.issuer, "audience": "api", "algorithms": ["RS256"]}
    given = {
        "jwks": idp.jwks(),
        "provider": provider,
        "good": idp.issue(),
        "tokens": [(one.name, one.code, str(one)) for one in tokens],
    }
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", APART],
        input=json.dumps(given),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.stderr, done.stdout.strip()) == ("", str(len(tokens)))


def test_a_forged_token_without_its_trick_is_accepted(clock):
    """Only the trick is wrong: without it the same arguments make a good token."""
    idp = FakeProvider(clock=clock)
    good = idp.issue(sub="u7", scope="a b", expires_in=24 * 3600, roles=["r"])
    assert idp.client().verify(good).subject == "u7"
    forged = idp.forge.wrong_audience(sub="u7", scope="a b", roles=["r"])
    ours, theirs = decode(good.split(".")[1]), decode(forged.split(".")[1])
    assert {name for name in theirs if theirs[name] != ours[name]} == {"aud"}


def test_each_trick_accepts_the_arguments_of_issue(clock):
    """Subject, scope, lifetime, headers and claims are those of the arguments."""
    idp = FakeProvider(clock=clock)
    token = idp.forge.unknown_kid("u9", "a b", 5, headers={"x": 1}, org="o1")
    header, payload, _ = token.split(".")
    assert decode(payload) == {
        "iss": idp.issuer,
        "aud": "api",
        "sub": "u9",
        "iat": int(clock.time()),
        "exp": int(clock.time()) + 5,
        "scope": "a b",
        "org": "o1",
    }
    assert decode(header)["x"] == 1
    for token in idp.forge.all("u9", org="o1"):
        assert code_of(idp.client(), token) == token.code


def test_forged_tokens_live_long_enough_to_be_made_at_import():
    """The clock of a test run may be hours ahead of the import, and the codes are the same."""
    clock = FakeClock()
    idp = FakeProvider(clock=clock)
    tokens = idp.forge.all()
    clock.advance(11 * 3600)
    client = idp.client()
    assert [code_of(client, one) for one in tokens] == [one.code for one in tokens]


def test_a_forged_token_is_a_string_with_a_name_and_a_code():
    """A forged token works wherever a token does, and its repr shows its name, never the token."""
    token = IDP.forge.unsigned()
    assert isinstance(token, str)
    assert token.split(".")[2] == ""
    assert (token.name, token.code) == ("unsigned", "algorithm_not_allowed")
    assert repr(token) == "<forged token unsigned: algorithm_not_allowed>"
    again = pickle.loads(pickle.dumps(token))
    assert (type(again), again, again.name, again.code) == (
        ForgedToken,
        token,
        token.name,
        token.code,
    )


def test_all_has_every_trick_once():
    """`all` has every trick exactly once, under its own name."""
    names = [one.name for one in IDP.forge.all()]
    assert len(set(names)) == len(names)
    written = [claim_tricks, key_tricks, shape_tricks]
    tricks = {
        name for one in written for name, trick in vars(one).items() if isinstance(trick, Trick)
    }
    assert tricks - set(names) == {"too_old"}  # this provider has no max_age
    assert set(names) - tricks == {"missing_iss", "missing_aud"}
    assert all(getattr(Forge, name).forge.__doc__ for name in tricks)


def test_every_code_can_be_forged():
    """Every refusal can be forged, except those that need a rule or several keys."""
    idp = FakeProvider().as_provider(
        providers.stytch("project-test-1", max_age=60, claim_values={"plan": "pro"})
    )
    made = {one.code for one in [*idp.forge.all(), *IDP.forge.all()]}
    from jwks_client.errors import TOKEN_ERROR_CODES

    assert set(TOKEN_ERROR_CODES) - made == {
        "unknown_issuer",  # of a client with several providers
        "ambiguous_key",
        "rejected_by_check",
    }


@pytest.mark.parametrize(
    ("change", "left_out"),
    [
        ({"issuer": providers.UNCHECKED}, {"wrong_issuer", "missing_iss"}),
        ({"audience": providers.UNCHECKED}, {"wrong_audience", "empty_audience", "missing_aud"}),
        ({"require_expiry": False}, {"no_expiry"}),
        ({"bound_tokens": "checked_elsewhere"}, {"bound_to_a_key"}),
    ],
)
def test_a_claim_that_a_provider_does_not_check_is_not_forged(change, left_out):
    """`all` has only refused tokens; naming another trick is an error that says why."""
    settings = {"name": "p", "issuer": "i", "audience": "a", "jwks_url": "https://i.test/k"}
    idp = FakeProvider().as_provider(Provider(**{**settings, **change}))
    whole = FakeProvider().as_provider(Provider(**settings))
    names = {one.name for one in idp.forge.all()}
    assert {one.name for one in whole.forge.all()} - names == left_out
    client = idp.client()
    for token in idp.forge.all():
        assert code_of(client, token) == token.code
    for name in left_out:
        with pytest.raises(ValueError, match=r"does not check|claim must be one of"):
            if name.startswith("missing_"):
                idp.forge.missing(name.removeprefix("missing_"))
            else:
                getattr(idp.forge, name)()


def test_each_requirement_of_a_provider_is_violated_in_turn():
    """In turn each required claim is missing, has another value, or a forbidden claim is present."""
    provider = providers.generic(
        "https://i.test/k",
        issuer="i",
        audience="a",
        max_age=60,
        required_claims=["org"],
        claim_values={"plan": {"pro", "team"}},
        forbidden_claims=["evt"],
    )
    idp = FakeProvider().as_provider(provider)
    client = idp.client()
    tokens = {one.name: one for one in idp.forge.all()}
    for name, code in {
        "missing_org": "missing_claim",
        "missing_plan": "missing_claim",
        "missing_iat": "missing_claim",
        "other_plan": "invalid_claim",
        "forbidden_evt": "forbidden_claim",
        "too_old": "token_too_old",
    }.items():
        assert (tokens[name].code, code_of(client, tokens[name])) == (code, code)
    assert code_of(client, idp.forge.missing("org")) == "missing_claim"
    assert client.verify(idp.issue()).claims["plan"] == "pro"


def test_tokens_refused_for_their_claims_have_a_valid_signature():
    """The tokens test the named check and not the signature: PyJWT without claim checks accepts them."""
    key = jwt.PyJWK(IDP.jwks()["keys"][0])
    off = dict.fromkeys(("exp", "nbf", "iat", "aud", "iss", "sub", "jti"), False)
    for token in IDP.forge.all():
        verify = {f"verify_{name}": flag for name, flag in off.items()}
        if token.code in {"wrong_issuer", "wrong_audience", "missing_claim", "token_expired"}:
            assert jwt.decode(token, key, options=verify)
        if token.code in {"bad_signature", "unknown_key"}:
            with pytest.raises(jwt.InvalidSignatureError):
                jwt.decode(token, key, options=verify)


def test_a_client_that_trusts_the_token_would_be_fooled():
    """The attacks are real: a client that takes the key or the algorithm from the token accepts them."""
    embedded = IDP.forge.embedded_jwk(sub="admin")
    own = jwt.PyJWK(jwt.get_unverified_header(embedded)["jwk"])
    assert jwt.decode(embedded, own, audience="api")["sub"] == "admin"
    confused = IDP.forge.hmac_with_public_key(sub="admin")
    public = jwt.PyJWK(IDP.jwks()["keys"][0]).key
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    message, _, signature = confused.rpartition(".")
    hs256 = jwt.get_algorithm_by_name("HS256")
    raw = base64.urlsafe_b64decode(signature + "=" * (-len(signature) % 4))
    assert hs256.verify(message.encode(), pem, raw)
    bits = IDP.forge.stray_bits()
    lenient = base64.urlsafe_b64decode(bits.split(".")[1] + "==")
    assert json.loads(lenient)["aud"] == "api"  # the standard library's base64 reads it


def test_a_flood_of_forged_tokens_costs_few_fetches(idp):
    """Forged kids are refused within the client's own budget, so a whole run of them stays cheap."""
    client = idp.client()
    client.warm_up()
    for _ in range(5):
        for token in idp.forge.all():
            assert code_of(client, token) == token.code
    assert idp.fetches <= 5
    assert not any("attacker" in request.path for request in idp.requests)


def test_a_client_made_without_the_kit_refuses_them_too(idp):
    """A client made of a provider with a static key set, without the kit, refuses them too."""
    provider = Provider(
        name="custom", issuer=idp.issuer, audience="api", jwks=idp.jwks(), algorithms=["RS256"]
    )
    client = JWKSClient(provider, clock=idp.clock)
    for token in idp.forge.all():
        assert (token.name, code_of(client, token)) == (token.name, token.code)
