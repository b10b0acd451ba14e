"""The lifetime in a response's headers, and how much of it counts."""

import time
from collections.abc import Iterator
from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jwks_client import CachePolicy
from jwks_client._core.keysets.freshness import (
    Freshness,
    read_freshness,
    retry_after,
    stated_lifetime,
)

NOW = 1_700_000_000.0
POLICY = CachePolicy()  # ttl 300, from 60 to 3600; stale_if_error 3600


def life(policy: CachePolicy = POLICY, *, wall: float = NOW, **headers: str) -> float:
    """Return the lifetime of a 200 with these headers; ``_`` in a name stands for ``-``."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    fresh = read_freshness(named, policy, wall, renewed=False)
    assert fresh is not None
    return fresh.lifetime


def stale_for(cache_control: str, policy: CachePolicy = POLICY) -> float:
    """Return how long past its lifetime a 200 with this Cache-Control may be used."""
    fresh = read_freshness({"cache-control": cache_control}, policy, NOW, renewed=False)
    assert fresh is not None
    return fresh.stale_for


def date(offset: float) -> str:
    """Return an HTTP date that is this number of seconds from now."""
    return formatdate(NOW + offset, usegmt=True)


@pytest.fixture(params=["UTC0", "EST5", "IST-5:30"])
def time_zone(request: pytest.FixtureRequest) -> Iterator[str]:
    """Run the test in one time zone, then in another."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TZ", request.param)
        time.tzset()
        yield request.param
    time.tzset()


