"""Key sets: read tolerantly, each entry alone; keys are selected strictly."""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
import json
from types import MappingProxyType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keys import document, jwk, rsa_jwk, to_octets, to_text

from jwks_client._core.keysets.jwk import (
    Ambiguous,
    BadKeySet,
    Found,
    Key,
    KeySet,
    Missing,
    Unfit,
    Unusable,
    read_key_set,
    thumbprint,
)

RSA = {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"}
FITS = {
    "RS256": RSA,
    "ES256": {"ES256"},
    "ES384": {"ES384"},
    "ES512": {"ES512"},
    "ES256K": {"ES256K"},
    "Ed25519": {"EdDSA", "Ed25519"},
    "Ed448": {"EdDSA", "Ed448"},
    "ML-DSA-44": {"ML-DSA-44"},
    "ML-DSA-65": {"ML-DSA-65"},
    "ML-DSA-87": {"ML-DSA-87"},
}
GOOD = rsa_jwk(kid="good", which=1000)
BOM = b"\xef\xbb\xbf"


def read(*entries: object, max_keys: int = 100) -> KeySet:
    return read_key_set(document(*entries), max_keys=max_keys)


def only(entry: object) -> Key:
    (key,) = read(entry)
    return key


def kids(selection: object) -> list[str | None]:
    """Return the kids of the keys to try, in order."""
    assert isinstance(selection, Found)
    return [key.kid for key in selection.keys]


def bad(raw: object, max_keys: int = 100) -> str:
    with pytest.raises(BadKeySet) as caught:
        read_key_set(raw, max_keys=max_keys)
    return str(caught.value)


def why_unusable(entry: object) -> str:
    """Return the code of the one unusable entry, placed between two usable ones."""
    key_set = read(GOOD, entry, {**GOOD, "kid": "also"})
    assert [key.kid for key in key_set] == ["good", "also"]
    (unusable,) = key_set.unusable
    assert unusable.index == 1
    assert unusable.reason
    return unusable.code


class TestDocuments:
    """Which documents are key sets (RFC 7517, section 5)."""

    def test_a_set_is_read_from_octets_text_or_an_object(self):
        """Octets, text and an object give the same key set."""
        raw = document(GOOD)
        assert read_key_set(raw, max_keys=1) == read_key_set(raw.decode(), max_keys=1)
        assert read_key_set(raw, max_keys=1) == read_key_set(json.loads(raw), max_keys=1)
        frozen = MappingProxyType(json.loads(raw))
        assert read_key_set(raw, max_keys=1) == read_key_set(frozen, max_keys=1)

    def test_a_byte_order_mark_and_unknown_members_are_accepted(self):
        """A byte order mark and unknown members are accepted, because real providers serve both."""
        raw = document(GOOD, version=1, meta={"a": [None]}, Keys=[])
        for form in (BOM + raw, "\ufeff" + raw.decode()):
            assert read_key_set(form, max_keys=1) == read(GOOD)

    @pytest.mark.parametrize(
        "raw",
        [
            b"",
            b" ",
            b"\0",
            b"<!doctype html><html><title>Sign in</title></html>",
            b"{",
            document(GOOD)[:-1],
            document(GOOD) + b"x",
            document(GOOD).decode().encode("utf-16"),
            document(GOOD).decode().encode("utf-16-be"),
            b'{"keys":[]}\xff',
            "\ud800",
            '{"keys":["\ud800"]}',
            pytest.param(b"[" * 512 * 1024, id="512 KiB of ["),
            pytest.param(b'{"keys":' + b"[" * 512 * 1024, id="512 KiB of [ in keys"),
            pytest.param(b'{"keys":' * 60_000, id="deep objects"),
        ],
    )
    def test_invalid_json_is_reported_as_such(self, raw):
        """A cut document, HTML, another encoding or too many levels raise BadKeySet and no other exception."""
        assert bad(raw) == "its body is not JSON"

    @pytest.mark.parametrize("raw", [b"null", b"[]", b'"x"', b"5", b"true", json.dumps([GOOD])])
    def test_anything_but_an_object_is_reported_as_such(self, raw):
        """A document that is not an object is refused, a bare list of keys included."""
        assert bad(raw) == "it is JSON, but not an object"

    @pytest.mark.parametrize(
        "raw",
        [
            {},
            {"keys": None},
            {"keys": 5},
            {"keys": "x"},
            {"keys": {}},
            {"keys": {"0": GOOD}},
            {"Keys": [GOOD]},
            {"keys": (GOOD,)},
            GOOD,
        ],
    )
    def test_keys_is_a_list(self, raw):
        """A document whose `keys` is missing, null or not a list is refused, as octets and as an object."""
        assert bad(raw) == "it has no list 'keys'"
        if not isinstance(raw.get("keys"), tuple):
            assert bad(json.dumps(raw).encode()) == "it has no list 'keys'"

    def test_an_empty_list_is_a_set_without_keys(self):
        """A well-formed document without entries is refused as a set without keys."""
        assert bad(document()) == "it has no entries"

    def test_a_set_without_usable_keys_says_so(self):
        """The error of a set without usable keys blames the keys, not the token's kid."""
        entries = [{"kty": "oct", "k": "AAAA"}, rsa_jwk(1024), 5]
        message = bad(document(*entries))
        assert message.startswith("none of its 3 entries is usable (")
        assert "1: RSA of 1024 bits" in message

    def test_equal_reasons_are_counted(self):
        """Equal reasons are counted, and the most frequent comes first."""
        message = bad(document(*[rsa_jwk(1024)] * 3, {"kty": "K"}))
        assert "(3: RSA of 1024 bits" in message
        assert "; 1: " in message

    def test_a_reason_is_escaped_and_truncated(self):
        """A reason is escaped and truncated, because an outsider wrote parts of it."""
        message = bad(document({"kty": "\x1b[2J\n" + "é" * 500}))
        assert message.isascii()
        assert message.isprintable()
        assert len(message) < 1500

    def test_an_unsupported_use_or_alg_is_named(self):
        """Values such as `jwt-svid` (SPIFFE) are refused by name, and the text stays short."""
        entries = [rsa_jwk(use="jwt-svid"), rsa_jwk(use="jwt-svid"), rsa_jwk(alg="RSA256")]
        message = bad(document(*entries))
        assert "2: its use is 'jwt-svid'; it must be 'sig' or absent" in message
        assert "1: its alg 'RSA256' is not a signature algorithm for this type of key" in message
        assert len(bad(document(*(rsa_jwk(alg="A" * 5000 + str(n)) for n in range(50))))) < 1500

    def test_more_entries_than_max_keys_are_not_read(self):
        """A set of exactly max_keys entries is read; usable or not, each entry counts."""
        entries = [GOOD, None, None]
        assert len(read(*entries, max_keys=3)) == 1
        assert "more than 2 entries (3; see max_keys)" in bad(document(*entries), max_keys=2)
        assert len(read(*[None] * 99, GOOD)) == 1
        assert "more than 100 entries (101; see max_keys)" in bad(document(*[None] * 100, GOOD))

    def test_a_repeated_member_at_top_level_makes_the_set_invalid(self):
        """A set with two lists of keys is refused: which of them counts is ambiguous."""
        good = json.dumps([GOOD])
        for raw in (
            f'{{"keys":{good},"keys":{good}}}',
            f'{{"keys":{good},"\\u006beys":[]}}',
            f'{{"a":1,"keys":{good},"a":1}}',
        ):
            assert bad(raw) == "it has a duplicate member"

    def test_a_repeated_member_in_an_ignored_member_is_harmless(self):
        """A repeated member inside an ignored member changes nothing."""
        entry = json.dumps(GOOD)[:-1]
        raw = f'{{"meta":{{"a":1,"a":2}},"keys":[{entry},"x":{{"a":1,"a":2}}}}]}}'
        assert read_key_set(raw, max_keys=1) == read(GOOD)

    @settings(deadline=None)
    @given(st.binary(max_size=200) | st.text(max_size=200))
    def test_no_octets_make_it_raise_anything_else(self, raw):
        """Random octets and text raise BadKeySet, with a reason, and nothing else."""
        assert bad(raw)

    @settings(deadline=None)
    @given(
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(
                    st.sampled_from(
                        ["kty", "n", "e", "x", "kid", "alg", "use", "key_ops", "d", "k"]
                    )
                    | st.text(),
                    inner
                    | st.sampled_from(["RSA", "EC", "OKP", "AKP", "oct", "AQAB", "P-256", "sig"]),
                    max_size=6,
                )
            ),
        )
    )
    def test_no_entry_spoils_its_neighbours(self, entry):
        """Whatever JSON is next to a good entry, the good entry is read."""
        key_set = read(GOOD, entry)
        assert key_set.select("good", "RS256") == Found((only(GOOD),))
        assert [bad.index for bad in key_set.unusable] == [1]

    def test_a_number_of_any_length_spoils_its_entry_at_most(self):
        """An entry with a number too long for Python's int is unusable at most, and the other entries are read."""
        entry = json.dumps(GOOD)
        raw = f'{{"keys":[{entry},{{"kty":"RSA","n":{"9" * 5000},"e":"AQAB"}}]}}'
        assert [key.kid for key in read_key_set(raw, max_keys=2)] == ["good"]


