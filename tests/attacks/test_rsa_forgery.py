"""RSA signatures that need no key, or that a lenient parser of the padding would accept (RFC 8017)."""

from __future__ import annotations

import hashlib

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from forging import (
    HONEST,
    PSS,
    RSA,
    Stand,
    assembled,
    claims_of,
    document,
    entry_of,
    header_of,
    honest_token,
    key_of,
    made_by,
    number,
    parts_of,
    rsa_key,
    signed,
)


@pytest.mark.parametrize("algorithm", ["RS256", "PS256"])
def test_trivial_rsa_signatures_are_refused(drive, algorithm):
    """0, 1, n-1, n, n+1, and anything longer or shorter than the modulus need no key, and are refused."""
    idp = HONEST[algorithm]
    stand = Stand(drive, idp)
    n = number(idp.jwks()["keys"][-1]["n"])
    trivial = [0, 1, 2, n - 1, n, n + 1, 2 * n % 2**2048, 2**2047, 2**2048 - 1]
    tokens = [assembled(header_of(idp), claims_of(idp), s.to_bytes(256, "big")) for s in trivial]
    tokens += [
        assembled(header_of(idp), claims_of(idp), bytes(size)) for size in (1, 128, 255, 257, 512)
    ]
    stand.assert_all_refused(tokens, "bad_signature")


@pytest.mark.parametrize("algorithm", ["RS256", "PS256"])
def test_an_rsa_signature_has_only_one_form(drive, algorithm):
    """A good signature plus the modulus, with extra leading zeros, or without its own zeros is refused."""
    idp = HONEST[algorithm]
    stand = Stand(drive, idp)
    n = number(idp.jwks()["keys"][-1]["n"])
    for _ in range(4):
        header, payload, signature = parts_of(honest_token(idp))
        value = int.from_bytes(signature, "big")
        forms = [b"\0" + signature, b"\0" * 256 + signature, (value + n).to_bytes(257, "big")]
        if value + n < 2**2048:
            forms.append((value + n).to_bytes(256, "big"))
        forms.append((n - value).to_bytes(256, "big"))
        stand.assert_all_refused(
            [assembled(header, payload, one) for one in forms], "bad_signature"
        )


def test_an_rsa_signature_needs_its_leading_zero_octet(drive):
    """A signature without its leading zero octet is shorter than the modulus and refused (RFC 8017, 8.1.2 and 8.2.2)."""
    for idp in (RSA, PSS):
        stand = Stand(drive, idp)
        for serial in range(5_000):
            token = signed(idp, payload=claims_of(idp, jti=str(serial)))
            header, payload, signature = parts_of(token)
            if signature[0] == 0:
                break
        else:
            pytest.fail("no signature began with zero")
        stand.assert_accepted(token)
        stand.assert_refused(assembled(header, payload, signature[1:]), "bad_signature")


DIGEST_INFO = bytes.fromhex("3031300d060960864801650304020105000420")


