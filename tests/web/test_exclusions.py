"""What needs no credentials: which requests a pattern opens, and which it never does."""

from __future__ import annotations

import re

import pytest

from jwks_client._web.exclusions import Exclusions, route_path
from jwks_client.errors import ConfigurationError


def is_open(path: str, *exclude: str | re.Pattern[str], method: str = "GET") -> bool:
    return Exclusions(exclude).match(method, path)


@pytest.mark.parametrize(
    "path", ["/health/", "/Health", "/health/x", "/", "", "health", "//health"]
)
def test_an_exact_path_opens_itself_alone(path):
    """No slash more or less, no other case, nothing below."""
    assert is_open("/health", "/health")
    assert not is_open(path, "/health")


def test_a_prefix_opens_what_is_below_it():
    """Neither the folder, with or without its slash, nor a neighbour whose name begins alike."""
    for path in (
        "/docs/a",
        "/docs/a/b",
        "/docs/.well-known/x",
        "/docs/a..b",
        "/docs/...",
    ):
        assert is_open(path, "/docs/*")
    for path in ("/docs", "/docs/", "/docsx", "/docs2/a", "/a/docs/b", "/DOCS/a"):
        assert not is_open(path, "/docs/*")


AMBIGUOUS = [
    "/docs/..",
    "/docs/../admin",
    "/docs/a/../../admin",
    "/docs/./a",
    "/docs/.",
    "/docs/..;/admin",
    "/docs//admin",
    "//docs/a",
    "/docs/..\\admin",
    "/docs/%2e%2e/admin",
    "/docs/..%2fadmin",
    "/docs/a\0",
    "/docs/a\n/admin",
    "/docs/\x7f",
]


@pytest.mark.parametrize("path", AMBIGUOUS)
def test_a_path_that_may_be_read_in_another_way_is_never_opened(path):
    """An app or proxy that resolves dots or escapes would end up elsewhere: credentials are needed.

    Also where the setting spells the path out: an app may resolve it all the same.
    """
    assert not is_open(path, "/docs/*")
    assert not is_open(path, "/*")
    assert not is_open(path, re.compile(r"(?s).*"))
    assert not is_open(path, path)


def test_a_method_opens_one_method():
    """HEAD is another, as is a WebSocket handshake."""
    assert is_open("/prices", "GET /prices")
    assert is_open("/prices/1", "GET /prices/*")
    for method in ("HEAD", "POST", "get", "WEBSOCKET", ""):
        assert not is_open("/prices", "GET /prices", method=method)
        assert not is_open("/prices/1", "GET /prices/*", method=method)
    assert is_open("/x", "VERSION-CONTROL /x", method="VERSION-CONTROL")
    assert is_open("/prices", "/prices", method="POST")


def test_a_pattern_opens_what_it_matches_whole():
    """From the first character to the last, as fullmatch has it."""
    pattern = re.compile(r"/v\d+/open|/status")
    for path in ("/v1/open", "/v22/open", "/status"):
        assert is_open(path, pattern)
    for path in ("/v1/open/x", "/v1/opened", "/x/v1/open", "/status/x", "/v1/open\n"):
        assert not is_open(path, pattern)


ROOT_PATHS = [
    # Nothing is mounted, or somebody on the way removed the place already.
    ("/docs/a", "", "/docs/a"),
    ("/docs/a", "/api", "/docs/a"),
    ("/docs/a", "/api/v1", "/docs/a"),
    # The place leads the path as whole segments.
    ("/api/docs/a", "/api", "/docs/a"),
    ("/api/v1/docs/a", "/api/v1", "/docs/a"),
    ("/api/apix", "/api", "/apix"),
    ("/api/docs/api/a", "/api", "/docs/api/a"),
    ("/api/", "/api", "/"),
    # Anything else.
    ("/api/api/docs/a", "/api", None),
    ("/api/api", "/api", None),
    ("/api", "/api", None),
    ("/apix/y", "/api", None),
    ("/public/api/secret", "/api", None),
    ("/public/apix", "/api", None),
    ("/docs/a", "/", None),
    ("/api/docs/a", "/api/", None),
    ("/api/docs/a", "api", None),
]


@pytest.mark.parametrize(("path", "root_path", "routed"), ROOT_PATHS)
def test_the_place_of_a_mounted_app_is_removed_only_where_that_is_certain(path, root_path, routed):
    """What frameworks may route in two ways is never excluded, whatever a pattern says."""
    assert route_path(path, root_path) == routed
    assert not Exclusions([re.compile("(?s).*"), "/*"]).match("GET", None)


def test_nothing_is_open_by_default():
    """Without patterns every path needs credentials, and that is known without a look."""
    assert not Exclusions().any
    assert not Exclusions().match("GET", "/health")
    assert Exclusions(iter(["/a"])).any
    assert is_open("/b", "/a", "/c/*", re.compile("/b"))


@pytest.mark.parametrize(
    "exclude",
    [
        "/health",
        b"/health",
        None,
        7,
        ["health"],
        [""],
        ["*"],
        ["/docs*"],
        ["/a/*/b"],
        ["/a/**"],
        ["get /prices"],
        ["GET  /prices"],
        ["GET prices"],
        ["GET,POST /prices"],
        ["https://api.test/x"],
        [b"/health"],
        [None],
        [re.compile(b"/health")],
    ],
)
def test_what_is_no_pattern_is_told(exclude):
    """A pattern that would open nothing, or more than it seems to, is a ConfigurationError."""
    with pytest.raises(ConfigurationError) as caught:
        Exclusions(exclude)
    assert caught.value.field == "exclude"
