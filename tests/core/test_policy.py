"""`CachePolicy` and `FetchPolicy`: the promised defaults, and every bound of every field."""

from __future__ import annotations

import dataclasses
import math

import pytest

from jwks_client import CachePolicy, FetchPolicy
from jwks_client.errors import ConfigurationError

CACHE_DEFAULTS = {
    "ttl": 300,
    "honour_headers": True,
    "min_ttl": 60,
    "max_ttl": 3600,
    "refresh_ahead": 0.8,
    "stale_if_error": 3600,
    "unknown_kid_burst": 2,
    "unknown_kid_interval": 10,
    "unknown_kid_wait": None,
    "bad_signature_interval": 60,
    "negative_kids": 1024,
    "negative_kid_ttl": 10,
    "failure_backoff": (1, 30),
}
FETCH_DEFAULTS = {
    "connect_timeout": 2,
    "attempt_timeout": 3,
    "deadline": 5,
    "retries": 1,
    "max_body": 512 * 1024,
    "max_keys": 100,
    "max_token": 16 * 1024,
    "max_header": 4 * 1024,
    "ca_file": None,
    "proxy": None,
}


def refused(policy, **values) -> ConfigurationError:
    with pytest.raises(ConfigurationError) as caught:
        policy(**values)
    assert caught.value.message.startswith(f"{caught.value.field} must ")
    return caught.value


@pytest.mark.parametrize(
    ("policy", "defaults"), [(CachePolicy, CACHE_DEFAULTS), (FetchPolicy, FETCH_DEFAULTS)]
)
def test_the_defaults_are_the_promised_ones(policy, defaults):
    """Each policy has exactly the promised fields with the promised defaults."""
    assert dataclasses.asdict(policy()) == defaults


@pytest.mark.parametrize("policy", [CachePolicy, FetchPolicy])
def test_a_policy_is_a_value(policy):
    """Policies are frozen, compared by value, and their fields are keyword-only."""
    made = policy()
    assert made == policy()
    assert hash(made) == hash(policy())
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(made, next(iter(dataclasses.asdict(made))), 1)
    with pytest.raises(TypeError):
        policy(300)


@pytest.mark.parametrize(
    ("policy", "values"),
    [
        (CachePolicy, {"ttl": 60}),
        (CachePolicy, {"ttl": 3600}),
        (CachePolicy, {"ttl": 0.5, "min_ttl": 0, "max_ttl": 0.5}),
        (CachePolicy, {"ttl": 90, "min_ttl": 90, "max_ttl": 90}),
        (CachePolicy, {"honour_headers": False}),
        (CachePolicy, {"refresh_ahead": None}),
        (CachePolicy, {"refresh_ahead": 0.001}),
        (CachePolicy, {"refresh_ahead": 0.999}),
        (CachePolicy, {"stale_if_error": 0}),
        (CachePolicy, {"unknown_kid_burst": 1}),
        (CachePolicy, {"unknown_kid_burst": 1_000_000}),
        (CachePolicy, {"unknown_kid_wait": 0}),
        (CachePolicy, {"unknown_kid_wait": 2.5}),
        (CachePolicy, {"unknown_kid_interval": 0.001}),
        (CachePolicy, {"bad_signature_interval": 0}),
        (CachePolicy, {"negative_kids": 0}),
        (CachePolicy, {"negative_kids": 1_000_000}),
        (CachePolicy, {"negative_kid_ttl": 0}),
        (CachePolicy, {"failure_backoff": (0.001, 0.001)}),
        (CachePolicy, {"failure_backoff": (5, 5)}),
        (FetchPolicy, {"connect_timeout": 0.001, "attempt_timeout": 0.001, "deadline": 0.001}),
        (FetchPolicy, {"connect_timeout": 300, "attempt_timeout": 300, "deadline": 300}),
        (FetchPolicy, {"retries": 0}),
        (FetchPolicy, {"retries": 5}),
        (FetchPolicy, {"max_body": 1, "max_keys": 1, "max_token": 1, "max_header": 1}),
        (FetchPolicy, {"max_body": 64 * 1024 * 1024, "max_keys": 10_000}),
        (FetchPolicy, {"max_token": 1024 * 1024, "max_header": 1024 * 1024}),
        (FetchPolicy, {"ca_file": "/etc/ssl/private-ca.pem"}),
        (FetchPolicy, {"proxy": "http://user:pw@proxy.internal:3128"}),
    ],
)
def test_each_field_accepts_its_bounds(policy, values):
    """Each field accepts its bounds."""
    made = policy(**values)
    assert {name: getattr(made, name) for name in values} == values


