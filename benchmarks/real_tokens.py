"""Measure tokens of the sizes that providers issue: verified, remembered, read again, kept.

The claims have the names, shapes and sizes of those in the providers' documentation; the values are
invented. Run as a module, this is one of the processes that share the rounds (`in_processes`).
"""

from __future__ import annotations

import asyncio
import json
import statistics
import sys
from typing import Any, Final, NamedTuple
from uuid import UUID

from .measuring import Measure, in_processes, interleaved
from .memory import bytes_for_each
from .report import Row, Section
from .scene import scene
from .verification import AGAIN, DISTINCT, DISTINCT_FAST, own, own_rows


class Kind(NamedTuple):
    """A kind of token; ``goals`` are limits of the ratio to the signature alone."""

    title: str
    claims: dict[str, Any]
    goals: dict[str, float]


_STEP: Final = 0x9E3779B97F4A7C15F39CC0605CEDC835  # odd, so that all IDs differ


def _ids(count: int, at: int = 1) -> list[str]:
    return [
        str(UUID(int=0x9E3779B97F4A7C15F39CC0605CEDC835 * (at + n) % 2**128)) for n in range(count)
    ]


def _keycloak(*, clients: int, groups: int) -> dict[str, Any]:
    return {
        "aud": ["api", "account"],
        "typ": "Bearer",
        "azp": "storefront",
        "sid": _ids(1)[0],
        "acr": "1",
        "allowed-origins": ["https://shop.example.com", "https://admin.example.com"],
        "realm_access": {
            "roles": ["offline_access", "uma_authorization", "default-roles-example", "customer"]
        },
        "resource_access": {
            f"service-{client}": {
                "roles": [f"{verb}-things-{client}" for verb in ("view", "manage", "query")]
            }
            for client in range(clients)
        },
        "groups": [f"/example/division-{n % 7}/department-{n}" for n in range(groups)],
        "scope": "openid email profile orders:read orders:write",
        "email_verified": True,
        "name": "Ada Example",
        "preferred_username": "ada.example",
        "given_name": "Ada",
        "family_name": "Example",
        "email": "ada.example@example.com",
        "expires_in": 7200,
    }


_ENTRA: Final[dict[str, Any]] = {
    "aio": "AXQAi/8" + "TAAAAbc0dE1fG2hI3jK4lM5nO6pQ7rS8t" * 3,
    "azp": _ids(1)[0],
    "azpacr": "1",
    "groups": _ids(10, 10),
    "name": "Ada Example",
    "oid": _ids(1, 2)[0],
    "preferred_username": "ada.example@contoso.example",
    "rh": "1.ARoAv4j5cvGGr0GRqy180BHbRzKd3hB8aOpEpG9hXOQ3kXkaAAA.",
    "roles": ["Orders.Read.All", "Orders.ReadWrite"],
    "scp": "Orders.Read Orders.Write User.Read",
    "sid": _ids(1, 3)[0],
    "tid": _ids(1, 4)[0],
    "uti": "cZbYx1wVu0tSr2qPo3nMAA",
    "ver": "2.0",
    "wids": _ids(1, 5),
    "xms_ftd": "k3J9d8F7s6A5p4O3i2U1y0T9r8E7w6Q5mNbVcXzLkJh",
    "expires_in": 7200,
}

KINDS: Final = {
    "entra": Kind(
        "A token like Entra ID's", _ENTRA, {DISTINCT: 2.0, DISTINCT_FAST: 1.6, AGAIN: 0.08}
    ),
    "keycloak": Kind(
        "A token like Keycloak's, with an audience list", _keycloak(clients=12, groups=6), {}
    ),
    "largest": Kind("A token near the limit of 16 KiB", _keycloak(clients=60, groups=174), {}),
}


def real_tokens(measure: Measure) -> list[Section]:
    return [_section(measure, name) for name in KINDS]


def _section(measure: Measure, name: str) -> Section:
    kind, runs = KINDS[name], in_processes("benchmarks.real_tokens", name, measure)
    found = {
        one: statistics.median(run["seconds"][one] for run in runs) for one in runs[0]["seconds"]
    }
    rows = own_rows(found, kind.goals)
    kept = statistics.median(run["kept"] for run in runs)
    rows.append(Row("bytes kept for each, without its text", f"{kept:.0f} B"))
    text = f"RS256, {runs[0]['length']} characters."
    return Section(kind.title, text, "relative to the signature", rows)


def measured(measure: Measure, name: str) -> dict[str, Any]:
    """Return each contestant's seconds per token, the token's length, and the bytes kept for it."""
    loop = asyncio.new_event_loop()
    try:
        with scene("RS256", measure.tokens, KINDS[name].claims) as here:
            contestants = own(here, measure, loop)
            found = interleaved(contestants, measure.rounds // measure.layouts)
            few = here._replace(tokens=here.tokens[:200])  # so that the memory holds all of them
            return {"seconds": found, "length": len(here.tokens[0]), "kept": bytes_for_each(few)}
    finally:
        loop.close()


if __name__ == "__main__":
    print(json.dumps(measured(Measure(*json.loads(sys.argv[2])), sys.argv[1])))
