"""Alternative texts of the same token, and texts that other readers accept as a token."""

from __future__ import annotations

import base64
import json
import string

import pytest
from forging import (
    EC,
    HONEST,
    MALLORY,
    RSA,
    Stand,
    b64,
    claims_of,
    header_of,
    honest_token,
    made_by,
    octets_of,
    parts_of,
    signed,
    unb64,
)

from jwks_client import TokenError

ALPHABET = string.ascii_uppercase + string.ascii_lowercase + string.digits + "-_"
JUNK = [
    *("=", "==", "===", " ", "\n", "\r\n", "\t", "\0", "+", "/", "!", "!!!!", "\\11", "%3D", "~"),
    *("A", "AA", "AAAA", "-", "_", "\u00e9", "\u200b", "\uff0d", "\ufeff", ",", ";", "."),
]


@pytest.mark.parametrize("algorithm", HONEST)
def test_every_other_text_of_a_token_is_refused(drive, algorithm):
    """Anything put before, behind or inside a segment is refused, so a token has one text."""
    idp = HONEST[algorithm]
    stand = Stand(drive, idp)
    good = honest_token(idp)
    stand.assert_accepted(good)
    others = []
    for place in range(3):
        for junk in JUNK:
            for segment in (lambda s, j: j + s, lambda s, j: s + j, lambda s, j: s[:5] + j + s[5:]):
                segments = good.split(".")
                segments[place] = segment(segments[place], junk)
                others.append(".".join(segments))
    for other in others:
        code = code_of(stand, other)
        assert code in {"malformed_token", "bad_signature", "encrypted_token"}, other
        if not set(other) <= set(ALPHABET + "."):
            assert code == "malformed_token", other
    stand.assert_accepted(good)


def code_of(stand, token):
    """Return the code of a refusal, which must be the same for text and octets."""
    codes = set()
    for form in (token, token.encode()):
        with pytest.raises(TokenError) as caught:
            stand.drive.verify(form)
        codes.add(caught.value.code)
    assert len(codes) == 1
    return codes.pop()


def test_stray_bits_are_refused(drive):
    """The last letter has one correct form; the others decode alike and are refused, signed or not."""
    stand = Stand(drive, EC)
    for place in range(3):
        for spare in range(3):  # so that the segment ends in every possible way
            padding = "x" * spare
            header = octets_of(header_of(EC, x=padding))
            payload = octets_of(claims_of(EC, x=padding))
            segments = [b64(header), b64(payload)]
            good = made_by(EC._identity.keys.signing.sign, header, payload)
            segments.append(good.rsplit(".", 1)[1])
            text = segments[place]
            alike = [text[:-1] + one for one in ALPHABET if one != text[-1]]
            alike = [one for one in alike if len(one) % 4 and unb64(one) == unb64(text)]
            for other in alike:
                changed = [*segments[:place], other, *segments[place + 1 :]]
                stand.assert_refused(".".join(changed), "malformed_token")
                if place < 2:
                    message = ".".join(changed[:2])
                    resigned = b64(EC._identity.keys.signing.sign(message.encode()))
                    stand.assert_refused(f"{message}.{resigned}", "malformed_token")
            assert alike or len(text) % 4 == 0


def test_the_standard_alphabet_and_padding_are_refused_though_signed(drive):
    """``+``, ``/`` and ``=`` in header or payload are refused, although the signature over that text is valid."""
    stand = Stand(drive, EC)
    sign = EC._identity.keys.signing.sign
    header, payload = octets_of(header_of(EC)), octets_of(claims_of(EC))
    texts = [octets_of(claims_of(EC, x=" " * n + "???>>>~~~\u07ff\uffff")) for n in range(3)]
    foreign = [base64.b64encode(one).decode().rstrip("=") for one in texts]
    assert "/" in "".join(foreign)
    assert "+" in "".join(foreign)
    pairs = [(b64(header), one) for one in foreign if {"+", "/"} & set(one)]
    for blanks in (1, 2, 3):
        padded = base64.urlsafe_b64encode(payload + b" " * blanks).decode()
        pairs += [(b64(header), padded)] if padded.endswith("=") else [(b64(header), padded + "=")]
        padded = base64.urlsafe_b64encode(header + b" " * blanks).decode()
        pairs += (
            [(padded, b64(payload))] if padded.endswith("=") else [(padded + "=", b64(payload))]
        )
    pairs += [
        (base64.encodebytes(header).decode(), b64(payload)),
        (header.decode(), payload.decode()),
        (header.hex(), payload.hex()),
        (base64.b32encode(header).decode(), base64.b32encode(payload).decode()),
    ]
    for first, second in pairs:
        token = f"{first}.{second}.{b64(sign(f'{first}.{second}'.encode()))}"
        stand.assert_refused(token, "malformed_token")


