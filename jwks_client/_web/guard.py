"""`Guard`: the configuration that all integrations share, and the handling of refused requests.

A guard knows the client, where credentials are, whether they are optional, and how an error becomes
an answer and a log record. Must not depend on: ASGI, WSGI, frameworks. A custom integration uses a
`Guard` in three steps:

    raw = guard.read(request)                     # None for an anonymous request
    token = await guard.client.verify(raw)
    answer = guard.refuse(error, request, path)   # for a JWKSError of either step

A refusal is emitted to the client's listeners and written to the logger ``jwks_client.requests``
(a burst of ten records, then one per second). If a listener, the log or ``on_error`` fails, the
request is still denied.
"""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any, Final, Generic, Literal, TypeAlias, TypeGuard, TypeVar, cast

from .._client.access import emit, is_asynchronous, locations_of, requires_every_key_set
from .._core.callables import is_coroutine_function
from .._core.credentials.answers import Answer, Answers
from .._core.credentials.reader import (
    CredentialsReader,
    Location,
    UnverifiedRequest,
    no_credentials,
)
from .._core.encoding import printable
from .._core.settings import flag
from ..errors import (
    ConfigurationError,
    InsufficientScopeError,
    JWKSError,
    TokenError,
)
from ..events import RequestRefused
from ..protocols import AsyncVerifier, Verifier
from .protected_resource import ProtectedResource
from .quiet_client import quiet
from .refusal_log import RefusalLog

__all__ = ["Guard", "OnError", "Refusal", "WarmUp", "demanded", "is_refusal"]

ClientT = TypeVar("ClientT", bound=Verifier | AsyncVerifier)