class TestKeys:
    """A usable entry as a `Key`."""

    @pytest.mark.parametrize("algorithm", FITS)
    def test_a_key_has_its_members(self, algorithm):
        """A key has its members, and the algorithms that it fits."""
        entry = jwk(algorithm, kid="Kid/+=.0")
        key = only(entry)
        assert key.kid == "Kid/+=.0"
        assert (key.kty, key.crv, key.alg, key.use) == (
            entry["kty"],
            entry.get("crv"),
            entry["alg"],
            "sig",
        )
        assert key.issuer is None
        assert key.thumbprint == thumbprint(
            {name: value for name, value in entry.items() if name in REQUIRED[entry["kty"]]}
        )
        assert key.algorithms == ({algorithm} if entry["kty"] == "RSA" else FITS[algorithm])
        assert key.verifiers.keys() == key.algorithms

    @pytest.mark.parametrize("algorithm", [name for name in FITS if "ML-DSA" not in name])
    def test_without_alg_every_algorithm_of_its_type_fits(self, algorithm):
        """A key without alg fits every algorithm that its type and curve allow."""
        key = only(jwk(algorithm, "alg", "use", "kid"))
        assert key.algorithms == FITS[algorithm]
        assert (key.kid, key.alg, key.use) == (None, None, None)

    @pytest.mark.parametrize("named", sorted(RSA))
    def test_an_rsa_key_with_alg_is_for_that_one(self, named):
        """An RSA key with alg is for that algorithm only (RFC 8725, section 3.1)."""
        assert only(rsa_jwk(alg=named)).algorithms == {named}

    @pytest.mark.parametrize("curve", ["Ed25519", "Ed448"])
    def test_an_okp_key_may_name_itself_by_either_name(self, curve):
        """EdDSA and the curve's own name mean the same algorithm, in the entry and in the token."""
        for named in ("EdDSA", curve):
            key = only(jwk(curve, alg=named))
            assert (key.alg, key.algorithms) == (named, {"EdDSA", curve})

    @pytest.mark.parametrize("kid", ["", "0", "1", "a.b:c/d+e=", "f" * 80, "ключ", " ", "\ud800"])
    def test_a_kid_may_be_any_string(self, kid):
        """Any string is a kid, and it is not interpreted."""
        assert only({**GOOD, "kid": kid}).kid == kid

    @pytest.mark.parametrize(
        "extra",
        [
            {"x5c": ["not a certificate"], "x5t": "junk", "x5t#S256": 5, "x5ts256": [], "x5u": "x"},
            {"date": "2021", "ctr": 1, "crlVersion": None, "cloud_instance_name": {}, "K": 1},
            {"use": "sig"},
            {"key_ops": ["verify"]},
            {"key_ops": ["sign", "verify"]},
        ],
    )
    def test_other_members_change_nothing(self, extra):
        """Certificates are neither used nor trusted, unknown members are ignored, and `sig` and `verify` are accepted."""
        key = only({**GOOD, **extra})
        assert dataclasses.replace(key, use=None) == only(GOOD)

    def test_the_issuer_of_an_entry_is_kept(self):
        """Entra names the issuer of each key, and the claim check compares it."""
        issuer = "https://login.test/{tenantid}/v2.0"
        assert only({**GOOD, "issuer": issuer}).issuer == issuer

    @pytest.mark.parametrize("issuer", [5, ["https://login.test/a/v2.0"], {}, True, None, ""])
    def test_an_issuer_that_is_not_a_string_matches_none(self, issuer):
        """A key whose issuer is not a string matches no issuer, instead of every issuer."""
        entry = {**rsa_jwk(), "kid": "odd", "issuer": issuer}
        assert all(key.issuer is not None for key in read(GOOD, entry).with_kid("odd"))

    def test_a_key_is_a_value_and_hides_its_material(self):
        """A key is frozen and hashable, and its repr shows no key object."""
        key = only(GOOD)
        assert key == only(GOOD)
        assert hash(key) == hash(only(GOOD))
        with pytest.raises(dataclasses.FrozenInstanceError):
            key.kid = "other"
        assert "RSAPublicKey" not in repr(key)
        assert GOOD["n"] not in repr(key)

    def test_new_material_under_an_old_kid_is_another_key(self):
        """A key's identity is its kid and its material."""
        assert only(rsa_jwk(kid="a", which=1)) != only(rsa_jwk(kid="a", which=2))
        assert only(rsa_jwk(kid="a", which=1)) != only(rsa_jwk(kid="b", which=1))


