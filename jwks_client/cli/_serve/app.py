"""The development provider as a Starlette app: its published documents, its page and ``/dev/…``.

Must not depend on how the app is served.
"""

from __future__ import annotations

import asyncio

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from .answers import NO_STORE, Json, Refused, problem, read_body
from .orders import OrderError, fill, read_order
from .origin_guard import OriginGuard
from .page import Page
from .provider import DevelopmentProvider
from .token_endpoint import TokenEndpoint

__all__ = ["DevelopmentProvider", "development_app"]


def development_app(idp: DevelopmentProvider, *, beyond_loopback: bool = False) -> Starlette:
    """Return the ASGI app: the published documents, the page, and the endpoints for control.

    Errors are problems (RFC 9457) with a ``code``; those of ``/token`` follow RFC 6749.

    Arguments:
        idp: the provider.
        beyond_loopback: whether other machines may reach it; see `OriginGuard`.
    """
    drive = Driver(idp)
    app = Starlette(
        routes=[
            *Page(idp).routes,
            Route("/token", TokenEndpoint(idp).answer, methods=["POST"]),
            Route("/dev/state", drive.state, methods=["GET"]),
            Route("/dev/token", drive.token, methods=["POST"]),
            Route("/dev/rotate", drive.rotate, methods=["POST"]),
            Route("/dev/revoke/{kid}", drive.revoke, methods=["POST"]),
            Route("/dev/fail/{how}", drive.fail, methods=["POST"]),
            Route("/dev/recover", drive.recover, methods=["POST"]),
        ],
        middleware=[
            Middleware(OriginGuard, base_url=idp.base_url, beyond_loopback=beyond_loopback)
        ],
        exception_handlers={
            HTTPException: _answer_problem,
            ClientDisconnect: _answer_disconnected,
            ConnectionAbortedError: _answer_released,
        },
    )
    app.router.default = idp.app
    return app


class Driver:
    """The endpoints below ``/dev/``; all but ``/dev/token`` return the state.

    Making keys and signatures takes milliseconds, so it is done in a thread.
    """

    def __init__(self, idp: DevelopmentProvider) -> None:
        self._idp = idp

    async def state(self, _: Request) -> Response:
        """Return the provider's URLs, kids, failure and the number of fetches of its key set."""
        idp = self._idp
        return Json(
            {
                "base_url": idp.base_url,
                "issuer": idp.issuer,
                "audience": idp.audiences[0] if len(idp.audiences) == 1 else idp.audiences or None,
                "algorithm": idp.algorithm,
                "jwks_url": idp.jwks_url,
                "discovery_url": idp.discovery_url,
                "token_endpoint": idp.token_endpoint,
                "kid": idp.kid,
                "kids": [key["kid"] for key in idp.jwks()["keys"]],
                "fetches": idp.fetches,
                "failure": idp.failure,
            }
        )

    async def token(self, request: Request) -> Response:
        """Issue a token for a JSON object of claims; see `read_order`."""
        body = await read_body(request)
        try:
            token = await asyncio.to_thread(fill, self._idp, read_order(body), self._idp.expires_in)
        except OrderError as error:
            raise Refused(400, "bad_order", f"the body {error}") from None
        if _prefers_text(request):
            return PlainTextResponse(token, headers=NO_STORE)
        return Json({"token": token})

    async def rotate(self, request: Request) -> Response:
        """Sign with a new key from now on."""
        await asyncio.to_thread(self._idp.rotate)
        return await self.state(request)

    async def revoke(self, request: Request) -> Response:
        """Withdraw a key."""
        try:
            await asyncio.to_thread(self._idp.revoke, request.path_params["kid"])
        except ValueError as error:
            raise Refused(404, "unknown_kid", str(error)) from None
        return await self.state(request)

    async def fail(self, request: Request) -> Response:
        """Fail every request for keys or metadata, until it recovers."""
        try:
            self._idp.break_down(request.path_params["how"])
        except ValueError as error:
            raise Refused(404, "unknown_failure", str(error)) from None
        return await self.state(request)

    async def recover(self, request: Request) -> Response:
        """End the failure."""
        self._idp.mend()
        return await self.state(request)


async def _answer_problem(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 (Starlette types all handlers alike)
    return problem(error)


async def _answer_disconnected(_: Request, __: Exception) -> Response:
    return problem(Refused(400, "gone", "the client disconnected"))


async def _answer_released(_: Request, __: Exception) -> Response:
    """Answer a request that hung until the provider recovered, instead of raising."""
    return problem(Refused(503, "recovered", "this request hung until the provider recovered"))


def _prefers_text(request: Request) -> bool:
    """Return whether Accept names plain text and prefers it to JSON (RFC 9110, 12.5.1)."""
    weights: dict[str, float] = {}
    for part in ",".join(request.headers.getlist("accept")).split(","):
        kind, *parameters = (item.strip().lower() for item in part.split(";"))
        weights[kind] = 1.0
        for parameter in parameters:
            if parameter.startswith("q="):
                try:
                    weights[kind] = float(parameter[2:])
                except ValueError:
                    weights[kind] = 0.0
    return weights.get("text/plain", 0.0) > weights.get("application/json", 0.0)
