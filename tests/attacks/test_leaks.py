"""A refusal reveals no token, claim, key or secret, in any text, log, event, pickle or chain."""

from __future__ import annotations

import copy
import dataclasses
import json
import logging
import pickle
import traceback
from pathlib import Path

import httpx
import pytest
from forging import (
    CLOCK,
    EC,
    MALLORY,
    NOW,
    Stand,
    assembled,
    b64,
    claims_of,
    document,
    entry_of,
    header_of,
    made_by,
    own_key,
    signed,
    without_network,
)

import jwks_client
from jwks_client import ConfigurationError, JWKSError, KeysUnavailableError, TokenError
from jwks_client.errors import TOKEN_ERROR_CODES, InsufficientScopeError
from jwks_client.events import LoggingListener
from jwks_client.testing import FakeProvider

SECRET = "s3cret-that-must-stay-secret"
EVIL = MALLORY["ES256"]


def token(header=None, **claims):
    """Return a token with a valid signature and a secret in every claim that leaves room for one."""
    secrets = {
        "sub": SECRET,
        "jti": SECRET,
        "email": SECRET,
        SECRET: [SECRET],
        "deep": {"a": SECRET},
    }
    return signed(EC, header_of(EC, **(header or {})), claims_of(EC, **{**secrets, **claims}))


def forged(header=None, **claims):
    """Return the same token, signed by the attacker."""
    changed = claims_of(EC, **{"sub": SECRET, "email": SECRET, **claims})
    return made_by(EVIL.sign, header_of(EC, **(header or {})), changed)


def raising(_):
    raise LookupError(SECRET)


NAMELESS = [{n: v for n, v in own_key("ES256").jwk().items() if n != "kid"} for _ in range(5)]
REFUSED = {
    "malformed_token": (token() + "!", {}),
    "token_too_large": (token(x=SECRET * 1000), {}),
    "encrypted_token": (token() + f".{b64(SECRET.encode())}.{b64(SECRET.encode())}", {}),
    "algorithm_not_allowed": (token({"alg": SECRET}), {}),
    "unsupported_critical_header": (token({"crit": [SECRET], SECRET: 1}), {}),
    "wrong_token_type": (token({"typ": SECRET}), {}),
    "unknown_issuer": (token(iss=SECRET), {"beside": True}),
    "unknown_key": (forged({"kid": "gone"}), {}),
    "ambiguous_key": (token({"kid": ...}), {"jwks": document(entry_of(EC), *NAMELESS)}),
    "bad_signature": (forged(), {}),
    "token_expired": (token(exp=NOW - 100, iat=NOW - 200), {}),
    "token_not_yet_valid": (token(nbf=NOW + 1000), {}),
    "token_issued_in_future": (token(iat=NOW + 50), {}),
    "token_too_old": (token(iat=NOW - 500), {"max_age": 10}),
    "wrong_issuer": (token(iss=SECRET), {}),
    "wrong_audience": (token(aud=[SECRET]), {}),
    "missing_claim": (token(), {"required_claims": ["org"]}),
    "invalid_claim": (token(org=SECRET), {"claim_values": {"org": "acme"}}),
    "forbidden_claim": (token(nonce=SECRET), {"forbidden_claims": ["nonce"]}),
    "rejected_by_check": (token(), {"checks": [lambda _: False]}),
}


def test_every_code_is_attacked():
    """Every code that a token can cause is attacked below."""
    assert set(REFUSED) == set(TOKEN_ERROR_CODES)


def texts_of(error):
    """Return every text that a program might log of an error, its whole chain included."""
    yield from (str(error), repr(error), repr(error.args), repr(vars(error)), f"{error!s:>5}")
    yield "".join(traceback.format_exception(error))
    yield from traceback.format_exception_only(error)
    yield json.dumps({name: str(value) for name, value in vars(error).items()})
    logger = logging.getLogger("an.application")
    record = logger.makeRecord(
        "x", 40, "f", 1, "%s %r", (error, error), (type(error), error, error.__traceback__)
    )
    yield logging.Formatter().format(record)
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        octets = pickle.dumps(error, protocol)
        yield octets.decode("latin-1")
        again = pickle.loads(octets)
        assert (type(again), again.code, vars(again)) == (type(error), error.code, vars(error))
    yield repr(copy.copy(error))
    yield repr(copy.deepcopy(error))
    following = error
    while following is not None:
        yield repr(following)
        following = following.__cause__ or following.__context__


