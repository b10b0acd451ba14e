"""Decide which tenants are loaded, and when to ask the resolver about an issuer.

Must not depend on: clocks, locks, threads, how the resolver is called, how keys are fetched. The
caller holds the lock, except where a method says that it needs none. A signal handler may acquire
the lock again, so every method must tolerate that another one runs in the middle of it.

Theory of operation. Facts are stored and states derived, as in `cache`:

    unknown ──Provider──→ loaded ──0.8 of resolve_ttl──→ due ──resolve_ttl──→ stale ──→ expired
       └─ None ─→ refused for 10 s                                  └─ stale_if_error ─┘

A token of a loaded tenant waits for the resolver only after ``resolve_ttl``, and not even then if
the last call failed: a resolver that hangs delays one token per tenant, then the backoff spaces the
calls. A new issuer takes one permit, which pays for the call and the first fetch. Calls are
numbered as they begin; the answer of an older call never overwrites that of a newer one.

Eviction. A tenant that has verified a token outranks every tenant that has not, including a new
one. So an attacker who forges issuers can only evict other new tenants. A new tenant that
does not fit still serves the token that caused the call, and is kept if that token is valid
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
REFUSED_FOR: Final = 10.0  # seconds for which the answer None is remembered
MOST_ABSENT: Final = 1024  # how many issuers without a tenant are remembered
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
        due_at: monotonic seconds until which the answer is used without asking again; the tenant's
            remembered tokens count until then.
        held: the tenant is in the table: it was not forgotten, refused, replaced or evicted.
    """

    __slots__ = (
        *("asked_at", "due_at", "epoch", "failure", "failures", "held", "issuer", "number"),
        *("provider", "retry_at", "rules", "source", "last_use", "uses", "verified"),
    )

    def __init__(self, provider: Provider, rules: Rules, source: S) -> None:
        self.issuer = provider.name
        self.provider = provider
        self.rules = rules
        self.source = source
        self.asked_at = self.due_at = self.retry_at = 0.0
        self.number = self.epoch = self.failures = self.last_use = 0
        self.failure: Failure | None = None  # of the last call; None if it succeeded
        self.held = self.verified = False
        self.uses = itertools.count()

    @property
    def cache(self) -> KeyCache:
        """Return the facts of its key set; those of an empty set once the tenant is dropped.

        Remembered tokens read this on each use. So setting `held` to False invalidates all of them
        at once, including those that are being remembered concurrently. Each read counts as a use
        of the tenant.
        """
        if not self.held:
            return _NO_KEYS
        self.last_use = next(self.uses)
        return self.source.cache


@dataclass(frozen=True, slots=True)
class Use(Generic[S]):
    """Use this tenant now. ``ask_in_background``: also call the resolver in the background."""

    tenant: Tenant[S]
    ask_in_background: bool = False


@dataclass(frozen=True, slots=True)
class Ask:
    """Call the resolver, or join the in-flight call, and wait. ``pays``: it costs a permit."""

    pays: bool


@dataclass(frozen=True, slots=True)
class Unknown:
    """The resolver recently answered that the tenant does not exist."""


@dataclass(frozen=True, slots=True)
class Busy:
    """Cannot decide for ``retry_after`` seconds: no permit, or backoff after ``failure``."""

    retry_after: float
    failure: Failure | None = None


Decision: TypeAlias = Use[S] | Ask | Unknown | Busy


@dataclass(frozen=True, slots=True, kw_only=True)
class _Absent:
    """An issuer without a tenant: refused until ``until``, or in backoff if a call failed."""

    number: int
    until: float
    failure: Failure | None = None
    failures: int = 0


