"""Every code of `TokenError` that a token can cause, through both clients and without a network.

The key set is static, so nothing may be fetched. Each token contains `MARKER` wherever its fault leaves room
for it, and no error, event or log line may show the marker or the token.
"""

from __future__ import annotations

import json
import logging
import traceback

import httpx
import pytest

from jwks_client import FetchPolicy, Provider, TokenError
from jwks_client._core.tokens.unverified import parse, text_of
from jwks_client.errors import TOKEN_ERROR_CODES
from jwks_client.events import LoggingListener, TokenRefused
from jwks_client.testing import FakeClock, FakeProvider

NOW = 1_700_000_000
MARKER = "marker-of-what-only-the-token-says"
IDP = FakeProvider(algorithm="ES256", clock=FakeClock(NOW))
FORGER = FakeProvider(algorithm="ES256", clock=FakeClock(NOW))
CROWD = FakeProvider(algorithm="ES256", clock=FakeClock(NOW))
for _ in range(4):
    CROWD.rotate()


def issue(idp=IDP, headers=None, **claims):
    """Return a token with the marker in its header and in custom claims, with this fault."""
    private = {"private": MARKER, MARKER: [MARKER]}
    return idp.issue(**{"sub": MARKER, "jti": MARKER, **private, **claims}, headers=headers)


def provider(idp=IDP, **fields):
    """Return the provider with a static key set."""
    usual = {"name": "idp", "issuer": idp.issuer, "audience": "api", "jwks": idp.jwks()}
    return Provider(**{**usual, **fields})


def failing_check(_):
    return False


def raising(_):
    raise LookupError(MARKER)


OTHER = provider(name="other", issuer="https://other.test")
# What is refused: the code, the claim that it names, the token, and the provider's unusual settings.
FAULTS = [
    ("malformed_token", None, MARKER, {}),
    ("malformed_token", None, "", {}),
    ("malformed_token", None, None, {}),
    ("malformed_token", None, issue().rsplit(".", 1)[0], {}),
    ("malformed_token", None, IDP.sign(b'{"alg":"ES256","kid":null}', b"{}"), {}),
    ("malformed_token", None, IDP.sign(b'{"alg":"ES256"}', json.dumps([MARKER]).encode()), {}),
    ("token_too_large", None, issue(big="x" * 16_384), {}),
    ("token_too_large", None, issue(headers={"big": "x" * 4096}), {}),
    ("encrypted_token", None, f"{issue()}.{MARKER}.{MARKER}", {}),
    ("algorithm_not_allowed", None, issue(headers={"alg": "none"}).rsplit(".", 1)[0] + ".", {}),
    ("algorithm_not_allowed", None, issue(headers={"alg": "HS256"}), {}),
    ("algorithm_not_allowed", None, issue(headers={"alg": MARKER}), {}),
    ("algorithm_not_allowed", None, issue(), {"algorithms": ["RS256"]}),
    ("algorithm_not_allowed", None, issue(headers={"alg": "RS256"}), {}),
    ("unsupported_critical_header", None, issue(headers={"crit": [MARKER]}), {}),
    ("unsupported_critical_header", None, issue(headers={"b64": False}), {}),
    ("wrong_token_type", None, issue(headers={"typ": MARKER}), {}),
    ("wrong_token_type", None, issue(headers={"typ": None}), {"token_types": ["at+jwt"]}),
    ("unknown_issuer", "iss", issue(iss=MARKER), {"beside": [OTHER]}),
    ("unknown_issuer", "iss", issue(iss=f"{IDP.issuer}/"), {"beside": [OTHER]}),
    ("unknown_key", None, issue(headers={"kid": "another"}), {}),
    ("unknown_key", None, issue(headers={"kid": ""}), {}),
    ("unknown_key", None, issue(headers={"kid": "x" * 1024}), {}),
    (
        "unknown_key",
        None,
        issue(headers={"kid": "weak"}),
        {"jwks": {"keys": [*IDP.jwks()["keys"], {"kid": "weak", "kty": "oct", "k": "AA"}]}},
    ),
    ("unknown_key", None, issue(headers={"kid": None, "alg": "RS256"}), {}),
    ("ambiguous_key", None, issue(CROWD, headers={"kid": None}), {"jwks": CROWD.jwks()}),
    ("bad_signature", None, issue(FORGER), {}),
    ("bad_signature", None, issue().rsplit(".", 1)[0] + ".", {}),
    ("bad_signature", None, issue(FORGER, headers={"kid": None}), {}),
    ("bad_signature", None, issue(FORGER, exp=1, iss=MARKER, aud=MARKER), {}),
    ("token_expired", "exp", issue(exp=NOW - 30, iat=None), {}),
    ("token_not_yet_valid", "nbf", issue(nbf=NOW + 31), {}),
    ("token_issued_in_future", "iat", issue(iat=NOW + 31), {}),
    ("token_too_old", "iat", issue(iat=NOW - 40), {"max_age": 10}),
    ("wrong_issuer", "iss", issue(iss=MARKER), {}),
    ("wrong_issuer", "iss", issue(iss=MARKER), {"beside": [OTHER], "pinned": "idp"}),
    ("wrong_audience", "aud", issue(aud=[MARKER]), {}),
    ("missing_claim", "exp", issue(expires_in=None), {}),
    ("missing_claim", "aud", issue(aud=None), {}),
    ("missing_claim", "iss", issue(iss=None), {"beside": [OTHER]}),
    ("missing_claim", "org", issue(), {"required_claims": ["org"]}),
    ("missing_claim", "nonce", issue(), {"asked": {"nonce": "n1"}}),
    ("invalid_claim", "exp", issue(exp=MARKER), {}),
    ("invalid_claim", "sub", issue(sub=[MARKER]), {}),
    ("invalid_claim", "iss", issue(iss=[MARKER]), {"beside": [OTHER]}),
    ("invalid_claim", "cnf", issue(cnf={"jkt": MARKER}), {}),
    ("invalid_claim", "org", issue(org=MARKER), {"claim_values": {"org": "o1"}}),
    ("invalid_claim", "nonce", issue(nonce=MARKER), {"asked": {"nonce": "n1"}}),
    ("forbidden_claim", "act", issue(act={"sub": MARKER}), {"forbidden_claims": ["act"]}),
    ("rejected_by_check", None, issue(), {"checks": [failing_check]}),
]