def parts_that_tell(raw):
    """Return the token, its segments, and every long part of them."""
    segments = raw.split(".")
    pieces = [
        segment[at : at + 24] for segment in segments[1:] for at in range(0, len(segment) - 24, 24)
    ]
    return [raw, *(one for one in segments[1:] if len(one) > 20), *pieces]


@pytest.mark.parametrize("code", REFUSED)
def test_a_refusal_reveals_nothing_of_the_token(drive, caplog, code):
    """No error in any form, no event and no log line shows the token, whether or not its signature is valid."""
    raw, fields = REFUSED[code]
    fields = dict(fields)
    caplog.set_level(logging.DEBUG)
    other = without_network(EC, name="other", issuer="https://other.test")
    beside = [other] if fields.pop("beside", False) else []
    events = []
    provider = without_network(EC, **fields)
    drive.client(provider, *beside, clock=CLOCK, listeners=[events.append, LoggingListener()])
    for form in (raw, raw.encode()):
        with pytest.raises(TokenError) as caught:
            drive.verify(form)
        error = caught.value
        assert error.code == code
        assert (error.__cause__, error.__context__) == (None, None)
        reported = [
            *texts_of(error),
            repr(events),
            caplog.text,
            repr(drive.current),
            repr(drive.health()),
        ]
        reported += [repr(record.__dict__) for record in caplog.records]
        for text in reported:
            assert SECRET not in text
            assert not [piece for piece in parts_that_tell(raw) if piece in text]
    assert len(events) == 2
    good = Stand(drive, EC).assert_accepted()
    assert good.subject == "u1"


@pytest.mark.parametrize("code", [one for one in REFUSED if one != "unknown_issuer"])
def test_an_error_shows_what_was_expected_and_not_what_came(drive, code):
    """``expected`` and ``message`` are made of the application's settings, not of the token."""
    raw, fields = REFUSED[code]
    drive.client(without_network(EC, **fields), clock=CLOCK)
    with pytest.raises(TokenError) as caught:
        drive.verify(raw)
    assert SECRET not in f"{caught.value.expected!r}{caught.value.message}{caught.value.claim}"
    assert caught.value.claim in {None, "iss", "aud", "exp", "nbf", "iat", "org", "nonce"}


@pytest.mark.parametrize("code", REFUSED)
def test_no_frame_of_a_refusal_holds_the_token(drive, code):
    """Error trackers record local variables: only `verify` itself, which is given the token, has it."""
    raw, fields = REFUSED[code]
    fields = dict(fields)
    other = without_network(EC, name="other", issuer="https://other.test")
    beside = [other] if fields.pop("beside", False) else []
    drive.client(without_network(EC, **fields), *beside, clock=CLOCK)
    with pytest.raises(TokenError) as caught:
        drive.verify(raw)
    assert holders(caught.value, raw) == []


def test_no_frame_of_an_outage_holds_the_token(drive, idp):
    """In an outage, too, no frame but that of `verify` holds the token."""
    idp.fail(503)
    drive.client(idp.provider, transport=idp.transport, clock=idp.clock)
    raw = idp.issue()
    with pytest.raises(KeysUnavailableError) as caught:
        drive.verify(raw)
    assert holders(caught.value, raw) == []


def holders(error, raw):
    """Return the library's functions with those of their variables that show the end of the token."""
    home = str(Path(jwks_client.__file__).parent)
    return [
        f"{frame.f_code.co_name}: {name}"
        for frame, _ in traceback.walk_tb(error.__traceback__)
        if frame.f_code.co_filename.startswith(home)
        for name, value in frame.f_locals.items()
        if raw[-40:] in repr(value) and (frame.f_code.co_name, name) != ("verify", "token")
    ]


