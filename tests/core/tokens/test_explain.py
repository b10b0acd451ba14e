"""`explain`: why a token was accepted or refused, for people."""

from __future__ import annotations

from dataclasses import replace

import pytest

from jwks_client import IssuerTemplate, JWKSClient, JWKSError, Provider
from jwks_client.testing import FakeProvider


def refusal(drive, token) -> JWKSError:
    with pytest.raises(JWKSError) as caught:
        drive.verify(token)
    return caught.value


def test_an_accepted_token(drive, idp):
    """Every check of an accepted token is listed as passed, and the verifying key is named."""
    drive.client(idp)
    explained = drive.explain(idp.issue())
    assert explained.accepted
    assert explained.provider == "issuer.test"
    assert explained.first_failed is None
    [candidate] = explained.candidates
    assert [key.made_the_signature for key in candidate.keys] == [True]
    assert candidate.state == "fresh"
    text = str(explained)
    assert text.startswith("accepted")
    assert "FAILED" not in text


BAD = {
    "algorithm": ({"headers": {"alg": "ES256K"}}, "algorithm_not_allowed"),
    "type": ({"headers": {"typ": "x"}}, "wrong_token_type"),
    "kid": ({"headers": {"kid": "lost"}}, "unknown_key"),
    "issuer": ({"iss": "https://other.test"}, "wrong_issuer"),
    "expiry": ({"expires_in": -60}, "token_expired"),
    "not before": ({"nbf": 2_000_000_000}, "token_not_yet_valid"),
    "issued": ({"iat": 1_700_000_050}, "token_issued_in_future"),
    "audience": ({"aud": "other"}, "wrong_audience"),
    "subject": ({"sub": 5}, "invalid_claim"),
    "binding": ({"cnf": {"jkt": "x"}}, "invalid_claim"),
    "required": ({"session": None}, "missing_claim"),
    "forbidden": ({"evt": "x"}, "forbidden_claim"),
    "value": ({"kind": "other"}, "invalid_claim"),
    "scope": ({"scope": 5}, "invalid_claim"),
    "check": ({"banned": True}, "rejected_by_check"),
}


def not_banned(token) -> bool:
    return "banned" not in token.claims


@pytest.fixture
def strict(idp) -> Provider:
    return replace(
        idp.provider,
        required_claims=("session",),
        forbidden_claims=("evt",),
        claim_values={"kind": "user"},
        checks=(not_banned,),
    )


@pytest.mark.parametrize("fault", BAD)
def test_the_first_failing_check_is_what_verify_says(drive, idp, strict, fault):
    """The explanation's verdict and its first failed check have the code that verify raises."""
    claims, code = BAD[fault]
    drive.client(strict, transport=idp.transport, clock=idp.clock)
    drive.verify(idp.issue(session="s", kind="user"))
    token = idp.issue(**({"session": "s", "kind": "user"} | claims))
    error = refusal(drive, token)
    explained = drive.explain(token)
    assert error.code == explained.code == code
    assert explained.first_failed.code == code
    assert explained.first_failed.claim == getattr(error, "claim", None)
    assert not explained.accepted
    assert "FAILED" in str(explained)


def test_the_application_s_own_checks_have_their_outcomes(drive, idp):
    """Each custom check has its own outcome, whatever its name; checks after a refusal are listed as not run."""

    def check(token) -> None: ...

    def check_two(token) -> None:
        if token.subject == "u2":
            token.require("admin")

    def check_three(token) -> bool:
        return token.subject != "u3"

    drive.client(
        replace(idp.provider, checks=(check, check_two, check_three)),
        transport=idp.transport,
        clock=idp.clock,
    )

    def reported(subject: str) -> list[tuple[str, str | None]]:
        [candidate] = drive.explain(idp.issue(sub=subject)).candidates
        own = [one for one in candidate.checks if one.name.startswith("the application's")]
        return [(one.name.rpartition(".")[2], one.code) for one in own]

    passed = [("check", None), ("check_two", None)]
    assert reported("u1") == [*passed, ("check_three", None)]
    assert reported("u2") == [("check", None), ("check_two", "insufficient_scope")]
    assert drive.explain(idp.issue(sub="u2")).first_failed.code == "insufficient_scope"
    assert reported("u3") == [*passed, ("check_three", "rejected_by_check")]
    assert drive.explain(idp.issue(sub="u3")).first_failed.name.endswith("check_three")


