"""Stories on a virtual clock, written once and played with either client, one token after the other.

A story is a generator: it yields a token, receives its outcome (`OK`, or the code of the error), and
moves the clock itself. Flights that a token began have landed before the story continues, and
chance is removed (`steady`), so an instant of the virtual clock means the same in every run, and
the counts of a story are the same in every run too.
"""

from __future__ import annotations

import asyncio
import base64
import json
import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, TypeVar
from unittest import mock

import httpx
from driver import PATIENCE, is_flight, join_flights

from jwks_client import AsyncJWKSClient, JWKSClient, KeysUnavailableError, TokenError
from jwks_client._client.verify import attempt as _attempt
from jwks_client._client.verify import token_verifier

T = TypeVar("T")
Client = JWKSClient | AsyncJWKSClient
Story = Callable[[Client], Generator[str, str, T]]

OK = "ok"


def play(kind: str, story: Story[T], idp: Any, **settings: Any) -> T:
    """Play a story with a client of a kind, ``"sync"`` or ``"async"``, and return its result.

    ``idp`` is a `FakeProvider` or anything with its ``provider``, ``transport`` and ``clock``.
    """
    if kind == "async":
        return asyncio.run(_play_in_a_loop(story, idp, settings))
    others = set(threading.enumerate())  # of other tests' clients
    with (
        httpx.Client(transport=idp.transport) as http,
        JWKSClient(idp.provider, http=http, clock=idp.clock, **settings) as client,
    ):
        steps = story(steady(client))
        outcome = None
        while True:
            try:
                token = next(steps) if outcome is None else steps.send(outcome)
            except StopIteration as done:
                return done.value
            try:
                client.verify(token)
            except (TokenError, KeysUnavailableError) as error:
                outcome = error.code
            else:
                outcome = OK
            join_flights(others)


async def _play_in_a_loop(story: Story[T], idp: Any, settings: Any) -> T:
    async with (
        httpx.AsyncClient(transport=idp.transport) as http,
        AsyncJWKSClient(idp.provider, http=http, clock=idp.clock, **settings) as client,
    ):
        steps = story(steady(client))
        outcome = None
        while True:
            try:
                token = next(steps) if outcome is None else steps.send(outcome)
            except StopIteration as done:
                return done.value
            try:
                await client.verify(token)
            except (TokenError, KeysUnavailableError) as error:
                outcome = error.code
            else:
                outcome = OK
            for task in asyncio.all_tasks():
                if is_flight(task.get_name()):
                    await asyncio.wait_for(task, PATIENCE)


def steady(client: Client) -> Client:
    """Make a client deterministic: no jitter, and after a failure the shortest possible backoff.

    With the shortest backoffs a client fetches as often as it ever may, which is what upper bounds need.
    """
    for source in client._sources.values():
        source._draw = lambda: 0.0
        if source.cache.due_share is not None:
            source.cache = replace(source.cache, due_share=source.cache.policy.refresh_ahead)
    return client


@contextmanager
def same_bytes_once() -> Iterator[None]:
    """Parse the same bytes once, and check a signature with the same key once: for stories of many tokens.

    Both are pure functions. Everything else of a verification, each decision included, is done each time.
    """
    sign, read = _attempt.find_signing_key, token_verifier.parse
    signers: dict[tuple[str, tuple[str, ...]], Any] = {}
    parsed: dict[str, Any] = {}

    def find_signing_key(token: Any, keys: Any) -> Any:
        known = (token.raw, tuple(key.thumbprint for key in keys))
        if known not in signers:
            made_by = sign(token, keys)
            signers[known] = None if made_by is None else keys.index(made_by)
        place = signers[known]
        return None if place is None else keys[place]

    def parse(raw: str, *more: Any) -> Any:
        if raw not in parsed:
            parsed[raw] = read(raw, *more)
        return parsed[raw]

    with (
        mock.patch.object(_attempt, "find_signing_key", find_signing_key),
        mock.patch.object(token_verifier, "parse", parse),
    ):
        yield


def with_kid(token: str, kid: str) -> str:
    """Return the token with another kid in its header; its signature is not valid any more, so it costs nothing to make."""
    header, payload, signature = token.split(".")
    members = json.loads(base64.urlsafe_b64decode(header + "=" * (-len(header) % 4)))
    octets = json.dumps({**members, "kid": kid}).encode()
    return f"{base64.urlsafe_b64encode(octets).rstrip(b'=').decode()}.{payload}.{signature}"


def forged(token: str, number: int = 0) -> str:
    """Return the token with an invalid signature, a different one for each number."""
    head = token.rpartition(".")[0]
    octets = number.to_bytes(64, "big")
    return f"{head}.{base64.urlsafe_b64encode(octets).rstrip(b'=').decode()}"
