"""The algorithms: which keys can be built, and that a signature is valid only for its own algorithm and key."""

from __future__ import annotations

import itertools
from types import SimpleNamespace

import pytest
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from keys import jwk, of_number, rsa_jwk, signer, to_octets, to_text

from jwks_client._core.keysets import algorithms
from jwks_client._core.keysets.algorithms import Unbuildable, build, verifier
from jwks_client._core.provider import SUPPORTED_ALGORITHMS
from jwks_client.testing._keys.signing_key import SigningKey, make_key

RSA = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")
EC = {"ES256": 32, "ES384": 48, "ES512": 66, "ES256K": 32}  # octets of a coordinate
CURVES = {"ES256": "P-256", "ES384": "P-384", "ES512": "P-521", "ES256K": "secp256k1"}
OKP = {"Ed25519": 32, "Ed448": 57}  # octets of a public key
ML_DSA = {"ML-DSA-44": 1312, "ML-DSA-65": 1952, "ML-DSA-87": 2592}
ALL = (*RSA, *EC, *OKP, *ML_DSA)
MESSAGE = b"header.payload"


def unbuildable(entry: dict[str, object]) -> Unbuildable:
    """Return why no key can be built; the reason shows no material."""
    with pytest.raises(Unbuildable) as caught:
        build(entry)
    for member in ("n", "e", "x", "y", "pub", "k", "d"):
        value = entry.get(member)
        if isinstance(value, str) and len(value) > 8:
            assert value[:8] not in str(caught.value)
    return caught.value