class TestEmptyMembers:
    """Members that serializers write as null, "" or [] count as absent, so the entry stays usable."""

    @pytest.mark.parametrize("empty", [None, "", []])
    @pytest.mark.parametrize(
        ("algorithm", "member"),
        [
            (algorithm, member)
            for algorithm in ("RS256", "ES256", "Ed25519", "ML-DSA-44")
            for member in (
                *("d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"),
                *("use", "alg", "key_ops", "x5c", "x5t"),
            )
            # The alg of an AKP key is part of its material (RFC 9964), so it cannot be absent.
            if (algorithm, member) != ("ML-DSA-44", "alg")
        ],
    )
    def test_an_empty_member_counts_as_absent(self, algorithm, member, empty):
        """An empty private member is not a secret, and an empty use or list of operations forbids nothing."""
        whole = jwk(algorithm, kid="k")
        entry = {name: value for name, value in whole.items() if name != member}
        (key,) = read(entry)
        (same,) = read({**entry, member: empty})
        assert same == key
        assert (same.alg, same.use, same.algorithms) == (key.alg, key.use, key.algorithms)

    @pytest.mark.parametrize("empty", [None, []])
    def test_an_empty_kid_that_is_not_a_string_counts_as_absent(self, empty):
        """An empty value that is not a string is not a kid."""
        (key,) = read({**GOOD, "kid": empty})
        assert key.kid is None

    def test_the_empty_string_is_a_kid_like_any_other(self):
        """A token may name an empty kid, and an entry without a kid does not match it."""
        key_set = read({**GOOD, "kid": ""})
        assert [key.kid for key in key_set.with_kid("")] == [""]
        assert not read({**GOOD, "kid": None}).with_kid("")

    @pytest.mark.parametrize("member", ["kty", "n", "e"])
    @pytest.mark.parametrize("empty", [None, "", []])
    def test_an_empty_member_that_is_needed_is_missing(self, member, empty):
        """An empty required member counts as missing, so no key is built from it."""
        assert why_unusable({**rsa_jwk(), member: empty}) == "malformed_key"


