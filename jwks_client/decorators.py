"""`requires`: protect a function by requirements on the caller's token.

    @requires("orders:read")                          # under JWKSMiddleware
    async def orders(request): ...

    @requires("orders:read", client=client)           # no middleware: verifies here
    async def orders(request): ...

    @requires("orders:write", client=client, token=lambda message: message["token"])
    async def consume(message): ...                   # no HTTP at all

Must not depend on: frameworks (`_web.starlette_connection` recognizes connections), what a token
must have (`_web.requirement`).

The wrapped function only runs if the token meets the requirements. Inside, `current_token()` and
``get_token(request)`` return the token. Without a client, the decorator raises errors and the
middleware answers them. With a client, the decorator answers them: it returns a response if the
function received a plain request, and sends one if the function received a WebSocket or is an ASGI
app. With ``token=`` the decorator has no connection to answer, so it raises errors.
"""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Callable, Collection, Coroutine, Mapping, MutableMapping
from typing import Any, NoReturn, ParamSpec, Protocol, TypeAlias, TypeVar, Unpack, cast, overload

from ._core.callables import is_coroutine_function
from ._web.flask_connection import FlaskConnection
from ._web.guard import Guard
from ._web.handling import note
from ._web.identity import current_token, serving
from ._web.requirement import ClaimsRule, Requirement
from ._web.starlette_connection import Connection, GuardSettings
from .errors import ConfigurationError, CredentialsError, JWKSError
from .protocols import AsyncVerifier, Verifier

__all__ = ["requires"]

P = ParamSpec("P")
R = TypeVar("R")
FindToken: TypeAlias = Callable[..., str | bytes | None]
Handler: TypeAlias = Callable[..., Any]


class Decorator(Protocol):
    """Returns a protected function with the same arguments and result."""

    def __call__(self, handler: Callable[P, R], /) -> Callable[P, R]:
        """Protect a function."""
        ...


class AsyncDecorator(Protocol):
    """The same, for coroutine functions only."""

    def __call__(
        self, handler: Callable[P, Coroutine[Any, Any, R]], /
    ) -> Callable[P, Coroutine[Any, Any, R]]:
        """Protect a coroutine function."""
        ...


@overload
def requires(
    *scopes: str,
    any_of: Collection[str] = (),
    claims: ClaimsRule | None = None,
    provider: str | None = None,
) -> Decorator: ...
@overload
def requires(
    *scopes: str,
    client: AsyncVerifier,
    any_of: Collection[str] = (),
    claims: ClaimsRule | None = None,
    provider: str | None = None,
    token: FindToken | None = None,
    **settings: Unpack[GuardSettings],
) -> AsyncDecorator: ...
@overload
def requires(
    *scopes: str,
    client: Verifier,
    any_of: Collection[str] = (),
    claims: ClaimsRule | None = None,
    provider: str | None = None,
    token: FindToken | None = None,
    **settings: Unpack[GuardSettings],
) -> Decorator: ...
def requires(
    *scopes: str,
    client: AsyncVerifier | Verifier | None = None,
    any_of: Collection[str] = (),
    claims: ClaimsRule | None = None,
    provider: str | None = None,
    token: FindToken | None = None,
    **settings: Unpack[GuardSettings],
) -> Decorator | AsyncDecorator:
    """Let a function run only with a valid token that meets the requirements.

    Works on functions and methods, sync and async, ``functools.partial``, static and class methods.
    A generator function is checked when it is called.

    Arguments:
        scopes: the token must have all of them.
        client: verifies the token without a middleware: an `AsyncJWKSClient` for coroutine
            functions, a `JWKSClient` for others. The decorator finds the connection among the
            arguments: Starlette's ``Request`` or ``WebSocket``, Litestar's ``Request``, or the
            scope of an ASGI app. In Flask and Quart it uses the current request.
        any_of: the token must have at least one of them.
        claims: the token's claims must have these JSON values (a set means any one of its
            members); or a plain function of the `VerifiedToken` that returns True to accept it.
        provider: the name of the provider that must have issued the token.
        token: with ``client``: a callable that returns the token. It is called with all arguments
            of the function. If it returns None or raises, the call has no token.
        settings: with ``client`` and without ``token``: ``locations``, ``realm``, ``on_error``,
            ``resource_metadata``, ``trusted_origins``, as in `JWKSMiddleware`.

    Raises ConfigurationError naming the setting, here or where a function is decorated. The
    decorated function raises, or answers, the errors of ``verify``; CredentialsError
    ``missing_credentials`` (401) without a token; InsufficientScopeError (403)
    ``insufficient_scope``, or ``insufficient_claims`` for other claims or another provider. It
    raises TypeError if it needs a connection and received none.
    """
    _check_settings(scopes, client, token, settings)
    requirement = Requirement(scopes, any_of=any_of, claims=claims, provider=provider)

    def decorate(handler: Handler) -> Handler:
        if isinstance(handler, (staticmethod, classmethod)):
            kind = cast("Callable[[Handler], Handler]", type(handler))
            return kind(decorate(handler.__func__))
        if not callable(handler) or inspect.isclass(handler):
            raise ConfigurationError(
                "requires", f"must decorate a function or method, got {type(handler).__name__}"
            )
        awaits = is_coroutine_function(handler)
        if client is None:
            wrapped = _under_middleware(handler, requirement, awaits=awaits)
        else:
            guard: Guard[Any] = Guard(client, asynchronous=awaits, **settings)
            _check_handler(handler, finds_connection=token is None)
            if token is None:
                wrapped = _by_connection(handler, requirement, guard, awaits=awaits)
            else:
                wrapped = _by_token(handler, requirement, client, token, awaits=awaits)
        return functools.update_wrapper(wrapped, handler)

    return cast("Decorator", decorate)


