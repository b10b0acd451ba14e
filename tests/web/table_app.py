"""The behaviour of the app of the table, in every framework.

    /orders         requires the scope ``orders:read``
    /org            requires the claim ``org_id`` to be ``o1``
    /open           is public: by ``exclude=``, or by the framework's own way
    /deep           calls ``token.require("deep")``, and handles no error
    /typed          asks for the claims as a type that requires ``email``, and handles no error
    /executor       does the same in a thread without a copy of the context (apps that await)
    /caught         catches a refusal and answers 200
    /bug            catches a refusal and then raises `Bug`
    /from           raises `Bug` from a refusal
    /own            catches a refusal and answers 500 itself
    /late           answers 500 itself, and works on until the gate `LATE` opens
    /ws             accepts a WebSocket, names no subprotocol, sends `seen` as text, and closes
    anything else   answers 200

An answer of a handler is `seen` as JSON. Each framework has its own routes for /orders, /org,
/open and /ws; for the rest it calls `act` in one handler, which answers with `status_of`.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypedDict

from jwks_client import JWKSError, VerifiedToken
from jwks_client.integrations import current_token

METHODS = ["GET", "HEAD", "POST", "OPTIONS"]
ORG = {"org_id": "o1"}
PATIENCE = 20.0  # real seconds after which a working operation is long done

#: Opened by the test that requested /late.
LATE = threading.Event()
#: The statuses that middleware inside a framework saw, in apps with such middleware.
INSIDE: list[int] = []


class Account(TypedDict):
    """The claims that /typed asks for."""

    email: str


class Bug(KeyError):
    """A bug of the application."""


def act(
    path: str, token: VerifiedToken | None, query: str = "", subprotocols: Iterable[str] = ()
) -> dict[str, Any]:
    """Do what a path requires, and return what the app sees of the request."""
    match path:
        case "/deep":
            token.require("deep")
        case "/typed":
            token.claims_as(Account)
        case "/caught" | "/own":
            catch(token)
        case "/bug":
            catch(token)
            raise Bug
        case "/from":
            try:
                token.require("deep")
            except JWKSError as error:
                raise Bug from error
    return seen(token, query, subprotocols)


async def act_in_task(path: str, token: VerifiedToken | None, *more: Any) -> dict[str, Any]:
    """Do the same as `act`, in an app that awaits."""
    if path == "/executor":
        with ThreadPoolExecutor(1) as pool:
            await asyncio.get_running_loop().run_in_executor(pool, token.require, "deep")
    return act(path, token, *more)


def seen(
    token: VerifiedToken | None, query: str = "", subprotocols: Iterable[str] = ()
) -> dict[str, Any]:
    """Return what the app sees of a request; the token comes from the framework's accessor."""
    current = current_token()
    return {
        "sub": None if token is None else token.subject,
        "current": None if current is None else current.subject,
        "scopes": [] if token is None else sorted(token.scopes),
        "query": query,
        "subprotocols": list(subprotocols),
    }


def catch(token: VerifiedToken | None) -> None:
    """Cause a refusal and catch it."""
    with contextlib.suppress(JWKSError):
        token.require("deep")


def status_of(path: str) -> int:
    """Return the status of the app's answer."""
    return 500 if path in ("/own", "/late") else 200


def work_on() -> None:
    """Work after the response, until the gate opens."""
    LATE.wait(PATIENCE)


async def work_on_in_task() -> None:
    """Work after the response, until the gate opens, in an app that awaits."""
    await asyncio.to_thread(work_on)


class Watch:
    """ASGI middleware inside a framework that notes the statuses it sees in `INSIDE`."""

    def __init__(self, app: Any) -> None:
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        async def watching(message: Any) -> None:
            if message["type"] == "http.response.start":
                INSIDE.append(message["status"])
            await send(message)

        await self._app(scope, receive, watching)