class TenantTable(Generic[S]):
    """The facts about resolved issuers. All times are monotonic seconds.

    Arguments:
        policy: the limits that apply.

    Attributes:
        leeway: seconds; the largest of all tenants so far, at least a provider's default.
    """

    def __init__(self, policy: TenantPolicy) -> None:
        self.policy = policy
        self.leeway = USUAL_LEEWAY
        self._held: dict[str, Tenant[S]] = {}
        self._absent: dict[str, _Absent] = {}  # oldest first
        # The number of the newest answer for each issuer; an older answer is never used again.
        self._newest: dict[str, int] = {}
        self._permits = BURST
        self._permits_at = 0.0
        self._uses = itertools.count(1)
        self._epoch = 0  # how often an issuer was forgotten

    @property
    def tenants(self) -> tuple[Tenant[S], ...]:
        """Return the loaded tenants."""
        return tuple(self._held.values())

    def held(self, issuer: str) -> Tenant[S] | None:
        """Return the loaded tenant of an issuer, whatever its age. Needs no lock."""
        return self._held.get(issuer)

    def get_fresh(self, issuer: str, now: float) -> Tenant[S] | None:
        """Return the tenant if it can be used without asking the resolver. Needs no lock."""
        tenant = self._held.get(issuer)
        if tenant is None or now >= tenant.due_at:
            return None
        tenant.last_use = next(self._uses)
        return tenant

    def look_up(self, issuer: str, now: float, *, in_flight: bool) -> Decision[S]:
        """Decide for a token of an issuer. ``in_flight``: a call for the issuer can be joined."""
        tenant = self._held.get(issuer)
        if tenant is None:
            return self._without_tenant(issuer, now, in_flight=in_flight)
        tenant.last_use = next(self._uses)
        if now < tenant.due_at:
            return Use(tenant)
        policy, age = self.policy, now - tenant.asked_at
        in_backoff = tenant.failure is not None and now < tenant.retry_at
        may_ask = in_flight or not in_backoff
        if age < policy.resolve_ttl:
            return Use(tenant, ask_in_background=not in_backoff and not in_flight)
        if tenant.failure is not None and age < policy.resolve_ttl + policy.stale_if_error:
            if may_ask and not policy.ask_ahead:
                return Ask(pays=False)  # no background work: the caller waits
            return Use(
                tenant, ask_in_background=policy.ask_ahead and not in_backoff and not in_flight
            )
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
        """Return whether call ``number`` is newer than every recorded answer for an issuer."""
        known = self._held.get(issuer) or self._absent.get(issuer)
        return known is None or number > known.number

    def record_tenant(self, tenant: Tenant[S], number: int, asked_at: float) -> list[Tenant[S]]:
        """Record a new or unchanged tenant from call ``number``, which began at ``asked_at``.

        Returns the tenants that this drops: the issuer's previous tenant, and those evicted to make
        room, possibly this one.
        """
        dropped: list[Tenant[S]] = []
        former = self._held.get(tenant.issuer)
        if former is not None and former is not tenant:
            former.held = False
            tenant.verified = former.verified
            dropped.append(former)
        share = DUE_SHARE if self.policy.ask_ahead else 1.0
        tenant.number, tenant.asked_at, tenant.epoch = number, asked_at, self._epoch
        tenant.due_at = asked_at + self.policy.resolve_ttl * share
        tenant.failure, tenant.failures = None, 0
        self._newest.pop(tenant.issuer, None)
        self._newest[tenant.issuer] = number
        _drop_oldest(self._newest)
        self.leeway = max(self.leeway, tenant.provider.leeway)
        self._absent.pop(tenant.issuer, None)
        return dropped + self._load(tenant)

    def record_absent(self, issuer: str, number: int, now: float) -> Tenant[S] | None:
        """Record that the tenant does not exist. Returns the tenant that is dropped."""
        self._note_absent(issuer, _Absent(number=number, until=now + REFUSED_FOR))
        return self._drop(issuer)

    def record_failure(
        self, issuer: str, number: int, failure: Failure, now: float, draw: float
    ) -> float:
        """Record that call ``number`` failed; a loaded tenant stays.

        Arguments:
            issuer: the issuer that the resolver was asked about.
            number: the call's number.
            failure: why the call failed.
            now: monotonic seconds.
            draw: a random number from 0 to 1, for the jitter.

        Returns the seconds until the resolver may be asked about the issuer again.
        """
        tenant = self._held.get(issuer)
        if tenant is not None:
            tenant.failures += 1
            rest = self._backoff(tenant.failures, draw)
            tenant.number, tenant.failure, tenant.retry_at = number, failure, now + rest
            return rest
        former = self._absent.get(issuer)
        # Failures long ago do not count as consecutive.
        recent = former is not None and now < former.until + self.policy.backoff[1]
        failures = 1 + (former.failures if former is not None and recent else 0)
        # A first, quick failure causes no backoff: the next token may ask again, with another
        # permit. From the second failure on, the issuer is in backoff.
        rest = self._backoff(failures, draw) if failure.slow or failures > 1 else 0.0
        self._note_absent(
            issuer, _Absent(number=number, until=now + rest, failure=failure, failures=failures)
        )
        return rest

    def _backoff(self, failures: int, draw: float) -> float:
        first, longest = self.policy.backoff
        # The exponent is bounded so that the float cannot overflow.
        return min(first * 2.0 ** min(failures - 1, 64), longest) * (0.5 + draw / 2)

    def _note_absent(self, issuer: str, absent: _Absent) -> None:
        self._absent.pop(issuer, None)  # becomes the newest
        self._absent[issuer] = absent
        _drop_oldest(self._absent)

    # --- eviction

    def verified(self, tenant: Tenant[S], now: float) -> list[Tenant[S]]:
        """Record that a tenant has verified a token. Returns the tenants that this evicts.

        A tenant that was evicted on arrival is added now, but only while nothing newer can have
        been said about its issuer: no later answer, no `forget`, and so recent that a refusal would
        still be remembered.
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
        return self._load(tenant)

    def forget(self, issuer: str) -> Tenant[S] | None:
        """Drop everything known about an issuer, refusals too. Returns the dropped tenant."""
        self._epoch += 1
        self._absent.pop(issuer, None)
        return self._drop(issuer)

    def _load(self, tenant: Tenant[S]) -> list[Tenant[S]]:
        tenant.uses = self._uses
        tenant.last_use = next(self._uses)
        tenant.held = True
        self._held[tenant.issuer] = tenant
        dropped: list[Tenant[S]] = []
        while len(self._held) > self.policy.max_resolved:
            # Permits limit how often new tenants arrive, so a scan here costs less than keeping the
            # tenants in order with every token.
            last = min(list(self._held.values()), key=lambda one: (one.verified, one.last_use))
            self._held.pop(last.issuer, None)
            last.held = False
            dropped.append(last)
        if tenant.epoch != self._epoch:  # an issuer was forgotten since, possibly this one
            self._drop(tenant.issuer)
        return dropped

    def _drop(self, issuer: str) -> Tenant[S] | None:
        tenant = self._held.pop(issuer, None)
        if tenant is not None:
            tenant.held = False
        return tenant


def _drop_oldest(entries: dict[str, Any]) -> None:
    if len(entries) > MOST_ABSENT:
        for issuer in list(entries)[: len(entries) - MOST_ABSENT]:
            entries.pop(issuer, None)
