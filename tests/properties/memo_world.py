"""A world in which clients that differ only in their memory see exactly the same things.

There is one clock, one set of fake providers, and one application; every client fetches for itself and
draws the same jitter. After every step the verdicts, requests and events of each client are compared.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from unittest import mock

from driver import ByHost, driving

from jwks_client import (
    CachePolicy,
    IssuerTemplate,
    JWKSError,
    Provider,
    TokenError,
    VerifiedToken,
    providers,
)
from jwks_client.events import KeysAwaited
from jwks_client.testing import FakeClock, FakeProvider

if TYPE_CHECKING:
    import httpx

TENANT = "https://login.test/{tid}"


class NoChance(random.Random):
    """A stand-in for `random.SystemRandom`: every draw is the middle one."""

    def random(self) -> float:
        return 0.5


class AtOnce(threading.Thread):
    """A stand-in for a flight's thread: it has ended when `start` returns.

    Otherwise it would be chance whether a background fetch lands before its caller has ended. On an
    event loop it is not chance.
    """

    def start(self) -> None:
        self.run()

    def join(self, timeout: float | None = None) -> None:
        """Return at once: the flight has ended."""


class Counted(ByHost):
    """Fake providers behind one client, with a record of that client's requests."""

    def __init__(self, providers: list[FakeProvider]) -> None:
        super().__init__(providers)
        self.asked: list[str] = []

    def _of(self, request: httpx.Request) -> Any:
        self.asked.append(str(request.url))
        return super()._of(request)


class Seen:
    """One client, its requests and its events."""

    def __init__(self, client: Any, wire: Counted, reported: list[Any]) -> None:
        self.client = client
        self.wire = wire
        self.reported = reported

    def since(self) -> tuple[list[str], list[str]]:
        """Return requests and events since the last time; two flights may land in either order."""
        # The machine's clock, which no test stops, measures how long a caller waited.
        events = [
            replace(one, seconds=0.0) if isinstance(one, KeysAwaited) else one
            for one in self.reported
        ]
        asked, reported = sorted(self.wire.asked), sorted(map(repr, events))
        self.wire.asked.clear()
        self.reported.clear()
        return asked, reported


class World:
    """The clock, the providers and the application, with one client for each size of memory.

    Arguments:
        kind: ``"sync"`` or ``"async"``.
        sizes: of the memories; the first client is the one that the others are compared with.
    """

    def __init__(self, kind: str, sizes: tuple[int, ...]) -> None:
        self.kind = kind
        self.clock = FakeClock(1_700_000_000)
        self.here = self._fake("https://here.test")
        self.there = self._fake("https://there.test")
        self.sizes = sizes
        self.allowed = {"a", "b", "c"}
        self.mood_now: object = None
        self.room = 2  # for resolved tenants, so that they evict each other
        self.seen: list[Seen] = []
        self.names: list[str] = []

    def _fake(self, issuer: str) -> FakeProvider:
        return FakeProvider(issuer, algorithm="ES256", clock=self.clock)

    @contextmanager
    def opened(self) -> Iterator[World]:
        """Enter with a driver, which closes the clients in the end."""
        with driving(self.kind) as self.driver:
            yield self

    def begin(self, layout: str, policy: CachePolicy) -> None:
        """Make the clients of a layout."""
        providers, settings = LAYOUTS[layout](self), {}
        self.names = [one.name for one in providers]
        if layout.startswith("resolved"):
            resolve = self.resolve if self.kind == "sync" else self.resolve_later
            settings = {"resolve": resolve, "resolve_ttl": 200, "max_resolved": self.room}
        for size in self.sizes:
            wire, reported = Counted([self.here, self.there]), []
            with mock.patch("random.SystemRandom", NoChance):
                client = self.driver.client(
                    *providers,
                    transport=wire,
                    clock=self.clock,
                    cache=policy,
                    token_cache_size=size,
                    listeners=[reported.append],
                    **settings,
                )
            self.seen.append(Seen(client, wire, reported))

    # The application, which may change its answers.

    def allows(self, tenant: str) -> bool:
        return tenant in self.allowed

    def check(self, token: VerifiedToken) -> Any:
        token.claims["changed"] = "by the check"
        if isinstance(self.mood_now, Exception):
            raise self.mood_now.with_traceback(None)
        return self.mood_now

    async def check_later(self, token: VerifiedToken) -> Any:
        return self.check(token)

    def resolve(self, issuer: str) -> Provider | None:
        """Return the provider of the application's records; each change of mind removes some."""
        if isinstance(self.mood_now, Exception):
            raise self.mood_now.with_traceback(None)
        if issuer.removeprefix("https://login.test/") not in self.allowed:
            return None
        audience = "api" if self.mood_now is None else "web"
        return provider(self.here, name=issuer, issuer=issuer, audience=audience)

    async def resolve_later(self, issuer: str) -> Provider | None:
        return self.resolve(issuer)

    @property
    def checks(self) -> list[Any]:
        return [self.check if self.kind == "sync" else self.check_later]

    # Steps by name; see `changes` of the test.

    def rotate(self, place: str, overlap: bool) -> None:
        getattr(self, place).rotate(overlap=overlap)

    def swap(self, place: str) -> None:
        idp = getattr(self, place)
        idp.swap(idp.kid)

    def withdraw(self, place: str, which: int) -> None:
        idp = getattr(self, place)
        idp.revoke(idp.jwks()["keys"][which]["kid"])

    def fail(self, place: str, how: Any) -> None:
        getattr(self, place).fail(how)

    def ask_later(self, place: str) -> None:
        getattr(self, place).fail(429, headers={"Retry-After": "120"})

    def recover(self) -> None:
        self.here.recover()
        self.there.recover()

    def life(self, place: str, seconds: int | None) -> None:
        headers = {} if seconds is None else {"Cache-Control": f"max-age={seconds}"}
        getattr(self, place).answer_headers = headers

    def tenant(self, name: str, allowed: bool) -> None:
        (self.allowed.add if allowed else self.allowed.discard)(name)

    def refresh(self, which: int) -> None:
        self.same("refresh", self.names[which % len(self.names)])

    def mood(self, mood: object) -> None:
        self.mood_now = mood

    def forget(self, tenant: str) -> None:
        self.same("forget", f"https://login.test/{tenant}")

    def make_up(self) -> None:
        self.mood_now = None
        self.allowed |= {"a", "b", "c"}

    # Comparisons.

    def same(self, method: str, *arguments: Any, **options: Any) -> Any:
        """Call every client and return the first result; the others must be equal."""
        first: Any = None
        for place, one in enumerate(self.seen):
            self.driver.current = one.client
            outcome = self._outcome(method, arguments, options)
            self.driver.settle()
            all_of_it = (outcome, *one.since(), self.driver.health())
            if place == 0:
                first = all_of_it
            assert all_of_it == first, f"with a memory of {self.sizes[place]}"
        return first[0]

    def _outcome(self, method: str, arguments: Any, options: Any) -> Any:
        flights = AtOnce if self.kind == "sync" else threading.Thread
        try:
            with mock.patch("threading.Thread", flights):
                outcome = self.driver.call(method, *arguments, **options)
        except JWKSError as error:
            details = (getattr(error, "claim", None), repr(getattr(error, "expected", None)))
            return (type(error), error.code, str(error), error.retry_after, details)
        if not isinstance(outcome, VerifiedToken):
            return outcome
        reported = {name: deepcopy(getattr(outcome, name)) for name in FACTS}
        # A caller may do with it as it likes.
        outcome.claims["sub"] = "somebody else"
        outcome.header.clear()
        return reported


