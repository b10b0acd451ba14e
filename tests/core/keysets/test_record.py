"""Records of key sets: what a reader accepts, and what it refuses before it reads anything in them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jwks_client import IssuerTemplate, Provider, providers
from jwks_client._core.keysets.record import (
    BadRecord,
    Binding,
    Record,
    age_of,
    binding_of,
    longest,
    seal,
    unseal,
)

SECRET, OTHER = b"s" * 32, b"o" * 32
MAX_BODY = 4096
BODY = b'{"keys": []}'


def provider(**changes) -> Provider:
    settings = {"name": "p", "issuer": "https://issuer.test", "audience": "api"}
    settings["jwks_url"] = "https://issuer.test/keys"
    return Provider(**settings | changes)


def bound(proxy=None, authorities=None, own_http=False, **changes) -> Binding:
    found = binding_of(provider(**changes), proxy=proxy, authorities=authorities, own_http=own_http)
    assert found is not None
    return found


def record(**changes) -> Record:
    facts = {
        "body": BODY,
        "headers": {"cache-control": "max-age=60"},
        "url": "https://issuer.test/keys",
        "etag": '"e"',
        "last_modified": None,
        "asked_at": 1_700_000_000.5,
        "age": 0.25,
    }
    return Record(**facts | changes)


def refused(value: bytes, binding: Binding, secrets: tuple[bytes, ...]) -> str:
    with pytest.raises(BadRecord) as caught:
        unseal(value, binding, secrets, MAX_BODY)
    return caught.value.code


BINDING = bound()
SEALED = seal(record(), BINDING, (SECRET,))
UNSEALED = seal(record(), BINDING, ())


def test_a_record_is_read_as_it_was_written():
    """One process reads what another wrote: body, headers, validators and times."""
    assert unseal(SEALED, BINDING, (SECRET,), MAX_BODY) == record()
    assert unseal(UNSEALED, BINDING, (), MAX_BODY) == record()


def test_a_record_is_ascii():
    """A record is ASCII whatever the body and the headers hold, so every cache can keep it."""
    value = seal(record(body=bytes(range(256)), etag='"é"'), BINDING, (SECRET,))
    assert value.isascii()
    assert unseal(
        seal(record(body=bytes(range(256))), BINDING, (SECRET,)), BINDING, (SECRET,), MAX_BODY
    ).body == bytes(range(256))


def test_the_first_secret_seals_and_all_verify():
    """While a secret is rotated, records sealed by either secret are accepted."""
    by_new = seal(record(), BINDING, (OTHER, SECRET))
    assert unseal(by_new, BINDING, (OTHER,), MAX_BODY) == record()
    assert unseal(SEALED, BINDING, (OTHER, SECRET), MAX_BODY) == record()


def test_another_secret_is_refused():
    """A record sealed by another secret is refused."""
    assert refused(SEALED, BINDING, (OTHER,)) == "seal_wrong"


def test_sealed_and_unsealed_records_do_not_mix():
    """A reader with a secret refuses an unsealed record, and the reverse."""
    assert refused(UNSEALED, BINDING, (SECRET,)) == "seal_missing"
    assert refused(SEALED, BINDING, ()) == "seal_wrong"


def test_a_seal_by_the_empty_key_is_refused():
    """A record that is marked as sealed, but by the empty key, is refused by every reader."""
    marked = UNSEALED.replace(b" unsealed ", b" sealed ", 1)
    assert refused(marked, BINDING, (SECRET,)) == "seal_wrong"
    assert refused(marked, BINDING, ()) == "seal_wrong"


@pytest.mark.parametrize(
    "changes",
    [
        {"jwks_url": "https://issuer.test/other"},
        {"jwks_url": None, "discovery_url": "https://issuer.test/keys"},
        {"issuer": providers.UNCHECKED},
        {"issuer": "https://other.test"},
        {"issuer": ("https://issuer.test", "https://other.test")},
        {"issuer": IssuerTemplate("https://issuer.test/{tid}", allowed={"a"})},
        {"allow_http": True},
        {"headers": {"X-Key": "1"}},
        {"headers": {"X-Key": "2"}},
        {"proxy": "http://proxy.test:3128"},
        {"authorities": b"-----BEGIN"},
        {"store_scope": "blue"},
        {"store_scope": "blue", "own_http": True},
        {"store_scope": "blue", "headers": dict},
    ],
    ids=str,
)
def test_a_record_is_bound_to_its_configuration(changes):
    """A record of another configuration has another name, and is refused under this configuration."""
    other = bound(**changes)
    assert other.name != BINDING.name
    assert refused(SEALED, other, (SECRET,)) == "seal_wrong"
    assert refused(UNSEALED, other, ()) == "seal_wrong"


def test_names_depend_on_the_configuration_alone():
    """Equal configurations have equal names, of characters that every store accepts."""
    assert bound(headers={"a": "1", "b": "2"}) == bound(headers={"b": "2", "a": "1"})
    assert bound(name="other", audience="other", leeway=0) == BINDING
    assert BINDING.name.removeprefix("keys-").isalnum()
    assert len(BINDING.name) <= 40


def test_a_set_with_an_unknown_configuration_is_not_shared():
    """A set that is fetched with callable headers or a caller-supplied client uses no store without a scope."""
    for changes in ({"headers": dict, "own_http": False}, {"own_http": True}):
        own_http = changes.pop("own_http")
        assert (
            binding_of(provider(**changes), proxy=None, authorities=None, own_http=own_http) is None
        )


def test_headers_are_nowhere_in_a_record():
    """Neither a header's value nor a proxy's password appears in a record or its name."""
    binding = bound(headers={"Authorization": "Bearer hush"}, proxy="http://u:hush@proxy.test:1")
    assert b"hush" not in seal(record(), binding, (SECRET,)) + binding.name.encode()


@pytest.mark.parametrize(
    ("value", "code"),
    [
        (b"", "not_a_record"),
        (b"garbage", "not_a_record"),
        (b"jwks_client/1", "other_version"),
        (b"jwks_client/0 sealed " + b"0" * 64 + b"\n{}\n", "other_version"),
        (b"x" * (longest(MAX_BODY) + 1), "record_too_large"),
        (SEALED[:-1], "seal_wrong"),
        (SEALED + b" ", "seal_wrong"),
        (SEALED.replace(b"1700000000.5", b"1700000900.5"), "seal_wrong"),
        (SEALED.replace(b"max-age=60", b"max-age=99"), "seal_wrong"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_anything_but_a_record_is_refused(value, code):
    """Garbage, another version, or a cut or altered record is refused before it is parsed."""
    assert refused(value, BINDING, (SECRET,)) == code


@given(st.binary(max_size=400))
def test_any_bytes_raise_bad_record_or_nothing(value):
    """The only error is `BadRecord`, for any bytes that a store returns."""
    with pytest.raises(BadRecord):
        unseal(value, BINDING, (SECRET,), MAX_BODY)


@pytest.mark.parametrize(
    "changes",
    [
        {"asked_at": float("nan")},
        {"asked_at": -1.0},
        {"asked_at": 1e300},
        {"age": "1"},
        {"age": True},
        {"age": None},
        {"url": 7},
        {"url": "x" * 3000},
        {"etag": "a\nb"},
        {"etag": "x" * 300},
        {"last_modified": 5},
        {"headers": {"age": 5}},
        {"headers": {"age": "x" * 20_000}},
        {"body": b"x" * (MAX_BODY + 1)},
    ],
    ids=lambda changes: str(changes)[:40],
)
def test_a_sealed_record_is_checked_all_the_same(changes):
    """Values out of range are refused although the seal is valid: a writer may have other limits."""
    code = refused(seal(record(**changes), BINDING, (SECRET,)), BINDING, (SECRET,))
    assert code == ("record_too_large" if "body" in changes else "not_a_record")


def test_headers_that_are_not_a_mapping_or_a_body_that_is_not_base64_are_refused():
    """A record whose headers are not a mapping, or whose body is not base64, is refused."""
    assert refused(seal(record(headers=[("a", 1)]), BINDING, ()), BINDING, ()) == "not_a_record"
    from jwks_client._core.keysets import record as module

    def by_hand(rest: bytes) -> bytes:
        mark = module._mark(b"", BINDING, rest)
        return b"jwks_client/1 unsealed " + mark + b"\n" + rest

    facts = UNSEALED.split(b"\n")[1]
    for rest in (facts + b"\n!", b"[]\ne30=", b'{"headers": 3}\ne30=', b""):
        assert refused(by_hand(rest), BINDING, ()) == "not_a_record"
    assert unseal(by_hand(facts + b"\ne30="), BINDING, (), MAX_BODY).body == b"{}"


def test_unknown_headers_of_a_record_are_dropped():
    """Only headers that affect a set's lifetime are read from a record."""
    value = seal(record(headers={"age": "1", "set-cookie": "x"}), BINDING, (SECRET,))
    assert unseal(value, BINDING, (SECRET,), MAX_BODY).headers == {"age": "1"}


def test_the_larger_age_counts():
    """A record's age is the larger of what two clocks say."""
    asked = record(asked_at=1000.0, age=2.0)
    assert age_of(asked, 1010.0, 3.0) == 10.0  # a replay: the store's clock began again
    assert age_of(asked, 1001.0, 3.0) == 5.0  # this host's clock is slow
    assert age_of(asked, 400.0, 3.0) == 5.0  # ten minutes slow
    assert age_of(asked, 1010.0, None) == 10.0
    assert age_of(asked, 999.0, None) is None  # from the future, and without another clock