def test_a_signature_without_a_key_is_not_reported(drive, idp):
    """A token that its claims condemn causes no fetch, so its signature is not reported; a failed fetch is."""
    drive.client(idp)
    explained = drive.explain(idp.issue(iss="https://other.test"))
    [candidate] = explained.candidates
    assert "signature" not in [one.name for one in candidate.checks]
    assert explained.first_failed.code == explained.code == "wrong_issuer"
    idp.fail(503)
    explained = drive.explain(idp.issue())
    assert explained.first_failed.name == "signature"
    assert explained.first_failed.code == explained.code == "fetch_failed"


def test_a_bad_signature_shows_no_claim(drive, idp):
    """For a token without a valid signature the explanation shows checks and no values."""
    drive.client(idp)
    token = idp.issue(sub="secret-subject", aud="secret-audience")
    idp.swap(idp.kid)
    drive.refresh()
    explained = drive.explain(token)
    assert explained.code == "bad_signature"
    assert "secret" not in str(explained)
    assert "secret" not in repr(explained)


def test_every_key_is_listed(drive, idp):
    """Every entry of the set is listed with why it was dropped, the unusable ones with their reason."""
    idp.rotate()
    other = FakeProvider(algorithm="ES256", clock=idp.clock).jwks()["keys"][0]
    weak = {"kty": "RSA", "kid": "weak", "n": "AQAB", "e": "AQAB"}
    nameless = {name: value for name, value in other.items() if name != "kid"}
    held = {"keys": [*idp.jwks()["keys"], {**other, "kid": idp.kid}, nameless, weak]}
    provider = Provider(name="p", issuer=idp.issuer, audience="api", jwks=held)
    drive.client(provider, clock=idp.clock)
    [candidate] = drive.explain(idp.issue()).candidates
    assert [(key.kid, key.outcome) for key in candidate.keys] == [
        ("key-1", "dropped: another kid"),
        ("key-2", "tried: it verifies the signature"),
        ("key-2", "dropped: the token's alg does not fit the key"),
        (None, "dropped: it has no kid, and the token names one"),
        ("weak", "unusable: RSA of 17 bits; 2048 to 8192 are accepted (RFC 7518, 3.3)"),
    ]


def test_too_many_keys(drive, idp):
    """If more keys fit than are tried, each of them says so."""
    for _ in range(4):
        idp.rotate()
    held = {"keys": [{**jwk, "kid": "same"} for jwk in idp.jwks()["keys"]]}
    provider = Provider(name="p", issuer=idp.issuer, audience="api", jwks=held)
    drive.client(provider, clock=idp.clock)
    token = idp.issue(headers={"kid": "same"})
    assert refusal(drive, token).code == "ambiguous_key"
    explained = drive.explain(token)
    assert explained.code == "ambiguous_key"
    assert {key.outcome for key in explained.candidates[0].keys} == {
        "dropped: more than 4 keys fit, so none is tried"
    }


def test_a_text_that_is_not_a_token_is_explained(drive, idp):
    """A text that is not a token is explained too, without candidates."""
    drive.client(idp)
    explained = drive.explain("not a token")
    assert (explained.code, explained.candidates) == ("malformed_token", ())
    assert idp.fetches == 0


def test_unavailable_keys_are_explained(drive, idp):
    """Unavailable keys give an explanation and no exception, and its text does not call the token refused."""
    drive.client(idp)
    idp.fail(500)
    explained = drive.explain(idp.issue())
    assert str(explained).startswith("undecided: ")
    assert explained.code == "fetch_failed"
    [candidate] = explained.candidates
    assert (candidate.state, candidate.keys) == ("cold", ())


def test_an_explanation_emits_no_event_and_remembers_nothing(drive, idp):
    """An explanation emits no event and adds nothing to the memory."""
    reported = []
    drive.client(idp, listeners=[reported.append])
    drive.verify(idp.issue())
    drive.settle()
    reported.clear()
    drive.explain(idp.issue(aud="other"))
    drive.explain("x")
    assert reported == []


def check_named(explained, name):
    """Return one check of the first candidate."""
    [check] = [one for one in explained.candidates[0].checks if one.name == name]
    return check


