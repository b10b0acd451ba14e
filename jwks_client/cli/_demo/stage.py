"""Start the two servers of the demo as processes, and send them requests.

Must not depend on the steps. Each server runs in a separate session, so that Ctrl-C reaches only
the demo, which then stops the servers. A server also stops at the end of its standard input, so
that none remains if the demo is killed.
"""

from __future__ import annotations

import asyncio
import os
import re
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from tempfile import TemporaryFile
from typing import Any, Final, Self
from urllib.parse import urlsplit

import httpx

from . import AUDIENCE, SCOPE

__all__ = ["Response", "Server", "Stage", "StageError"]

PATIENCE: Final = 20.0  # seconds, far longer than any request takes
_VERIFY: Final = re.compile(r"verify;dur=([0-9.]+)")


class StageError(Exception):
    """A server did not start."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """A response of the API.

    Attributes:
        status: the HTTP status.
        code: the code of the problem; empty if there is none.
        keys: the state of the keys, ``fresh``, ``due`` or ``stale``; empty if denied.
        micros: how long `verify` took inside the API, in microseconds.
        retry_after: the header's value.
    """

    status: int
    code: str = ""
    keys: str = ""
    micros: float | None = None
    retry_after: str | None = None

    def __str__(self) -> str:
        return f"{self.status} {self.code}".rstrip()


class Server:
    """A server in a separate process.

    Attributes:
        base_url: its URL.
    """

    def __init__(self, process: Process, base_url: str) -> None:
        self._process = process
        self.base_url = base_url

    @classmethod
    @asynccontextmanager
    async def running(cls, module: str, *arguments: str) -> AsyncGenerator[Self]:
        """Run ``python -m module arguments``, which prints its base URL first, during the block."""
        # The child imports from the working directory only if this process does.
        safe = [] if os.getcwd() in sys.path else ["-P"]  # noqa: PTH109 (sys.path holds strings)
        with TemporaryFile() as log:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, *safe, "-m", module, *arguments),
                stdin=PIPE,
                stdout=PIPE,
                stderr=log,
                env=_environment(),
                start_new_session=True,
            )
            try:
                base_url = await _first_line(process)
                if not base_url:
                    log.seek(0)
                    output = log.read().decode(errors="replace").strip()
                    raise StageError(f"{module} did not start. Its output: {output or 'none'}")
                yield cls(process, base_url)
            finally:
                await _end(process)

    async def kill(self) -> None:
        """Kill the process without warning, as an outage does."""
        with suppress(ProcessLookupError):
            self._process.kill()
        await self._process.wait()

    async def ask(self, line: str) -> str:
        """Write a line to the process, and return its answer."""
        process = self._process
        assert process.stdin is not None  # noqa: S101 (it is a pipe)
        process.stdin.write(line.encode() + b"\n")
        return await _first_line(process)

    async def is_reachable(self) -> bool:
        """Return whether anything listens on its port."""
        place = urlsplit(self.base_url)
        try:
            _, writer = await asyncio.open_connection(place.hostname, place.port)
        except OSError:
            return False
        writer.close()
        await writer.wait_closed()
        return True


def _environment() -> dict[str, str]:
    # Requests between servers on this machine must not go through a proxy.
    return {**os.environ, "NO_PROXY": "*", "no_proxy": "*"}


async def _first_line(process: Process) -> str:
    assert process.stdout is not None  # noqa: S101 (it is a pipe)
    with suppress(TimeoutError):
        async with asyncio.timeout(PATIENCE):
            return (await process.stdout.readline()).decode().strip()
    return ""


async def _end(process: Process) -> None:
    assert process.stdin is not None  # noqa: S101 (it is a pipe)
    process.stdin.close()
    try:
        async with asyncio.timeout(5):
            await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


class Stage:
    """The provider, the API and an HTTP client, as an async context manager.

    Attributes:
        provider: ``jwks-client serve``.
        api: `app`.
        token: a valid token that one step passes to the next.
    """

    provider: Server
    api: Server

    def __init__(self) -> None:
        self._open = AsyncExitStack()
        self._provider_open = AsyncExitStack()
        self._api_open = AsyncExitStack()
        self._http = httpx.AsyncClient(trust_env=False, timeout=PATIENCE)
        self.token = ""

    async def __aenter__(self) -> Self:
        try:
            for one in (self._http, self._provider_open, self._api_open):
                await self._open.enter_async_context(one)
            await self.start_provider()
            await self.start_api()
        except BaseException:
            await self._open.aclose()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._open.aclose()

    async def start_provider(self, port: int = 0) -> None:
        """Start the provider with new keys; restart it if it runs."""
        await self._provider_open.aclose()
        self.provider = await self._provider_open.enter_async_context(
            Server.running("jwks_client.cli", "serve", "--port", str(port), "--until-stdin-ends")
        )

    async def start_api(self, *, lifetime: float | None = None) -> None:
        """Start the API, with this lifetime of keys or the default; restart it if it runs."""
        more = () if lifetime is None else (str(lifetime),)
        await self._api_open.aclose()
        self.api = await self._api_open.enter_async_context(
            Server.running("jwks_client.cli._demo.app", self.provider.base_url, *more)
        )

    # The provider.

    async def issue(self, **claims: object) -> str:
        """Return a token that the API accepts, unless ``claims`` differ."""
        order = {"sub": "u1", "aud": AUDIENCE, "scope": SCOPE, "expires_in": 600, **claims}
        return str((await self._post("token", order))["token"])

    async def rotate(self) -> None:
        """Make the provider sign with a new key."""
        await self._post("rotate", {})

    async def revoke(self, kid: str) -> None:
        """Withdraw a key."""
        await self._post(f"revoke/{kid}", {})

    async def kids(self) -> list[str]:
        """Return the kids of the published keys."""
        return list((await self._get(f"{self.provider.base_url}/dev/state"))["kids"])

    async def fetches(self) -> int:
        """Return how many GET requests for the key set the provider received."""
        return int((await self._get(f"{self.provider.base_url}/dev/state"))["fetches"])

    # The API.

    async def ask(self, token: str | None) -> Response:
        """Request the orders from the API."""
        headers = {} if token is None else {"authorization": f"Bearer {token}"}
        response = await self._http.get(f"{self.api.base_url}/orders", headers=headers)
        content = response.json()
        timing = _VERIFY.search(response.headers.get("server-timing", ""))
        return Response(
            status=response.status_code,
            code=content.get("code", ""),
            keys=content.get("keys", ""),
            micros=float(timing[1]) * 1000 if timing else None,
            retry_after=response.headers.get("retry-after"),
        )

    async def health(self) -> dict[str, Any]:
        """Return the health of the API's keys, and the number of emitted events of each kind."""
        return await self._get(f"{self.api.base_url}/health")

    async def _get(self, url: str) -> dict[str, Any]:
        return _content(await self._http.get(url))

    async def _post(self, action: str, order: Mapping[str, object]) -> dict[str, Any]:
        return _content(await self._http.post(f"{self.provider.base_url}/dev/{action}", json=order))


def _content(response: httpx.Response) -> dict[str, Any]:
    response.raise_for_status()
    content: dict[str, Any] = response.json()
    return content
