"""Responses that an attacker gives in the provider's place, and tokens that are meant to spoil the client's memory."""

from __future__ import annotations

import dataclasses
import json

import httpx
import pytest
from forging import (
    EVIL,
    EVIL_KEY,
    EVIL_SET,
    Noted,
    Scripted,
    claims_of,
    code_of,
    evil_token,
    header_of,
    honest_token,
    made_by,
)

from jwks_client import CachePolicy, KeysUnavailableError, TokenError
from jwks_client.testing import FakeClock, FakeProvider


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308, 300, 305])
@pytest.mark.parametrize(
    "target", [f"{EVIL}/jwks.json", "//attacker.test/", "http://127.0.0.1/", "/other"]
)
def test_a_redirect_is_not_followed(drive, idp, status, target):
    """A redirect gets no request, not even on the same host: no header goes there, and no key comes from there."""
    answers = {idp.jwks_url: (status, EVIL_SET, {"Location": target})}
    network = Noted(Scripted(answers))
    secret = dataclasses.replace(idp.provider, headers={"Authorization": "Basic c2VjcmV0"})
    drive.client(secret, transport=network, clock=idp.clock)
    assert code_of(drive, idp.issue()) == "fetch_failed"
    assert code_of(drive, evil_token(idp)) == "fetch_failed"
    assert set(network.urls) == {idp.jwks_url}
    answers[idp.jwks_url] = (200, idp.jwks(), {})
    drive.refresh()
    assert drive.verify(idp.issue()).subject == "u1"
    answers[idp.jwks_url] = (status, EVIL_SET, {"Location": target})
    with pytest.raises(KeysUnavailableError):
        drive.refresh()
    assert drive.verify(idp.issue()).subject == "u1"
    assert code_of(drive, evil_token(idp)) == "bad_signature"
    assert set(network.urls) == {idp.jwks_url}


def test_a_client_configured_to_follow_redirects_does_not_follow_either(drive, idp):
    """An injected HTTP client's own redirect setting does not count."""
    network = Noted(Scripted({idp.jwks_url: (302, b"", {"Location": f"{EVIL}/jwks"})}))
    kind = httpx.Client if drive.kind == "sync" else httpx.AsyncClient
    http = kind(transport=network, follow_redirects=True)
    drive.client(idp.provider, http=http, clock=idp.clock)
    assert code_of(drive, evil_token(idp)) == "fetch_failed"
    assert set(network.urls) == {idp.jwks_url}


WRONG_ANSWERS = {
    "HTML": (200, b"<html><body>login</body></html>", {"Content-Type": "text/html"}),
    "script": (200, b"alert(1)", {"Content-Type": "application/json"}),
    "nothing": (200, b"", {}),
    "null": (200, b"null", {}),
    "list": (200, [EVIL_KEY.jwk()], {}),
    "one key": (200, EVIL_KEY.jwk(), {}),
    "keys as object": (200, {"keys": EVIL_KEY.jwk()}, {}),
    "keys as text": (200, {"keys": json.dumps([EVIL_KEY.jwk()])}, {}),
    "Keys": (200, {"Keys": [EVIL_KEY.jwk()]}, {}),
    "PEM by kid": (200, {"key-1": "-----BEGIN CERTIFICATE-----"}, {}),
    "error": (200, {"error": "invalid_client"}, {}),
    "no content": (204, b"", {}),
    "created": (201, EVIL_SET, {}),
    "partial": (206, EVIL_SET, {"Content-Range": "bytes 0-99/100"}),
    "transformed": (203, EVIL_SET, {}),
    "not modified": (304, EVIL_SET, {"ETag": '"x"'}),
    "not found": (404, EVIL_SET, {}),
    "forbidden": (403, EVIL_SET, {}),
    "error page": (500, EVIL_SET, {}),
    "teapot": (418, EVIL_SET, {}),
}


@pytest.mark.parametrize("answer", WRONG_ANSWERS.values(), ids=WRONG_ANSWERS)
def test_a_wrong_response_adds_no_key_and_removes_none(drive, idp, answer):
    """Other statuses and documents bring no attacker's key, and the good set stays."""
    answers = {idp.jwks_url: answer}
    network = Noted(Scripted(answers))
    drive.client(idp.provider, transport=network, clock=idp.clock)
    code = "bad_key_set" if answer[0] == 200 else "fetch_failed"
    assert code_of(drive, evil_token(idp)) == code
    answers[idp.jwks_url] = (200, idp.jwks(), {})
    drive.refresh()
    good = idp.issue()
    assert drive.verify(good).subject == "u1"
    answers[idp.jwks_url] = answer
    with pytest.raises(KeysUnavailableError) as caught:
        drive.refresh()
    assert caught.value.code == code
    assert code_of(drive, evil_token(idp)) == "bad_signature"
    for token in (good, honest_token(idp)):
        assert drive.verify(token).subject == "u1"