class TestUnusableEntries:
    """An unusable entry is kept with its reason and never spoils the others."""

    @pytest.mark.parametrize("entry", [None, 5, True, "x", [], [GOOD], ""])
    def test_an_entry_that_is_not_an_object(self, entry):
        """An entry that is not an object is unusable."""
        assert why_unusable(entry) == "malformed_key"

    def test_an_entry_with_a_repeated_member(self):
        """An entry with a repeated member is unusable, even if the two values are equal: which counts is ambiguous."""
        good, entry = json.dumps(GOOD), json.dumps(rsa_jwk())[:-1]
        for repeat in ('"kid":"a","kid":"b"', '"kty":"RSA"', r'"\u006eote":1,"note":1'):
            raw = f'{{"keys":[{entry},{repeat}}},{good}]}}'
            key_set = read_key_set(raw, max_keys=2)
            assert [key.kid for key in key_set] == ["good"]
            assert key_set.unusable[0].code == "repeated_member"

    @pytest.mark.parametrize("member", ["d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"])
    @pytest.mark.parametrize("algorithm", ["RS256", "ES256", "Ed25519", "ML-DSA-44"])
    def test_an_entry_with_private_members(self, member, algorithm):
        """A published private key is compromised, so the entry is unusable; its value, of any type, is never shown."""
        for value in ("s3cret", 5, ["s3cret"], {}, [None], " ", False, 0):
            entry = jwk(algorithm, kid="private", **{member: value})
            assert why_unusable(entry) == "private_key"
            (unusable,) = read(GOOD, entry).unusable
            assert "s3cret" not in repr(unusable)
            assert "compromised" in unusable.reason

    def test_a_symmetric_key(self):
        """A symmetric key is never used and never shown."""
        entry = {"kty": "oct", "kid": "s", "alg": "HS256", "k": to_text(b"s3cret" * 8)}
        assert why_unusable(entry) == "symmetric_key"
        assert entry["k"][:8] not in repr(read(GOOD, entry).unusable)

    @pytest.mark.parametrize("member", ["kid", "alg", "use"])
    @pytest.mark.parametrize("value", [5, 0, True, False, ["good"], {}])
    def test_a_member_that_is_not_a_string(self, member, value):
        """An entry whose kid, alg or use is not a string is unusable."""
        assert why_unusable({**rsa_jwk(), member: value}) == "malformed_key"
        (unusable,) = read(GOOD, {**rsa_jwk(), member: value}).unusable
        assert member in unusable.reason
        assert getattr(unusable, member) is None

    @pytest.mark.parametrize("use", ["enc", "tls", " ", "SIG", "sig ", "signature", "jwt-svid"])
    def test_a_use_other_than_sig(self, use):
        """An entry with another use than exactly `sig` is unusable (RFC 7517, section 4.2)."""
        assert why_unusable({**rsa_jwk(), "use": use}) == "not_for_signatures"
        (unusable,) = read(GOOD, {**rsa_jwk(), "use": use}).unusable
        assert repr(use) in unusable.reason

    @pytest.mark.parametrize("operations", [["sign"], ["encrypt", "decrypt"], ["Verify"], [""]])
    def test_operations_without_verify(self, operations):
        """An entry whose key_ops lacks `verify` is unusable."""
        assert why_unusable({**rsa_jwk(), "key_ops": operations}) == "not_for_signatures"

    @pytest.mark.parametrize(
        "operations",
        ["verify", {"verify": 1}, {}, 5, ["verify", 5], ["verify", None], ["verify", "verify"]],
    )
    def test_operations_that_are_not_a_list_of_distinct_strings(self, operations):
        """An entry whose key_ops is not an array of distinct strings is unusable (RFC 7517, section 4.3)."""
        assert why_unusable({**rsa_jwk(), "key_ops": operations}) == "malformed_key"

    @pytest.mark.parametrize(
        ("algorithm", "alg"),
        [
            *(("RS256", alg) for alg in ("ES256", "EdDSA", "HS256", "none", "RSA-OAEP", "SHA256")),
            *(("RS256", alg) for alg in (" ", "rs256", "RS256 ", "RS1", "ML-DSA-44")),
            *(("ES256", alg) for alg in ("ES384", "ES256K", "RS256", "ECDH-ES", "EdDSA")),
            *(("ES384", alg) for alg in ("ES256", "ES512")),
            *(("ES256K", alg) for alg in ("ES256",)),
            *(("Ed25519", alg) for alg in ("Ed448", "ES256", "ECDH-ES", "eddsa", "ed25519")),
            *(("Ed448", alg) for alg in ("Ed25519",)),
        ],
    )
    def test_an_algorithm_that_contradicts_the_key(self, algorithm, alg):
        """An entry whose alg, kty and crv contradict each other is unusable."""
        assert why_unusable(jwk(algorithm, alg=alg)) == "wrong_algorithm"

    @pytest.mark.parametrize(
        ("entry", "code"),
        [
            ({}, "malformed_key"),
            ({"kty": "RSA"}, "malformed_key"),
            ({"kty": 5}, "malformed_key"),
            ({"kty": "XYZ", "kid": "x"}, "unknown_type"),
            ({"kty": "EC", "crv": "P-192"}, "unknown_curve"),
            ({"kty": "OKP", "crv": "X25519", "x": to_text(bytes(32))}, "unknown_curve"),
            ({"kty": "AKP", "alg": "ML-DSA-45"}, "unknown_algorithm"),
            (rsa_jwk(2047), "weak_key"),
            (rsa_jwk(8193), "oversized_key"),
            (rsa_jwk(e=1), "weak_key"),
            (jwk("ES256", x=to_text(bytes(32))), "malformed_key"),
            (jwk("Ed25519", x=to_text(bytes(31))), "malformed_key"),
        ],
    )
    def test_a_key_that_cannot_be_built(self, entry, code):
        """An entry from which no key can be built is unusable, in any position of the list."""
        assert why_unusable(entry) == code

    def test_an_unusable_entry_describes_itself(self):
        """An unusable entry keeps its index and its members for people, where they are strings."""
        entry = {"kty": "oct", "kid": "s", "alg": "HS256", "use": "sig", "k": "AAAA"}
        (unusable,) = read(GOOD, entry).unusable
        assert (unusable.index, unusable.kid, unusable.kty) == (1, "s", "oct")
        assert (unusable.alg, unusable.use) == ("HS256", "sig")
        assert unusable.reason == "a symmetric key cannot be a published verification key"
        (unusable,) = read(5, GOOD).unusable
        assert unusable.reason == "it is not a JSON object"
        assert (unusable.index, unusable.kid, unusable.kty) == (0, None, None)
        assert (unusable.alg, unusable.use) == (None, None)


