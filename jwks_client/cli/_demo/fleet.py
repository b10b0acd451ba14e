"""The last step of the demo: processes share one fetch, and another starts during an outage."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import AsyncExitStack
from tempfile import TemporaryDirectory
from typing import Final

from .report import Finding, at_most, listed, same
from .stage import Server, Stage

PROCESSES: Final = 4
_WORKER: Final = "jwks_client.cli._demo.worker"


async def share(stage: Stage) -> list[Finding]:
    """Start processes that share a directory, then kill the provider and start one more."""
    token, issuer = await stage.issue(), stage.provider.base_url
    with TemporaryDirectory(prefix="jwks-client-") as directory:
        async with AsyncExitStack() as running:
            workers = [
                await running.enter_async_context(Server.running(_WORKER, issuer, directory))
                for _ in range(PROCESSES)
            ]
            said = await asyncio.gather(*(one.ask(token) for one in workers))
        await stage.provider.kill()
        reachable = await stage.provider.is_reachable()
        async with Server.running(_WORKER, issuer, directory) as late:
            answer = await late.ask(token)
    outcomes = Counter(one.split()[0] for one in said)
    return [
        same(f"{PROCESSES} processes at once", f"verified: {PROCESSES}", listed(outcomes)),
        at_most("their fetches, together", 2, sum(int(one.split()[1]) for one in said)),
        same("the provider answers", "no", "yes" if reachable else "no"),
        same("a process that starts now", "verified, 0 fetches", _described(answer)),
    ]


def _described(answer: str) -> str:
    outcome, fetches = answer.split()
    return f"{outcome}, {fetches} fetches"
