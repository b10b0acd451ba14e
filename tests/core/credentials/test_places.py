"""The query parameter of a handshake: found and removed as application parsers read it, at a small cost."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import unquote_to_bytes

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from jwks_client._core.credentials import places
from jwks_client._core.credentials.places import QueryPlace
from jwks_client._core.credentials.reader import UnverifiedRequest
from jwks_client.providers import Query

NAMES = ("tok", "a b", "t%k", "x=y", "a&b;c", "x+y", "é")
PIECES = st.sampled_from(
    [
        *NAMES,
        *"=&;%+ ax",
        "%74ok",
        "t%6Fk",
        "%6",
        "%20",
        "%25",
        "%26",
        "%2B",
        "%3b",
        "%3D",
        "%C3%a9",
        "a.b.c",
    ]
)


def handshake(query: bytes) -> UnverifiedRequest:
    return UnverifiedRequest("websocket", "GET", [], query)


def read_one_by_one(query: bytes, name: str) -> list[tuple[bytes, bytes | None]]:
    """Return each parameter as it was sent, and its value if it has this name."""
    parameters = []
    for sent in re.split(rb"[&;]", query):
        its, _, value = sent.replace(b"+", b" ").partition(b"=")
        is_named = unquote_to_bytes(its) == name.encode()
        parameters.append((sent, unquote_to_bytes(value) if is_named else None))
    return parameters


@given(st.sampled_from(NAMES), st.lists(PIECES, max_size=12).map("".join))
@example("tok", "tok=a.b.c;%74%6f%6b=d&tok&tok==e")
@example("a b", "a+b=1&a%20b=2&a b=3&a%2Bb=4")
def test_a_parameter_is_found_and_removed_however_its_name_is_escaped(
    name: str, query: str
) -> None:
    """The app does not see a token that this library read, or that another parser of the query would read."""
    place, request = QueryPlace(Query(name)), handshake(query.encode())
    expected = read_one_by_one(request.query, name)
    assert place.find(request) == [value for _, value in expected if value][:2]
    left = place.without_token(request)
    kept = [sent for sent, value in expected if value is None]
    assert re.split(rb"[&;]", left.query) == (kept or [b""])
    assert (left is request) == (len(kept) == len(expected))


@given(st.lists(PIECES | st.sampled_from(["tok=", ".", "%2e", "a%2E"]), max_size=12).map("".join))
@example("tok=a.b.c&tok=a%2eb%2Ec;tok=a.b&tok=a.b.c+&tok=%61.%.&tok&x=a.b.c")
def test_on_an_open_path_only_values_that_look_like_a_token_are_removed(query: str) -> None:
    """Any other value may belong to the app, so the app sees it."""
    request = handshake(query.encode())
    kept = [
        sent
        for sent, value in read_one_by_one(request.query, "tok")
        if not re.fullmatch(rb"[\w-]+\.[\w-]*\.[\w-]*", value or b"")
    ]
    left = QueryPlace(Query("tok")).without_token(request, only_tokens=True)
    assert re.split(rb"[&;]", left.query) == (kept or [b""])


@pytest.mark.parametrize("filler", [b"tok&", b"tok=&", b"tok=%41%&", b"%74ok=+;"])
def test_a_parameter_sent_ten_thousand_times_is_decoded_twice(
    monkeypatch: pytest.MonkeyPatch, filler: bytes
) -> None:
    """Two values are one too many, so the others, and all that are removed unread, cost no call each."""
    decoded: list[Any] = []
    monkeypatch.setattr(places, "unquote_to_bytes", decoded.append)
    request, place = handshake(filler * 10_000), QueryPlace(Query("tok"))
    place.find(request)
    for only_tokens in (False, True):
        place.without_token(request, only_tokens=only_tokens)
    assert len(decoded) <= 2


@pytest.mark.parametrize("filler", [b"&", b"a;", b"to&", b"%74&"])
def test_other_parameters_are_not_decoded(monkeypatch: pytest.MonkeyPatch, filler: bytes) -> None:
    """A long query of other parameters costs one search of the text, not a call for each parameter."""
    decoded: list[Any] = []
    monkeypatch.setattr(places, "unquote_to_bytes", decoded.append)
    request = handshake(filler * 10_000)
    place = QueryPlace(Query("tok"))
    assert place.find(request) == []
    assert place.without_token(request) is request
    assert decoded == []
