"""Documents and responses that point a client elsewhere: to another network, another issuer, or nowhere."""

from __future__ import annotations

import dataclasses
import json

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
    made_by,
)

from jwks_client import ConfigurationError, IssuerTemplate, Provider, providers

METADATA = {
    "another issuer": {"issuer": EVIL},
    "slash behind": {"issuer": "https://issuer.test/"},
    "no issuer": {"issuer": ...},
    "issuer null": {"issuer": None},
    "issuer list": {"issuer": ["https://issuer.test"]},
    "issuer longer": {"issuer": "https://issuer.test.attacker.test"},
    "issuer capital": {"issuer": "https://ISSUER.test"},
    "no jwks_uri": {"jwks_uri": ...},
    "jwks_uri null": {"jwks_uri": None},
    "jwks_uri list": {"jwks_uri": [f"{EVIL}/jwks"]},
    "key set instead": {"jwks_uri": EVIL_SET},
    "http": {"jwks_uri": "http://issuer.test/jwks"},
    "file": {"jwks_uri": "file:///etc/passwd"},
    "ftp": {"jwks_uri": "ftp://issuer.test/jwks"},
    "data": {"jwks_uri": "data:application/json," + json.dumps(EVIL_SET)},
    "gopher": {"jwks_uri": "gopher://issuer.test/"},
    "relative": {"jwks_uri": "/jwks"},
    "no scheme": {"jwks_uri": "//issuer.test/jwks"},
    "empty": {"jwks_uri": ""},
    "user": {"jwks_uri": "https://issuer.test@attacker.test/jwks"},
    "fragment": {"jwks_uri": "https://issuer.test/jwks#x"},
    "backslash": {"jwks_uri": "https://issuer.test\\@attacker.test/"},
    "line break": {"jwks_uri": "https://issuer.test/jwks\r\nX: y"},
    "blank": {"jwks_uri": " https://issuer.test/jwks"},
    "loopback": {"jwks_uri": "https://127.0.0.1/jwks"},
    "localhost": {"jwks_uri": "https://localhost/jwks"},
    "localhost, dot": {"jwks_uri": "https://localhost./jwks"},
    "loopback, v6": {"jwks_uri": "https://[::1]/jwks"},
    "loopback, mapped": {"jwks_uri": "https://[::ffff:127.0.0.1]/jwks"},
    "loopback, decimal": {"jwks_uri": "https://2130706433/jwks"},
    "loopback, hex": {"jwks_uri": "https://0x7f000001/jwks"},
    "loopback, octal": {"jwks_uri": "https://0177.0.0.1/jwks"},
    "loopback, short": {"jwks_uri": "https://127.1/jwks"},
    "anything": {"jwks_uri": "https://0.0.0.0/jwks"},
    "metadata service": {"jwks_uri": "https://169.254.169.254/latest/meta-data"},
    "metadata, v6": {"jwks_uri": "https://[fd00:ec2::254]/"},
    "private 10": {"jwks_uri": "https://10.0.0.1/jwks"},
    "private 172": {"jwks_uri": "https://172.16.0.1/jwks"},
    "private 192": {"jwks_uri": "https://192.168.1.1/jwks"},
    "shared": {"jwks_uri": "https://100.64.0.1/jwks"},
    "link-local v6": {"jwks_uri": "https://[fe80::1]/jwks"},
    "private, mapped": {"jwks_uri": "https://[::ffff:10.0.0.1]/jwks"},
    "private, NAT64": {"jwks_uri": "https://[64:ff9b::a00:1]/jwks"},
    "private, 6to4": {"jwks_uri": "https://[2002:a00:1::]/jwks"},
    "multicast": {"jwks_uri": "https://224.0.0.1/jwks"},
    "broadcast": {"jwks_uri": "https://255.255.255.255/jwks"},
}