@pytest.mark.parametrize(
    ("field", "value", "takes"),
    [
        ("ttl", 59.9, "from 60 to 3600 (seconds), got 59.9"),
        ("ttl", 3600.1, "from 60 to 3600 (seconds)"),
        ("ttl", math.nan, "a finite number"),
        ("ttl", None, "a finite number"),
        ("honour_headers", 1, "True or False"),
        ("honour_headers", None, "True or False"),
        ("min_ttl", -1, "of at least 0 (seconds)"),
        ("min_ttl", math.nan, "a finite number"),
        ("max_ttl", 59, "of at least 60 (seconds)"),
        ("max_ttl", math.inf, "a finite number"),
        ("refresh_ahead", 0, "above 0 and below 1, or None, got 0"),
        ("refresh_ahead", 1, "above 0 and below 1, or None, got 1"),
        ("refresh_ahead", -0.1, "a share of the lifetime, or None"),
        ("refresh_ahead", 1.1, "a share of the lifetime, or None"),
        ("refresh_ahead", math.nan, "a share of the lifetime, or None"),
        ("refresh_ahead", True, "a share of the lifetime, or None"),
        ("refresh_ahead", "0.8", "a share of the lifetime, or None"),
        ("stale_if_error", -0.1, "of at least 0 (seconds)"),
        ("stale_if_error", math.inf, "a finite number"),
        ("unknown_kid_burst", 0, "a whole number from 1 to 1000000"),
        ("unknown_kid_burst", 10**400, "a whole number from 1 to 1000000"),
        ("unknown_kid_burst", 2.0, "a whole number"),
        ("unknown_kid_interval", 0, "of at least 0.001 (seconds)"),
        ("unknown_kid_interval", math.inf, "a finite number"),
        ("bad_signature_interval", -1, "of at least 0 (seconds)"),
        ("negative_kids", -1, "a whole number from 0 to 1000000"),
        ("negative_kids", 1_000_001, "a whole number from 0 to 1000000"),
        ("negative_kid_ttl", -1, "of at least 0 (seconds)"),
        ("failure_backoff", 1, "(first, longest), got 1"),
        ("failure_backoff", [1, 30], "(first, longest)"),
        ("failure_backoff", (1,), "(first, longest)"),
        ("failure_backoff", (1, 30, 60), "(first, longest)"),
        ("failure_backoff", (0, 30), "of at least 0.001 (seconds)"),
        ("failure_backoff", (2, 1.9), "of at least 2 (seconds)"),
        ("failure_backoff", ("1", 30), "a finite number"),
        ("failure_backoff", (1, math.inf), "a finite number"),
    ],
)
def test_a_wrong_cache_setting_is_refused_by_name(field, value, takes):
    """A wrong value of a CachePolicy field is refused at construction, with the field and what it must be."""
    error = refused(CachePolicy, **{field: value})
    assert error.field == field
    assert "must be " in error.message
    assert takes in error.message


@pytest.mark.parametrize(
    ("field", "value", "takes"),
    [
        *(
            (field, value, "must be a finite number from 0.001 to 300 (seconds)")
            for field in ("connect_timeout", "attempt_timeout", "deadline")
            for value in (0, 0.0009, 300.1, -1, math.nan, math.inf, None, True, "2")
        ),
        *(("retries", value, "must be a whole number from 0 to 5") for value in (-1, 6, 1.0, None)),
        *(
            (field, value, f"must be a whole number from 1 to {most}")
            for field, most in (
                ("max_body", 64 * 1024 * 1024),
                ("max_keys", 10_000),
                ("max_token", 1024 * 1024),
                ("max_header", 1024 * 1024),
            )
            for value in (0, -1, most + 1, 1.5, None, True)
        ),
        *(("ca_file", value, "must be a string") for value in ("", b"ca.pem", 5)),
        *(
            ("proxy", value, "must be an http, https, socks5 or socks5h URL such as http://")
            for value in ("", "proxy.internal:3128", "ftp://proxy.internal", "http://", 5)
        ),
    ],
)
def test_a_wrong_fetch_setting_is_refused_by_name(field, value, takes):
    """A wrong value of a FetchPolicy field is refused at construction, with the field and what it must be."""
    error = refused(FetchPolicy, **{field: value})
    assert error.field == field
    assert takes in error.message


def test_the_password_of_a_proxy_is_never_shown():
    """A proxy's URL may hold a password, so neither a refusal nor a repr shows it."""
    assert "s3cret" not in refused(FetchPolicy, proxy="ftp://user:s3cret@proxy.internal").message
    assert "s3cret" not in repr(FetchPolicy(proxy="http://user:s3cret@proxy.internal"))