def padded(
    message, *, info=DIGEST_INFO, fill=b"\xff", block=b"\0\1", after=b"\0", behind=b"", digest=None
):
    """Return an encoded message (RFC 8017, 9.2) with a fault."""
    tail = after + info + (digest or hashlib.sha256(message).digest()) + behind
    return block + fill * ((256 - len(block) - len(tail)) // len(fill)) + tail


WRONG_PADDINGS = {
    "block type 2": {"block": b"\0\2"},
    "block type 0": {"block": b"\0\0"},
    "first octet 1": {"block": b"\1\1"},
    "filled with zeros": {"fill": b"\0"},
    "filled with FE": {"fill": b"\xfe"},
    "garbage behind": {"behind": b"\0" * 16},
    "much garbage behind": {"behind": b"\xaa" * 190},
    "no algorithm": {"info": b""},
    "no NULL": {"info": bytes.fromhex("302f300b0609608648016503040201") + b"\4\x20"},
    "parameters": {"info": bytes.fromhex("3033300f060960864801650304020105020000") + b"\4\x20"},
    "SHA-1's name": {"info": bytes.fromhex("3021300906052b0e03021a05000414")},
    "SHA-512's name": {"info": bytes.fromhex("3051300d060960864801650304020305000440")},
    "BER length": {"info": bytes.fromhex("308131300d060960864801650304020105000420")},
    "BER, longer": {
        "info": bytes.fromhex("3082003130 0d060960864801650304020105000420".replace(" ", ""))
    },
    "no zero": {"after": b""},
    "two zeros": {"after": b"\0\0"},
    "another digest": {"digest": hashlib.sha256(b"x").digest()},
    "short digest": {"digest": b"\0" * 20},
}


def rsa_made(idp, encode):
    """Return a token whose signature is these octets, put through the private key."""
    numbers = key_of(idp).private_numbers()

    def sign(message):
        value = int.from_bytes(encode(message), "big")
        # By the Chinese remainder theorem (RFC 8017, section 5.1.2), which takes a third of the time.
        one = pow(value, numbers.dmp1, numbers.p)
        two = pow(value, numbers.dmq1, numbers.q)
        number = two + numbers.q * ((one - two) * numbers.iqmp % numbers.p)
        return number.to_bytes(256, "big")

    return made_by(sign, header_of(idp), claims_of(idp))


@pytest.mark.parametrize("wrong", WRONG_PADDINGS.values(), ids=WRONG_PADDINGS)
def test_any_change_in_the_padding_is_refused(drive, wrong):
    """PKCS #1 v1.5 padding is compared as a whole instead of parsed (Bleichenbacher's forgery, BERserk)."""
    stand = Stand(drive, RSA)
    stand.assert_accepted(rsa_made(RSA, padded))
    stand.assert_refused(rsa_made(RSA, lambda message: padded(message, **wrong)), "bad_signature")


def test_a_forgery_for_a_small_exponent_is_refused(drive):
    """With e = 3, a cube root that begins like the right block and ends in anything is refused."""
    three = rsa_key(2048, 3)
    stand = Stand(drive, RSA, jwks=document(entry_of(RSA), three.jwk()))
    header = header_of(RSA, kid=three.kid)
    stand.assert_accepted(made_by(three.sign, header, claims_of(RSA)))

    def cube_root(message):
        digest = hashlib.sha256(message).digest()
        head = b"\0\1" + b"\xff" * 8 + b"\0" + DIGEST_INFO + digest
        target = int.from_bytes(head + b"\xff" * (256 - len(head)), "big")
        low, high = 0, 1 << 700
        while low < high:
            middle = (low + high + 1) // 2
            low, high = (middle, high) if middle**3 <= target else (low, middle - 1)
        assert (low**3).to_bytes(256, "big").startswith(head)
        return low.to_bytes(256, "big")

    stand.assert_refused(made_by(cube_root, header, claims_of(RSA)), "bad_signature")


@pytest.mark.parametrize("salt", [0, 20, 31, 33, 64, 222])
def test_a_salt_of_another_length_is_refused(drive, salt):
    """A PS256 salt must be as long as the hash (RFC 7518, 3.5)."""
    stand = Stand(drive, PSS)
    scheme = padding.PSS(padding.MGF1(hashes.SHA256()), salt)
    sign = lambda message: key_of(PSS).sign(message, scheme, hashes.SHA256())
    stand.assert_refused(made_by(sign, header_of(PSS), claims_of(PSS)), "bad_signature")


OTHER_MASK = padding.PSS(padding.MGF1(hashes.SHA1()), 32)  # noqa: S303 (as the attacker would)


@pytest.mark.parametrize("scheme", [padding.PKCS1v15(), OTHER_MASK], ids=["v1.5", "MGF1-SHA1"])
def test_another_padding_or_mask_is_refused(drive, scheme):
    """PS256 must use SHA-256 for hash and mask, and RS256 must not use PSS."""
    sign = lambda message: key_of(PSS).sign(message, scheme, hashes.SHA256())
    Stand(drive, PSS).assert_refused(made_by(sign, header_of(PSS), claims_of(PSS)), "bad_signature")
    pss = padding.PSS(padding.MGF1(hashes.SHA256()), 32)
    sign = lambda message: key_of(RSA).sign(message, pss, hashes.SHA256())
    Stand(drive, RSA).assert_refused(made_by(sign, header_of(RSA), claims_of(RSA)), "bad_signature")