def test_keys_of_one_provider_do_not_verify_for_another(drive, clock):
    """Two providers of one client with equal kids are each verified by their own key set only."""
    first = FakeProvider("https://first.test", clock=clock)
    second = FakeProvider("https://second.test", clock=clock)
    drive.client(first, second)
    assert first.kid == second.kid
    for idp, other in ((first, second), (second, first)):
        assert drive.verify(idp.issue()).provider == idp.provider.name
        assert code_of(drive, idp.issue(iss=other.issuer)) == "bad_signature"
        assert code_of(drive, idp.issue(), provider=other.provider.name) == "bad_signature"
        assert drive.verify(idp.issue(jti="again")).issuer == idp.issuer


def test_names_that_are_equal_when_joined_stay_apart(drive, clock):
    """An issuer that ends where another's kid begins shares no entry in any memory."""
    first = FakeProvider("https://a.test", clock=clock)
    second = FakeProvider("https://a.test/b:key", clock=clock)
    drive.client(first, second, transport=ByPath([first, second]))
    assert drive.verify(first.issue()).issuer == first.issuer
    for kid in ("b:key-1", "/b:key-1", ":key-1", "b:key:key-1"):
        assert code_of(drive, second.issue(iss=first.issuer, headers={"kid": kid})) == "unknown_key"
    assert drive.verify(second.issue()).issuer == second.issuer
    assert code_of(drive, second.issue(iss=first.issuer)) == "bad_signature"


class ByPath(httpx.BaseTransport, httpx.AsyncBaseTransport):
    """Several providers at one host, distinguished by the whole URL of their key sets."""

    def __init__(self, fakes):
        self.sets = {one.jwks_url: one for one in fakes}

    def handle_request(self, request):
        return httpx.Response(200, json=self.sets[str(request.url)].jwks())

    async def handle_async_request(self, request):
        return self.handle_request(request)


def test_a_kid_that_was_asked_for_in_advance_can_still_come(drive, idp):
    """An attacker who uses the next kid in advance delays it by seconds and nothing else."""
    clock = idp.clock
    assert isinstance(clock, FakeClock)
    drive.client(idp)
    drive.verify(idp.issue())
    early = made_by(EVIL_KEY.sign, header_of(idp, kid="key-2"), claims_of(idp))
    for _ in range(50):
        assert code_of(drive, early) == "unknown_key"
    assert idp.rotate() == "key-2"
    clock.advance(21)
    assert drive.verify(idp.issue()).key_id == "key-2"
    assert code_of(drive, early) == "bad_signature"


def test_a_flood_of_kids_fetches_little_and_locks_nobody_out(drive, idp):
    """2000 unknown kids cause a few fetches; known keys stay as fast, and memory stays as small."""
    drive.client(idp, cache=CachePolicy(negative_kids=64))
    drive.verify(idp.issue())
    for n in range(2_000):
        token = made_by(lambda _: b"x" * 256, header_of(idp, kid=f"evil-{n}"), claims_of(idp))
        assert code_of(drive, token) == "unknown_key"
    assert idp.fetches <= 3
    assert drive.verify(honest_token(idp)).subject == "u1"
    assert idp.fetches <= 3


CONDEMNED = {
    "shape": lambda idp: "a.b.c",
    "crit": lambda idp: evil_token(idp, crit=["x"]),
    "none": lambda idp: evil_token(idp, alg="none"),
    "HS256": lambda idp: evil_token(idp, alg="HS256"),
    "type": lambda idp: evil_token(idp, typ="logout+jwt"),
    "issuer": lambda idp: made_by(EVIL_KEY.sign, header_of(idp, kid="x"), claims_of(idp, iss=EVIL)),
    "expired": lambda idp: made_by(
        EVIL_KEY.sign, header_of(idp, kid="x"), claims_of(idp, exp=1, iat=0)
    ),
    "no end": lambda idp: made_by(EVIL_KEY.sign, header_of(idp, kid="x"), claims_of(idp, exp=...)),
}


@pytest.mark.parametrize("make", CONDEMNED.values(), ids=CONDEMNED)
def test_a_token_that_is_refused_anyway_fetches_nothing(drive, idp, make):
    """A token that cannot be good causes no request, with keys cached or not."""
    drive.client(idp)
    for _ in range(3):
        with pytest.raises(TokenError):
            drive.verify(make(idp))
    assert idp.requests == []
    assert drive.verify(idp.issue()).subject == "u1"
    with pytest.raises(TokenError):
        drive.verify(make(idp))
    assert len(idp.requests) == 1


def test_a_response_cannot_bring_back_a_withdrawn_key(drive, idp):
    """A 304 without a condition, an old ETag, or a withdrawn key in a failed response brings no key back."""
    old = idp.kid
    drive.client(idp)
    token = idp.issue()
    assert drive.verify(token).key_id == old
    stolen = json.dumps(idp.jwks()).encode()
    idp.rotate(overlap=False)
    drive.refresh()
    assert code_of(drive, token) == "unknown_key"
    broken = b'{"keys":1,' + stolen[1:]
    for how, code in ((304, "fetch_failed"), (404, "fetch_failed"), (broken, "bad_key_set")):
        idp.fail(how)
        with pytest.raises(KeysUnavailableError):
            drive.refresh()
        assert (
            code_of(drive, token) == code
        )  # 503: while the provider fails, it might be a new key's
    idp.recover()
    drive.refresh()
    assert drive.verify(idp.issue()).key_id != old