def _check_settings(
    scopes: Collection[object], client: object, token: object, settings: Mapping[str, object]
) -> None:
    if any(map(callable, scopes)):
        raise ConfigurationError(
            "scopes", "must be strings, got a function; without scopes, write @requires()"
        )
    unknown = settings.keys() - GuardSettings.__annotations__.keys()
    if unknown:
        raise ConfigurationError(min(unknown), "is not a setting of requires")
    if client is None and (token is not None or settings):
        raise ConfigurationError("client", "must be given, because other settings require it")
    if token is not None and settings:
        raise ConfigurationError("token", f"must not be combined with {', '.join(settings)}")
    if token is not None and (not callable(token) or is_coroutine_function(token)):
        raise ConfigurationError("token", "must be a plain function of the handler's arguments")


# Each wrapper exists twice, with and without await, like the two clients.


def _under_middleware(handler: Handler, requirement: Requirement, *, awaits: bool) -> Handler:
    """Wrap a handler under a middleware."""

    def check(args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        connection = Connection.among(args, kwargs)
        token = current_token() if connection is None else connection.token
        try:
            if token is None and (connection is None or not connection.is_known):
                raise CredentialsError(
                    "missing_credentials",
                    "no token: the request carries no credentials, or the app is not "
                    "wrapped in JWKSMiddleware; wrap it, or pass client=",
                )
            requirement.enforce(token)
        except JWKSError as error:
            note(error, None if connection is None else connection.scope, certain=True)
            raise

    async def call_async(*args: Any, **kwargs: Any) -> Any:
        check(args, kwargs)
        return await handler(*args, **kwargs)

    def call(*args: Any, **kwargs: Any) -> Any:
        check(args, kwargs)
        return handler(*args, **kwargs)

    return call_async if awaits else call


def _by_connection(
    handler: Handler, requirement: Requirement, guard: Guard[Any], *, awaits: bool
) -> Handler:
    """Wrap a handler that receives a connection, and answer refusals here."""

    async def call_async(*args: Any, **kwargs: Any) -> Any:
        connection = _connection_of(args, kwargs)
        if connection is None:
            return await handler(*args, **kwargs) if _is_lifespan(args) else _not_found(handler)
        try:
            token = requirement.check(await guard.client.verify(guard.read(connection.request)))
        except JWKSError as error:
            return await connection.answer_refusal(guard, error)
        connection.admit(guard, token)
        with serving(token):
            try:
                return await handler(*connection.placed_in(args), **kwargs)
            except JWKSError as error:
                return await connection.answer_refusal(guard, error)

    def call(*args: Any, **kwargs: Any) -> Any:
        connection = _connection_of(args, kwargs)
        if connection is None:
            return _not_found(handler)
        try:
            token = requirement.check(guard.client.verify(guard.read(connection.request)))
        except JWKSError as error:
            return connection.response_to(guard, error)
        connection.admit(guard, token)
        with serving(token):
            try:
                return handler(*args, **kwargs)
            except JWKSError as error:
                return connection.response_to(guard, error)

    return call_async if awaits else call


def _by_token(
    handler: Handler, requirement: Requirement, client: Any, find: FindToken, *, awaits: bool
) -> Handler:
    """Wrap a handler for which the application finds the token."""

    async def call_async(*args: Any, **kwargs: Any) -> Any:
        token = requirement.check(await client.verify(_found(find, args, kwargs)))
        with serving(token):
            return await handler(*args, **kwargs)

    def call(*args: Any, **kwargs: Any) -> Any:
        token = requirement.check(client.verify(_found(find, args, kwargs)))
        with serving(token):
            return handler(*args, **kwargs)

    return call_async if awaits else call


def _connection_of(
    args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Connection | FlaskConnection | None:
    """Return the connection among a handler's arguments, or Flask's current request."""
    found = Connection.among(args, kwargs)
    if found is None:
        return FlaskConnection.current()
    return None if found.keeps_tokens else found


def _found(find: FindToken, args: tuple[Any, ...], kwargs: dict[str, Any]) -> str | bytes:
    try:
        found = find(*args, **kwargs)
    except JWKSError:
        raise
    except Exception as error:
        raise CredentialsError("missing_credentials", "the token= callable raised") from error
    if found is None:
        raise CredentialsError("missing_credentials", "the token= callable found no token")
    return found


def _check_handler(handler: Handler, *, finds_connection: bool) -> None:
    if inspect.isasyncgenfunction(handler):
        raise ConfigurationError("client", "must not be used with an async generator function")
    # Flask and Quart do not pass the request to views.
    in_flask = "flask" in sys.modules or "quart" in sys.modules
    if finds_connection and not in_flask and not inspect.signature(handler).parameters:
        raise ConfigurationError(
            "client", "must find a connection, but the function has no arguments; add a request"
        )


def _is_lifespan(args: tuple[Any, ...]) -> bool:
    """Return whether a server calls an ASGI app for its lifespan."""
    last = args[-3:]
    return (
        len(last) == 3
        and isinstance(last[0], MutableMapping)
        and last[0].get("type") not in (None, "http", "websocket")
        and all(map(callable, last[1:]))
    )


def _not_found(handler: Handler) -> NoReturn:
    name = getattr(handler, "__qualname__", repr(handler))
    raise TypeError(
        f"{name} was given no connection: it must accept a Starlette Request or WebSocket, or a "
        "Litestar Request, or be an ASGI app; or pass token= to find the token"
    )