def is_valid(algorithm: str, entry: dict[str, object], signature: bytes, message: bytes = MESSAGE):
    try:
        verifier(build(entry).key, algorithm)(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


class TestSignatures:
    """`verifier`: the function that checks signatures by one algorithm with one key."""

    def test_exactly_the_supported_algorithms_can_be_verified(self):
        """The algorithms that a Provider may name are those that keys fit; none and HS* are not among them."""
        assert {*ALL, "EdDSA"} == SUPPORTED_ALGORITHMS
        fitting = frozenset().union(*(build(jwk(algorithm)).algorithms for algorithm in ALL))
        assert fitting == SUPPORTED_ALGORITHMS

    @pytest.mark.parametrize("algorithm", ALL)
    def test_a_good_signature_is_valid(self, algorithm):
        """A signature by the key's own algorithm is valid."""
        assert is_valid(algorithm, jwk(algorithm), signer(algorithm).sign(MESSAGE)) is True

    @pytest.mark.parametrize("curve", OKP)
    def test_eddsa_is_another_name_for_the_curve(self, curve):
        """EdDSA and the name of RFC 9864 mean the same algorithm for a key of that curve."""
        signature = signer(curve).sign(MESSAGE)
        assert is_valid("EdDSA", jwk(curve), signature) is True
        assert is_valid("EdDSA", jwk(curve), signature, b"another") is False

    @pytest.mark.parametrize("algorithm", ALL)
    def test_a_changed_signature_is_invalid(self, algorithm):
        """A signature over another message, by another key, with a flipped bit, cut or extended is invalid and raises nothing."""
        good = signer(algorithm).sign(MESSAGE)
        assert is_valid(algorithm, jwk(algorithm), good, MESSAGE + b" ") is False
        bad = [
            b"",
            b"\0",
            good[:-1],
            good[1:],
            good + b"\0",
            b"\0" + good,
            good + good,
            bytes(len(good)),
            b"\xff" * len(good),
            bytes([good[0] ^ 1]) + good[1:],
            good[:-1] + bytes([good[-1] ^ 1]),
        ]
        for signature in bad:
            assert is_valid(algorithm, jwk(algorithm), signature) is False

    @pytest.mark.parametrize("algorithm", EC)
    def test_ecdsa_signatures_are_converted_to_der_exactly(self, algorithm):
        """Cryptography gets the one DER form of the two numbers, with any leading octets."""
        received: list[bytes] = []
        key = build(jwk(algorithm)).key
        given = SimpleNamespace(curve=key.curve, verify=lambda der, *_: received.append(der))
        verify, width = verifier(given, algorithm), EC[algorithm]
        rest = bytes(range(1, width))
        numbers = [bytes([first]) + rest for first in (0, 1, 127, 128, 255)]
        numbers += [bytes(width), bytes(2) + rest[1:], b"\1" + bytes(width - 1)]
        for one, two in itertools.product(numbers, repeat=2):
            verify(one + two, MESSAGE)
            as_numbers = (int.from_bytes(octets, "big") for octets in (one, two))
            assert received.pop() == encode_dss_signature(*as_numbers)

    @pytest.mark.parametrize("algorithm", ALL)
    def test_a_signature_by_another_key_is_invalid(self, algorithm):
        """A signature by another key of the same type is invalid."""
        other = make_key(algorithm, "k2", borrower=self)
        assert is_valid(algorithm, jwk(algorithm), other.sign(MESSAGE)) is False

    @pytest.mark.parametrize("signed", RSA)
    def test_a_signature_by_another_rsa_algorithm_is_invalid(self, signed):
        """A signature by another hash, or by PSS instead of PKCS#1 v1.5, is invalid for the same RSA key (RFC 7518, sections 3.3 and 3.5)."""
        private = signer("RS256").private
        signature = SigningKey("k1", signed, private).sign(MESSAGE)
        held = [name for name in RSA if is_valid(name, jwk("RS256"), signature)]
        assert held == [signed]

    @pytest.mark.parametrize("salt", [0, 20, padding.PSS.MAX_LENGTH])
    def test_the_salt_of_pss_must_be_as_long_as_the_hash(self, salt):
        """A PS256 signature with a salt of another length is invalid (RFC 7518, section 3.5)."""
        pss = padding.PSS(mgf=padding.MGF1(SHA256()), salt_length=salt)
        signature = signer("PS256").private.sign(MESSAGE, pss, SHA256())
        assert is_valid("PS256", jwk("PS256"), signature) is False

    @pytest.mark.parametrize("algorithm", RSA)
    def test_an_rsa_signature_has_the_length_of_its_modulus(self, algorithm):
        """A signature that begins with a zero octet is invalid without it (RFC 8017, sections 8.1.2 and 8.2.2)."""
        messages = (b"message %d" % number for number in range(10_000))
        message, good = next(
            (message, signature)
            for message in messages
            if (signature := signer(algorithm).sign(message))[0] == 0
        )
        assert is_valid(algorithm, jwk(algorithm), good, message) is True
        assert is_valid(algorithm, jwk(algorithm), good[1:], message) is False
        assert is_valid(algorithm, jwk(algorithm), b"\0" + good, message) is False

    @pytest.mark.parametrize("algorithm", EC)
    def test_an_ecdsa_signature_must_be_two_numbers_of_full_width(self, algorithm):
        """DER, and an r or s that is zero or not below the order, are invalid (CVE-2022-21449)."""
        width = EC[algorithm]
        good = signer(algorithm).sign(MESSAGE)
        r, s = good[:width], good[width:]
        assert len(s) == width
        der = encode_dss_signature(int.from_bytes(r, "big"), int.from_bytes(s, "big"))
        zero, one, most = bytes(width), bytes(width - 1) + b"\1", b"\xff" * width
        bad = [
            der,
            zero + zero,
            zero + s,
            r + zero,
            one + one,
            most + s,
            r + most,
            b"\0" + r + b"\0" + s,
        ]
        for signature in bad:
            assert is_valid(algorithm, jwk(algorithm), signature) is False


class TestBuilding:
    """`build`: a public key from a JWK, and its identity."""

    @pytest.mark.parametrize("algorithm", RSA)
    def test_an_rsa_key_fits_all_six(self, algorithm):
        """An RSA key without alg fits all six RSA algorithms."""
        built = build(jwk(algorithm))
        assert built.algorithms == set(RSA)
        numbers = signer(algorithm).private.public_key().public_numbers()
        assert built.key.public_numbers() == numbers
        assert built.members == {
            "kty": "RSA",
            "n": of_number(numbers.n),
            "e": of_number(numbers.e),
        }

    @pytest.mark.parametrize("algorithm", EC)
    def test_an_ec_key_fits_the_algorithm_of_its_curve(self, algorithm):
        """An EC key fits only the algorithm of its curve (RFC 7518, section 3.4)."""
        built = build(jwk(algorithm))
        assert built.algorithms == {algorithm}
        numbers = signer(algorithm).private.public_key().public_numbers()
        assert built.key.public_numbers() == numbers
        assert built.members == {
            "kty": "EC",
            "crv": CURVES[algorithm],
            "x": of_number(numbers.x, EC[algorithm]),
            "y": of_number(numbers.y, EC[algorithm]),
        }

    @pytest.mark.parametrize("curve", OKP)
    def test_an_okp_key_fits_eddsa_under_both_names(self, curve):
        """EdDSA and the curve's own name mean the same algorithm (RFC 9864, section 2.2)."""
        built = build(jwk(curve))
        octets = signer(curve).private.public_key().public_bytes_raw()
        assert built.algorithms == {"EdDSA", curve}
        assert built.key.public_bytes_raw() == octets
        assert built.members == {"kty": "OKP", "crv": curve, "x": to_text(octets)}

    @pytest.mark.parametrize("algorithm", ML_DSA)
    def test_an_akp_key_fits_the_algorithm_it_names(self, algorithm):
        """An AKP key is for its one algorithm, which is part of its identity (RFC 9964)."""
        built = build(jwk(algorithm))
        octets = signer(algorithm).private.public_key().public_bytes_raw()
        assert len(octets) == ML_DSA[algorithm]
        assert built.algorithms == {algorithm}
        assert built.key.public_bytes_raw() == octets
        assert built.members == {"kty": "AKP", "alg": algorithm, "pub": to_text(octets)}

    def test_a_symmetric_key_is_refused(self):
        """A symmetric key is refused by its type, whatever its other members."""
        entry = {"kty": "oct", "alg": "HS256", "k": to_text(b"secret" * 8)}
        assert unbuildable(entry).code == "symmetric_key"

    @pytest.mark.parametrize("kty", ["", "rsa", "Rsa", "RSA ", "ec", "EC2", "okp", "PQK", "OCT"])
    def test_an_unknown_type_is_refused(self, kty):
        """Key types are compared exactly."""
        assert unbuildable({**jwk("RS256"), "kty": kty}).code == "unknown_type"

    @pytest.mark.parametrize("entry", [{}, *({"kty": kty} for kty in (None, 1, ["RSA"], {}, True))])
    def test_a_type_that_is_not_a_string_is_refused(self, entry):
        """A key whose kty is missing or not a string is refused."""
        assert unbuildable({**jwk("RS256", "kty"), **entry}).code == "malformed_key"

    @pytest.mark.parametrize(
        ("algorithm", "member"),
        [
            *(("RS256", member) for member in "ne"),
            *((algorithm, member) for algorithm in EC for member in "xy"),
            *((curve, "x") for curve in OKP),
            *((algorithm, "pub") for algorithm in ML_DSA),
        ],
    )
    def test_each_member_is_needed_as_base64_text(self, algorithm, member):
        """A member that is missing, empty, not a string or not base64 makes the key unusable and causes no crash."""
        assert unbuildable(jwk(algorithm, member)).code == "malformed_key"
        value = jwk(algorithm)[member]
        for bad in (
            None,
            "",
            "=",
            65537,
            [value],
            {},
            True,
            value + "!",
            value[:-1] + " ",
            "é",
            "\ud800",
        ):
            assert unbuildable(jwk(algorithm, **{member: bad})).code == "malformed_key"

    @pytest.mark.parametrize("algorithm", ["RS256", *EC, *OKP, *ML_DSA])
    def test_members_may_be_padded_and_in_the_standard_alphabet(self, algorithm):
        """A key in padded or standard base64, as Battle.net and others serve it, is the same key."""
        entry = jwk(algorithm)
        for member in {"n", "e", "x", "y", "pub"} & entry.keys():
            text = entry[member].replace("-", "+").replace("_", "/")
            entry[member] = text + "=" * (-len(text) % 4)
        assert build(entry).members == build(jwk(algorithm)).members

    @pytest.mark.parametrize("algorithm", ["RS256", *EC])
    @pytest.mark.parametrize("octets", [1, 2, 32])
    def test_extra_leading_zero_octets_change_nothing(self, algorithm, octets):
        """Extra leading zeros change neither the key nor its identity."""
        entry = jwk(algorithm)
        for member in {"n", "e", "x", "y"} & entry.keys():
            entry[member] = to_text(bytes(octets) + to_octets(entry[member]))
        assert build(entry).members == build(jwk(algorithm)).members

    @pytest.mark.parametrize("algorithm", [*EC, *OKP, *ML_DSA])
    def test_only_public_members_are_read(self, algorithm):
        """x5c, x5t and their misspellings are neither used nor trusted (RFC 7517, section 4.7)."""
        junk = {
            "x5c": ["junk"],
            "x5t": 5,
            "x5t#S256": None,
            "x5u": "https://evil.test",
            "x5ts256": [],
        }
        assert build({**jwk(algorithm), **junk}).members == build(jwk(algorithm)).members
        assert unbuildable({**jwk(algorithm, "x", "pub"), **junk}).code == "malformed_key"


class TestRsa:
    """RSA from 2048 to 8192 bits, with an odd exponent from 3 to 4294967295 (RFC 7518, section 3.3)."""

    @pytest.mark.parametrize("bits", [2048, 2049, 3072, 4096, 8191, 8192])
    @pytest.mark.parametrize("zeros", [0, 1, 32])
    def test_the_sizes_that_are_accepted(self, bits, zeros):
        """RSA keys from 2048 to 8192 bits are accepted, and leading zeros do not make a key larger."""
        entry = rsa_jwk(bits)
        entry["n"] = to_text(bytes(zeros) + to_octets(entry["n"]))
        assert build(entry).key.key_size == bits

    @pytest.mark.parametrize(
        ("bits", "code"),
        [(512, "weak_key"), (1024, "weak_key"), (2047, "weak_key"), (8193, "oversized_key")],
    )
    @pytest.mark.parametrize("zeros", [0, 1])
    def test_the_sizes_that_are_refused(self, bits, code, zeros):
        """A smaller RSA key can be factored and a larger one costs time; leading zeros hide neither."""
        entry = rsa_jwk(bits)
        entry["n"] = to_text(bytes(zeros) + to_octets(entry["n"]))
        error = unbuildable(entry)
        assert error.code == code
        assert f"RSA of {bits} bits" in str(error)

    def test_an_empty_or_huge_modulus_is_refused(self):
        """A modulus of zero is weak, and a modulus longer than any accepted key is refused by its length."""
        assert unbuildable({**rsa_jwk(), "n": to_text(bytes(256))}).code == "weak_key"
        unbuildable(rsa_jwk(16384))
        unbuildable(rsa_jwk(1_000_000))

    @pytest.mark.parametrize("e", [3, 5, 17, 65537, 2**32 - 1])
    def test_the_exponents_that_are_accepted(self, e):
        """Odd exponents from 3 to 2**32 - 1 are accepted, both included."""
        built = build(rsa_jwk(e=e))
        assert built.key.public_numbers().e == e
        assert built.members["e"] == of_number(e)

    @pytest.mark.parametrize("e", [0, 1, 2, 4, 65536, 2**32, 2**32 + 1, 2**64 + 1, 2**511 + 1])
    def test_the_exponents_that_are_refused(self, e):
        """With exponent 1 a signature is its own message; even exponents are invalid; larger ones cost time for nothing."""
        error = unbuildable({**rsa_jwk(), "e": of_number(e, 64)})
        assert error.code == "weak_key"
        assert "odd and from 3 to 4294967295" in str(error)

    def test_a_huge_exponent_is_refused_by_its_length(self):
        """An exponent with too many octets is refused by its length, before it becomes a number."""
        assert unbuildable({**rsa_jwk(), "e": to_text(bytes(64) + b"\3")}).code == "malformed_key"


class TestCurves:
    """EC and OKP keys must be on the curve that they name."""

    @pytest.mark.parametrize(
        "crv", [None, "", "p-256", "P256", "P-192", "BP-256", "Ed25519", 256, ["P-256"]]
    )
    def test_an_unknown_ec_curve_makes_no_key(self, crv):
        """Curves are compared exactly, and an OKP curve is not an EC curve."""
        assert unbuildable(jwk("ES256", crv=crv)).code == "unknown_curve"

    @pytest.mark.parametrize(
        "crv", [None, "", "ed25519", "X25519", "X448", "P-256", 25519, ["Ed25519"]]
    )
    def test_an_okp_curve_that_does_not_sign_makes_no_key(self, crv):
        """X25519 and X448 are for key agreement and cannot verify (RFC 8037, section 3.2)."""
        assert unbuildable(jwk("Ed25519", crv=crv)).code == "unknown_curve"

    @pytest.mark.parametrize("algorithm", EC)
    def test_a_coordinate_without_its_leading_zeros_is_the_same(self, algorithm):
        """A coordinate that lost its leading zero octets is padded, as BoringSSL does: same key, same identity."""
        width = EC[algorithm]
        curve = signer(algorithm).private.curve
        # Real keys whose x has a leading zero octet, found by counting up from 1.
        keys = (ec.derive_private_key(at, curve).public_key() for at in range(1, 10_000))
        point = next(
            numbers
            for numbers in (key.public_numbers() for key in keys)
            if numbers.x.bit_length() <= 8 * (width - 1)
        )
        entry = {"kty": "EC", "crv": CURVES[algorithm], "y": of_number(point.y, width)}
        full, short = of_number(point.x, width), of_number(point.x)
        assert len(to_octets(short)) < width
        built = build({**entry, "x": short})
        assert built.key.public_numbers() == point
        assert built.members == build({**entry, "x": full}).members
        assert built.members["x"] == full

    @pytest.mark.parametrize("algorithm", EC)
    def test_a_point_off_the_curve_is_refused(self, algorithm):
        """A neighbour of a point, zero, and swapped or overlong coordinates are refused without a crash."""
        width = EC[algorithm]
        x, y = jwk(algorithm)["x"], jwk(algorithm)["y"]
        neighbour = of_number(int.from_bytes(to_octets(x), "big") ^ 1, width)
        zero, most = to_text(bytes(width)), to_text(b"\xff" * width)
        longer = to_text(b"\1" + to_octets(x))
        spare = to_text(bytes(33) + to_octets(x))
        assert str(unbuildable(jwk(algorithm, x=longer))) == "x is too long for its curve"
        for bad in (
            {"x": neighbour},
            {"x": zero, "y": zero},
            {"x": y, "y": x},
            {"x": most},
            {"y": most},
            {"x": spare},
            {"x": to_text(to_octets(x)[:-1])},
        ):
            assert unbuildable(jwk(algorithm, **bad)).code == "malformed_key"

    @pytest.mark.parametrize("algorithm", EC)
    @pytest.mark.parametrize("other", EC)
    def test_a_point_must_be_on_the_curve_that_is_named(self, algorithm, other):
        """A point of one curve under the name of another is refused."""
        if other != algorithm:
            assert unbuildable(jwk(algorithm, crv=CURVES[other])).code == "malformed_key"

    @pytest.mark.parametrize("curve", OKP)
    def test_an_okp_key_must_have_its_exact_length(self, curve):
        """An OKP key is an octet string and not a number, so leading and trailing zeros count."""
        octets = to_octets(jwk(curve)["x"])
        assert len(octets) == OKP[curve]
        for bad in (octets[:-1], octets[1:], octets + b"\0", b"\0" + octets, octets * 2, b"\0"):
            assert unbuildable(jwk(curve, x=to_text(bad))).code == "malformed_key"

    @pytest.mark.parametrize("signed", [False, True])
    @pytest.mark.parametrize("curve", OKP)
    def test_a_point_of_small_order_is_refused(self, curve, signed):
        """Points of small order, under which anybody can sign, are refused in every encoding and with either sign of x."""
        width = OKP[curve]
        sign = int(signed) << (8 * width - 1)
        assert len(algorithms._SMALL_ORDER[curve]) == (7 if curve == "Ed25519" else 5)
        for y in algorithms._SMALL_ORDER[curve]:
            octets = (y | sign).to_bytes(width, "little")
            assert unbuildable(jwk(curve, x=to_text(octets))).code == "weak_key"

    def test_an_okp_key_under_the_other_curve_is_refused(self):
        """An OKP key under the other curve's name is refused."""
        assert unbuildable(jwk("Ed25519", crv="Ed448")).code == "malformed_key"
        assert unbuildable(jwk("Ed448", crv="Ed25519")).code == "malformed_key"


class TestAkp:
    """AKP keys: ML-DSA (RFC 9964)."""

    @pytest.mark.parametrize(
        "alg", [None, "", "ml-dsa-44", "ML-DSA-45", "ES256", 44, ["ML-DSA-44"]]
    )
    def test_an_akp_key_must_name_a_known_algorithm(self, alg):
        """An AKP key must have an alg, and a known one."""
        assert unbuildable(jwk("ML-DSA-44", alg=alg)).code == "unknown_algorithm"
        assert unbuildable(jwk("ML-DSA-44", "alg")).code == "unknown_algorithm"

    @pytest.mark.parametrize("algorithm", ML_DSA)
    def test_an_akp_key_must_have_its_exact_length(self, algorithm):
        """An AKP key whose length is not its algorithm's is refused."""
        octets = to_octets(jwk(algorithm)["pub"])
        for bad in (
            octets[:-1],
            octets + b"\0",
            b"\0",
            *(bytes(n) for n in ML_DSA.values() if n != len(octets)),
        ):
            assert unbuildable(jwk(algorithm, pub=to_text(bad))).code == "malformed_key"

    def test_without_ml_dsa_in_cryptography_only_its_keys_are_unusable(self, monkeypatch):
        """If cryptography was built without ML-DSA, only those keys are unusable, with a reason that says so."""

        def unsupported(octets: bytes):
            raise UnsupportedAlgorithm("ML-DSA is not supported by this build")

        monkeypatch.setitem(algorithms._ML_DSA, "ML-DSA-65", (unsupported, ML_DSA["ML-DSA-65"]))
        error = unbuildable(jwk("ML-DSA-65"))
        assert error.code == "malformed_key"
        assert "this build of cryptography has no ML-DSA" in str(error)
