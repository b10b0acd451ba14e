"""Tools for all attacks: honest providers with shared keys, a forger's tools, and a stand.

A `Stand` is one client of one provider. Before and after an attack it accepts an honest token, so a refusal is
never for the wrong reason; the code must match exactly; and the attack must cause no request.
"""

from __future__ import annotations

import base64
import dataclasses
import functools
import hashlib
import hmac
import itertools
import json
import traceback

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from driver import ByHost

from jwks_client import JWKSError, Provider, TokenError
from jwks_client.testing import FakeClock, FakeProvider
from jwks_client.testing._keys.signing_key import SigningKey, make_key

NOW = 1_700_000_000
CLOCK = FakeClock(NOW)
MARKER = "marker-of-what-only-the-token-says"
ISSUER = "https://issuer.test"
MIGHT_BE_GOOD = {"bad_signature", "unknown_key"}


class Lender:
    """A lender that keeps borrowed RSA keys for as long as the process lives."""


_LENDER = Lender()
RSA = FakeProvider(ISSUER, algorithm="RS256", clock=CLOCK)
PSS = FakeProvider(ISSUER, algorithm="PS256", clock=CLOCK)
EC = FakeProvider(ISSUER, algorithm="ES256", clock=CLOCK)
ED = FakeProvider(ISSUER, algorithm="Ed25519", clock=CLOCK)
HONEST = {"RS256": RSA, "PS256": PSS, "ES256": EC, "Ed25519": ED}
_serial = itertools.count()


def key_of(idp):
    """Return the private key that signs for a provider."""
    return idp._identity.keys.signing.private


def own_key(algorithm, kid="key-1"):
    """Return a key of the attacker's own, named like the first of an honest provider."""
    return make_key(algorithm, kid, borrower=_LENDER)


MALLORY = {name: own_key(name) for name in ("RS256", "ES256", "Ed25519")}
EVIL = "https://attacker.test"
EVIL_KEY = MALLORY["RS256"]
EVIL_SET = {"keys": [EVIL_KEY.jwk()]}


@functools.cache
def rsa_key(bits, exponent=65537):
    """Return an RSA key of the attacker's choice with the kid ``odd``, made once."""
    return SigningKey("odd", "RS256", rsa.generate_private_key(exponent, bits))


def b64(octets):
    """Encode one segment as base64url without padding."""
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()


def unb64(segment):
    """Decode a segment."""
    return base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4))


def number(segment):
    """Return the number in a JWK's member."""
    return int.from_bytes(unb64(segment), "big")


def header_of(idp, **members):
    """Return an honest header with changes; None means null, and ``...`` leaves a member out."""
    return _without({"alg": idp.algorithm, "kid": idp.kid, "typ": "JWT", **members})


def claims_of(idp, **claims):
    """Return honest claims with changes and the marker; None means null, and ``...`` leaves a claim out."""
    honest = {"iss": idp.issuer, "aud": "api", "sub": MARKER, "iat": NOW, "exp": NOW + 60}
    return _without({**honest, **claims})


def _without(members):
    return {name: value for name, value in members.items() if value is not ...}


def octets_of(value):
    """Return JSON, unless the value is octets already."""
    return value if isinstance(value, bytes) else json.dumps(value, ensure_ascii=False).encode()


def signed(idp, header=None, payload=None):
    """Return a token with the provider's valid signature over any header and payload."""
    return idp.sign(
        octets_of(header_of(idp) if header is None else header),
        octets_of(claims_of(idp) if payload is None else payload),
    )


def assembled(header, payload, signature=b""):
    """Return a token of any three parts, correctly encoded."""
    return ".".join(b64(octets_of(one)) for one in (header, payload, signature))


def made_by(sign, header, payload):
    """Return a token whose signature a function makes from the signing input."""
    message = f"{b64(octets_of(header))}.{b64(octets_of(payload))}"
    return f"{message}.{b64(sign(message.encode()))}"


def hmac_signed(secret, header, payload):
    """Return a token signed with HMAC, by the hash that its ``alg`` ends in."""
    digest = {"256": hashlib.sha256, "384": hashlib.sha384, "512": hashlib.sha512}[
        header["alg"][-3:]
    ]
    return made_by(lambda message: hmac.digest(secret, message, digest), header, payload)


def parts_of(token):
    """Return header, payload and signature of a token as octets."""
    return [unb64(one) for one in token.split(".")]


def honest_token(idp, **claims):
    """Return a token as the provider issues them, a new one each time."""
    return idp.issue(jti=f"honest-{next(_serial)}", **claims)


