"""Measure the longest time for which an event loop is blocked: while idle, and at the first fetch.

`waits.py` runs this module in a fresh interpreter. The loop's only other work is a callback that
reschedules itself and records how long it had to wait.
"""

from __future__ import annotations

import asyncio
import json
import sys
from time import perf_counter

from jwks_client import AsyncJWKSClient, providers


async def longest_gap(client: AsyncJWKSClient, token: str) -> dict[str, float]:
    loop, gaps, last = asyncio.get_running_loop(), [0.0], perf_counter()

    def tick() -> None:
        nonlocal last
        now = perf_counter()
        gaps[0] = max(gaps[0], now - last)
        last = now
        loop.call_soon(tick)

    loop.call_soon(tick)
    await asyncio.sleep(0.05)
    idle, gaps[0] = gaps[0], 0.0
    assert (await client.verify(token)).subject == "user-0"
    return {"idle": idle, "fetching": gaps[0]}


def main() -> None:
    asked = json.loads(sys.stdin.read())
    client = AsyncJWKSClient(
        providers.generic(asked["url"], issuer=asked["issuer"], audience=asked["audience"])
    )
    print(json.dumps(asyncio.run(longest_gap(client, asked["token"]))))


if __name__ == "__main__":
    main()