def test_expected_and_found_values_are_shown_together(drive, idp):
    """Each check shows expected and found values, and times with the moment that was used to check them."""
    drive.client(idp)
    drive.keys()
    explained = drive.explain(idp.issue(aud="other", expires_in=-60))
    now = int(idp.clock.time())
    audience, expiry = check_named(explained, "audience"), check_named(explained, "expiry")
    assert (audience.expected, audience.found) == (idp.audience, "aud other")
    assert f"now {now}, leeway 30" in expiry.expected
    assert expiry.found == f"exp {now - 60}"
    assert (explained.now, explained.kid, explained.typ) == (now, idp.kid, "JWT")
    text = str(explained)
    assert "; expected api; found aud other" in text
    assert f"checked at {now}" in text


def test_each_compared_setting_is_shown(drive, idp):
    """Several issuers, a template, required values and an age are shown as expected."""
    provider = replace(
        idp.provider,
        issuer=(idp.issuer, "https://b.test"),
        claim_values={"kind": "a"},
        max_age=60,
    )
    drive.client(provider, clock=idp.clock, transport=idp.transport)
    explained = drive.explain(idp.issue(kind="b"))
    assert check_named(explained, "issuer").expected == f"{idp.issuer}, https://b.test"
    values = check_named(explained, "claim values")
    assert (values.expected, values.found) == ("{'kind': 'a'}", "kind b")
    assert "max_age 60" in check_named(explained, "other times").expected
    template = IssuerTemplate("https://login.test/{tid}", allowed={"t"})
    drive.client(replace(idp.provider, issuer=template), clock=idp.clock, transport=idp.transport)
    explained = drive.explain(idp.issue())
    assert check_named(explained, "issuer").expected == "https://login.test/{tid}"


def test_no_claim_is_shown_of_a_token_without_a_valid_signature(drive, idp):
    """The explanation of a token without a valid signature shows expectations and none of its claims."""
    drive.client(idp)
    head, _, rest = idp.issue(secret="hidden", aud="hidden").partition(".")
    forged = f"{head}.{rest[:-8]}{'A' * 8}"
    explained = drive.explain(forged)
    assert check_named(explained, "audience").expected == idp.audience
    assert check_named(explained, "audience").found is None
    assert "hidden" not in str(explained)


@pytest.mark.parametrize(
    ("claims", "hint"),
    [
        ({"exp": 1_700_000_060_000}, "'exp' looks like milliseconds"),
        ({"iat": 1_700_000_000_000}, "'iat' looks like milliseconds"),
        ({"iss": "https://issuer.test/"}, "differ in the trailing slash"),
        ({"aud": "other"}, None),
        ({"iss": 7}, None),
    ],
)
def test_common_mistakes_get_a_hint(drive, idp, claims, hint):
    """Milliseconds and an extra slash get a hint; other refusals get no wrong guess."""
    drive.client(idp)
    explained = drive.explain(idp.issue(**claims))
    assert not explained.accepted
    assert ([hint in one for one in explained.hints] if hint else explained.hints) == (
        [True] if hint else ()
    )
    if hint:
        assert f"hint: {explained.hints[0]}" in str(explained)


@pytest.mark.parametrize("token", ["2YotnFZFEjr1zCsicMWpAA", b"2YotnFZFEjr1zCsicMWpAA"])
def test_an_opaque_token_is_named(drive, idp, token):
    """An opaque token is named as such, and a damaged JWT is not."""
    drive.client(idp)
    [hint] = drive.explain(token).hints
    assert "opaque token" in hint
    assert drive.explain("a.b").hints == ()
    assert drive.explain(5).hints == ()


HOSTILE = "RS256\n2026-01-01 INFO accepted: \x1b[2J\x1b]0;title\x07\u202e"


@pytest.mark.parametrize("member", ["alg", "kid", "kty", "crv", "use"])
def test_an_outsider_s_text_is_escaped(idp, member):
    """A key set cannot forge a log line, clear a terminal or reverse text."""
    keys = idp.jwks()
    keys["keys"].append({"kty": "RSA", "kid": "x", "n": "AQAB", "e": "AQAB", member: HOSTILE})
    provider = Provider(name="idp", issuer=idp.issuer, audience="other", jwks=keys)
    text = str(JWKSClient(provider).explain(idp.issue(headers={"typ": HOSTILE})))
    assert all(line.isprintable() for line in text.split("\n"))
    assert "\n2026" not in text


def test_an_explanation_without_a_time_shows_none():
    """A token that was refused before any check has no time to show."""
    from jwks_client._core.tokens.explain import Explanation

    shown = str(
        Explanation(
            code="malformed_token", message="it is not a token", provider=None, candidates=()
        )
    )
    assert shown == "refused: it is not a token"
