"""The rules for gRPC calls: credentials in metadata, scopes by method, refusals as a status.

Must not depend on: whether the server awaits.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from typing import Any, Final, NamedTuple, TypeAlias, cast

import grpc

from .. import VerifiedToken
from .._client.access import locations_of
from .._core.credentials.reader import UnverifiedRequest
from .._core.locations import BEARER, Header, checked_locations
from .._web.admission import Admission, AppSettings, check_names
from .._web.guard import check_client, demanded
from .._web.requirement import Requirement
from ..errors import ConfigurationError, JWKSError

__all__ = ["Call", "CallSettings", "Refused", "Rules", "Scopes"]

Scopes: TypeAlias = Mapping[str, "str | Collection[str] | Requirement"]

_METHOD: Final = re.compile(r"/[A-Za-z0-9_.]+/(?:[A-Za-z0-9_]+|\*)")
_SENT: Final = ("www-authenticate", "retry-after")
_NOT_HERE: Final = {"on_error", "trusted_origins"}  # for bodies and cookies
_ANYTHING: Final = Requirement()


class CallSettings(AppSettings, total=False):
    """The settings of an interceptor, without ``on_error`` and ``trusted_origins``."""

    scopes: Scopes


class Refused(NamedTuple):
    """A refusal in the form that gRPC sends."""

    code: grpc.StatusCode
    details: str
    trailing: tuple[tuple[str, str], ...]


class Call(NamedTuple):
    """One call: its full method name, and its metadata as a request."""

    method: str
    request: UnverifiedRequest


class Rules:
    """The requirements of a server on its calls.

    Arguments:
        client: the client that verifies.
        asynchronous: whether the server awaits.
        settings: the settings in `CallSettings`.

    Raises ConfigurationError naming the setting.
    """

    __slots__ = ("_admission", "_required", "verify")

    def __init__(self, client: Any, *, asynchronous: bool, settings: CallSettings) -> None:
        check_names(settings, CallSettings.__annotations__.keys() - _NOT_HERE)
        check_client(client, asynchronous=asynchronous)
        given = cast("dict[str, Any]", dict(settings))
        self._required = _requirements(given.pop("scopes", {}))
        locations = given.pop("locations", None)
        if locations is None:
            found = [one for one in locations_of(client) if isinstance(one, Header)]
            locations = found or [BEARER]
        elif not all(isinstance(one, Header) for one in checked_locations(locations)):
            raise ConfigurationError(
                "locations", "must contain only Header, because gRPC has only metadata"
            )
        self._admission: Admission[Any] = Admission(
            client, asynchronous=asynchronous, locations=locations, **given
        )
        self.verify: Any = self._admission.guard.client.verify

    def call(self, method: str, metadata: Iterable[tuple[str, str | bytes]] | None) -> Call:
        """Return a call from its method and metadata."""
        return Call(method, UnverifiedRequest.from_pairs("POST", metadata or ()))

    def excludes(self, method: str) -> bool:
        """Return whether a method needs no credentials."""
        return self._admission.excludes(UnverifiedRequest.from_pairs("POST", ()), method)

    def read(self, call: Call) -> str | None:
        """Return the unverified token of a call. Raises the errors of `Guard.read`."""
        return self._admission.read(call.request, call.method)

    def check(self, call: Call, token: VerifiedToken | None) -> VerifiedToken | None:
        """Return the token if it meets the method's requirements. Raises as `Requirement.check`."""
        service = call.method.rpartition("/")[0]
        required = self._required.get(call.method) or self._required.get(f"{service}/*")
        return (required or _ANYTHING).check(token)

    def answer(self, error: JWKSError, call: Call) -> Refused:
        """Return the status for a refusal, and report it. Raises an error that is not a refusal."""
        answer = self._admission.guard.refuse(error, call.request, call.method)
        trailing = tuple(pair for pair in answer.text_headers if pair[0] in _SENT)
        return Refused(_status(answer.status), demanded(error).code, trailing)


def _status(http_status: int) -> grpc.StatusCode:
    match http_status:
        case 400 | 401:
            return grpc.StatusCode.UNAUTHENTICATED
        case 503:
            return grpc.StatusCode.UNAVAILABLE
        case _:
            return grpc.StatusCode.PERMISSION_DENIED


def _requirements(scopes: Any) -> dict[str, Requirement]:
    if not isinstance(scopes, Mapping):
        raise ConfigurationError("scopes", f"must be scopes by method, got {type(scopes).__name__}")
    for method in scopes:
        if not isinstance(method, str) or not _METHOD.fullmatch(method):
            raise ConfigurationError(
                "scopes",
                "must name methods as '/package.Service/Method', or '/package.Service/*' for all "
                f"others of a service, got {method!r}",
            )
    return {method: _requirement(value) for method, value in scopes.items()}


def _requirement(value: Any) -> Requirement:
    if isinstance(value, Requirement):
        return value
    return Requirement((value,) if isinstance(value, str) else value)