@pytest.mark.parametrize("members", METADATA.values(), ids=METADATA)
def test_metadata_that_points_elsewhere_is_refused(drive, idp, members):
    """Metadata of another issuer, or one that names no address or a private one, is refused, and nothing is requested there."""
    place = f"{idp.base_url}/.well-known/openid-configuration"
    good = {"issuer": idp.issuer, "jwks_uri": idp.jwks_url}
    odd = {name: value for name, value in {**good, **members}.items() if value is not ...}
    answers = {place: (200, odd, {}), idp.jwks_url: (200, idp.jwks(), {})}
    network = Noted(Scripted(answers))
    oidc = providers.oidc(idp.issuer, audience="api", algorithms=("RS256",))
    drive.client(oidc, transport=network, clock=idp.clock)
    assert code_of(drive, evil_token(idp)) == "discovery_failed"
    assert code_of(drive, idp.issue()) == "discovery_failed"
    assert set(network.urls) == {place}
    answers[place] = (200, good, {})
    drive.refresh()
    assert drive.verify(idp.issue()).subject == "u1"
    assert code_of(drive, evil_token(idp)) == "bad_signature"


@pytest.mark.parametrize(
    "url",
    [
        "http://issuer.test/jwks",
        "file:///etc/passwd",
        "ftp://issuer.test/",
        "data:application/json,{}",
        "",
        "issuer.test/jwks",
        "//issuer.test/jwks",
        "https://u:p@issuer.test/",
        "https://",
        "javascript:1",
    ],
)
def test_a_url_of_another_scheme_cannot_be_configured(url):
    """A URL of another scheme is refused when the provider is made, wherever the setting came from."""
    fields = {"name": "p", "issuer": providers.UNCHECKED, "audience": providers.UNCHECKED}
    assert Provider(**fields, jwks_url="https://issuer.test/jwks")
    for place in ("jwks_url", "discovery_url"):
        with pytest.raises(ConfigurationError) as caught:
            Provider(**fields, **{place: url})
        assert caught.value.field == place


def test_the_application_s_secret_goes_to_the_configured_origin_only(drive, idp):
    """Headers for the key URL are not sent to another origin that the metadata names."""
    place = f"{idp.base_url}/.well-known/openid-configuration"
    elsewhere = "https://keys.issuer.test/jwks"
    seen = {}

    class Seeing(Scripted):
        def handle_request(self, request):
            seen[str(request.url)] = request.headers.get("x-secret")
            return super().handle_request(request)

        async def handle_async_request(self, request):
            return self.handle_request(request)

    answers = {
        place: (200, {"issuer": idp.issuer, "jwks_uri": elsewhere}, {}),
        elsewhere: (200, idp.jwks(), {}),
    }
    oidc = providers.oidc(
        idp.issuer, audience="api", algorithms=("RS256",), headers={"X-Secret": "s"}
    )
    drive.client(oidc, transport=Seeing(answers), clock=idp.clock)
    assert drive.verify(idp.issue()).subject == "u1"
    assert seen == {place: "s", elsewhere: None}


def test_an_unknown_tenant_s_issuer_is_never_requested(drive, idp):
    """The resolver decides: an issuer that it does not know is refused, and no URL of the token is requested."""
    asked = []

    def resolve(issuer):
        asked.append(issuer)

    network = Noted(Scripted({idp.jwks_url: (200, idp.jwks(), {})}))
    drive.client(idp.provider, transport=network, clock=idp.clock, resolve=resolve)
    drive.verify(idp.issue())
    token = made_by(EVIL_KEY.sign, header_of(idp), claims_of(idp, iss=EVIL, jku=EVIL))
    assert code_of(drive, token) == "unknown_issuer"
    assert code_of(drive, token) == "unknown_issuer"
    assert asked == [EVIL]
    assert set(network.urls) == {idp.jwks_url}


def test_a_resolver_s_answer_for_another_issuer_is_refused(drive, idp):
    """The resolver's provider must name exactly the ``iss`` of the token, which an attacker may choose."""
    template = IssuerTemplate("https://{t}.test", allowed=lambda _: True)
    for wrong in (
        idp.provider,
        dataclasses.replace(idp.provider, issuer=providers.UNCHECKED),
        dataclasses.replace(idp.provider, issuer=template),
    ):
        drive.client(resolve=lambda _, wrong=wrong: wrong, transport=idp.transport, clock=idp.clock)
        token = idp.issue(iss="https://evil.test")
        assert code_of(drive, token) == "resolver_failed"
    drive.client(resolve=lambda _: idp.provider, transport=idp.transport, clock=idp.clock)
    assert drive.verify(idp.issue()).issuer == idp.issuer
