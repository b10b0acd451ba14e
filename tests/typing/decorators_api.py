"""The types of `requires` and the integrations, as a user's type checker sees them. Checked, never run."""

from __future__ import annotations

from collections.abc import Coroutine
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, assert_type

from fastapi import Depends, FastAPI, Security
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.authentication import AuthenticationMiddleware
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute

from jwks_client import AsyncJWKSClient, JWKSClient, JWKSError, VerifiedToken
from jwks_client.asgi import JWKSMiddleware
from jwks_client.decorators import requires
from jwks_client.integrations import Guard, Requirement, UnverifiedRequest, is_refusal, serving
from jwks_client.integrations.fastapi import JWKSAuth
from jwks_client.integrations.starlette import JWKSBackend
from jwks_client.providers import Cookie

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.websockets import WebSocket


def is_member(token: VerifiedToken) -> bool:
    """Apply an application's own rule."""
    return token.claims.get("org") == "o1"


@requires("a", any_of=("b", "c"), claims={"org": "o1"}, provider="p")
def plain(count: int, *, word: str = "x") -> list[str]:
    """Keep its type."""
    return [word] * count


@requires(claims=is_member)
async def awaited(count: int) -> str:
    """Keep its type."""
    return str(count)


class Service:
    """A class with methods of each kind."""

    @requires("a")
    def method(self, count: int) -> int:
        """Keep its arguments."""
        return count

    @staticmethod
    @requires("a")
    async def static(count: int) -> int:
        """Keep its arguments."""
        return count

    @classmethod
    @requires("a")
    def of_class(cls, count: int) -> int:
        """Keep its arguments."""
        return count


async def kept(service: Service) -> None:
    """Check that a decorated function keeps its arguments and its result."""
    assert_type(plain(1, word="y"), list[str])
    assert_type(await awaited(1), str)
    assert_type(service.method(1), int)
    assert_type(await Service.static(1), int)
    assert_type(Service.of_class(1), int)


def with_clients(threads: JWKSClient, tasks: AsyncJWKSClient) -> None:
    """Check that each client fits only its own kind of function."""

    @requires("a", client=tasks, locations=[Cookie("session")], realm="api")
    async def handler(request: Request) -> PlainTextResponse:
        return PlainTextResponse(request.url.path)

    @requires(client=threads, trusted_origins=["https://app.test"])
    def in_thread(request: Request) -> PlainTextResponse:
        return PlainTextResponse(request.url.path)

    @requires("w", client=tasks, token=lambda message: message["token"])
    async def consume(message: dict[str, str]) -> int:
        return len(message)

    @requires(client=tasks)
    async def socket(websocket: WebSocket) -> None:
        await websocket.accept()

    consumed: Coroutine[Any, Any, int] = consume({})
    consumed.close()
    backend = JWKSBackend(tasks, optional=True, locations=[Cookie("session")])
    Starlette(
        routes=[Route("/", handler), Route("/t", in_thread), WebSocketRoute("/ws", socket)],
        middleware=[
            Middleware(JWKSMiddleware, tasks, exclude=["/health"]),
            Middleware(AuthenticationMiddleware, backend=backend, on_error=backend.on_error),
        ],
        exception_handlers={JWKSError: backend.answer},
    )


def with_fastapi(tasks: AsyncJWKSClient) -> None:
    """Check that dependencies are annotated by what they return."""

    @dataclass
    class Claims:
        sub: str

    auth = JWKSAuth(tasks, optional=True, openid_connect_url="https://i.test/o", realm="api")
    app = FastAPI(dependencies=[Depends(auth)])
    app.add_middleware(JWKSMiddleware, client=tasks)

    async def route(
        token: Annotated[VerifiedToken, Security(auth, scopes=["a"])],
        other: Annotated[VerifiedToken, Depends(auth.requires(any_of=["a"], claims=is_member))],
        claims: Annotated[Claims | None, Depends(auth.claims_as(Claims))],
    ) -> str:
        return f"{token} {other} {claims}"

    app.get("/")(route)


def with_the_seam(threads: JWKSClient, request: UnverifiedRequest) -> bytes:
    """Check the parts of a custom integration."""
    guard = Guard(threads, asynchronous=False, realm="api")
    try:
        raw = guard.read(request)
        token = None if raw is None else guard.client.verify(raw)
        assert_type(Requirement().check(token), VerifiedToken | None)
        assert_type(Requirement(["a"], claims=is_member).enforce(token), VerifiedToken)
        with serving(token):
            return b"fine"
    except JWKSError as error:
        if not is_refusal(error):
            raise
        return guard.refuse(error, request, "/").body


def wrong(threads: JWKSClient, tasks: AsyncJWKSClient, auth: JWKSAuth) -> None:
    """Mistakes that a type checker must find."""
    plain("1")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    requires(1)  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue, reportArgumentType]
    requires("a", realm="api")  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue]
    requires("a", client=threads, scheme="x")  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue, reportArgumentType]
    requires("a", client=tasks)(plain)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    auth.requires(claims="org")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    JWKSAuth(threads)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    JWKSBackend(threads)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
