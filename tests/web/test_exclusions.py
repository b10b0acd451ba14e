"""Excluded paths: which requests a pattern opens, and which it never opens."""

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
def test_an_exact_path_opens_only_itself(path):
    """An exact path does not open a path with another slash or case, nor a path below it."""
    assert is_open("/health", "/health")
    assert not is_open(path, "/health")


def test_a_prefix_opens_everything_below_it():
    """A prefix opens neither the folder, with or without its slash, nor a neighbour with a similar name."""
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
def test_an_ambiguous_path_is_never_opened(path):
    """A path with dots or escapes needs credentials, because an app or proxy may resolve it to another path.

    This is true even where the setting spells the path out.
    """
    assert not is_open(path, "/docs/*")
    assert not is_open(path, "/*")
    assert not is_open(path, re.compile(r"(?s).*"))
    assert not is_open(path, path)


def test_a_pattern_with_a_method_opens_that_method_only():
    """A pattern for GET does not open HEAD or a WebSocket handshake."""
    assert is_open("/prices", "GET /prices")
    assert is_open("/prices/1", "GET /prices/*")
    for method in ("HEAD", "POST", "get", "WEBSOCKET", ""):
        assert not is_open("/prices", "GET /prices", method=method)
        assert not is_open("/prices/1", "GET /prices/*", method=method)
    assert is_open("/x", "VERSION-CONTROL /x", method="VERSION-CONTROL")
    assert is_open("/prices", "/prices", method="POST")


def test_a_compiled_pattern_opens_what_it_matches_whole():
    """A compiled pattern must match the whole path, as fullmatch does."""
    pattern = re.compile(r"/v\d+/open|/status")
    for path in ("/v1/open", "/v22/open", "/status"):
        assert is_open(path, pattern)
    for path in ("/v1/open/x", "/v1/opened", "/x/v1/open", "/status/x", "/v1/open\n"):
        assert not is_open(path, pattern)


ROOT_PATHS = [
    # The app is not mounted, or a server or proxy already removed the mount point.
    ("/docs/a", "", "/docs/a"),
    ("/docs/a", "/api", "/docs/a"),
    ("/docs/a", "/api/v1", "/docs/a"),
    # The mount point leads the path as whole segments.
    ("/api/docs/a", "/api", "/docs/a"),
    ("/api/v1/docs/a", "/api/v1", "/docs/a"),
    ("/api/apix", "/api", "/apix"),
    ("/api/docs/api/a", "/api", "/docs/api/a"),
    ("/api/", "/api", "/"),
    # All other cases.
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
def test_the_mount_point_is_removed_only_where_that_is_certain(path, root_path, routed):
    """A path that frameworks could route in two ways is never excluded, whatever a pattern says."""
    assert route_path(path, root_path) == routed
    assert not Exclusions([re.compile("(?s).*"), "/*"]).match("GET", None)


def test_nothing_is_open_by_default():
    """Without patterns every path needs credentials, and no path is compared."""
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
def test_a_wrong_pattern_is_refused(exclude):
    """A pattern that would open nothing, or more than it seems to, is a ConfigurationError."""
    with pytest.raises(ConfigurationError) as caught:
        Exclusions(exclude)
    assert caught.value.field == "exclude"
