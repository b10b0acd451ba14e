"""Checks of single configuration values: what each accepts, and how it refuses the rest."""

from __future__ import annotations

import ipaddress
import math

import pytest

from jwks_client._core import addresses, settings
from jwks_client.errors import ConfigurationError

HUGE = 10**400  # larger than any float
UNPRINTABLE = 10**5000  # more digits than Python turns into text


def refused(check, *arguments, **keywords) -> str:
    """Return the message of the refusal, which begins with the field ``f``."""
    with pytest.raises(ConfigurationError) as caught:
        check("f", *arguments, **keywords)
    assert caught.value.field == "f"
    assert caught.value.code == "invalid_configuration"
    assert caught.value.message.startswith("f must ")
    return caught.value.message


@pytest.mark.parametrize("value", [2, 2.0, 3.5, 7, 7.0])
def test_number_accepts_its_bounds_and_everything_between(value):
    """A number within its bounds, both included, is kept unchanged."""
    assert settings.number("f", value, minimum=2, maximum=7) is value


@pytest.mark.parametrize(
    "value",
    [
        *(-0.001, 7.001, math.nan, math.inf, -math.inf),
        pytest.param(HUGE, id="huge"),
        pytest.param(-HUGE, id="-huge"),
        *(True, False, "3", None, [3], 3 + 0j),
    ],
)
def test_number_refuses_anything_else_with_its_bounds(value):
    """A value that is out of bounds, not finite or not a number is refused with the bounds and the unit."""
    message = refused(settings.number, value, minimum=0, maximum=7, unit="apples")
    assert "must be a finite number from 0 to 7 (apples), got " in message


def test_number_below_a_custom_minimum_is_refused():
    """A bound need not be a whole number, and appears in the message."""
    assert "of at least 0.001 (seconds)" in refused(settings.number, 0.0009, minimum=0.001)


def test_number_without_a_maximum_accepts_any_finite_number_from_zero():
    """By default a number may be any finite number from zero, in seconds."""
    assert settings.number("f", 0) == 0
    assert settings.number("f", 1e308) == 1e308
    assert "must be a finite number of at least 0 (seconds), got -0.5" in refused(
        settings.number, -0.5
    )
    assert "got inf" in refused(settings.number, math.inf)


@pytest.mark.parametrize("value", [2, 3, 7])
def test_whole_accepts_its_bounds_and_everything_between(value):
    """A whole number within its bounds, both included, is kept."""
    assert settings.whole("f", value, minimum=2, maximum=7) == value


@pytest.mark.parametrize("value", [-1, 8, 3.0, math.nan, True, False, "3", None])
def test_whole_refuses_anything_else_with_its_bounds(value):
    """A value that is out of bounds or not an int, a whole float included, is refused with the bounds."""
    message = refused(settings.whole, value, minimum=0, maximum=7)
    assert f"must be a whole number from 0 to 7, got {value!r}" in message


def test_whole_without_a_maximum_accepts_any_whole_number_from_zero():
    """By default a whole number may be any from zero."""
    assert settings.whole("f", 0) == 0
    assert settings.whole("f", HUGE) == HUGE
    assert "must be a whole number of at least 0, got -1" in refused(settings.whole, -1)
    assert "must be a whole number of at least 2, got 1" in refused(settings.whole, 1, minimum=2)


@pytest.mark.parametrize("value", [True, False])
def test_flag_accepts_true_and_false(value):
    """A flag is True or False."""
    assert settings.flag("f", value) is value


@pytest.mark.parametrize("value", [1, 0, "True", "", None, [], b"1"])
def test_flag_refuses_truthy_and_falsy_values(value):
    """A truthy or falsy value that is not a bool is refused."""
    assert f"must be True or False, got {value!r}" in refused(settings.flag, value)


@pytest.mark.parametrize("value", ["a", "ä" * 5])
def test_text_accepts_a_string_up_to_its_longest(value):
    """A string of 1 to ``longest`` characters is kept."""
    assert settings.text("f", value, longest=5) == value


@pytest.mark.parametrize("value", ["", "aaaaaa", b"a", None, 5, ["a"]])
def test_text_refuses_empty_and_long_strings_and_other_types(value):
    """Any other value is refused with the accepted lengths."""
    assert "must be a string of 1 to 5 characters, got " in refused(settings.text, value, longest=5)