@pytest.fixture
def asked():
    """Return the list of requested URLs."""
    return []


@pytest.fixture
def network(asked):
    """Return a network that notes each request and serves nothing."""

    def answer(request):
        asked.append(str(request.url))
        return httpx.Response(404)

    return httpx.MockTransport(answer)


def refusal(call, *args, **options):
    with pytest.raises(TokenError) as caught:
        call(*args, **options)
    return caught.value


def shows(error):
    """Return everything that an error shows of itself, its causes included."""
    return "".join(traceback.format_exception_only(error)) + f"{error!r}{error.args!r}"


def kid_of(token):
    """Return the kid that listeners get: of a token that could be parsed, and truncated."""
    try:
        kid = parse(text_of(token, FetchPolicy().max_token), FetchPolicy().max_header).kid
    except TokenError:
        return None
    return kid and kid[:64]


def test_every_code_has_a_row():
    """The table below has every code."""
    assert {code for code, *_ in FAULTS} == set(TOKEN_ERROR_CODES)


@pytest.mark.parametrize("fault", FAULTS, ids=[f"{n}-{one[0]}" for n, one in enumerate(FAULTS)])
def test_a_token_is_refused_with_its_code_and_nothing_is_fetched(
    drive, network, asked, caplog, fault
):
    """A token gets the same verdict as str and as bytes, twice, without any trace of the token."""
    code, claim, token, unusual = fault
    beside, pinned, extra = (unusual.get(name) for name in ("beside", "pinned", "asked"))
    special = {"beside", "pinned", "asked"}
    fields = {name: value for name, value in unusual.items() if name not in special}
    events = []
    caplog.set_level(logging.DEBUG)
    drive.client(
        provider(**fields),
        *(beside or ()),
        transport=network,
        clock=FakeClock(NOW),
        listeners=[events.append, LoggingListener()],
    )
    forms = [token, token.encode()] if isinstance(token, str) else [token]
    for form in [*forms, *forms]:
        error = refusal(drive.verify, form, provider=pinned, claim_values=extra)
        assert (error.code, error.claim, error.http_status) == (code, claim, 401)
        assert error.retry_after is None
        assert (error.__cause__, error.__context__) == (None, None)
        for said in (shows(error), repr(events), caplog.text, repr(drive.current)):
            assert MARKER not in said
            assert not token or token not in said
    only = "idp" if pinned or not beside else None
    kid = kid_of(token)
    reported = TokenRefused(provider=only, code=code, claim=claim, kid=kid)
    assert events == [reported] * 2 * len(forms)
    assert (error.provider, error.kid) == (only, kid)
    assert asked == []


def test_the_good_token_behind_the_table_is_accepted(drive, network, asked):
    """The unchanged token is accepted, so each row is refused for its own fault."""
    drive.client(provider(), OTHER, transport=network, clock=FakeClock(NOW))
    for form in (issue(), issue().encode(), issue(), issue(headers={"kid": None})):
        accepted = drive.verify(form)
        assert (accepted.provider, accepted.subject) == ("idp", MARKER)
        assert refusal(drive.verify, issue(FORGER)).code == "bad_signature"
    assert drive.verify(issue(nonce="n1"), claim_values={"nonce": "n1"}).provider == "idp"
    assert asked == []


def test_only_an_application_s_check_gives_a_cause(drive, network):
    """The exception of the application's own check is the cause and is not in the text."""
    drive.client(provider(checks=[raising]), transport=network, clock=FakeClock(NOW))
    error = refusal(drive.verify, issue())
    assert error.code == "rejected_by_check"
    assert isinstance(error.__cause__, LookupError)
    assert "raising" in error.message
    assert MARKER not in f"{error}{error!r}"


def test_the_limits_of_size_are_the_client_s_own(drive, network):
    """A token and its header may be exactly as long as the client's limits."""
    token = issue()
    header = token.index(".")
    for fetch, code in [
        (FetchPolicy(max_token=len(token), max_header=header), None),
        (FetchPolicy(max_token=len(token) - 1, max_header=header), "token_too_large"),
        (FetchPolicy(max_token=len(token), max_header=header - 1), "token_too_large"),
    ]:
        drive.client(provider(), transport=network, clock=FakeClock(NOW), fetch=fetch)
        for form in (token, token.encode(), token):
            if code is None:
                assert drive.verify(form).provider == "idp"
            else:
                assert refusal(drive.verify, form).code == code


@pytest.mark.parametrize(
    "token", ["not.a.token", issue(FORGER), issue(), None], ids=["no", "forged", "good", "none"]
)
@pytest.mark.parametrize(
    "options", [{"provider": "nobody"}, {"claim_values": {"nonce": object()}}, {"claim_values": 1}]
)
def test_a_bug_of_the_caller_is_not_a_verdict_on_the_token(drive, network, token, options):
    """An unknown name, or values that are not JSON, is a ValueError, whatever the token."""
    drive.client(provider(), transport=network, clock=FakeClock(NOW))
    with pytest.raises(ValueError, match=r"provider|claim_values"):
        drive.verify(token, **options)