@pytest.mark.parametrize(
    "around",
    [
        *("{}\n", "\n{}", " {}", "{} ", "{}\r\n", "\t{}", "{}\0", "\0{}", '"{}"', "'{}'", "<{}>"),
        *(
            "Bearer {}",
            "bearer {}",
            "Bearer: {}",
            "JWT {}",
            "token={}",
            "{}=",
            "{}.",
            ".{}",
            "{}...",
        ),
        *(
            "{}?x=1",
            "{}#x",
            "{};",
            "{},{}",
            "{} {}",
            "{}\n{}",
            "[{}]",
            "\ufeff{}",
            "{}\u2028",
            "b'{}'",
        ),
    ],
)
def test_a_wrapped_good_token_is_refused(drive, around):
    """A token must be unwrapped from its header, file or log line by the application; a wrapped one is refused."""
    stand = Stand(drive, EC)
    good = honest_token(EC)
    five = around.count("{}") == 2  # two tokens and one character make five segments
    stand.assert_refused(
        around.replace("{}", good), "encrypted_token" if five else "malformed_token"
    )
    stand.assert_accepted(good)


@pytest.mark.parametrize("count", [0, 1, 2, 3, 5, 6, 50, 16_000])
def test_a_wrong_number_of_dots_is_refused(drive, count):
    """Fewer or more segments than three are malformed, and thousands of dots cost nothing."""
    stand = Stand(drive, EC)
    good = honest_token(EC).split(".")
    stand.assert_refused("." * count, "malformed_token")
    if count < 50 and count != 2:
        stand.assert_refused(".".join((good * 17)[: count + 1]), "malformed_token")


def test_json_serialisations_are_refused(drive):
    """Only the compact form is read: flattened, general and unsigned JSON are refused, as bytes and as text."""
    stand = Stand(drive, EC)
    header, payload, signature = honest_token(EC).split(".")
    entry = {"protected": header, "signature": signature}
    forms = [
        {"payload": payload, **entry},
        {"payload": payload, "signatures": [entry]},
        {"payload": payload, "signatures": [entry, {"protected": header, "signature": ""}]},
        {"payload": payload, "signatures": []},
        {"payload": payload},
        {"payload": payload, "header": header_of(EC), "signature": signature},
        {"payload": payload, "signatures": [{"header": {"alg": "none"}, "signature": ""}]},
        [header, payload, signature],
        f"{header}.{payload}.{signature}",
    ]
    stand.assert_all_refused([json.dumps(one) for one in forms], "malformed_token")
    stand.assert_all_refused(forms[:-1], "malformed_token")


def test_a_token_inside_a_json_serialisation_is_refused(drive):
    """A text that one reader takes for JSON with other claims, and another for a good token, is refused."""
    stand = Stand(drive, EC)
    good = honest_token(EC)
    header, payload, signature = good.split(".")
    admin = b64(octets_of(claims_of(EC, sub="admin")))
    polyglots = [
        f'{{"  {header}.{admin}.":"","payload":"{payload}","signature":"{signature}"}}',
        f'{{"{header}.{admin}.{signature}":1,"payload":"{payload}","signature":"{signature}"}}',
        f'{{"payload":"{payload}","protected":"{header}","signature":"{signature}","a":".{admin}."}}',
        f'{header}.{admin}.{signature}{{"protected":"{header}","payload":"{payload}"}}',
    ]
    stand.assert_all_refused(polyglots, "malformed_token")
    stand.assert_accepted(good)


