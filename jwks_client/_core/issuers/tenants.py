"""Decide which tenants are loaded, and when to ask the application about an issuer.

Must not depend on: clocks, locks, threads, how the resolver is run, how keys are fetched. The
caller locks, except where a method says that it needs no lock. A signal handler may take the lock
again, so each method allows for another one that runs inside of it.

Theory of operation. Facts are stored and states derived, as in `cache`:

    unknown ──answer──→ loaded ──0.8 of resolve_ttl──→ due ──resolve_ttl──→ past ──→ expired
       └─ None ─→ refused for 10 s                                └─ stale_if_error ─┘

A token of a loaded tenant waits for the resolver only after ``resolve_ttl``, and not even then if
the last call failed: a resolver that hangs costs one wait per tenant, then the backoff spaces the
calls. An unknown issuer takes one permit, which pays for the call and the first fetch. Calls are
numbered as they begin; the answer of an older call never overwrites that of a newer one.

Room. A tenant that has verified a token is kept before every tenant that has not, including a new
one. So an attacker who forges issuers can only push out other new tenants. A new tenant without
room still serves the token that brought it, and is kept if that token verifies
(`TenantTable.verified`).
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Generic, TypeAlias, TypeVar

from ..keysets.cache import KeyCache
from ..policy import CachePolicy, TenantPolicy
from ..provider import Provider
from .resolver_answers import Failure

if TYPE_CHECKING:
    from ..tokens.claims import Rules
    from ..tokens.memo import Holder

S = TypeVar("S", bound="Holder")

BURST: Final = 20.0  # permits for new issuers at once
PER_SECOND: Final = 5.0  # permits restored per second
DUE_SHARE: Final = 0.8  # of resolve_ttl, after which the resolver is asked in the background
REFUSED_FOR: Final = 10.0  # seconds that the answer None is remembered
MOST_ABSENT: Final = 1024  # issuers without a tenant that are remembered
USUAL_LEEWAY: Final = 30.0  # a provider's default, in seconds
_NO_KEYS: Final = KeyCache(policy=CachePolicy(), due_share=None)


class Tenant(Generic[S]):
    """A tenant as the application described it. Only the table writes the other attributes.

    Arguments:
        issuer: its issuer, which is also its name.
        provider: the resolver's answer, under that name.
        rules: the provider's rules.
        source: the source of its keys.

    Attributes:
        due_at: monotonic seconds until which the answer is used without asking again; remembered
            tokens of the tenant end then.
        held: the tenant is in the table: not forgotten, refused, replaced or pushed out.
    """

    __slots__ = (
        *("asked_at", "due_at", "epoch", "failure", "failures", "held", "issuer", "number"),
        *("provider", "retry_at", "rules", "source", "turn", "turns", "verified"),
    )

    def __init__(self, provider: Provider, rules: Rules, source: S) -> None:
        self.issuer = provider.name
        self.provider = provider
        self.rules = rules
        self.source = source
        self.asked_at = self.due_at = self.retry_at = 0.0
        self.number = self.epoch = self.failures = self.turn = 0
        self.failure: Failure | None = None  # of the last call; None if it succeeded
        self.held = self.verified = False
        self.turns = itertools.count()

    @property
    def cache(self) -> KeyCache:
        """Return the facts of its key set, or of an empty one once the tenant is dropped.

        Remembered tokens read this on each use. So setting `held` to False ends all of them at
        once, including any that are being remembered right now. Each reading counts as a use.
        """
        if not self.held:
            return _NO_KEYS
        self.turn = next(self.turns)
        return self.source.cache


@dataclass(frozen=True, slots=True)
class Use(Generic[S]):
    """Use this tenant now. ``ask_behind``: also begin one call in the background."""

    tenant: Tenant[S]
    ask_behind: bool = False


@dataclass(frozen=True, slots=True)
class Ask:
    """Call the resolver, or join the call in flight, and wait. ``pays``: it takes a permit."""

    pays: bool


@dataclass(frozen=True, slots=True)
class Unknown:
    """The application recently said that it has no such tenant."""


@dataclass(frozen=True, slots=True)
class Busy:
    """Undecided for ``retry_after`` seconds: no permit, or backoff after ``failure``."""

    retry_after: float
    failure: Failure | None = None


Decision: TypeAlias = Use[S] | Ask | Unknown | Busy


@dataclass(frozen=True, slots=True, kw_only=True)
class _Absent:
    """An issuer without a tenant: refused until then, or in backoff if there is a failure."""

    number: int
    until: float
    failure: Failure | None = None
    failures: int = 0


class TenantTable(Generic[S]):
    """The facts about resolved issuers. All times are monotonic seconds.

    Arguments:
        policy: the limits that apply.

    Attributes:
        leeway: seconds; the largest of any answer so far, at least a provider's default.
    """

    def __init__(self, policy: TenantPolicy) -> None:
        self.policy = policy
        self.leeway = USUAL_LEEWAY
        self._held: dict[str, Tenant[S]] = {}
        self._absent: dict[str, _Absent] = {}  # oldest first
        # The newest answer of each issuer, oldest first: an older answer is never used again.
        self._newest: dict[str, int] = {}
        self._permits = BURST
        self._permits_at = 0.0
        self._turns = itertools.count(1)
        self._epoch = 0  # how often an issuer was forgotten

    @property
    def tenants(self) -> tuple[Tenant[S], ...]:
        """Return the loaded tenants."""
        return tuple(self._held.values())

    def held(self, issuer: str) -> Tenant[S] | None:
        """Return the loaded tenant of an issuer, whatever its age. Needs no lock."""
        return self._held.get(issuer)

    def at_once(self, issuer: str, now: float) -> Tenant[S] | None:
        """Return the tenant if it can be used without asking the resolver. Needs no lock."""
        tenant = self._held.get(issuer)
        if tenant is None or now >= tenant.due_at:
            return None
        tenant.turn = next(self._turns)
        return tenant

    def look_up(self, issuer: str, now: float, *, in_flight: bool) -> Decision[S]:
        """Decide for a token of an issuer. ``in_flight``: a call for the issuer can be joined."""
        tenant = self._held.get(issuer)
        if tenant is None:
            return self._without_tenant(issuer, now, in_flight=in_flight)
        tenant.turn = next(self._turns)
        if now < tenant.due_at:
            return Use(tenant)
        policy, age = self.policy, now - tenant.asked_at
        resting = tenant.failure is not None and now < tenant.retry_at
        may_ask = in_flight or not resting
        if age < policy.resolve_ttl:
            return Use(tenant, ask_behind=not resting and not in_flight)
        if tenant.failure is not None and age < policy.resolve_ttl + policy.stale_if_error:
            if may_ask and not policy.ask_ahead:
                return Ask(pays=False)  # no background work: the caller waits
            return Use(tenant, ask_behind=policy.ask_ahead and not resting and not in_flight)
        return Ask(pays=False) if may_ask else Busy(tenant.retry_at - now, tenant.failure)

    def _without_tenant(self, issuer: str, now: float, *, in_flight: bool) -> Decision[S]:
        absent = self._absent.get(issuer)
        if absent is not None and now < absent.until:
            if absent.failure is None:
                return Unknown()
            if not in_flight:
                return Busy(absent.until - now, absent.failure)
        if in_flight:
            return Ask(pays=False)
        lacking = 1 - self._permits_now(now)
        return Busy(lacking / PER_SECOND) if lacking > 0 else Ask(pays=True)

    def _permits_now(self, now: float) -> float:
        return min(self._permits + (now - self._permits_at) * PER_SECOND, BURST)

    def pay(self, now: float) -> None:
        """Take the permit that `look_up` found available."""
        self._permits = self._permits_now(now) - 1
        self._permits_at = now

    # --- answers

    def is_news(self, issuer: str, number: int) -> bool:
        """Return whether call ``number`` is newer than every answer about an issuer so far."""
        known = self._held.get(issuer) or self._absent.get(issuer)
        return known is None or number > known.number

    def admit(self, tenant: Tenant[S], number: int, asked_at: float) -> list[Tenant[S]]:
        """Record a new or unchanged tenant from call ``number``, which began at ``asked_at``.

        Returns the tenants that are dropped for it: the previous one of its issuer, and the one
        pushed out for room, which may be this tenant.
        """
        left: list[Tenant[S]] = []
        former = self._held.get(tenant.issuer)
        if former is not None and former is not tenant:
            former.held = False
            tenant.verified = former.verified
            left.append(former)
        share = DUE_SHARE if self.policy.ask_ahead else 1.0
        tenant.number, tenant.asked_at, tenant.epoch = number, asked_at, self._epoch
        tenant.due_at = asked_at + self.policy.resolve_ttl * share
        tenant.failure, tenant.failures = None, 0
        self._newest.pop(tenant.issuer, None)
        self._newest[tenant.issuer] = number
        _drop_oldest(self._newest)
        self.leeway = max(self.leeway, tenant.provider.leeway)
        self._absent.pop(tenant.issuer, None)
        return left + self._hold(tenant)

    def refuse(self, issuer: str, number: int, now: float) -> Tenant[S] | None:
        """Record that the application has no such tenant. Returns the tenant that is dropped."""
        self._note_absent(issuer, _Absent(number=number, until=now + REFUSED_FOR))
        return self._let_go(issuer)

    def fail(self, issuer: str, number: int, failure: Failure, now: float, draw: float) -> float:
        """Record that call ``number`` failed; a loaded tenant stays.

        Arguments:
            issuer, number, failure: the call, and why it failed.
            now: monotonic seconds.
            draw: a random number from 0 to 1, for the jitter.

        Returns the seconds until the resolver may be asked about the issuer again.
        """
        tenant = self._held.get(issuer)
        if tenant is not None:
            tenant.failures += 1
            rest = self._rest(tenant.failures, draw)
            tenant.number, tenant.failure, tenant.retry_at = number, failure, now + rest
            return rest
        former = self._absent.get(issuer)
        # An old failure does not predict how long this one will last.
        recent = former is not None and now < former.until + self.policy.backoff[1]
        failures = 1 + (former.failures if former is not None and recent else 0)
        # A quick failure only costs the token that asked; the next token may ask again, and pays a
        # permit. From the second failure on, the issuer is in backoff.
        rest = self._rest(failures, draw) if failure.slow or failures > 1 else 0.0
        self._note_absent(
            issuer, _Absent(number=number, until=now + rest, failure=failure, failures=failures)
        )
        return rest

    def _rest(self, failures: int, draw: float) -> float:
        first, longest = self.policy.backoff
        # The exponent is bounded so that the float cannot overflow.
        return min(first * 2.0 ** min(failures - 1, 64), longest) * (0.5 + draw / 2)

    def _note_absent(self, issuer: str, absent: _Absent) -> None:
        self._absent.pop(issuer, None)  # becomes the newest
        self._absent[issuer] = absent
        _drop_oldest(self._absent)

    # --- room

    def verified(self, tenant: Tenant[S], now: float) -> list[Tenant[S]]:
        """Note that a tenant has verified a token. Returns the tenants pushed out for it.

        A tenant that found no room is added now, unless its issuer was answered for since. It is
        recent enough that a refusal would still be remembered, and no issuer was forgotten.
        """
        if tenant.held:
            tenant.verified = True
            return []
        if (
            tenant.epoch != self._epoch
            or self._newest.get(tenant.issuer) != tenant.number
            or now >= tenant.asked_at + REFUSED_FOR
            or tenant.issuer in self._absent
            or tenant.issuer in self._held
        ):
            return []
        tenant.verified = True
        return self._hold(tenant)

    def forget(self, issuer: str) -> Tenant[S] | None:
        """Drop everything known about an issuer, refusals too. Returns the dropped tenant."""
        self._epoch += 1
        self._absent.pop(issuer, None)
        return self._let_go(issuer)

    def _hold(self, tenant: Tenant[S]) -> list[Tenant[S]]:
        tenant.turns = self._turns
        tenant.turn = next(self._turns)
        tenant.held = True
        self._held[tenant.issuer] = tenant
        left: list[Tenant[S]] = []
        while len(self._held) > self.policy.max_resolved:
            # New tenants are limited by permits, so scanning all tenants here costs less than
            # keeping them in order for each token.
            last = min(list(self._held.values()), key=lambda one: (one.verified, one.turn))
            self._held.pop(last.issuer, None)
            last.held = False
            left.append(last)
        if tenant.epoch != self._epoch:  # an issuer was forgotten meanwhile, and it may be this one
            self._let_go(tenant.issuer)
        return left

    def _let_go(self, issuer: str) -> Tenant[S] | None:
        tenant = self._held.pop(issuer, None)
        if tenant is not None:
            tenant.held = False
        return tenant


def _drop_oldest(entries: dict[str, Any]) -> None:
    if len(entries) > MOST_ABSENT:
        for issuer in list(entries)[: len(entries) - MOST_ABSENT]:
            entries.pop(issuer, None)