def shown_by(error):
    """Return everything that an error shows of itself."""
    reported = "".join(traceback.format_exception_only(error))
    return f"{reported}{error}{error!r}{error.args!r}{vars(error)!r}"


class Noted(httpx.BaseTransport, httpx.AsyncBaseTransport):
    """A transport that notes which URLs are requested."""

    def __init__(self, inner):
        self.inner = inner
        self.urls = []

    def handle_request(self, request):
        self.urls.append(str(request.url))
        return self.inner.handle_request(request)

    async def handle_async_request(self, request):
        self.urls.append(str(request.url))
        return await self.inner.handle_async_request(request)


class Stand:
    """A client under attack; ``fields`` change what its provider demands.

    Arguments:
        idp: the provider of honest tokens; with ``beside``, the first of several.
        jwks: another key set for it to publish.
        honest: makes an honest token, where ``idp`` issues others.
    """

    def __init__(
        self, drive, idp=EC, *, beside=(), jwks=None, honest=None, settings=None, **fields
    ):
        self.drive = drive
        self.idp = idp
        self._honest = honest or (lambda: honest_token(idp))
        usual = {"algorithms": (idp.algorithm,), **fields}
        provider = dataclasses.replace(idp.provider, **usual)
        if jwks is not None:
            provider = dataclasses.replace(provider, jwks=jwks, jwks_url=None)
        others = [one for one in beside if isinstance(one, FakeProvider)]
        inner = ByHost([idp, *others]) if others else idp.transport
        self.network = Noted(inner)
        self.keys_at = provider.jwks_url
        self.events = []
        self.client = drive.client(
            provider,
            *(one.provider if isinstance(one, FakeProvider) else one for one in beside),
            transport=self.network,
            clock=CLOCK,
            listeners=[self.events.append],
            **(settings or {}),
        )
        self.assert_accepted()

    def assert_accepted(self, token=None, **options):
        """Assert that an honest token (or this one) is accepted, as text and as octets."""
        token = token or self._honest()
        verified = self.drive.verify(token, **options)
        assert self.drive.verify(token.encode(), **options) == verified
        return verified

    def assert_refused(self, token, code, claim=None, **options):
        """Assert that a token is refused with this code, as text and as octets, and honest ones still accepted."""
        forms = [token, token.encode()] if isinstance(token, str) else [token]
        for form in forms:
            error = self.assert_all_refused([form], code, claim, **options)
        return error

    def assert_all_refused(self, tokens, code, claim=None, **options):
        """Assert that all are refused without revealing anything or making an unnecessary request."""
        before = len(self.network.urls)
        for token in tokens:
            with pytest.raises(TokenError) as caught:
                self.drive.verify(token, **options)
            error = caught.value
            assert (error.code, error.claim) == (code, claim), f"{error} for {token!r:.200}"
            assert (error.__cause__, error.__context__) == (None, None)
            assert MARKER not in shown_by(error)
        asked = self.network.urls[before:]
        # Before a fetch such a token might be good: the provider may have new keys. The configured URL
        # may be requested, and no other.
        assert set(asked) <= ({self.keys_at} if code in MIGHT_BE_GOOD else set())
        assert MARKER not in repr(self.events)
        self.assert_accepted()
        return error


def document(*entries):
    """Return a key set of these entries."""
    return {"keys": list(entries)}


def entry_of(idp, **members):
    """Return the provider's own entry with changes; ``...`` leaves a member out."""
    return _without({**idp.jwks()["keys"][-1], **members})


def without_network(idp, **fields):
    """Return a provider with a static key set."""
    usual = {
        "name": "idp",
        "issuer": idp.issuer,
        "audience": "api",
        "algorithms": (idp.algorithm,),
        "jwks": idp.jwks(),
    }
    return Provider(**{**usual, **fields})


def evil_token(idp, **members):
    """Return a token by the attacker's key, under the kid that the attacker's set gives it."""
    return made_by(EVIL_KEY.sign, header_of(idp, kid=EVIL_KEY.kid, **members), claims_of(idp))


def code_of(drive, token, **options):
    """Return the code with which a token is refused."""
    with pytest.raises(JWKSError) as caught:
        drive.verify(token, **options)
    return caught.value.code


class Scripted(httpx.BaseTransport, httpx.AsyncBaseTransport):
    """A transport with an `httpx.Response`'s arguments by URL; other URLs serve the attacker's key set."""

    def __init__(self, answers):
        self.answers = answers

    def handle_request(self, request):
        return self._answer(str(request.url))

    async def handle_async_request(self, request):
        return self._answer(str(request.url))

    def _answer(self, url):
        status, body, headers = self.answers.get(url, (200, EVIL_SET, {}))
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        return httpx.Response(status, content=content, headers=headers)
