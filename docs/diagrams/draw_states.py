"""Draw the decision table of a key set and the diagram of its states in docs/how-keys-live.md.

Nothing here knows the rules. The script asks `KeyCache` what it decides in each state: for a cached
key and for an unknown one, after a success and after a failure. Run it after you change the rules,
with the package installed; a test compares the page with this output::

    python docs/diagrams/draw_states.py
"""
# ruff: noqa: INP001 (a script, no package)

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Final, NamedTuple

from jwks_client import CachePolicy
from jwks_client._core.keysets.cache import Budget, Decision, Fetch, KeyCache, Need, Refuse, Use
from jwks_client._core.keysets.fetch import Failed, Fetched, Validators
from jwks_client._core.keysets.freshness import Freshness
from jwks_client._core.keysets.jwk import Key, KeySet

PAGE: Final = Path(__file__).resolve().parents[1] / "how-keys-live.md"
BEGIN: Final = "<!-- drawn by docs/diagrams/draw_states.py: begin -->"
END: Final = "<!-- drawn by docs/diagrams/draw_states.py: end -->"

THERE, NOT_THERE = Need("there", "ES256"), Need("not there", "ES256")
ATTEMPTS: Final = ("succeeded", "failed, backoff over", "failed, in backoff")
FAILURE: Final = Failed(code="fetch_failed", message="no answer")


class Column(NamedTuple):
    """A column of the table: what a token needs from the key set."""

    title: str
    need: Need
    permit: bool = True
    missed: bool = False


COLUMNS: Final = (
    Column("key cached", THERE),
    Column("kid unknown, permit", NOT_THERE),
    Column("kid unknown, no permit", NOT_THERE, permit=False),
    Column("kid in the negative memory", NOT_THERE, missed=True),
)


class Moment(NamedTuple):
    """A key set at one instant."""

    cache: KeyCache
    now: float

    @property
    def state(self) -> str:
        """Return the state, as `health()` names it."""
        return self.cache.state(self.now)


def answer() -> Fetched:
    """Return a good response with one key, with the default lifetime of the policy."""
    policy = CachePolicy()
    key = Key(
        kid=THERE.kid,
        kty="EC",
        crv="P-256",
        alg=None,
        use=None,
        thumbprint="t",
        key=None,  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
        algorithms=frozenset({THERE.algorithm}),
    )
    return Fetched(
        key_set=KeySet((key,)),
        freshness=Freshness(policy.ttl, policy.stale_if_error),
        validators=Validators("https://issuer.test/jwks", None, None),
        discovered=None,
        requests=1,
    )


def cold(policy: CachePolicy) -> KeyCache:
    """Return a key set before its first fetch."""
    return KeyCache(policy=policy, due_share=policy.refresh_ahead)


def turns(cache: KeyCache) -> list[float]:
    """Return the instants at which a set that was requested at 0 changes its state by age alone."""
    candidates = sorted(
        {
            cache.fresh_until,
            cache.lifetime,
            cache.lifetime + cache.stale_for,
            *map(float, range(4000)),
        }
    )
    return [now for before, now in pairwise(candidates) if cache.state(before) != cache.state(now)]


def moments(policy: CachePolicy) -> list[Moment]:
    """Return the key set in each of its states, in the order of its age."""
    loaded = cold(policy).fetched(1, answer(), began_at=0.0)
    return [Moment(cold(policy), 0.0), *(Moment(loaded, now) for now in (0.0, *turns(loaded)))]


def after(attempt: str, moment: Moment) -> KeyCache:
    """Return the facts of a moment after a last attempt with this outcome."""
    if attempt == "succeeded":
        return moment.cache
    rests_until = moment.now + (attempt == "failed, in backoff")
    failed = moment.cache.failed(2, FAILURE, moment.now, draw=0.0)
    return replace(failed, retry_at=rests_until)


def said(decision: Decision, *, in_flight: bool) -> str:
    """Return a decision in words."""
    match decision:
        case Use(stale=stale, refresh=refresh):
            return f"use{', marked stale' * stale}{'; fetch in the background' * refresh}"
        case Fetch() if in_flight:
            return "join"
        case Fetch(budget=budget):
            return "fetch, costs the permit" if budget is Budget.UNKNOWN_KID else "fetch"
        case Refuse(known=known):
            return "refuse: 401" if known else "refuse: 503"


def cells(cache: KeyCache, now: float, *, in_flight: bool) -> tuple[str, ...]:
    """Return the cache's decision for each column."""
    spent = replace(cache, permits=0.0, permits_at=now)
    return tuple(
        said(
            (cache if one.permit else spent).look_up(
                one.need, now, missed=one.missed, in_flight=in_flight
            ),
            in_flight=in_flight,
        )
        for one in COLUMNS
    )


def rows(policy: CachePolicy, *, in_flight: bool) -> Iterator[tuple[str, ...]]:
    """Yield the lines of the table; attempts with the same decisions share a line."""
    for moment in moments(policy):
        by_cells: dict[tuple[str, ...], list[str]] = {}
        for attempt in ATTEMPTS:
            decided = cells(after(attempt, moment), moment.now, in_flight=in_flight)
            by_cells.setdefault(decided, []).append(attempt)
        for decided, attempts in by_cells.items():
            whatever = len(attempts) == len(ATTEMPTS)
            last = "any" if whatever else " / ".join(attempts)
            if moment.state == "cold":  # a fetch that succeeds ends that
                last = last.replace("succeeded", "none yet")
            yield moment.state, last, *decided


def table(policy: CachePolicy, *, in_flight: bool = False) -> str:
    """Return the decision table as Markdown."""
    titles = ("state", "last fetch", *(one.title for one in COLUMNS))
    lines = [titles, ("---",) * len(titles), *rows(policy, in_flight=in_flight)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def diagram(policy: CachePolicy) -> str:
    """Draw the states and what leads from one to the next."""
    every = moments(policy)
    loaded = every[-1].cache
    causes = {
        loaded.fresh_until: f"after {policy.refresh_ahead:g} of the lifetime",
        loaded.lifetime: "after the lifetime",
        loaded.lifetime + loaded.stale_for: "after stale_if_error",
    }
    lines = [f"{every[0].state:8}", "  │  a good response"]
    for moment in every[1:]:
        if moment.now in causes and moment is not every[1]:
            lines += ["  │", f"  │  {causes[moment.now]}"]
        lines += ["  ▼", moment.state]
        came = moment.cache.fetched(3, answer(), began_at=moment.now)
        failed = moment.cache.failed(3, FAILURE, moment.now, draw=0.0)
        # The sentence below the picture states both of these.
        assert (came.state(moment.now), failed.state(moment.now)) == ("fresh", moment.state)  # noqa: S101
    lines += [
        "",
        "A good response leads from any state to fresh. A failed fetch does not change the state.",
    ]
    return "\n".join(line.rstrip() for line in lines)


def drawn() -> str:
    """Return everything between the markers."""
    usual = CachePolicy()
    return f"""\
```text
{diagram(usual)}
```

### No fetch in flight

{table(usual)}

### A fetch in flight

{table(usual, in_flight=True)}

### No background work (`refresh_ahead=None`), no fetch in flight

{table(CachePolicy(refresh_ahead=None))}
"""


def page(text: str) -> str:
    """Return the page with the drawing between its markers."""
    between = re.compile(f"{re.escape(BEGIN)}.*{re.escape(END)}", re.DOTALL)
    assert between.search(text), f"{PAGE.name} has no markers"  # noqa: S101 (a script)
    return between.sub(lambda _: f"{BEGIN}\n\n{drawn()}\n{END}", text)


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