def test_a_check_s_exception_is_only_the_cause(drive, caplog):
    """The application's exception is kept as the cause; no message, event or log line repeats it."""
    caplog.set_level(logging.DEBUG)
    events = []
    drive.client(
        without_network(EC, checks=[raising]),
        clock=CLOCK,
        listeners=[events.append, LoggingListener()],
    )
    with pytest.raises(TokenError) as caught:
        drive.verify(token())
    error = caught.value
    assert isinstance(error.__cause__, LookupError)
    assert SECRET not in f"{error}{error!r}{error.args}{vars(error)}{events}{caplog.text}"
    assert SECRET.encode() not in pickle.dumps(error)


def test_a_verified_token_hides_its_content(drive):
    """A verified token's repr shows no claim and no token, and its pickle holds no token."""
    raw = token()
    verified = Stand(drive, EC).assert_accepted(raw)
    assert verified.subject == SECRET
    for text in (
        repr(verified),
        str(verified),
        f"{verified}",
        repr([verified]),
        f"{verified!s:>9}",
    ):
        assert SECRET not in text
        assert raw not in text
        assert raw.rsplit(".", 1)[1] not in text
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        octets = pickle.dumps(verified, protocol)
        assert raw.encode() not in octets
        assert raw.rsplit(".", 1)[1].encode() not in octets
    with pytest.raises(InsufficientScopeError) as caught:
        verified.require("admin")
    assert not any(SECRET in text for text in texts_of(caught.value))


def test_an_explanation_does_not_repeat_the_token(drive):
    """An explanation is for people, who may paste it anywhere, so it holds neither the token nor its signature."""
    drive.client(without_network(EC), clock=CLOCK)
    for raw in (
        token(),
        forged(),
        token(exp=1, iat=0),
        assembled(header_of(EC), claims_of(EC)),
        "x.y.z",
    ):
        reported = f"{drive.explain(raw)}{drive.explain(raw)!r}"
        assert raw not in reported
        assert not [piece for piece in parts_that_tell(raw) if piece in reported]


FAILURES = {
    "status": 500,
    "refused": httpx.ConnectError("no"),
    "HTML": "html",
    "empty": "empty",
    "no JSON": SECRET.encode(),
    "odd JSON": json.dumps({SECRET: SECRET}).encode(),
    "odd keys": json.dumps({"keys": [{"kty": SECRET, "kid": SECRET, "d": SECRET}]}).encode(),
}


@pytest.mark.parametrize("how", FAILURES.values(), ids=FAILURES)
def test_a_failed_fetch_reveals_no_secret(drive, idp, caplog, how):
    """A failed fetch shows neither the application's header, nor the body, nor the token."""
    caplog.set_level(logging.DEBUG)
    events = []
    provider = dataclasses.replace(idp.provider, headers={"Authorization": f"Bearer {SECRET}"})
    drive.client(
        provider,
        transport=idp.transport,
        clock=idp.clock,
        listeners=[events.append, LoggingListener()],
    )
    raw = idp.issue(email=SECRET)
    idp.fail(how)
    with pytest.raises(KeysUnavailableError) as caught:
        drive.verify(raw)
    own = [
        text
        for record in caplog.records
        if record.name == "jwks_client"
        for text in [record.getMessage(), repr(record.__dict__)]
    ]
    reported = [*texts_of(caught.value), repr(events), repr(provider), repr(drive.current), *own]
    for text in reported:
        assert SECRET not in text
        assert raw not in text
    idp.recover()
    drive.refresh()
    assert drive.verify(raw).subject == "u1"
    assert idp.requests[-1].headers["authorization"] == f"Bearer {SECRET}"


@pytest.mark.parametrize("how", [None, 500])
def test_the_query_of_a_key_url_is_not_shown(drive, idp, caplog, how):
    """The query of a key URL may hold a secret, so no event, log record or error shows it."""
    caplog.set_level(logging.DEBUG, logger="jwks_client")
    events = []
    provider = dataclasses.replace(idp.provider, jwks_url=f"{idp.jwks_url}?code={SECRET}")
    transport = httpx.MockTransport(lambda _: httpx.Response(how or 200, json=idp.jwks))
    listeners = [events.append, LoggingListener()]
    drive.client(provider, transport=transport, clock=idp.clock, listeners=listeners)
    shown = ""
    try:
        drive.verify(idp.issue())
    except KeysUnavailableError as error:
        shown = repr(texts_of(error))
    own = [record for record in caplog.records if record.name == "jwks_client"]
    assert SECRET not in f"{shown}{events}{[vars(record) for record in own]}{drive.health()}"
    assert events[0].url == idp.jwks_url


