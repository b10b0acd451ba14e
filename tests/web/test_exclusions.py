"""What needs no credentials: which requests a pattern opens, and which it never does."""

from __future__ import annotations

import re

import pytest

from jwks_client._web.exclusions import Exclusions
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
    """Not the folder itself, nor a neighbour whose name begins alike."""
    for path in (
        "/docs/",
        "/docs/a",
        "/docs/a/b",
        "/docs/.well-known/x",
        "/docs/a..b",
        "/docs/...",
    ):
        assert is_open(path, "/docs/*")
    for path in ("/docs", "/docsx", "/docs2/a", "/a/docs/b", "/DOCS/a"):
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
def test_what_others_might_read_in_another_way_is_opened_by_no_wildcard(path):
    """An app or proxy that resolves dots or escapes would end up elsewhere: credentials are needed."""
    assert not is_open(path, "/docs/*")
    assert not is_open(path, "/*")
    assert not is_open(path, re.compile(r"(?s).*"))
    assert is_open(path, path), "unless it is spelt out"


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