FACTS = (
    *("issuer", "subject", "audience", "scopes", "expires_at", "issued_at"),
    *("key_id", "algorithm", "provider", "raw", "claims", "header"),
)


def provider(idp: FakeProvider, **fields: Any) -> Provider:
    usual = {"issuer": idp.issuer, "audience": "api", "jwks_url": idp.jwks_url}
    return Provider(**{"name": "api", "algorithms": ["ES256"], **usual, **fields})


def tenants(world: World, allowed: Any, **fields: Any) -> Provider:
    template = IssuerTemplate(TENANT, allowed=allowed)
    return provider(world.here, **{"name": "tenants", "issuer": template, **fields})


# Each layout in which the order of candidates, or a changed answer, could make a memory wrong. Where it
# is "resolved", the application describes the tenants of https://login.test.
LAYOUTS: dict[str, Callable[[World], list[Provider]]] = {
    "one": lambda w: [provider(w.here)],
    "strict": lambda w: [provider(w.here, max_age=60, claim_values={"org": {"a", "b"}})],
    "without expiry": lambda w: [
        provider(w.here, require_expiry=False, audience=providers.UNCHECKED)
    ],
    "two audiences": lambda w: [
        provider(w.here),
        provider(w.here, name="web", audience="web", leeway=0),
    ],
    "two ages": lambda w: [
        provider(w.here, max_age=60),
        provider(w.here, name="old", leeway=5),
    ],
    "two key sets of one issuer": lambda w: [
        provider(w.here, name="web", audience="web", headers={"x-key-set": "2"}),
        provider(w.here),
        provider(w.there, name="there", issuer=w.here.issuer),
    ],
    "issuer unchecked": lambda w: [
        provider(w.here),
        provider(
            w.there,
            name="any",
            issuer=providers.UNCHECKED,
            audience=providers.UNCHECKED,
            require_expiry=False,
        ),
    ],
    "nobody's issuer is checked": lambda w: [
        provider(w.here, issuer=providers.UNCHECKED, audience=["api", "web"]),
        provider(w.there, name="there", issuer=providers.UNCHECKED),
    ],
    "tenants": lambda w: [tenants(w, w.allows)],
    "tenants listed": lambda w: [tenants(w, {"a"}), provider(w.there, name="there")],
    "tenants first": lambda w: [
        tenants(w, w.allows),
        provider(w.here, name="any", issuer=providers.UNCHECKED),
    ],
    "resolved": lambda w: [provider(w.there)],
    "resolved, and any issuer": lambda w: [
        provider(w.here, name="any", issuer=providers.UNCHECKED, audience="web")
    ],
    "moody": lambda w: [provider(w.here, checks=w.checks)],
    "moody first": lambda w: [
        provider(w.here, checks=w.checks),
        provider(w.here, name="second", audience=["api", "web"]),
    ],
    "moody second": lambda w: [
        provider(w.here, audience="web"),
        provider(w.here, name="second", checks=w.checks),
    ],
}
MOODS: list[object] = [
    None,
    True,
    False,
    1,
    RuntimeError("no"),
    TokenError("invalid_claim", "not today", claim="org"),
]