class TestLife:
    def test_without_headers_the_policy_s_lifetime_counts(self) -> None:
        """A response without caching headers has the policy's lifetime and stale time."""
        policy = CachePolicy(ttl=111, stale_if_error=222)
        assert read_freshness({}, policy, NOW, renewed=False) == Freshness(111, 222)

    @pytest.mark.parametrize(
        ("header", "expected"),
        [
            ("max-age=600", 600),
            ("max-age=60", 60),
            ("max-age=3600", 3600),
            ("max-age=15", 60),  # Auth0 sends this
            ("max-age=0", 60),
            ("max-age=3601", 3600),
            ("max-age=3801600", 3600),  # Okta sends this
        ],
    )
    def test_max_age_counts_within_the_bounds(self, header: str, expected: float) -> None:
        """``max-age`` sets the lifetime, never below ``min_ttl`` or above ``max_ttl``."""
        assert life(cache_control=header) == expected

    def test_huge_numbers_stay_within_the_bounds(self) -> None:
        """The difference of two huge numbers stays within the bounds."""
        endless = "9" * 400
        assert life(cache_control=f"max-age={endless}") == 3600
        assert life(cache_control=f"max-age={endless}", age=endless) == 60
        assert life(cache_control="max-age=600", age=endless) == 60

    @pytest.mark.parametrize(
        "header",
        [
            "Max-Age=600",
            "MAX-AGE=600",
            'max-age="600"',
            "public, max-age=600, must-revalidate",
            "public,max-age=600,immutable",
            "  public ,\tmax-age=600 ",
            ",,max-age=600,,",
            "max-age=600, max-age=1200",
            "s-maxage=5, max-age=600, proxy-revalidate",
            "extension=no-store, max-age=600",
            'extension="no-store, max-age=100", max-age=600',
            "x-max-age=100, max-age=600",
        ],
    )
    def test_cache_control_is_read_in_every_shape(self, header: str) -> None:
        """Case, blanks, quotes, other directives and repeats (the first counts) change nothing."""
        assert life(cache_control=header) == 600

    @pytest.mark.parametrize(
        "header",
        [
            "no-store",
            "no-cache",
            "No-Store",
            "max-age=600, no-store",
            "no-cache, max-age=600",
            'no-cache="set-cookie", max-age=600',
            "private, no-cache, no-store, max-age=0, must-revalidate",
        ],
    )
    def test_no_store_and_no_cache_give_the_shortest_lifetime(self, header: str) -> None:
        """``no-store`` and ``no-cache`` give ``min_ttl``, whatever else the header says."""
        policy = CachePolicy(min_ttl=77)
        assert life(policy, cache_control=header, expires=date(3000)) == 77

    @pytest.mark.parametrize(
        "header",
        ["max-age=", "max-age", "max-age=soon", "max-age=-1", "max-age=60.5", "max-age=1e9"],
    )
    def test_an_unreadable_max_age_gives_the_shortest_lifetime(self, header: str) -> None:
        """An unreadable ``max-age`` gives ``min_ttl`` (RFC 9111, section 4.2.1)."""
        assert life(cache_control=header, expires=date(3000)) == 60

    @pytest.mark.parametrize("header", ["2147483648", "9999999999", "99999999999", "1" + "0" * 40])
    def test_a_huge_max_age_gives_the_longest_lifetime(self, header: str) -> None:
        """A ``max-age`` of any number of digits is large (RFC 9111, section 1.2.2): ``max_ttl``."""
        assert life(cache_control=f"max-age={header}") == 3600

    @pytest.mark.parametrize(
        ("age", "expected"),
        [
            ("0", 900),
            ("100", 800),
            (" 100 ", 800),
            ("870", 60),
            ("900", 60),
            ("5000", 60),
            ("99999999999", 60),
            ("soon", 900),
            ("-100", 900),
            ("", 900),
            ("100, 30", 800),  # two caches; RFC 9111, section 5.1: the first value counts
            ("soon, 100", 900),
        ],
    )
    def test_age_is_subtracted(self, age: str, expected: float) -> None:
        """Time spent in a cache on the path is subtracted; an unreadable Age counts as 0."""
        assert life(cache_control="max-age=900", age=age) == expected

    def test_expires_counts_from_the_response_s_own_date(self) -> None:
        """The lifetime is ``Expires`` minus ``Date``, so the provider's clock may be wrong."""
        assert life(expires=date(90_000 + 500), date=date(90_000)) == 500

    def test_age_is_subtracted_from_expires_too(self) -> None:
        """A cache keeps ``Date``, so its Age shortens ``Expires`` minus ``Date`` (RFC 9111, section 4.2)."""
        assert life(expires=date(700), date=date(-300), age="300") == 700
        assert life(expires=date(700), date=date(-300), age="990") == 60
        assert life(expires=date(700), age="300") == 700  # without Date it counts from now

    @pytest.mark.parametrize("sent", ["", "yesterday", "0"])
    def test_expires_without_a_date_counts_from_now(self, sent: str) -> None:
        """Without a readable ``Date`` the lifetime is ``Expires`` minus now."""
        assert life(expires=date(500), date=sent) == 500
        assert life(expires=date(500), wall=NOW + 100) == 400

    @pytest.mark.parametrize("header", ["0", "-1", "", "never", "1700000900", date(-500)])
    def test_expires_in_the_past_or_unreadable_gives_the_shortest_lifetime(
        self, header: str
    ) -> None:
        """An unreadable ``Expires`` counts as past (RFC 9111, section 5.3): ``min_ttl``."""
        assert life(expires=header) == 60

    def test_max_age_beats_expires(self) -> None:
        """With both headers, ``Expires`` is ignored (RFC 9111, section 5.3)."""
        assert life(cache_control="max-age=600", expires=date(1000), date=date(0)) == 600
        assert life(cache_control="public", expires=date(1000), date=date(0)) == 1000

    @pytest.mark.parametrize(
        "headers",
        [
            {"cache_control": "no-store"},
            {"cache_control": "max-age=0"},
            {"cache_control": "max-age=soon"},
            {"cache_control": "max-age=600", "age": "700"},
            {"expires": "never"},
            {"expires": date(-500)},
        ],
    )
    def test_a_policy_may_have_no_shortest_lifetime(self, headers: dict[str, str]) -> None:
        """With ``min_ttl=0`` the shortest lifetime is exactly 0, never negative."""
        assert life(CachePolicy(min_ttl=0), **headers) == 0

    @pytest.mark.usefixtures("time_zone")
    @pytest.mark.parametrize(
        "header",
        [
            "Tue, 14 Nov 2023 22:21:40 GMT",
            "Tuesday, 14-Nov-23 22:21:40 GMT",
            "Tue Nov 14 22:21:40 2023",
        ],
    )
    def test_dates_are_gmt_in_each_of_http_s_forms(self, header: str) -> None:
        """All three date forms of RFC 9110, section 5.6.7, mean GMT, whatever this machine's time zone."""
        assert life(expires=header) == 500
        assert retry_after({"retry-after": header}, NOW + 400) == 100

    def test_headers_can_be_ignored(self) -> None:
        """With ``honour_headers=False`` the lifetime is ``ttl``, whatever the response says."""
        policy = CachePolicy(ttl=300, honour_headers=False)
        assert life(policy, cache_control="max-age=600") == 300
        assert life(policy, cache_control="no-store") == 300
        assert life(policy, expires=date(1000), date=date(0)) == 300


class TestStaleIfError:
    @pytest.mark.parametrize(
        ("header", "expected"),
        [
            ("stale-if-error=100", 100),
            ('Stale-If-Error="100", max-age=600', 100),
            ("stale-if-error=0", 0),
            ("stale-if-error=86400", 3600),
            ("stale-if-error=99999999999", 3600),
            ("stale-if-error=soon", 3600),
            ("stale-if-error", 3600),
            ("must-revalidate", 3600),
            ("no-store", 3600),
            ("max-age=0, stale-while-revalidate=5", 3600),
        ],
    )
    def test_only_a_smaller_stale_if_error_wins(self, header: str, expected: float) -> None:
        """The response can shorten the stale time, by ``stale-if-error`` and no other directive."""
        assert stale_for(header) == expected

    def test_a_smaller_stale_if_error_wins_although_headers_are_ignored(self) -> None:
        """``honour_headers=False`` ignores the lifetime of a response, but not its shorter stale-if-error."""
        assert stale_for("stale-if-error=9", CachePolicy(honour_headers=False)) == 9

    def test_a_policy_that_fails_closed_stays_closed(self) -> None:
        """With ``stale_if_error=0`` no response can extend the stale time."""
        assert stale_for("stale-if-error=600", CachePolicy(stale_if_error=0)) == 0


