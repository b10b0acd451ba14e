"""Key sets of real providers and of other libraries: each entry is read as written, or unusable for a reason."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from vectors import (
    ACCEPTED,
    CODES,
    HOLDS,
    URL,
    Reason,
    key_set,
    keys_of,
    load,
    material,
    octets,
    provider,
    read_entries,
    serving,
    signature_state,
    verdict,
    written_material,
)

from jwks_client import Key, KeysUnavailableError, TokenError, providers
from jwks_client.testing import FakeClock
from jwks_client.testing._keys.signing_key import SigningKey, make_key

if TYPE_CHECKING:
    from outside_vectors import Vectors

USABLE = None  # the code of a usable entry
NOT_FOR_SIGNATURES = "not_for_signatures"
PRIVATE = "private_key"
WEAK = "weak_key"

# The number of entries of each real document, all of them usable...
REALWORLD = {
    "agentgw-ec": 1,
    "auth0-java": 2,
    "auth0-keats": 2,
    "auth0-pyjwt": 1,
    "entra-agentgw-1": 1,
    "fz-auth0": 2,
    "fz-google": 2,
    "fz-keycloak": 2,
    "fz-okta": 2,
    "google-jaconi": 1,
    "google-risc0": 2,
    "keycloak-agentgw": 2,
    "ms-aad-2013": 2,
    "ms-aad-2024a": 7,
    "ms-aad-2024b": 10,
    "ms-google-2024": 2,
    "ms-valid": 2,
    "mysten-facebook": 2,
    "mysten-google": 3,
    "oidc-cert-rp": 4,
    "social-risc0": 1,
    "unnamed-pyjwt": 1,
    "vci-albertsons-companies": 2,
    "vci-curative-inc": 1,
    "vci-cvs-health": 1,
    "vci-delaware-immunization-progra": 4,
    "vci-gouvernement-du-qu-bec-gover": 4,
    "vci-government-of-newfoundland-a": 1,
    "vci-government-of-ontario": 2,
    "vci-government-of-the-northwest-": 3,
    "vci-kroger-health": 2,
    "vci-med-concierge-la": 1,
    "vci-new-york-city-citywide-immun": 2,
    "vci-state-of-california": 4,
    "vci-state-of-louisiana": 3,
    "vci-taiwan": 2,
    "vci-test": 2,
    "vci-the-state-of-rhode-island": 1,
    "vci-ucla": 4,
    "vci-university-of-alabama-hospit": 2,
    "wk-apple": 3,
    "wk-discord": 1,
    "wk-dropbox": 1,
    "wk-entra-common": 7,
    "wk-facebook": 2,
    "wk-gitlab": 2,
    "wk-google": 2,
    "wk-klarna": 4,
    "wk-lego": 5,
    "wk-slack": 1,
    "wk-spotify": 3,
    "wk-stackoverflow": 0,
    "wk-twitch": 1,
    "wk-yahoo": 4,
    "wso2-fapi-1": 3,
}
# ... except for these.
UNUSABLE = {
    "fz-keycloak": [USABLE, NOT_FOR_SIGNATURES],
    "keycloak-agentgw": [USABLE, NOT_FOR_SIGNATURES],
    "ms-aad-2013": [
        NOT_FOR_SIGNATURES,
        "wrong_algorithm",
    ],  # its key_ops are "signing", its alg is "SHA256"
    "ms-valid": [WEAK, WEAK],
    "oidc-cert-rp": [NOT_FOR_SIGNATURES, USABLE, USABLE, NOT_FOR_SIGNATURES],
    "wk-yahoo": [WEAK, USABLE, WEAK, WEAK],
    "wso2-fapi-1": [NOT_FOR_SIGNATURES, USABLE, NOT_FOR_SIGNATURES],  # enc, sig, tls
}
# How long the responses that were recorded with their headers are fresh, in seconds.
LIVES = {
    "fz-auth0": 60,  # max-age=15, which is under min_ttl
    "fz-google": 3600,  # max-age=21532, which is over max_ttl
    "fz-keycloak": 60,  # no-cache
    "fz-okta": 3600,  # max-age=3828277
}
ODDITIES = {
    "x5c",
    "rsa_bits",
    "other_members",
    "base64_padding_in_key_material",
    "modulus_with_leading_zero_byte",
    "same_key_under_several_entries",
}
# What six endpoints served: states, distinct keys, entries in all states, and usable ones.
ROTATIONS = {
    "apple": (6, 6, 23, 23),
    "entra-common": (235, 51, 2004, 2004),
    "facebook": (5, 6, 10, 10),
    "google": (37, 20, 92, 92),
    "spotify": (11, 13, 33, 33),
    "yahoo": (7, 5, 25, 7),
}
# The key sets of other libraries' own tests: each entry's code.
LIBRARIES: dict[str, list[str | None]] = {
    # Our rules: key_ops must contain verify, alg must be a signature algorithm.
    "identitymodel/JsonWebKeySet.json": [NOT_FOR_SIGNATURES, "wrong_algorithm"],
    "identitymodel/JsonWebKeySetBadBase64Data.json": [
        USABLE,
        USABLE,
    ],  # its x5c is wrong, which is not read
    "identitymodel/JsonWebKeySetBadRsaDataMissingComponent.json": [
        "malformed_key",  # its members' names begin with capitals
        NOT_FOR_SIGNATURES,
        "malformed_key",
    ],
    "identitymodel/JsonWebKeySetEnd2End.json": [USABLE, USABLE],
    # Its key is only in x5c, which is neither used nor trusted.
    "identitymodel/JsonWebKeySetSingleX509Data.json": ["malformed_key"],
    "identitymodel/JsonWebKeySetUnrecognizedKty.json": [NOT_FOR_SIGNATURES, "symmetric_key"],
    "jwks-rsa-java/empty-jwks.json": [],
    "jwks-rsa-java/invalid-jwks.json": ["malformed_key"],
    "jwks-rsa-java/jwks-single-no-kid.json": [USABLE],
    "jwks-rsa-java/jwks-single.json": [USABLE],
    "jwks-rsa-java/jwks.json": [USABLE, USABLE],
    "php-jwt/ec-jwkset.json": [USABLE, USABLE, USABLE, USABLE],
    "php-jwt/ed25519-jwkset.json": [USABLE],
    "php-jwt/octet-jwkset.json": ["symmetric_key", "symmetric_key", "symmetric_key"],
    "php-jwt/rsa-jwkset.json": [USABLE, USABLE],
    "php-jwt/rsa-jwkset-2.json": [USABLE],
    "pyjwt/jwk_keyset_only_unknown_alg.json": [NOT_FOR_SIGNATURES],
    "pyjwt/jwk_keyset_with_unknown_alg.json": [USABLE, NOT_FOR_SIGNATURES],
    "smallrye-jwt/publicKeySet.jwk": [USABLE, USABLE],
    "smallrye-jwt/publicSingleKeySetWithoutKid.jwk": [USABLE],
    "smallrye-jwt/signatureJwkSet.jwk": [USABLE, USABLE],
}
# PyJWT's single keys, by their type: the algorithms of each; the private ones are not verification keys.
SINGLE = {
    "ec_{}_P-256": {"ES256"},
    "ec_{}_P-384": {"ES384"},
    "ec_{}_P-521": {"ES512"},
    "ec_{}_secp256k1": {"ES256K"},
    "okp_{}_Ed25519": {"EdDSA", "Ed25519"},
    "okp_{}_Ed448": {"EdDSA", "Ed448"},
    "rsa_{}": {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"},
}
METADATA = "identitymodel/OpenIdConnectMetadataJsonWebKeySetBadUri.json"
pytestmark = pytest.mark.collection(
    "identitymodel",
    "jwks-realworld",
    "jwks-rotation",
    "jwks-rsa-java",
    "php-jwt",
    "pyjwt",
    "smallrye-jwt",
)
FILES = (
    *(f"jwks-realworld/{name}.json" for name in REALWORLD),
    *(f"jwks-rotation/{name}.json" for name in ROTATIONS),
    *LIBRARIES,
    *(f"pyjwt/jwk_{name.format(half)}.json" for name in SINGLE for half in ("key", "pub")),
    METADATA,
)


def assert_entries(
    entries: list[Any], written: list[dict[str, Any]], codes: list[str | None]
) -> None:
    """Assert that each entry is usable with its written numbers, or unusable for the expected reason."""
    assert [getattr(entry, "code", USABLE) for entry in entries] == codes
    for entry, one in zip(entries, written, strict=True):
        assert (entry.kid, entry.alg, entry.use) == (one.get("kid"), one.get("alg"), one.get("use"))
        if isinstance(entry, Key):
            assert material(entry) == written_material(one)


def assert_read_as_served(drive: Any, document: Any, codes: list[str | None]) -> None:
    """Assert that the unchanged document is read with its usable keys, or refused if it has none."""
    drive.client(provider(), transport=serving(document))
    keys = keys_of(drive)
    assert (0 if keys is None else len(keys)) == codes.count(USABLE)


class TestRealWorld:
    @staticmethod
    def index(vectors: Vectors) -> dict[str, dict[str, Any]]:
        return {entry["id"]: entry for entry in load(vectors / "jwks-realworld/index.json")}

    @staticmethod
    def codes(name: str) -> list[str | None]:
        return UNUSABLE.get(name, [USABLE] * REALWORLD[name])

    def test_every_document_is_read(self, vectors):
        """The index names 55 documents with 134 entries, of which 121 are usable, with exactly these oddities."""
        index = self.index(vectors)
        assert sorted(index) == sorted(REALWORLD)
        codes = Counter(itertools.chain.from_iterable(map(self.codes, REALWORLD)))
        assert (len(index), codes.total(), codes[USABLE]) == (55, 134, 121)
        described = {
            "id",
            "provider",
            "repo",
            "commit",
            "path",
            "licence",
            "note",
            "jwks_uri",
            "date",
        }
        members = set(itertools.chain.from_iterable(index.values()))
        assert members - described == {*ODDITIES, "headers", "keys", "kty", "alg", "use"}

    @pytest.mark.parametrize("name", REALWORLD)
    def test_a_document(self, vectors, drive, name):
        """Every entry is read as it is written, or unusable for its own reason."""
        document = load(vectors / f"jwks-realworld/{name}.json")
        assert_read_as_served(drive, document, self.codes(name))
        assert_entries(read_entries(drive, document), document["keys"], self.codes(name))

    @pytest.mark.parametrize("name", REALWORLD)
    def test_its_oddities(self, vectors, drive, name):
        """The library reports exactly what the index says of a document."""
        said = self.index(vectors)[name]
        document = load(vectors / f"jwks-realworld/{name}.json")
        written = document["keys"]
        entries = read_entries(drive, document)
        keys = [entry for entry in entries if isinstance(entry, Key)]
        assert len(entries) == said["keys"]
        for member in ("kty", "alg", "use"):
            assert {str(getattr(entry, member)) for entry in entries} == set(said[member])

        # Bits are those of the number: leading zero octets of three of Yahoo's moduli add none.
        weak = [entry.reason for entry in entries if getattr(entry, "code", None) == WEAK]
        bits = {key.key.key_size for key in keys if key.kty == "RSA"}
        bits |= {
            int(number) for reason in weak for number in re.findall(r"RSA of (\d+) bits", reason)
        }
        if self.codes(name).count(USABLE) + len(weak) == len(entries):
            assert bits == set(said.get("rsa_bits", ()))
        assert bits <= set(said.get("rsa_bits", ()))
        zeros = [one for one in written if "n" in one and octets(one["n"])[0] == 0]
        assert len(zeros) == said.get("modulus_with_leading_zero_byte", 0)

        padded = any("=" in one.get("n", "") for one in written)
        assert padded == said.get("base64_padding_in_key_material", False)

        # A certificate in a key is neither used nor harmful, and neither is any other member.
        assert any("x5c" in one for one in written) == said.get("x5c", False)
        known = {"kty", "kid", "alg", "use", "key_ops", "n", "e", "crv", "x", "y"}
        others = {
            member for one in written for member in one if not member.startswith("x5")
        } - known
        assert others == set(said.get("other_members", ()))
        issuers = [one.get("issuer") for one in written if "issuer" in one]
        assert [key.issuer for key in keys if key.issuer is not None] == issuers

        thumbprints = {key.thumbprint for key in keys}
        if len(keys) == len(entries):
            repeated = said.get("same_key_under_several_entries", False)
            assert (len(thumbprints) < len(keys)) == repeated

    @pytest.mark.parametrize("name", LIVES)
    def test_its_headers(self, vectors, drive, name):
        """With its recorded headers a document is fresh for as long as they say, within limits."""
        said = self.index(vectors)[name]
        clock = FakeClock()
        wire = serving(load(vectors / f"jwks-realworld/{name}.json"), said["headers"])
        drive.client(provider(), transport=wire, clock=clock)
        drive.keys()
        states = []
        for share in (0.7, 0.2, 0.1):  # due from 0.8 plus or minus a tenth, past from 1
            clock.advance(LIVES[name] * share)
            states.append(drive.health("vectors").state)
        assert states == ["fresh", "due", "stale"]

    def test_headers_are_all_tested(self, vectors):
        """Four documents have recorded headers."""
        assert LIVES.keys() == {n for n, one in self.index(vectors).items() if "headers" in one}


class TestRotation:
    @pytest.mark.parametrize("name", ROTATIONS)
    def test_every_recorded_state(self, vectors, drive, name):
        """One client reads every state of five months, one after the other, each as a whole."""
        timeline = load(vectors / f"jwks-rotation/{name}.json")
        wire = serving(key_set())
        drive.client(provider(), transport=wire)
        entries = usable = 0
        for state in timeline["states"]:
            written = [timeline["keys"][one] for one in state["keys"]]
            wire.answers[URL] = {"status": 200, "headers": {}, "body": key_set(*written)}
            drive.refresh()
            keys = drive.keys()
            bad = {entry.index for entry in keys.unusable}
            good = [one for place, one in enumerate(written) if place not in bad]
            assert [key.kid for key in keys] == [one["kid"] for one in good]
            assert [material(key) for key in keys] == [written_material(one) for one in good]
            assert {entry.code for entry in keys.unusable} <= {WEAK}
            entries += len(written)
            usable += len(keys)
        assert (len(timeline["states"]), len(timeline["keys"]), entries, usable) == ROTATIONS[name]

    @pytest.mark.parametrize("name", [name for name in ROTATIONS if name != "yahoo"])
    def test_a_key_that_vanished(self, vectors, drive, name):
        """A key of the first state is found while it is served, and not afterwards.

        Only one of Yahoo's keys is usable, and that one stayed.
        """
        timeline = load(vectors / f"jwks-rotation/{name}.json")
        first, *_, last = (
            [timeline["keys"][one] for one in state["keys"]] for state in timeline["states"]
        )
        gone = {one["kid"] for one in first} - {one["kid"] for one in last}
        assert gone
        wire = serving(key_set(*first))
        drive.client(provider(), transport=wire)
        assert [drive.get_signing_key(kid).kid for kid in gone] == [*gone]
        wire.answers[URL] = {"status": 200, "headers": {}, "body": key_set(*last)}
        drive.refresh()
        for kid in gone:
            with pytest.raises(TokenError) as caught:
                drive.get_signing_key(kid)
            assert caught.value.code == "unknown_key"

    def test_states_in_all(self):
        """There are 301 recorded states."""
        assert sum(states for states, *_ in ROTATIONS.values()) == 301


class TestLibraries:
    @pytest.mark.parametrize("name", LIBRARIES)
    def test_a_key_set(self, vectors, drive, name):
        """The good entries of a set stay usable, whatever is wrong with the other entries."""
        document = load(vectors / name)
        assert_read_as_served(drive, document, LIBRARIES[name])
        assert_entries(read_entries(drive, document), document["keys"], LIBRARIES[name])

    @pytest.mark.parametrize("name", SINGLE)
    def test_a_public_key(self, vectors, drive, name):
        """PyJWT's public keys fit the algorithms of their type and curve."""
        jwk = load(vectors / f"pyjwt/jwk_{name.format('pub')}.json")
        assert_read_as_served(drive, key_set(jwk), [USABLE])
        (key,) = read_entries(drive, key_set(jwk))
        assert_entries([key], [jwk], [USABLE])
        assert key.algorithms == SINGLE[name]

    @pytest.mark.parametrize("name", SINGLE)
    def test_a_private_key(self, vectors, drive, name):
        """A key published with its private half verifies nothing, and no part of it is shown."""
        jwk = load(vectors / f"pyjwt/jwk_{name.format('key')}.json")
        assert_read_as_served(drive, key_set(jwk), [PRIVATE])
        (entry,) = read_entries(drive, key_set(jwk))
        assert_entries([entry], [jwk], [PRIVATE])
        assert jwk["d"] not in repr(entry)

    @pytest.mark.parametrize(
        ("single", "file", "place"),
        [
            ("rsa_pub", "joserfc/jws_rfc7520.json", 0),
            ("ec_pub_P-521", "joserfc/jws_rfc7520.json", 2),
            ("okp_pub_Ed25519", "rfc/vectors.json", 4),
        ],
        ids=["RFC7520-4.1", "RFC7520-4.3", "RFC8037-A.4"],
    )
    def test_keys_of_rfcs_verify_their_signatures(self, vectors, drive, single, file, place):
        """PyJWT's keys of RFC 7520 and RFC 8037 verify the signatures of those RFCs."""
        written = load(vectors / file)
        case = (written if isinstance(written, list) else written["tests"])[place]
        jwk = load(vectors / f"pyjwt/jwk_{single}.json")
        kid = case["jwk"].get("kid")  # PyJWT added the curve's name to that of RFC 7520's EC key
        drive.client(provider(jwks=key_set({**jwk, "kid": kid} if kid else jwk)))
        assert signature_state(keys_of(drive), case.get("compact", case.get("token"))) == HOLDS

    def test_a_token_without_kid_finds_its_key_among_two(self, vectors, drive):
        """RFC 7515 A.2's token names no key; SmallRye's set has the right key and another one."""
        (case,) = [one for one in load(vectors / "rfc/vectors.json") if one["id"] == "rfc7515-A.2"]
        keys = load(vectors / "smallrye-jwt/publicKeySet.jwk")
        drive.client(provider(jwks=keys), clock=FakeClock(1300819379))
        assert drive.verify(case["token"]).key_id == "key2"

    @pytest.mark.parametrize(
        "name",
        ["jwks-rsa-java/jwks-single-no-kid.json", "smallrye-jwt/publicSingleKeySetWithoutKid.jwk"],
    )
    def test_a_key_without_kid(self, vectors, drive, name):
        """A key without kid is tried for a token without kid, and never for one with a kid."""
        (jwk,) = load(vectors / name)["keys"]
        signer = make_key("RS256", "ours", borrower=type(self))
        drive.client(provider(jwks=key_set(jwk)))
        assert verdict(drive, signer.sign_compact(b'{"alg":"RS256"}', b"{}")) == "bad_signature"
        assert (
            verdict(drive, signer.sign_compact(b'{"alg":"RS256","kid":"1"}', b"{}"))
            == "unknown_key"
        )
        assert drive.get_signing_key(None).kid is None
        drive.client(provider(jwks=key_set(jwk, unnamed(signer))))
        assert verdict(drive, signer.sign_compact(b'{"alg":"RS256"}', b"{}")) == ACCEPTED

    def test_metadata_with_a_relative_jwks_uri(self, vectors, drive):
        """A relative jwks_uri cannot be fetched: discovery fails, and nothing else is requested."""
        metadata = load(vectors / METADATA)
        wire = serving(metadata, url=f"{metadata['issuer']}.well-known/openid-configuration")
        drive.client(
            providers.oidc(metadata["issuer"], audience=providers.UNCHECKED), transport=wire
        )
        with pytest.raises(KeysUnavailableError) as caught:
            drive.keys()
        assert caught.value.code == "discovery_failed"
        assert wire.asked == [*wire.answers]

    def test_the_codes_of_the_listed_reasons(self):
        """Entries that other libraries use are refused as symmetric or under 2048 bits."""
        codes = set(itertools.chain.from_iterable((*LIBRARIES.values(), *UNUSABLE.values())))
        assert CODES[Reason.RSA_UNDER_2048_BITS] == {WEAK} <= codes
        assert "symmetric_key" in CODES[Reason.SYMMETRIC_ALGORITHM] & codes


def unnamed(signer: SigningKey) -> dict[str, str]:
    """Return one of our keys as a set without kids has it."""
    return {member: value for member, value in signer.jwk().items() if member != "kid"}
