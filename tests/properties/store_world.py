"""A world of processes that share a store, with a record of what their provider published and when.

Each process has its own clock, which may be wrong, and its own client. The store is a dictionary
that fails, hangs and lies on command. Nothing here waits: flights and store calls run at once, and a
wait advances the clock.
"""

from __future__ import annotations

import json
import math
import random
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from typing import Any
from unittest import mock

import httpx

from jwks_client import CachePolicy, JWKSClient, JWKSError, KeysUnavailableError, Provider, events
from jwks_client._core.keysets.record import Binding, binding_of, seal, unseal
from jwks_client.protocols import Stored
from jwks_client.testing import FakeClock, FakeProvider

SECRET = b"s" * 32
LIFE, STALE = 100.0, 150.0
LONGEST_BACKOFF, INTERVAL = 5.0, 10.0
POLICY = CachePolicy(
    ttl=LIFE,
    stale_if_error=STALE,
    failure_backoff=(1, LONGEST_BACKOFF),
    unknown_kid_interval=INTERVAL,
    negative_kid_ttl=INTERVAL,
)
EVER = 1e9
Material = tuple[str | None, str]  # the kid, and the key behind it


def _binding(provider: Provider) -> Binding:
    binding = binding_of(provider, proxy=None, authorities=None, own_http=True)
    assert binding is not None
    return binding


class NoChance(random.Random):
    """A stand-in for `random.SystemRandom`: every draw is the middle one."""

    def random(self) -> float:
        return 0.5


class Inline(threading.Thread):
    """A stand-in for a thread: it has ended when `start` returns, unless the store hangs."""

    hanging: list[threading.Thread] | None = None

    def start(self) -> None:
        if self.name == "jwks-client store" and Inline.hanging is not None:
            Inline.hanging.append(self)
        else:
            self.run()

    def join(self, timeout: float | None = None) -> None:
        """Return at once: the thread has ended."""


class Pace:
    """The pace of store calls: a wait advances the clock of the world."""

    def __init__(self, clock: FakeClock) -> None:
        self._clock = clock
        self.monotonic = clock.monotonic

    def wait(self, event: Any, seconds: float) -> bool:
        if not event.wait(0):
            self._clock.advance(max(seconds, 0.0))
        return event.wait(0)


@dataclass
class HostClock:
    """A host's clock: a wall clock that is wrong, and a monotonic one that began at some other time."""

    world: FakeClock
    since: float
    skew: float

    def time(self) -> float:
        return self.world.time() + self.skew

    def monotonic(self) -> float:
        return self.world.monotonic() + self.since


class Shelf:
    """The shared records and leases of all processes, by the store's own clock."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.records: dict[str, tuple[bytes, float]] = {}
        self.leases: dict[str, float] = {}
        self.collected: list[
            tuple[str, bytes]
        ] = []  # an attacker keeps everything that was ever written


class Door:
    """One process's access to the shelf."""

    def __init__(self, shelf: Shelf, *, clocked: bool, secrets: tuple[bytes, ...]) -> None:
        self.shelf = shelf
        self.clocked = clocked
        self.secrets = secrets
        self.failing: frozenset[str] = frozenset()

    def _enter(self, action: str) -> float:
        if action in self.failing:
            raise OSError("no store")
        return self.shelf.clock.monotonic()

    def read(self, name: str, limit: int) -> Stored | None:
        now = self._enter("read")
        if self.shelf.leases.get(name, -math.inf) > now:
            return Stored(b"1", None)
        if name not in self.shelf.records:
            return None
        value, at = self.shelf.records[name]
        return Stored(value[: limit + 1], now - at if self.clocked else None)

    def write(self, name: str, value: bytes, seconds: float) -> None:
        now = self._enter("write")
        if name in self.shelf.leases:
            self.shelf.leases[name] = now + seconds
        else:
            self.shelf.records[name] = (value, now)
            self.shelf.collected.append((name, value))

    def claim(self, name: str, seconds: float) -> bool:
        now = self._enter("claim")
        if self.shelf.leases.get(name, -math.inf) > now:
            return False
        self.shelf.leases[name] = now + seconds
        return True

    def release(self, name: str) -> None:
        self._enter("release")
        if self.shelf.leases.get(name, 0.0) < EVER:
            self.shelf.leases.pop(name, None)