class TestRenewal:
    def test_a_304_without_headers_keeps_the_former_lifetime(self) -> None:
        """A 304 without caching headers has None as its lifetime: the set's former lifetime begins again."""
        assert read_freshness({}, POLICY, NOW, renewed=True) is None
        assert read_freshness({"age": "7"}, POLICY, NOW, renewed=True) is None

    @pytest.mark.parametrize(
        ("headers", "expected"),
        [
            ({"cache-control": "max-age=600"}, Freshness(600, 3600)),
            ({"cache-control": "no-cache"}, Freshness(60, 3600)),
            ({"cache-control": "stale-if-error=10"}, Freshness(300, 10)),
            ({"expires": date(700), "date": date(0)}, Freshness(700, 3600)),
        ],
    )
    def test_a_304_with_headers_sets_a_new_lifetime(
        self, headers: dict[str, str], expected: Freshness
    ) -> None:
        """A 304's headers replace the former ones (RFC 9111, section 3.2)."""
        assert read_freshness(headers, POLICY, NOW, renewed=True) == expected

    def test_a_304_keeps_the_lifetime_where_headers_are_ignored(self) -> None:
        """With ``honour_headers=False`` a 304 with ``Expires`` keeps the former lifetime."""
        policy = CachePolicy(honour_headers=False)
        assert read_freshness({"expires": date(700)}, policy, NOW, renewed=True) is None


class TestRetryAfter:
    @pytest.mark.parametrize(
        ("header", "expected"),
        [
            ("0", 0),
            ("120", 120),
            (" 120 ", 120),
            ("300", 300),
            ("301", 300),
            ("86400", 300),
            ("9999999999", 300),
            ("99999999999", 300),
            (date(45), 45),
            (date(0), 0),
            (date(-45), 0),
            (date(86400), 300),
        ],
    )
    def test_retry_after_is_read_up_to_the_cap(self, header: str, expected: float) -> None:
        """Retry-After, in seconds or as a date, is obeyed up to 300 seconds."""
        assert retry_after({"retry-after": header}, NOW) == expected

    @pytest.mark.parametrize(
        "header",
        [
            "",
            " ",
            "soon",
            "-5",
            "1.5",
            "1e3",
            "٣",
            "0x10",
            "12 34",
            "Tue, 99 Nov 2023 22:21:40 GMT",
        ],
    )
    def test_an_unreadable_retry_after_counts_as_absent(self, header: str) -> None:
        """A Retry-After that is neither whole seconds nor a date counts as absent."""
        assert retry_after({"retry-after": header}, NOW) is None

    def test_an_absent_retry_after_is_none(self) -> None:
        """A response without Retry-After gives None."""
        assert retry_after({}, NOW) is None


# Fragments of header values in any order, among other text.
WORDS = [
    *(
        "max-age",
        "MAX-AGE",
        "no-store",
        "no-cache",
        "stale-if-error",
        "=",
        ",",
        '"',
        " ",
        "-",
        "\\",
    ),
    *("0", "60", "9" * 10, "9" * 80, "Tue, 14 Nov 2023 22:21:40 GMT", "Nov", "14", ":", "-99999"),
    *("0001", "9999", "+9999", "GMT", "EST", "\x00", "é", "٣", "(", ")"),
]
VALUES = st.lists(st.sampled_from([*WORDS, *map(chr, range(256))]), max_size=30).map("".join)
NAMES = st.sampled_from(["cache-control", "expires", "date", "age", "retry-after"])


@given(headers=st.dictionaries(NAMES, VALUES), renewed=st.booleans(), wall=st.floats(0, 2e11))
def test_no_header_breaks_the_bounds(headers: dict[str, str], renewed: bool, wall: float) -> None:
    """Headers that an outsider writes raise nothing, and every time stays within the policy."""
    fresh = read_freshness(headers, POLICY, wall, renewed=renewed)
    assert fresh is not None or renewed
    if fresh is not None:
        assert 60 <= fresh.lifetime <= 3600
        assert 0 <= fresh.stale_for <= 3600
    wait = retry_after(headers, wall)
    assert wait is None or 0 <= wait <= 300


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, None),
        ({"cache-control": "max-age=600"}, 600),
        ({"cache-control": "max-age=600", "age": "900"}, 0),
    ],
)
def test_the_stated_lifetime_ignores_the_policy(headers, expected):
    """The stated lifetime ignores the policy: `doctor` shows what the provider says."""
    assert stated_lifetime(headers, 1_700_000_000.0) == expected