def test_text_is_2048_characters_at_most_by_default():
    """The default limit is 2048, and a value that is too long is described instead of repeated."""
    assert settings.text("f", "a" * 2048) == "a" * 2048
    message = refused(settings.text, "a" * 2049)
    assert "must be a string of 1 to 2048 characters, got a str of 2051 characters" in message


def test_a_value_is_shown_up_to_80_characters():
    """A message repeats a short value, so that it can be found, and omits a long one."""
    assert "'" + "a" * 78 + "'" in refused(settings.text, "a" * 78, longest=5)
    assert "a" * 79 not in refused(settings.text, "a" * 79, longest=5)


@pytest.mark.parametrize(
    "value",
    [
        ("b", "a"),
        ["b", "a"],
        {"b": 1, "a": 2},
        ("b", "a", "b", "a"),
    ],
)
def test_names_keeps_the_order_and_drops_repeats(value):
    """Any collection of strings becomes a tuple in its order, each string once."""
    assert settings.names("f", value) == ("b", "a")


def test_names_accepts_sets_and_by_default_an_empty_collection():
    """Sets are accepted, and by default so is an empty collection."""
    assert sorted(settings.names("f", frozenset({"b", "a"}))) == ["a", "b"]
    assert settings.names("f", ()) == ()
    assert "must not be empty" in refused(settings.names, (), at_least=1)
    assert settings.names("f", ("a",), at_least=1) == ("a",)
    assert "must not be empty" in refused(settings.names, ("a", "a"), at_least=2)


@pytest.mark.parametrize("value", ["ab", b"ab", 5, None, iter(("a", "b"))])
def test_names_refuses_one_string_and_anything_but_a_collection(value):
    """A lone string is not a collection of its letters, and an iterator can run only once, so both are refused."""
    assert 'must be a collection of strings, such as ("a", "b"), got ' in refused(
        settings.names, value
    )


@pytest.mark.parametrize("member", ["", 5, None, b"a"])
def test_names_refuses_a_member_that_is_not_a_usable_string(member):
    """Each member must be a string of 1 to 2048 characters."""
    assert "must be a string of 1 to 2048 characters" in refused(settings.names, ("a", member))


def test_one_or_more_accepts_a_string_or_several_but_not_none():
    """One string becomes a tuple of one; a collection must have a member."""
    assert settings.one_or_more("f", "ab") == ("ab",)
    assert settings.one_or_more("f", ["a", "b"]) == ("a", "b")
    assert settings.one_or_more("f", ["a"]) == ("a",)
    assert "must not be empty" in refused(settings.one_or_more, ())
    assert "must be a string" in refused(settings.one_or_more, "")
    assert "must be a collection of strings" in refused(settings.one_or_more, None)


def test_one_of_accepts_its_words_and_names_them_all():
    """One of the words is kept; another value is refused with the list of words."""
    assert settings.one_of("f", "b", ("a", "b")) == "b"
    for value in ("c", "A", None, 0, []):
        assert f"must be one of 'a', 'b', got {value!r}" in refused(
            settings.one_of, value, ("a", "b")
        )


@pytest.mark.parametrize("value", ["v", "a b", "Bearer x", "a\tb", "~!", "é".encode().hex()])
def test_header_accepts_what_one_header_line_can_hold(value):
    """A header's name must be a token, and its value visible ASCII with blanks inside."""
    assert settings.header("f", "X-Api_Key.1", value) == ("X-Api_Key.1", value)


@pytest.mark.parametrize(
    "name", ["", " ", "a b", "a:", "a\n", "a\r\nb", "\na", "é", "a\0", None, b"a", 5, "a(b)"]
)
def test_header_refuses_a_name_that_is_not_a_token(name):
    """A header name that could end its line, or is not a string, is refused."""
    message = refused(settings.header, name, "s3cret")
    assert "must have names that are valid in HTTP" in message
    assert "s3cret" not in message


@pytest.mark.parametrize(
    "value",
    [
        "",
        " ",
        " s3cret",
        "s3cret ",
        "s3cret\t",
        "s3cret\n",
        "s3cret\r\nX: y",
        "s3\0cret",
        "s3cret\x7f",
        "s3créts3cret",
        None,
        b"s3cret",
        5,
    ],
)
def test_header_refuses_a_value_of_two_lines_and_never_shows_it(value):
    """A value that no header can hold may be a secret, so the refusal shows only the header's name."""
    message = refused(settings.header, "X-Key", value)
    assert "must have a value for 'X-Key' that is valid in HTTP" in message
    assert "s3" not in message