class TestSelection:
    """`KeySet.select`: a token's header narrows the choice of keys and never widens it."""

    def test_a_kid_is_compared_exactly(self):
        """Case, blanks and type of a kid count; another key that might verify is not tried."""
        key_set = read(rsa_jwk(kid="Key-1"))
        assert kids(key_set.select("Key-1", "RS256")) == ["Key-1"]
        for kid in ("key-1", "Key-1 ", " Key-1", "Key-", "Key-11", "", "Key\u20101"):
            assert key_set.select(kid, "RS256") == Missing()

    def test_an_empty_kid_is_a_kid(self):
        """An empty kid is a kid like any other and not an absent one."""
        key_set = read(rsa_jwk(kid="", which=1), rsa_jwk(which=2))
        assert kids(key_set.select("", "RS256")) == [""]
        assert kids(key_set.select(None, "RS256")) == ["", None]

    def test_a_key_without_kid_never_answers_a_token_with_one(self):
        """A token that names a kid never gets a key without a kid."""
        key_set = read(rsa_jwk(which=1), rsa_jwk(kid="a", which=2))
        assert key_set.select("b", "RS256") == Missing()
        assert kids(key_set.select("a", "RS256")) == ["a"]

    def test_a_token_without_kid_gets_every_key_that_fits(self):
        """A token without kid gets all keys that fit, with and without kid, in the order of the set."""
        key_set = read(
            rsa_jwk(kid="a"),
            jwk("ES256", kid="b"),
            rsa_jwk(which=1, alg="RS256"),
            rsa_jwk(which=2, kid="c", alg="PS256"),
        )
        assert kids(key_set.select(None, "RS256")) == ["a", None]
        assert kids(key_set.select(None, "PS256")) == ["a", "c"]
        assert kids(key_set.select(None, "ES256")) == ["b"]
        assert key_set.select(None, "ES384") == Missing()

    def test_keys_that_share_a_kid_are_selected_by_algorithm(self):
        """If several keys share a kid, the algorithm narrows the choice, and the rest are tried in order."""
        key_set = read(
            rsa_jwk(kid="a", which=1, alg="RS256"),
            jwk("ES256", kid="a"),
            rsa_jwk(kid="a", which=2),
        )
        assert [key.kty for key in key_set.select("a", "ES256").keys] == ["EC"]
        assert [key.kty for key in key_set.select("a", "PS256").keys] == ["RSA"]
        assert key_set.select("a", "RS256").keys == tuple(k for k in key_set if k.kty == "RSA")
        assert key_set.select("a", "Ed25519") == Unfit()

    @pytest.mark.parametrize("kid", ["a", None])
    def test_up_to_four_that_fit_are_tried_in_order_and_five_are_ambiguous(self, kid):
        """Up to four fitting keys are tried and five are ambiguous, which bounds the work that a token can cause."""
        entries = [rsa_jwk(kid="a", which=which) for which in (4, 2, 3, 1, 0)]
        for count in (1, 2, 3, 4):
            key_set = read(*entries[:count])
            assert key_set.select(kid, "RS256") == Found(tuple(key_set))
        assert read(*entries).select(kid, "RS256") == Ambiguous()
        narrowed = read(*entries[:4], {**entries[4], "alg": "PS256"})
        assert narrowed.select(kid, "RS256") == Found(tuple(narrowed)[:4])
        assert narrowed.select(kid, "PS256") == Ambiguous()

    @pytest.mark.parametrize("kid", ["a", None])
    def test_one_key_under_several_entries_is_one_candidate(self, kid):
        """Two entries with the same key (two certificates, say) are one candidate and not ambiguous."""
        same = [rsa_jwk(kid="a", x5t=str(at)) for at in range(5)]
        others = [rsa_jwk(kid="a", which=which) for which in (1, 2, 3)]
        one = read(*same).select(kid, "RS256")
        assert isinstance(one, Found)
        assert len(one.keys) == 1
        mixed = read(others[0], *same, *others[1:])
        assert [key.thumbprint for key in mixed.select(kid, "RS256").keys] == [
            only(entry).thumbprint for entry in (others[0], same[0], *others[1:])
        ]
        fifth = rsa_jwk(kid="a", which=4)
        assert read(*same, *others, fifth).select(kid, "RS256") == Ambiguous()

    def test_a_kid_whose_keys_do_not_fit_is_known(self):
        """A kid whose algorithm does not fit differs from an absent kid: no fetch is needed."""
        key_set = read(jwk("ES256", kid="a"))
        for algorithm in ("RS256", "ES384", "ES256K", "EdDSA", "none", "HS256", ""):
            assert key_set.select("a", algorithm) == Unfit()

    def test_a_kid_whose_entry_is_unusable_is_known_too(self):
        """A kid with only an unusable entry counts as known; a usable entry of the same kid wins."""
        weak = rsa_jwk(1024, kid="weak")
        key_set = read(GOOD, weak, rsa_jwk(1024), {**rsa_jwk(), "kid": 5})
        assert key_set.select("weak", "RS256") == Unusable()
        assert key_set.select("5", "RS256") == Missing()
        assert key_set.select("", "RS256") == Missing()
        assert kids(key_set.select(None, "RS256")) == ["good"]
        for entries in ([weak, rsa_jwk(kid="weak")], [rsa_jwk(kid="weak"), weak]):
            assert kids(read(*entries).select("weak", "RS256")) == ["weak"]
            assert read(*entries).select("weak", "ES256") == Unfit()

    @pytest.mark.parametrize(("curve", "other"), [("Ed25519", "Ed448"), ("Ed448", "Ed25519")])
    def test_a_token_may_name_eddsa_or_the_curve(self, curve, other):
        """EdDSA and the curve's name mean the same algorithm in entry and token; another curve's name does not fit."""
        for entry in (jwk(curve), jwk(curve, alg="EdDSA"), jwk(curve, "alg")):
            key_set = read(entry)
            assert kids(key_set.select("k1", "EdDSA")) == ["k1"]
            assert kids(key_set.select("k1", curve)) == ["k1"]
            assert key_set.select("k1", other) == Unfit()

    def test_equal_selections_have_equal_results(self):
        """Selections are remembered per kid and algorithm, and never mixed up."""
        key_set = read(rsa_jwk(kid="a"), jwk("ES256", kid="b"))
        questions = list(itertools.product(["a", "b", "c", None], ["RS256", "PS256", "ES256"]))
        first = [key_set.select(*question) for question in questions]
        assert [key_set.select(*question) for question in reversed(questions)] == first[::-1]
        assert first == [
            read(*[rsa_jwk(kid="a"), jwk("ES256", kid="b")]).select(*q) for q in questions
        ]

    def test_the_memory_of_selections_is_bounded_by_the_set(self):
        """A flood of unknown kids does not grow the memory of selections."""
        key_set = read(GOOD)
        for at in range(1000):
            key_set.select(f"kid-{at}", "RS256")
            key_set.select(None, "RS256")
            key_set.select("good", "RS256")
        assert len(key_set.chosen) == 1


