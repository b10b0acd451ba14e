"""FastAPI: the caller's token as a dependency, documented in OpenAPI.

    auth = JWKSAuth(AsyncJWKSClient(providers.stytch("project-live-…")))

    @app.get("/orders")
    async def orders(token: Annotated[VerifiedToken, Security(auth, scopes=["orders:read"])]): ...

Must not depend on: how credentials are read or errors answered (`_web.guard`), what a token must
have (`_web.requirement`), the content of the document (`_fastapi_openapi`).

No setup is needed: errors are answered in any app that uses a `JWKSAuth`, unless the app has its
own ``exception_handler`` for ``JWKSError``.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from inspect import Parameter, Signature
from typing import Final, TypeVar, Unpack, cast

try:
    from fastapi import Depends
    from fastapi.requests import HTTPConnection
    from fastapi.security import SecurityScopes
except ImportError as error:
    raise ImportError('FastAPI is not installed: pip install "jwks-client-sdk[fastapi]"') from error

from .. import VerifiedToken
from .._client.access import locations_of
from .._core.credentials.reader import no_credentials
from .._core.locations import checked_locations
from .._core.settings import flag
from .._web.guard import Guard
from .._web.handling import note
from .._web.identity import current_token
from .._web.requirement import ClaimsRule, Requirement, claims_as
from .._web.starlette_connection import Connection, GuardSettings, answer_refusals
from ..errors import ConfigurationError
from ..protocols import AsyncVerifier
from ._fastapi_openapi import schemes

__all__ = ["JWKSAuth"]

T = TypeVar("T")

_FOUND: Final = "jwks_client.found"


class JWKSAuth:
    """A dependency that returns the token: ``Depends(auth)``, ``Security(auth, scopes=…)``.

    For routes, routers, whole apps and WebSockets. ``get_token(request)`` returns it too.

    Arguments:
        client: an `AsyncJWKSClient`; None uses the token that `JWKSMiddleware` around the app
            verified.
        optional: return None for requests without credentials; invalid ones are still refused.
        openid_connect_url: the URL of the provider's discovery document, for the API documentation.
        scheme_name: the prefix of the security schemes' names, for an app with several `JWKSAuth`.
        settings: ``locations``, ``realm``, ``on_error``, ``resource_metadata``,
            ``trusted_origins``, as in `JWKSMiddleware`; without a client only ``locations``.

    Raises ConfigurationError naming the setting.
    """

    __signature__: Signature

    def __init__(
        self,
        client: AsyncVerifier | None = None,
        *,
        optional: bool = False,
        openid_connect_url: str | None = None,
        scheme_name: str = "",
        **settings: Unpack[GuardSettings],
    ) -> None:
        if client is None and settings.keys() - {"locations"}:
            raise ConfigurationError("client", "must be given, because other settings require it")
        self._optional = flag("optional", optional)
        self._guard: Guard[AsyncVerifier] | None = None
        if client is not None:
            self._guard = Guard(client, asynchronous=True, optional=optional, **settings)
        locations = settings.get("locations")
        locations = locations_of(client) if locations is None else checked_locations(locations)
        # FastAPI reads this: the connection, the scopes of a Security(), the security schemes.
        self.__signature__ = Signature(
            [
                Parameter("connection", Parameter.KEYWORD_ONLY, annotation=HTTPConnection),
                Parameter("scopes", Parameter.KEYWORD_ONLY, annotation=SecurityScopes),
                *(
                    Parameter(f"scheme_{at}", Parameter.KEYWORD_ONLY, default=Depends(scheme))
                    for at, scheme in enumerate(schemes(locations, openid_connect_url, scheme_name))
                ),
            ]
        )

    async def __call__(
        self, *, connection: HTTPConnection, scopes: SecurityScopes, **_: None
    ) -> VerifiedToken | None:
        """Return the token of a connection, or None if it is anonymous."""
        token = await self._token_of(Connection(connection.scope, connection))
        if token is None and (scopes.scopes or not self._optional):
            error = no_credentials()
            note(error, connection.scope, certain=True)
            raise error
        return None if token is None else token.require(*scopes.scopes)

    def requires(
        self,
        *scopes: str,
        any_of: Collection[str] = (),
        claims: ClaimsRule | None = None,
        provider: str | None = None,
    ) -> Callable[..., Awaitable[VerifiedToken]]:
        """Return a dependency with the requirements of `jwks_client.decorators.requires`."""
        requirement = Requirement(scopes, any_of=any_of, claims=claims, provider=provider)
        ours = Depends(self)

        async def required(token: VerifiedToken | None = ours) -> VerifiedToken:
            return requirement.enforce(token)

        return required

    def claims_as(self, kind: type[T]) -> Callable[..., Awaitable[T | None]]:
        """Return a dependency that converts the claims to a type; None if anonymous.

        Arguments:
            kind: a dataclass, TypedDict, or msgspec or pydantic type.

        Claims that do not fit it are an InsufficientScopeError ``insufficient_claims`` (403).
        """
        ours = Depends(self)

        async def typed(token: VerifiedToken | None = ours) -> T | None:
            return None if token is None else claims_as(token, kind)

        return typed

    async def _token_of(self, connection: Connection) -> VerifiedToken | None:
        guard, scope = self._guard, connection.scope
        if guard is None:
            return current_token()
        found_by, token = scope.get(_FOUND, (None, None))
        if found_by is guard:  # another dependency of this route has verified the token
            return cast("VerifiedToken | None", token)
        answer_refusals(scope, guard)
        raw = guard.read(connection.request)
        token = None if raw is None else await guard.client.verify(raw)
        connection.admit(guard, token)
        scope[_FOUND] = guard, token
        return token