_MOST_SHOWN: Final = 200
# RFC 9110, sections 5.1 and 5.5: headers that every server sends, as one header.
_NAME: Final = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_VALUE: Final = re.compile(rb"[\x20-\x7e\x80-\xff\t]*")
_FRAMING: Final = (b"content-length", b"transfer-encoding")
_WITHOUT_BODY: Final = (204, 205, 304)  # RFC 9110, section 15


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A refused request, as a custom ``on_error`` receives it.

    Attributes:
        error: the reason.
        answer: the default answer; keep its status and headers, which clients rely on
            (``answer.with_body(…)``).
        request: the request; its headers may contain the token.
        path: the requested path, unescaped.
    """

    error: JWKSError
    answer: Answer
    request: UnverifiedRequest
    path: str


OnError: TypeAlias = Callable[[Refusal], Answer | None]
WarmUp: TypeAlias = Literal["background", "required"] | None
_WARM_UPS: Final[tuple[WarmUp, ...]] = ("background", "required", None)


def is_refusal(error: Exception) -> TypeGuard[JWKSError]:
    """Return whether an error of this library is about the request: 4xx or 503."""
    return isinstance(error, JWKSError) and (
        400 <= error.http_status < 500 or error.http_status == 503
    )


def demanded(error: JWKSError) -> JWKSError:
    """Return ``insufficient_claims`` for claims that do not fit a handler's type; else the error.

    A handler's demand on an accepted token is authorization, so `VerifiedToken.claims_as` is
    answered with 403. In a provider's own ``checks`` it decides whether the token is valid (401).
    """
    if not (isinstance(error, TokenError) and error._misfit):  # noqa: SLF001 (our own class)  # pyright: ignore[reportPrivateUsage]
        return error
    return InsufficientScopeError(
        code="insufficient_claims",
        message=error.message,
        claim=error.claim,
        expected=error.expected,
    )


class Guard(Generic[ClientT]):
    """The protection of an app.

    Arguments:
        client: the client that verifies.
        asynchronous: whether the integration awaits; a client of the other kind is rejected.
        locations: where credentials are, in order; None uses those of the client's providers.
        optional: admit requests without credentials; invalid credentials are still refused.
        realm: the realm that challenges name.
        on_error: renders a custom answer: receives a `Refusal` and returns an `Answer`, or None
            for the default. If it raises or returns anything else, the default is sent.
        resource_metadata: the URL of RFC 9728 metadata, or a `ProtectedResource`, for challenges.
        trusted_origins: origins whose pages may send requests with a cookie.

    Attributes:
        resource: the `ProtectedResource`, if given; a middleware also serves it.

    Raises ConfigurationError naming the setting.
    """

    __slots__ = ("_answers", "_log", "_on_error", "client", "optional", "reader", "resource")

    def __init__(
        self,
        client: ClientT,
        *,
        asynchronous: bool,
        locations: Collection[Location] | None = None,
        optional: bool = False,
        realm: str | None = None,
        on_error: OnError | None = None,
        resource_metadata: str | ProtectedResource | None = None,
        trusted_origins: Collection[str] = (),
    ) -> None:
        check_client(client, asynchronous=asynchronous)
        self.client = quiet(client)
        self.optional = flag("optional", optional)
        self.reader = CredentialsReader(
            locations_of(client) if locations is None else locations, trusted_origins
        )
        if on_error is not None and (not callable(on_error) or is_coroutine_function(on_error)):
            given = "a coroutine function" if callable(on_error) else type(on_error).__name__
            raise ConfigurationError(
                "on_error", f"must be a plain function of a Refusal, got {given}"
            )
        self._on_error = on_error
        self.resource: ProtectedResource | None = None
        if isinstance(resource_metadata, ProtectedResource):
            self.resource = resource_metadata
            resource_metadata = resource_metadata.url
        self._answers = Answers(realm, resource_metadata)
        self._log = RefusalLog(_monotonic_of(client))

    def read(self, request: UnverifiedRequest, *, optional: bool = False) -> str | None:
        """Return the unverified token of a request, or None for an anonymous request.

        Arguments:
            request: the request.
            optional: whether this request may be anonymous, in addition to the guard's own setting.

        Raises CredentialsError; TokenError ``token_too_large``.
        """
        found = self.reader.read(request)
        if found is None:
            self.admit_anonymous(optional=optional)
        return found

    def admit_anonymous(self, *, optional: bool = False) -> None:
        """Raise CredentialsError ``missing_credentials`` unless a request may be anonymous.

        Arguments:
            optional: whether this request may, in addition to the guard's own setting.
        """
        if not (optional or self.optional):
            raise no_credentials()

    def refuse(self, error: JWKSError, request: UnverifiedRequest, path: str) -> Answer:
        """Return the answer to a refused request, and report the refusal once.

        Raises the error itself if it is not a refusal, such as a wrong setting.
        """
        if not is_refusal(error):
            raise error
        error = demanded(error)
        refusal = Refusal(error=error, answer=self._answers.to(error), request=request, path=path)
        answer, problem, raised = self._rendered(refusal)
        event = RequestRefused(
            code=error.code,
            status=answer.status,
            provider=error.provider,
            kid=error.kid,
            method=_escaped(request.method if request.kind == "http" else "WEBSOCKET"),
            path=_escaped(path),
        )
        with contextlib.suppress(Exception):  # a test double of the client may raise
            emit(self.client, event)
        with contextlib.suppress(Exception):  # a logging filter may raise
            self._log.write(event, request, problem=problem, raised=raised)
        return answer

    def _rendered(self, refusal: Refusal) -> tuple[Answer, str | None, Exception | None]:
        """Return the answer, the problem with ``on_error`` if any, and the exception it raised."""
        if self._on_error is None:
            return refusal.answer, None, None
        try:
            given = self._on_error(refusal)
            answer = refusal.answer if given is None else _sendable(given)
            if answer is not None:
                return answer, None, None
        except Exception as error:  # noqa: BLE001 (the application's code)
            return refusal.answer, "on_error raised, so the default answer was sent", error
        problem = "on_error did not return a valid Answer, so the default answer was sent"
        return refusal.answer, problem, None


def _monotonic_of(client: Verifier | AsyncVerifier) -> Callable[[], float]:
    """Return the client's monotonic clock, or the system's for a test double without a clock."""
    clock = getattr(client, "_clock", None)
    return time.monotonic if clock is None else cast("Callable[[], float]", clock.monotonic)


def _escaped(text: str) -> str:
    return printable(text, _MOST_SHOWN, limit=_MOST_SHOWN)


def checked_warm_up(value: object) -> WarmUp:
    """Return a valid value of ``warm_up``."""
    for known in _WARM_UPS:
        if value == known:
            return known
    raise ConfigurationError("warm_up", f"must be 'background', 'required' or None, got {value!r}")


def required_start(client: Any) -> Callable[[], Any]:
    """Return the method that loads required keys: `warm_up` without the optional providers."""
    if requires_every_key_set(client):
        return cast("Callable[[], Any]", client.warm_up)
    return cast("Callable[[], Any]", client._warm_up_required)  # noqa: SLF001 (our own class)


def describe_warm_up_failure(error: Exception) -> str:
    """Return the message for a failed warm-up; it names only the type of a foreign exception."""
    reason = str(error) if isinstance(error, JWKSError) else type(error).__name__
    return f"keys could not be loaded: {reason}"


def check_client(client: object, *, asynchronous: bool) -> None:
    wanted = "an AsyncJWKSClient" if asynchronous else "a JWKSClient"
    if isinstance(client, type):
        raise ConfigurationError("client", f"must be {wanted}, got the class")
    if not callable(getattr(client, "verify", None)) or is_asynchronous(client) is not asynchronous:
        raise ConfigurationError("client", f"must be {wanted}, got {type(client).__name__}")


def _sendable(given: object) -> Answer | None:
    """Return an application's answer in a form that any server can send, or None."""
    if not (
        isinstance(given, Answer)
        and isinstance(given.status, int)
        and 200 <= given.status <= 599
        and isinstance(given.body, bytes)
    ):
        return None
    headers = tuple(
        (name, value.strip(b" \t"))
        for name, value in given.headers
        if name.lower() not in _FRAMING  # the server, or the edge, says how long the body is
    )
    if not all(_NAME.fullmatch(name) and _VALUE.fullmatch(value) for name, value in headers):
        return None
    body = b"" if given.status in _WITHOUT_BODY else given.body
    return Answer(status=given.status, headers=headers, body=body)