class TestKeySet:
    """A `KeySet` as a value."""

    def test_it_iterates_over_usable_keys_in_order(self):
        """Length and iteration cover the usable keys, in order."""
        key_set = read(5, rsa_jwk(kid="b"), rsa_jwk(1024), rsa_jwk(kid="a", which=1))
        assert [key.kid for key in key_set] == ["b", "a"]
        assert len(key_set) == 2
        assert [bad.index for bad in key_set.unusable] == [0, 2]
        assert KeySet(tuple(key_set)).unusable == ()

    def test_a_set_contains_a_key_by_kid_and_material(self):
        """A key set contains a key by kid and material: new material under the kid is another key."""
        key_set = read(rsa_jwk(kid="a"), rsa_jwk(which=1))
        assert only(rsa_jwk(kid="a")) in key_set
        assert only(rsa_jwk(which=1)) in key_set
        for other in (rsa_jwk(kid="a", which=1), rsa_jwk(kid="b"), rsa_jwk()):
            assert only(other) not in key_set
        assert "a" not in key_set
        assert None not in key_set

    def test_with_kid_returns_the_usable_keys_of_a_kid(self):
        """`with_kid` returns the usable keys of a kid in order; none for an unusable or unknown kid."""
        key_set = read(
            rsa_jwk(kid="a"), rsa_jwk(which=1), jwk("ES256", kid="a"), rsa_jwk(1024, kid="w")
        )
        assert [key.kty for key in key_set.with_kid("a")] == ["RSA", "EC"]
        assert key_set.with_kid("w") == ()
        assert key_set.with_kid("b") == ()

    def test_sets_are_equal_by_their_entries(self):
        """The same entries make equal sets; any other entry, usable or not, makes a different one."""
        assert read(GOOD, 5) == read(GOOD, 5)
        assert hash(read(GOOD, 5)) == hash(read(GOOD, 5))
        for other in (read(GOOD), read(GOOD, None, 5), read(rsa_jwk(kid="good"), 5)):
            assert read(GOOD, 5) != other
        assert read(GOOD) != [only(GOOD)]

    def test_its_repr_counts(self):
        """A set's repr counts its keys and shows none."""
        assert repr(read(GOOD, 5, None)) == "<KeySet of 1 keys, 2 unusable>"