def test_encrypted_tokens_are_refused(drive):
    """A JWE is refused, whether made with the public key, which everybody has, or from a good token's parts."""
    stand = Stand(drive, RSA)
    header, payload, signature = honest_token(RSA).split(".")
    for alg, enc in [("RSA-OAEP-256", "A256GCM"), ("RSA1_5", "A128CBC-HS256"), ("dir", "A256GCM")]:
        jwe = b64(octets_of({"alg": alg, "enc": enc, "kid": RSA.kid, "cty": "JWT", "zip": "DEF"}))
        stand.assert_refused(
            f"{jwe}.{b64(b'k' * 256)}.{b64(b'i' * 12)}.{payload}.{b64(b't' * 16)}",
            "encrypted_token",
        )
        stand.assert_refused(f"{jwe}..{b64(b'i' * 12)}.{payload}.", "encrypted_token")
        stand.assert_refused(f"{jwe}.{payload}.{signature}", "algorithm_not_allowed")
    stand.assert_refused(f"{header}.{payload}.{signature}.{payload}.{signature}", "encrypted_token")
    stand.assert_refused("....", "encrypted_token")


def test_a_nested_token_is_refused(drive):
    """A good token as the payload of another is refused, with ``cty`` or without: a payload must be claims."""
    stand = Stand(drive, EC)
    good = honest_token(EC)
    for members in ({"cty": "JWT"}, {}, {"cty": "application/jwt"}):
        stand.assert_refused(signed(EC, header_of(EC, **members), good.encode()), "malformed_token")
        quoted = json.dumps(good).encode()
        stand.assert_refused(signed(EC, header_of(EC, **members), quoted), "malformed_token")
    inner = made_by(MALLORY["ES256"].sign, header_of(EC), claims_of(EC, sub="admin"))
    verified = stand.assert_accepted(
        signed(EC, payload=claims_of(EC, sub="u1", jwt=inner, token=good))
    )
    assert verified.subject == "u1"


@pytest.mark.parametrize(
    "text",
    [
        "",
        ".",
        "..",
        "...",
        "a.b.c",
        "null",
        "undefined",
        "None",
        "true",
        "0",
        "{}",
        "[]",
        "\0",
        "A" * 64,
    ],
)
def test_a_word_is_not_a_token(drive, text):
    """A word is refused as a token."""
    Stand(drive, EC).assert_refused(text, "malformed_token")


@pytest.mark.parametrize("kind", ["PEM", "SSH", "certificate", "XML", "JWKS"])
def test_a_document_is_not_a_token(drive, kind):
    """PEM, SAML and key sets are refused as tokens."""
    text = {
        "PEM": "-----BEGIN PUBLIC KEY-----\nMFkw\n-----END PUBLIC KEY-----\n",
        "SSH": "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA.B.C",
        "certificate": "-----BEGIN CERTIFICATE-----\nMIIB.AAAA.BBBB\n-----END CERTIFICATE-----",
        "XML": "<saml:Assertion ID='a.b.c'/>",
        "JWKS": json.dumps(EC.jwks()),
    }[kind]
    Stand(drive, EC).assert_refused(text, "malformed_token")


def test_anything_but_text_and_octets_is_not_a_token(drive):
    """An object whose str() is a good token is refused, like any other type."""
    good = honest_token(EC)

    class Sly:
        def __str__(self):
            return good

        def __bytes__(self):
            return good.encode()

        def encode(self, *_):
            return good.encode()

    stand = Stand(drive, EC)
    others = [None, 1, True, [good], (good,), {"token": good}, Sly(), bytearray(good.encode())]
    others += [memoryview(good.encode()), parts_of(good), object()]
    stand.assert_all_refused(others, "malformed_token")


def test_a_token_in_another_encoding_is_refused(drive):
    """UTF-16 and UTF-32 octets, and letters that fold to ASCII, are refused."""
    stand = Stand(drive, EC)
    good = honest_token(EC)
    wide = "".join(chr(ord(one) + 0xFEE0) if one != "." else one for one in good)
    codecs = ("utf-16", "utf-16-le", "utf-32", "utf-8-sig", "utf-7")
    octets = [good.encode(one) for one in codecs if good.encode(one) != good.encode()]
    stand.assert_all_refused(
        [*octets, wide, wide.encode(), good.replace("e", "\u0435", 1)], "malformed_token"
    )
