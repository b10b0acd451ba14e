"""Litestar: a plugin that protects an app, a guard for routes, and the OpenAPI document.

    auth = JWKSAuth(AsyncJWKSClient(providers.stytch("project-live-…")))

    @get("/orders", guards=[requires("orders:read")])
    async def orders(request: Request) -> dict[str, str]:
        return {"orders of": request.auth.subject}

    app = Litestar([orders], plugins=[auth])

Must not depend on: how credentials are read or errors answered (`asgi.JWKSMiddleware`), what a
route requires (`_web.requirement`).
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Collection, Iterable
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Any, Unpack

try:
    from litestar.middleware import DefineMiddleware
    from litestar.openapi.spec import Components
    from litestar.plugins import InitPlugin
except ImportError as error:
    raise ImportError(
        'Litestar is not installed: pip install "jwks-client-sdk[litestar]"'
    ) from error

from .._client.access import locations_of
from .._web.admission import AppSettings, check_names
from .._web.guard import WarmUp
from .._web.handling import note
from .._web.identity import token_in
from .._web.lifetime import Lifetime
from .._web.requirement import ClaimsRule, Requirement
from ..errors import JWKSError
from ..protocols import AsyncVerifier
from ._litestar_middleware import RouteMiddleware, SharedMiddleware, answer
from ._litestar_openapi import documented

if TYPE_CHECKING:
    from litestar.config.app import AppConfig
    from litestar.connection import ASGIConnection

__all__ = ["JWKSAuth", "requires"]


class JWKSAuth(InitPlugin):
    """Admits requests with a valid token to the routes of an app, and denies all others.

    ``request.auth`` is the `VerifiedToken`, or None for an anonymous request; ``request.user`` has
    the token's ``identity``, ``display_name`` and ``scopes``, and the ``token``. A route with
    ``exclude_from_auth=True`` needs no token.

    Arguments:
        client: an `AsyncJWKSClient`.
        openid_connect_url: the URL of the provider's discovery document, for the API documentation.
        warm_up, keep_fresh, close_client: as in `JWKSMiddleware`.
        settings: ``optional``, ``exclude``, ``locations``, ``realm``, ``on_error``,
            ``resource_metadata``, ``trusted_origins``, as in `JWKSMiddleware`.

    Raises ConfigurationError naming the setting.
    """

    def __init__(
        self,
        client: AsyncVerifier,
        *,
        openid_connect_url: str | None = None,
        warm_up: WarmUp = "background",
        keep_fresh: bool = True,
        close_client: bool = False,
        **settings: Unpack[AppSettings],
    ) -> None:
        check_names(settings, AppSettings.__annotations__)
        self._protected = SharedMiddleware(client, **settings)
        self._lifetime = Lifetime(
            client, warm_up=warm_up, keep_fresh=keep_fresh, close_client=close_client
        )
        locations = settings.get("locations") or locations_of(client)
        self._schemes = documented(locations, openid_connect_url)

    def on_app_init(self, app_config: AppConfig) -> AppConfig:
        """Protect an app; Litestar calls this."""
        middleware: Any = RouteMiddleware
        app_config.middleware.insert(0, DefineMiddleware(middleware, protected=self._protected))
        app_config.exception_handlers.setdefault(JWKSError, answer)
        app_config.lifespan.append(self._live)
        metadata = self._protected.metadata_route()
        if metadata is not None and not _is_routed(metadata.paths, app_config.route_handlers):
            app_config.route_handlers.append(metadata)
        if app_config.openapi_config is not None:
            # The default is an object that all apps of the process share, so it must not change.
            document = app_config.openapi_config = copy.copy(app_config.openapi_config)
            before = document.components
            document.components = [
                *(before if isinstance(before, list) else [before]),
                Components(security_schemes=dict(self._schemes)),
            ]
            wanted: list[dict[str, list[str]]] = [{name: []} for name in self._schemes]
            document.security = [*(document.security or ()), *wanted]
        return app_config

    def _live(self, _app: object) -> AbstractAsyncContextManager[None]:
        return self._lifetime.running()


def _is_routed(paths: Collection[str], handlers: Iterable[object]) -> bool:
    """Return whether the app itself has a route for one of these paths."""
    return any(path in getattr(handler, "paths", ()) for handler in handlers for path in paths)


def requires(
    *scopes: str,
    any_of: Collection[str] = (),
    claims: ClaimsRule | None = None,
    provider: str | None = None,
) -> Callable[[ASGIConnection[Any, Any, Any, Any], Any], None]:
    """Return a guard for ``guards=[…]`` of a route, controller, router or app.

    Arguments:
        scopes, any_of, claims, provider: what the token must have, as in `decorators.requires`.

    Raises ConfigurationError naming the setting.
    """
    requirement = Requirement(scopes, any_of=any_of, claims=claims, provider=provider)

    def guard(connection: ASGIConnection[Any, Any, Any, Any], _handler: Any) -> None:
        scope: Any = connection.scope
        try:
            requirement.enforce(token_in(scope))
        except JWKSError as error:
            note(error, scope, certain=True)
            raise

    return guard