REQUIRED = {
    "RSA": ("e", "kty", "n"),
    "EC": ("crv", "kty", "x", "y"),
    "OKP": ("crv", "kty", "x"),
    "AKP": ("alg", "kty", "pub"),
}


class TestThumbprints:
    """SHA-256 thumbprints (RFC 7638)."""

    def test_the_example_of_rfc_7638(self):
        """The RSA key of RFC 7638, section 3.1, has the thumbprint given there."""
        n = (
            "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECP"
            "ebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY"
            "368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0f"
            "M4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw"
        )
        entry = {"kty": "RSA", "n": n, "e": "AQAB", "alg": "RS256", "kid": "2011-04-29"}
        assert only(entry).thumbprint == "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"

    def test_the_example_of_rfc_8037(self):
        """The Ed25519 key of appendix A.2 has the thumbprint of A.3."""
        entry = {"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}
        assert only(entry).thumbprint == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"

    @pytest.mark.parametrize("algorithm", FITS)
    def test_a_thumbprint_covers_the_required_members_only(self, algorithm):
        """A thumbprint covers the sorted required members only, whatever else the entry has."""
        entry = jwk(algorithm, use="sig", kid="any", x5t="junk")
        text = ",".join(f'"{name}":"{entry[name]}"' for name in REQUIRED[entry["kty"]])
        digest = hashlib.sha256(f"{{{text}}}".encode()).digest()
        assert only(entry).thumbprint == to_text(digest)
        assert only({**entry, "kid": "other"}).thumbprint == to_text(digest)

    @pytest.mark.parametrize("algorithm", ["RS256", "ES256", "Ed25519", "ML-DSA-44"])
    def test_one_key_has_one_thumbprint_however_it_is_spelled(self, algorithm):
        """A key whose padding, alphabet or leading zeros differ is the same key."""
        entry = jwk(algorithm)
        zeros = bytes(1) if algorithm in {"RS256", "ES256"} else b""
        for member in {"n", "e", "x", "y", "pub"} & entry.keys():
            text = to_text(zeros + to_octets(entry[member])).replace("-", "+").replace("_", "/")
            entry[member] = text + "=" * (-len(text) % 4)
        assert only(entry).thumbprint == only(jwk(algorithm)).thumbprint
