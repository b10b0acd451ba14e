"""Changes by one caller to its claims and header are never seen by another caller."""

from __future__ import annotations

import copy
import json
import pickle

from hypothesis import given
from hypothesis import strategies as st
from odd_json import CLOCK, NOW, objects, steady, texts, values

from jwks_client import Provider
from jwks_client.testing import FakeProvider

IDP = FakeProvider(algorithm="EdDSA", clock=CLOCK)
OWN = {"iss": IDP.issuer, "aud": "api", "exp": NOW + 60, "sub": "u1"}
REGISTERED = {*OWN, "iat", "nbf", "jti", "cnf", "scope", "scp", "scopes"}


def spoil(value):
    """Change everything that can be changed in a value, at every depth."""
    match value:
        case dict():
            for inner in value.values():
                spoil(inner)
            value.clear()
            value["spoilt"] = True
        case list():
            for inner in value:
                spoil(inner)
            value.append("spoilt")


def test_no_caller_can_change_another_s_claims(drive):
    """Callers, checks and holders of a copy or a pickle may change claims and header, nested too, without effect on others."""

    def spoils(token):
        spoil(token.claims)
        spoil(token.header)

    usual = {"issuer": IDP.issuer, "audience": "api", "jwks": IDP.jwks(), "algorithms": ["EdDSA"]}
    checked = Provider(name="checked", checks=[spoils], **usual)
    clients = [
        drive.client(Provider(name="idp", **usual), clock=CLOCK),
        drive.client(checked, clock=CLOCK),
        drive.client(Provider(name="idp", **usual), clock=CLOCK, token_cache_size=0),
    ]
    private = st.dictionaries(texts.filter(lambda name: name not in REGISTERED), values, max_size=4)

    @steady(60, drive.kind)
    @given(private, objects)
    def they_are_as_they_were(private, inner):
        claims = {**private, **OWN, "inner": inner, "list": [inner, [inner]]}
        header = {"alg": "EdDSA", "kid": IDP.kid, "inner": [inner]}
        raw = IDP.sign(json.dumps(header).encode(), json.dumps(claims).encode())
        for client in clients:
            drive.current = client
            for _ in range(3):  # the second is from the memory, if there is one
                token = drive.verify(raw)
                twin = drive.verify(raw)
                others = [twin, copy.copy(token), copy.deepcopy(token)]
                others.append(pickle.loads(pickle.dumps(token)))
                assert token.claims == claims
                assert token.header == header
                spoil(token.claims)
                spoil(token.header)
                for other in others:
                    assert json.loads(json.dumps(other.claims)) == claims
                    assert other.header == header
                    spoil(other.claims)
                    spoil(other.header)

    they_are_as_they_were()