class Wire(httpx.BaseTransport):
    """The provider as one process reaches it; it notes when it answered, and with which kids."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._inner = world.idp.transport
        self.answers: list[tuple[float, frozenset[str | None]]] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        world = self._world
        world.asked_at.append(world.now)
        if world.published:
            self.answers.append((world.now, frozenset(kid for kid, _ in world.published)))
        try:
            return self._inner.handle_request(request)
        finally:
            meanwhile, world.meanwhile = world.meanwhile, None
            if meanwhile is not None:
                meanwhile()


@dataclass
class Process:
    """One process: its client, its clock, its access to the store, its requests."""

    client: JWKSClient
    clock: HostClock
    door: Door
    wire: Wire
    end: Callable[[], None]


@dataclass(frozen=True)
class Span:
    """The keys that the provider published from one moment on; none while it failed."""

    since: float
    published: frozenset[Material]


@dataclass
class World:
    """Processes, a provider, a store, and a history of changes.

    Arguments:
        clocked: whether the store reports ages.
        skews: the error of each process's wall clock, in seconds.
        secrets: of the store.
    """

    clocked: bool
    skews: tuple[float, ...]
    secrets: tuple[bytes, ...] = (SECRET,)
    accepted: int = 0
    adopted: int = 0  # records that replaced a fetch
    meanwhile: Callable[[], object] | None = None
    asked_at: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.base = FakeClock(1_700_000_000)
        self.idp = FakeProvider(clock=self.base, algorithm="ES256")
        self.evil = FakeProvider(clock=self.base, algorithm="ES256")  # same issuer, other keys
        self.provider = replace(self.idp.provider, store_scope="test")
        self.shelf = Shelf(self.base)
        self.failing = False
        self.replayed = False
        self.spans: list[Span] = []
        self.tokens: list[tuple[Material, str]] = []
        self.all_skews = [*self.skews]
        self.processes: list[Process] = []
        self._started = self._junk = 0

    @contextmanager
    def running(self) -> Iterator[World]:
        Inline.hanging = None
        with (
            mock.patch("threading.Thread", Inline),
            mock.patch("random.SystemRandom", NoChance),
            ExitStack() as stack,
        ):
            self._stack = stack
            self.forged = self._token_of(self.evil)
            self._note_keys()
            for place in range(len(self.skews)):
                self.processes.append(self._start(place))
                stack.callback(lambda place=place: self.processes[place].end())
            yield self

    @property
    def now(self) -> float:
        return self.base.monotonic()

    @property
    def published(self) -> frozenset[Material]:
        """Return the keys that the provider publishes now; none while it fails."""
        return self.spans[-1].published

    @property
    def junk(self) -> tuple[Material, str]:
        """Return a token with a kid that was never published."""
        self._junk += 1
        kid = f"junk-{self._junk % 4}"
        return (kid, ""), self._issue(self.idp, headers={"kid": kid})

    def _issue(self, idp: FakeProvider, **more: Any) -> str:
        return idp.issue(expires_in=10**8, iat=1_600_000_000, **more)

    def _listen(self, event: events.Event) -> None:
        self.adopted += getattr(event, "source", None) == "store"

    @property
    def skewed(self) -> float:
        """Return the seconds by which wall clocks have differed."""
        return max(self.all_skews) - min(self.all_skews)

    @property
    def fresh_for(self) -> float:
        """Return the seconds after which a key set is not fresh.

        A store's clock measures from the write: for a record that is written again, wall clocks decide.
        """
        return LIFE + (self.skewed if self.replayed else 0.0)

    @property
    def kept_for(self) -> float:
        """Return the seconds after which a key set is not used in an outage.

        Without a clock of the store, wall clocks decide.
        """
        return LIFE + STALE + (self.skewed if self.replayed or not self.clocked else 0.0)

    # --- processes

    def _start(self, place: int) -> Process:
        self._started += 1
        clock = HostClock(self.base, 1000.0 * self._started, self.all_skews[place])
        door = Door(self.shelf, clocked=self.clocked, secrets=self.secrets)
        wire = Wire(self)
        http = httpx.Client(transport=wire, trust_env=False)
        client = JWKSClient(
            self.provider,
            http=http,
            clock=clock,
            store=door,
            cache=POLICY,
            token_cache_size=1024 if place == 0 else 0,
            listeners=[self._listen],
        )
        client._store.pace = Pace(self.base)

        def end() -> None:
            client.close()
            http.close()

        return Process(client, clock, door, wire, end)

    def restart(self, place: int) -> None:
        self.processes[place].end()
        self.processes[place] = self._start(place)
        self.processes[place].clock.skew = self.all_skews[place]

    def jump(self, place: int, seconds: float) -> None:
        """Set the error of a host's wall clock."""
        self.processes[place].clock.skew = seconds
        self.all_skews.append(seconds)

    # --- the provider

    def _note_keys(self) -> None:
        """Note the keys that are published from now on, with a token for each new key."""
        keys = frozenset((one["kid"], one["x"]) for one in self.idp.jwks()["keys"])
        self.idp.answer_headers = {"ETag": f'"{hash(keys)}"'}
        self.spans.append(Span(self.now, frozenset() if self.failing else keys))
        key, token = self._token_of(self.idp)
        if key not in [known for known, _ in self.tokens]:
            self.tokens.append((key, token))

    def _token_of(self, idp: FakeProvider) -> tuple[Material, str]:
        [key] = [(one["kid"], one["x"]) for one in idp.jwks()["keys"] if one["kid"] == idp.kid]
        return key, self._issue(idp)

    def rotate(self, overlap: bool) -> None:
        self.idp.rotate(overlap=overlap)
        self._note_keys()

    def swap(self) -> None:
        self.idp.swap(self.idp.kid)
        self._note_keys()

    def withdraw(self, which: int) -> None:
        kids = [one["kid"] for one in self.idp.jwks()["keys"] if one["kid"] != self.idp.kid]
        if kids:
            self.idp.revoke(kids[which % len(kids)])
            self._note_keys()

    def fail(self, how: Any) -> None:
        self.idp.fail(how)
        self.failing = True
        self._note_keys()

    def recover(self) -> None:
        self.idp.recover()
        self.failing = False
        self._note_keys()

    def time(self, seconds: float) -> None:
        self.base.advance(seconds)

    # --- the store

    def break_store(self, place: int, actions: frozenset[str]) -> None:
        self.processes[place].door.failing = actions

    def hang(self) -> None:
        Inline.hanging = Inline.hanging or []

    def let_go(self) -> None:
        """Run the store calls that hung, however late."""
        late, Inline.hanging = Inline.hanging or [], None
        self.replayed |= bool(late)
        for thread in late:
            thread.run()

    def wipe(self) -> None:
        self.shelf.records.clear()
        self.shelf.leases.clear()

    def keep_leases(self) -> None:
        """Keep leases and permits from ever ending."""
        for name in {name for name, _ in self.shelf.collected}:
            for lease in (":lease", ":lease-2", ":permit", ":burst"):
                self.shelf.leases[name + lease] = EVER

    def plant(self, how: str, which: int) -> None:
        """Write a record that no honest process would write now."""
        if not self.shelf.collected:
            return
        name, value = self.shelf.collected[which % len(self.shelf.collected)]
        if how == "replayed":
            self.replayed = True
        else:
            value = self._forged(how, which, value)
        self.shelf.records[name] = (value, self.now)

    def _forged(self, how: str, which: int, value: bytes) -> bytes:
        """Return a record with an attacker's keys, or a damaged one."""
        bound = _binding(self.provider)
        evil = replace(
            unseal(value, bound, self.secrets, 2**20),
            body=json.dumps(self.evil.jwks()).encode(),
            asked_at=self.base.time(),
            age=0.0,
        )
        match how:
            case "another secret":
                return seal(evil, bound, (b"o" * 32,))
            case "unsealed":
                return seal(evil, bound, ())
            case "another provider's":
                return seal(evil, _binding(replace(self.provider, store_scope="b")), self.secrets)
            case "another body":
                body = seal(evil, bound, self.secrets).rpartition(b"\n")[2]
                return value.rpartition(b"\n")[0] + b"\n" + body
            case "old version":
                return seal(evil, bound, self.secrets).replace(b"client/1", b"client/0", 1)
            case "truncated":
                return value[: -1 - which]
            case _:
                return b"garbage" * which

    # --- verdicts on tokens

    def verify(self, place: int, which: int | str) -> None:
        """Verify a token in a process, and assert that the outcome is possible without a store, too."""
        match which:
            case "junk":
                key, token = self.junk
            case "forged":
                key, token = self.forged
            case _:
                key, token = self.tokens[-1 - int(which) % len(self.tokens)]
        self._judge(self.processes[place], key, token)

    def overlap(self, place: int, other: int, change: tuple[Any, ...]) -> None:
        """Verify a token in another process while the provider's response to the first is on its way."""

        def meanwhile() -> None:
            what, *how = change
            getattr(self, what)(*how)
            if other != place:
                self.verify(other, 0)

        self.meanwhile = meanwhile
        self.verify(place, 0)
        self.meanwhile = None

    def _judge(self, process: Process, key: Material, token: str) -> None:
        began = self.now
        try:
            process.client.verify(token)
            code = "accepted"
        except KeysUnavailableError:
            code = "unavailable"
        except JWKSError as error:
            code = error.code
        self.accepted += code == "accepted"
        story = f"{code} for {key} from {began} to {self.now}, {self.spans}"
        if not self._is_certain(key, began):
            possible = getattr(self, f"_may_be_{code}")(process, key, began)
            assert possible, story
        else:
            assert code == "accepted", story

    def _is_certain(self, key: Material, began: float) -> bool:
        """Return whether each key set that a process may have by now contains the key."""
        long_ago = began - self.kept_for - LONGEST_BACKOFF
        return all(key in one.published for one in self._spans(long_ago))

    def _may_be_accepted(self, process: Process, key: Material, began: float) -> bool:
        if any(key in one.published for one in self._spans(began - self.fresh_for)):
            return True
        lately = self._spans(began - self.kept_for)
        return any(not one.published for one in lately) and any(
            key in one.published for one in lately
        )

    def _may_be_unknown_key(self, process: Process, key: Material, began: float) -> bool:
        """Return whether the provider itself told this process so, within an interval."""
        return any(
            at >= began - INTERVAL and key[0] not in kids for at, kids in process.wire.answers
        )

    def _may_be_bad_signature(self, process: Process, key: Material, began: float) -> bool:
        """Return whether another key has, or had, that kid."""
        lately = self._spans(began - self.kept_for)
        others = {one for span in lately for one in span.published} - {key}
        return key[0] in {kid for kid, _ in others}

    def _may_be_unavailable(self, process: Process, key: Material, began: float) -> bool:
        """Return whether the provider failed lately, or an unknown kid must wait because others fetched lately."""
        lately = began - LONGEST_BACKOFF - INTERVAL
        if any(not one.published for one in self._spans(lately)):
            return True
        return any(at >= began - INTERVAL - self.skewed for at in self.asked_at)

    def _spans(self, since: float) -> list[Span]:
        """Return what the provider published at any moment since then."""
        before = [one for one in self.spans if one.since <= since][-1:]
        return [*before, *(one for one in self.spans if one.since > since)]