def test_a_failing_headers_function_reveals_no_secret(drive, idp, caplog):
    """An exception of the application's headers function may hold a secret, so its text is not shown."""
    caplog.set_level(logging.DEBUG)
    events = []

    def headers():
        raise RuntimeError(SECRET)

    provider = dataclasses.replace(idp.provider, headers=headers)
    drive.client(
        provider,
        transport=idp.transport,
        clock=idp.clock,
        listeners=[events.append, LoggingListener()],
    )
    with pytest.raises(KeysUnavailableError) as caught:
        drive.verify(idp.issue())
    error = caught.value
    assert SECRET not in f"{error}{error!r}{vars(error)}{events}{caplog.text}{drive.health()}"
    assert idp.requests == []


def test_a_wrong_setting_reveals_no_secret():
    """A header's value that no header can hold is refused by the header's name and not shown."""
    with pytest.raises(ConfigurationError) as caught:
        dataclasses.replace(
            without_network(EC),
            jwks=None,
            jwks_url="https://issuer.test/",
            headers={"X": f"{SECRET}\r\nY: z"},
        )
    assert SECRET not in f"{caught.value}{caught.value!r}"


@pytest.mark.parametrize("wrong", ["ftp://issuer.test/", "http://issuer.test/", "https://a b/"])
def test_a_wrong_url_reveals_no_query(wrong):
    """The query of a key URL may hold a secret, so the error about the URL does not show it."""
    with pytest.raises(ConfigurationError) as caught:
        dataclasses.replace(without_network(EC), jwks=None, jwks_url=f"{wrong}?code={SECRET}")
    assert SECRET not in f"{caught.value}{caught.value!r}"


def test_a_private_key_in_the_set_is_not_shown(drive, caplog):
    """A private key that was published by mistake appears in no reason, event, log line or explanation."""
    caplog.set_level(logging.DEBUG)
    events = []
    leaked = {**own_key("ES256", "leaked").jwk(), "d": b64(SECRET.encode())}
    symmetric = {"kty": "oct", "kid": "oct", "k": b64(SECRET.encode())}
    odd = {"kty": "RSA", "kid": "odd", "n": SECRET, "e": SECRET, "p": SECRET}
    idp = FakeProvider(algorithm="ES256", clock=CLOCK)
    idp.fail(json.dumps(document(entry_of(idp), leaked, symmetric, odd)).encode())
    drive.client(idp, listeners=[events.append, LoggingListener()])
    assert drive.verify(idp.issue()).subject == "u1"
    assert len(drive.keys().unusable) == 3
    reported = f"{drive.keys()!r}{drive.keys().unusable!r}{events}{caplog.text}{drive.health()}"
    reported += f"{drive.explain(idp.issue(headers={'kid': 'leaked'}))}"
    assert SECRET not in reported
    assert b64(SECRET.encode()) not in reported


def test_a_kid_in_a_log_is_truncated_and_escaped(drive, caplog):
    """An attacker's kid forges no log line, hides no line and fills no disk."""
    caplog.set_level(logging.DEBUG)
    idp = FakeProvider(algorithm="ES256", clock=CLOCK)
    drive.client(idp, listeners=[LoggingListener()])
    drive.verify(idp.issue())
    caplog.clear()
    kid = "x\n2026-01-01 INFO accepted\x1b[2K\r\u202e" + "y" * 900
    with pytest.raises(JWKSError) as caught:
        drive.verify(made_by(EVIL.sign, header_of(idp, kid=kid), claims_of(idp)))
    own = [record.getMessage() for record in caplog.records if record.name == "jwks_client"]
    assert own
    for line in (*own, str(caught.value), str(caught.value.kid)):
        assert line.isprintable()
        assert len(line) < 400
