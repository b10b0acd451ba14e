"""Protect Django views (`requires`), and read and strip Django requests.

Must not depend on: settings, clients.
"""

from __future__ import annotations

import functools
import inspect
import io
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Any, TypeVar, cast

from asgiref.sync import iscoroutinefunction  # pyright: ignore[reportDeprecated]

from .._core.credentials.reader import CredentialsReader
from .._web.exclusions import route_path
from .._web.handling import note
from .._web.identity import TOKEN_KEY, mapping_of
from .._web.preflight import bare_environ, bare_scope
from .._web.requirement import ClaimsRule, Requirement
from ..errors import ConfigurationError, JWKSError

__all__ = ["path_of", "requires", "without_credentials"]

if TYPE_CHECKING:
    from django.http import HttpRequest

ViewT = TypeVar("ViewT", bound=Callable[..., Any])


def requires(
    *scopes: str,
    any_of: Collection[str] = (),
    claims: ClaimsRule | None = None,
    provider: str | None = None,
) -> Callable[[ViewT], ViewT]:
    """Protect a view by requirements on the request's token.

    For function views, class-based views and their methods, sync and async. On a class, it protects
    every method.

    Arguments:
        scopes: the token must have all of these.
        any_of: the token must have at least one of these.
        claims: exact JSON values by claim, or a plain function of the `VerifiedToken`.
        provider: the name of the provider whose tokens are accepted.

    Raises ConfigurationError naming the setting. `JWKSMiddleware` answers refusals.
    """
    requirement = Requirement(scopes, any_of=any_of, claims=claims, provider=provider)

    def protect(view: Any) -> Any:
        if inspect.isclass(view):
            cast("Any", view).dispatch = protect(cast("Any", view).dispatch)
            return view
        if not callable(view):
            raise ConfigurationError("requires", f"must decorate a view, got {view!r}")

        run = cast("Callable[..., Any]", view)

        async def call_async(*args: Any, **kwargs: Any) -> Any:
            _enforce(requirement, args)
            return await run(*args, **kwargs)

        def call(*args: Any, **kwargs: Any) -> Any:
            _enforce(requirement, args)
            return run(*args, **kwargs)

        awaits = iscoroutinefunction(run)  # pyright: ignore[reportDeprecated]
        return functools.wraps(run)(call_async if awaits else call)

    return protect


def _enforce(requirement: Requirement, args: tuple[Any, ...]) -> None:
    request = next((one for one in args if hasattr(one, "META")), None)
    found = {} if request is None else cast("dict[str, Any]", mapping_of(request))
    if TOKEN_KEY not in found:
        raise ConfigurationError(
            "MIDDLEWARE",
            "must list 'jwks_client.integrations.django.JWKSMiddleware' where @requires is used",
        )
    try:
        requirement.enforce(found[TOKEN_KEY])
    except JWKSError as error:
        note(error, found, certain=True)
        raise


def path_of(request: Any) -> str | None:
    """Return the path by which Django routes, or None if frameworks may disagree about it."""
    scope = getattr(request, "scope", None)
    path: str = request.path_info
    if scope is not None and route_path(scope["path"], scope.get("root_path", "")) != path:
        return None
    return path


def without_credentials(request: Any, reader: CredentialsReader) -> HttpRequest:
    """Return the request of a preflight without credentials and without a body."""
    made = cast("Any", type(request))
    if hasattr(request, "scope"):
        return cast("HttpRequest", made(bare_scope(request.scope, reader), io.BytesIO()))
    return cast("HttpRequest", made(bare_environ(request.environ, reader)))