@pytest.mark.parametrize("value", ["Authorization", "__Host-session", "a", "!#$%&'*+-.^_`|~09"])
def test_header_name_accepts_every_token(value):
    """Headers and cookies are named by tokens."""
    assert settings.header_name("f", value) == value


@pytest.mark.parametrize("value", ["", "a b", "a=b", "a;b", "a,b", "a\n", "ä", None, b"a", 5])
def test_header_name_refuses_anything_else(value):
    """A name that could split a header or cookie in two is refused."""
    assert "must be a name of letters, digits and" in refused(settings.header_name, value)


@pytest.mark.parametrize(
    "value",
    [
        "https://issuer.test",
        "https://issuer.test/",
        "https://issuer.test:8443/a/b?c=d&e=%20f",
        "HTTPS://issuer.test",
        "https://192.0.2.1/jwks",
        "https://[2001:db8::1]:8443/jwks",
        "https://xn--bcher-kva.test/",
        pytest.param("https://issuer.test/" + "a" * (2048 - 20), id="longest"),
    ],
)
def test_url_accepts_absolute_https(value):
    """An absolute https URL of up to 2048 characters is kept unchanged."""
    assert settings.url("f", value) == value


NO_URLS = [
    "",
    "issuer.test",
    "//issuer.test/jwks",
    "/jwks",
    "https:",
    "https://",
    "https:///jwks",
    "https:issuer.test",
    "https://:443/jwks",
    "https://?a=b",
    "ftp://issuer.test",
    "file:///etc/passwd",
    "javascript:alert(1)",
    "https://issuer.test:port",
    "https://issuer.test:65536",
    "https://issuer.test:-1",
    "https://[::1",
    "https://[zz]/",
    "https://issuer.test/#jwks",
    "https://issuer.test/#",
    "https://user@issuer.test/",
    "https://@issuer.test/",
    "https://issuer.test\\@evil.test/",
    "https://issuer.test/a\\b",
    " https://issuer.test",
    "https://issuer.test ",
    "https://issuer.test/\n",
    "https://issu\ter.test/",
    "https://issuer.test/a b",
    "https://issuer.test/\0",
    "https://bücher.test/",
    pytest.param("https://issuer.test/" + "a" * (2049 - 20), id="too long"),
    b"https://issuer.test",
    None,
    5,
]


@pytest.mark.parametrize("value", NO_URLS)
@pytest.mark.parametrize("allow_http", [False, True])
def test_url_refuses_ambiguous_urls(value, allow_http):
    """A relative, malformed or long URL is refused, and so is one with user, fragment, backslash, blank or characters beyond ASCII."""
    assert "must be an absolute https URL, got " in refused(
        settings.url, value, allow_http=allow_http
    )
    assert addresses.split_url(value) is None


@pytest.mark.parametrize("value", ["https://user:s3cret@issuer.test/", "https://:s3cret@[::1]/"])
def test_url_with_a_password_is_refused_without_showing_it(value):
    """A password in a URL is a secret, so the refusal does not show it."""
    assert "s3cret" not in refused(settings.url, value)


LOOPBACK = [
    "localhost",
    "api.localhost",
    "127.0.0.1",
    "127.255.255.254",
    "::1",
    "::ffff:127.0.0.1",
]
NOT_LOOPBACK = [
    "",
    "localhost.test",
    "notlocalhost",
    "localhost.",
    "127.0.0.1.test",
    "128.0.0.1",
    "126.255.255.255",
    "0.0.0.0",
    "10.0.0.1",
    "192.168.0.1",
    "169.254.169.254",
    "2130706433",
    "0x7f.1",
    "127.1",
    "::",
    "::2",
    "::ffff:10.0.0.1",
    "fe80::1",
    "::7f00:1",  # IPv4-compatible: goes out to the network, as NAT64 does
    "64:ff9b::7f00:1",
]


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


@pytest.mark.parametrize("host", LOOPBACK)
def test_plain_http_is_for_loopback(host):
    """Plain http to this machine is accepted, since no one else is on the path."""
    assert addresses.is_loopback(host)
    value = f"http://{_bracketed(host)}:8080/jwks"
    assert settings.url("f", value) == value


def test_a_host_is_loopback_whatever_its_case():
    """Host names are case-insensitive."""
    assert settings.url("f", "http://LOCALHOST/") == "http://LOCALHOST/"


@pytest.mark.parametrize("host", NOT_LOOPBACK)
def test_a_host_that_merely_looks_like_loopback_is_refused(host):
    """Another host is not this machine, however it is spelled."""
    assert not addresses.is_loopback(host)


