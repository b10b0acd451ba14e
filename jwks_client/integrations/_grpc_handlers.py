"""Wrap gRPC handlers so that credentials are checked before the method runs.

Works in asyncio tasks and in threads. Must not depend on: what a call requires (`_grpc_rules`),
how tokens are verified.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, Final, NoReturn

import grpc

from .. import VerifiedToken
from .._web.identity import serving
from ..errors import JWKSError
from ._grpc_rules import Call, Rules

__all__ = ["behavior_of", "in_tasks", "in_threads", "is_async"]

_END: Final = object()


def in_tasks(
    handler: Any,
    method: str,
    rules: Rules,
    admit: Callable[[Call], Awaitable[VerifiedToken | None]],
) -> Any:
    """Return a handler that awaits ``admit``, then its method."""
    behavior = behavior_of(handler)

    async def answer(request: Any, context: Any) -> Any:
        call = rules.call(method, context.invocation_metadata())
        response = None
        try:
            with serving(await admit(call)):
                result = behavior(request, context)
                if inspect.isawaitable(result):
                    response = await result
                else:
                    async for message in result:
                        await context.write(message)
        except JWKSError as error:
            refused = rules.answer(error, call)
        else:
            return response
        await context.abort(refused.code, refused.details, refused.trailing)
        raise AssertionError  # abort raises

    return _like(handler, answer)


def in_threads(
    handler: Any, method: str, rules: Rules, admit: Callable[[Call], VerifiedToken | None]
) -> Any:
    """Return a handler that calls ``admit``, then its method, in a thread."""
    behavior = behavior_of(handler)

    def abort(error: JWKSError, call: Call, context: Any) -> NoReturn:
        refused = rules.answer(error, call)
        context.set_trailing_metadata(refused.trailing)
        context.abort(refused.code, refused.details)
        raise AssertionError  # abort raises

    def answer(request: Any, context: Any) -> Any:
        call = rules.call(method, context.invocation_metadata())
        try:
            with serving(admit(call)):
                return behavior(request, context)
        except JWKSError as error:
            abort(error, call, context)

    def stream(request: Any, context: Any) -> Iterator[Any]:
        call = rules.call(method, context.invocation_metadata())
        try:
            with serving(token := admit(call)):
                messages = iter(behavior(request, context))
            while True:
                with serving(token):  # not around a yield, where the server uses the thread
                    message = next(messages, _END)
                if message is _END:
                    return
                yield message
        except JWKSError as error:
            abort(error, call, context)

    return _like(handler, stream if handler.response_streaming else answer)


def is_async(behavior: Any) -> bool:
    """Return whether grpc.aio awaits a method instead of running it in a thread."""
    functions = (behavior, inspect.unwrap(behavior))  # `requires` wraps async generators
    return any(map(inspect.iscoroutinefunction, functions)) or any(
        map(inspect.isasyncgenfunction, functions)
    )


def _kind(handler: Any) -> str:
    names = {True: "stream", False: "unary"}
    return f"{names[handler.request_streaming]}_{names[handler.response_streaming]}"


def behavior_of(handler: Any) -> Any:
    """Return the method of a handler."""
    return getattr(handler, _kind(handler))


def _like(handler: Any, behavior: Any) -> Any:
    """Return a handler of the same kind, with the same serializers."""
    make = getattr(grpc, f"{_kind(handler)}_rpc_method_handler")
    return make(behavior, handler.request_deserializer, handler.response_serializer)
