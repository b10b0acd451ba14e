"""`Admission`: which requests of an app need credentials, for frameworks without ASGI or WSGI.

It adds to `Guard` what the ASGI and WSGI middlewares implement themselves: excluded paths, and
paths where credentials are optional. Must not depend on: frameworks, how tokens are verified.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from typing import Generic, TypeVar, Unpack, cast

from .._core.credentials.answers import Answer
from .._core.credentials.reader import UnverifiedRequest
from ..errors import ConfigurationError
from ..protocols import AsyncVerifier, Verifier
from .exclusions import Exclusions, optional_paths
from .guard import Guard
from .starlette_connection import GuardSettings

__all__ = ["Admission", "AppSettings", "check_names"]

ClientT = TypeVar("ClientT", bound=Verifier | AsyncVerifier)


class AppSettings(GuardSettings, total=False):
    """The settings of an integration that protects a whole app, as in `JWKSMiddleware`."""

    optional: bool | Iterable[str | re.Pattern[str]]
    exclude: Iterable[str | re.Pattern[str]]


class Admission(Generic[ClientT]):
    """The guard of an app, with its excluded and optional paths.

    Arguments:
        client: the client that verifies.
        asynchronous: whether the integration awaits.
        settings: the settings in `AppSettings`.

    Attributes:
        guard: reads credentials and answers refusals.

    Raises ConfigurationError naming the setting.
    """

    __slots__ = ("_exclusions", "_optional", "guard")

    def __init__(
        self, client: ClientT, *, asynchronous: bool, **settings: Unpack[AppSettings]
    ) -> None:
        check_names(settings, AppSettings.__annotations__)
        optional = settings.pop("optional", False)
        self._optional = optional_paths(optional)
        self._exclusions = Exclusions(settings.pop("exclude", ()))
        rest = cast("GuardSettings", settings)
        self.guard = Guard(client, asynchronous=asynchronous, optional=optional is True, **rest)

    def excludes(self, request: UnverifiedRequest, path: str) -> bool:
        """Return whether a request needs no credentials."""
        return self._exclusions.match(_method(request), path)

    def metadata(self, request: UnverifiedRequest, path: str) -> Answer | None:
        """Return the metadata document (RFC 9728), if a request asks for it."""
        resource = self.guard.resource
        if resource is None or request.kind != "http" or path != resource.path:
            return None
        return resource.answer(request.method)

    def read(self, request: UnverifiedRequest, path: str) -> str | None:
        """Return the unverified token of a request, or None if it may be anonymous.

        Raises as `Guard.read` does.
        """
        optional = self._optional.match(_method(request), path)
        return self.guard.read(request, optional=optional)


def check_names(settings: Iterable[str], known: Collection[str]) -> None:
    """Check that settings exist. Raises ConfigurationError naming the unknown one."""
    for name in settings:
        if name not in known:
            raise ConfigurationError(
                name, f"is not a known setting; the settings are {', '.join(sorted(known))}"
            )


def _method(request: UnverifiedRequest) -> str:
    # A handshake is not a GET of a page, so "GET /path" does not cover it.
    return request.method if request.kind == "http" else "WEBSOCKET"