@pytest.mark.parametrize("host", [host for host in NOT_LOOPBACK if host])
def test_plain_http_elsewhere_needs_allow_http(host):
    """Plain http beyond loopback is refused with a hint at `allow_http`, and accepted where that is set."""
    value = f"http://{_bracketed(host)}/jwks"
    message = refused(settings.url, value)
    assert "plain http" in message
    assert "use https, or allow_http=True" in message
    assert settings.url("f", value, allow_http=True) == value


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8::1", "2001:db8::1"),
        ("::ffff:10.0.0.1", "10.0.0.1"),
        ("::10.0.0.1", "::a00:1"),
        ("64:ff9b::10.0.0.1", "64:ff9b::a00:1"),
        ("64:ff9b::1:10.0.0.1", "64:ff9b::1:a00:1"),
        ("::1:10.0.0.1", "::1:a00:1"),
        ("::2", "::2"),
        ("::1", "::1"),
        ("::", "::"),
        ("issuer.test", None),
        ("", None),
        ("010.0.0.1", None),
    ],
)
def test_an_address_literal_is_read_and_unwrapped(host, address):
    """An IPv4-mapped address is unwrapped; text that only looks like an address, or a name, gives None."""
    assert addresses.ip_literal(host) == (address and ipaddress.ip_address(address))


@pytest.mark.parametrize("address", ["1.1.1.1", "2606:4700::1111", "172.15.0.1", "172.32.0.1"])
def test_a_routed_address_is_public(address):
    """An address that is routed on the internet is public."""
    assert addresses.is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize(
    "address",
    [
        *(
            "127.0.0.1",
            "10.0.0.1",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.0.1",
            "169.254.169.254",
        ),
        *("0.0.0.0", "100.64.0.1", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255"),
        *("::", "::1", "fe80::1", "fd00::1", "fec0::1", "ff02::1", "ff0e::1", "2001:db8::1"),
        *("2002:a00:1::", "2002:101:101::", "2001:0:a00:1::"),
    ],
)
def test_all_other_addresses_are_not_public(address):
    """Private, link-local, site-local, multicast and reserved addresses, and tunnels that could lead anywhere, are not public."""
    assert not addresses.is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize(
    "value",
    [
        "http://proxy.internal:3128",
        "https://proxy.internal",
        "socks5://user:pa%20ss@proxy.internal:1080",
        "socks5h://[2001:db8::1]:1080",
        pytest.param("http://p/" + "a" * (2048 - 9), id="longest"),
    ],
)
def test_a_proxy_may_have_a_user_and_a_password(value):
    """A proxy's URL is http, https or socks5, and may hold credentials."""
    parts = addresses.split_proxy(value)
    assert parts is not None
    assert parts.geturl() == value


@pytest.mark.parametrize(
    "value",
    [
        "",
        "proxy.internal:3128",
        "http://",
        "http://user:pw@",
        "ftp://proxy.internal",
        "socks4://proxy.internal",
        "http://proxy.internal:port",
        "http://[::1",
        "http://proxy.internal/\r\n",
        "http://proxy internal",
        pytest.param("http://p/" + "a" * (2049 - 9), id="too long"),
        b"http://proxy.internal",
        None,
        5,
    ],
)
def test_a_malformed_proxy_is_refused(value):
    """Another scheme, no host, a bad port or a character beyond visible ASCII is refused."""
    assert addresses.split_proxy(value) is None


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://issuer.test/jwks", ("https", "issuer.test", 443)),
        ("https://ISSUER.test:443/", ("https", "issuer.test", 443)),
        ("https://issuer.test:8443", ("https", "issuer.test", 8443)),
        ("http://localhost/", ("http", "localhost", 80)),
        ("http://localhost:443/", ("http", "localhost", 443)),
        ("https://[2001:DB8::1]/", ("https", "2001:db8::1", 443)),
    ],
)
def test_an_origin_is_scheme_host_and_port(url, origin):
    """A missing port becomes the scheme's default, and the host is case-insensitive."""
    assert addresses.origin(url) == origin


@pytest.mark.parametrize("check", [settings.number, settings.whole])
def test_a_number_that_cannot_be_shown_is_still_refused(check):
    """A number too long for Python to print is still refused with a ConfigurationError."""
    assert refused(check, -UNPRINTABLE).endswith("got an integer with thousands of digits")
