"""The one configuration that every integration shares, and what becomes of a request it refuses.

Owns: which client, where credentials stand, what is optional, how an error becomes an answer and a
record. May not know: ASGI, WSGI, frameworks. An integration for one more framework takes a
`Guard`'s three steps, and its own way to wait in between:

    raw = guard.read(request)                     # None where no credentials are allowed
    token = await guard.client.verify(raw)
    answer = guard.refuse(error, request, path)   # for a JWKSError of either

A refusal is told to the client's listeners and written to the logger ``jwks_client.requests``, at
most ten at once and one a second in a flood. Whatever fails in telling or rendering, the answer is
a refusal still.
"""

from __future__ import annotations

import contextlib
import inspect
import re
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any, Final, Generic, Literal, TypeAlias, TypeGuard, TypeVar, cast

from .._client.access import emit, locations_of
from .._core.credentials.answers import Answer, Answers
from .._core.credentials.reader import CredentialsReader, Location, UnverifiedRequest
from ..errors import ConfigurationError, CredentialsError, JWKSError
from ..events import RequestRefused, shown
from ..protocols import AsyncVerifier, Verifier
from .protected_resource import ProtectedResource
from .quiet_client import quiet
from .refusal_log import RefusalLog

__all__ = ["Guard", "OnError", "Refusal", "WarmUp", "is_refusal"]

ClientT = TypeVar("ClientT", bound=Verifier | AsyncVerifier)

_MOST_SHOWN: Final = 200
# RFC 9110, sections 5.1 and 5.5: what no server may refuse to send, or take for two headers.
_NAME: Final = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_VALUE: Final = re.compile(rb"[\x20-\x7e\x80-\xff\t]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A request that is refused, for an ``on_error`` of one's own.

    Attributes:
        error: why.
        answer: what is answered by default; keep its status and headers, or clients cannot tell
            what to do (``answer.with_body(…)``).
        request: what was sent; its headers may hold the token.
        path: the path asked for, unescaped.
    """

    error: JWKSError
    answer: Answer
    request: UnverifiedRequest
    path: str


OnError: TypeAlias = Callable[[Refusal], Answer | None]
WarmUp: TypeAlias = Literal["background", "required"] | None
_WARM_UPS: Final[tuple[WarmUp, ...]] = ("background", "required", None)


def is_refusal(error: Exception) -> TypeGuard[JWKSError]:
    """Whether an error is one of ours about the request: 4xx or 503, no ConfigurationError."""
    return isinstance(error, JWKSError) and (
        400 <= error.http_status < 500 or error.http_status == 503
    )


class Guard(Generic[ClientT]):
    """What protects an app.

    Arguments:
        client: what verifies.
        asynchronous: whether the integration awaits, so that the wrong client is told at once.
        locations: where credentials stand, in order; None: where the client's providers say.
        optional: let requests without credentials pass; bad ones are refused all the same.
        realm: shown in challenges.
        on_error: renders answers of one's own: given a `Refusal`, gives an `Answer`, or None for
            the default. If it raises, or gives anything else, the default is answered.
        resource_metadata: the URL of RFC 9728 metadata, or a `ProtectedResource`, for challenges.
        trusted_origins: origins whose pages may send requests with a cookie.

    Attributes:
        resource: the `ProtectedResource`, where that was given: a middleware serves it too.

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
        self.optional = checked_flag("optional", optional)
        self.reader = CredentialsReader(
            locations_of(client) if locations is None else locations, trusted_origins
        )
        if on_error is not None and (
            not callable(on_error) or inspect.iscoroutinefunction(on_error)
        ):
            raise ConfigurationError("on_error", "takes a plain function of a Refusal")
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
            optional: whether this request may be anonymous, whatever the guard's own setting says.

        Raises CredentialsError; TokenError ``token_too_large``.
        """
        found = self.reader.read(request)
        if found is None and not (optional or self.optional):
            raise CredentialsError("missing_credentials", "the request carries no credentials")
        return found

    def refuse(self, error: JWKSError, request: UnverifiedRequest, path: str) -> Answer:
        """Return the answer to a request that is refused, and report the refusal once.

        Raises the error itself where it is not a refusal: a wrong setting has no answer.
        """
        if not is_refusal(error):
            raise error
        refusal = Refusal(error=error, answer=self._answers.to(error), request=request, path=path)
        answer, problem, raised = self._rendered(refusal)
        event = RequestRefused(
            code=error.code,
            status=answer.status,
            provider=error.provider,
            kid=error.kid,
            method=_shown(request.method if request.kind == "http" else "WEBSOCKET"),
            path=_shown(path),
        )
        with contextlib.suppress(Exception):  # a stand-in's client
            emit(self.client, event)
        with contextlib.suppress(Exception):  # a logging filter's
            self._log.write(event, request, problem=problem, raised=raised)
        return answer

    def _rendered(self, refusal: Refusal) -> tuple[Answer, str | None, Exception | None]:
        """Return the answer, what is wrong with ``on_error``, and what it raised."""
        if self._on_error is None:
            return refusal.answer, None, None
        try:
            answer = self._on_error(refusal)
            if answer is None:
                return refusal.answer, None, None
            if _can_be_sent(answer):
                return answer, None, None
        except Exception as error:  # noqa: BLE001 (the application's code)
            return refusal.answer, "on_error raised, so the default answer was sent", error
        problem = "on_error returned no Answer that can be sent, so the default answer was sent"
        return refusal.answer, problem, None


def _monotonic_of(client: Verifier | AsyncVerifier) -> Callable[[], float]:
    """Return the client's monotonic clock, or for a stand-in without one the system's."""
    clock = getattr(client, "_clock", None)
    return time.monotonic if clock is None else cast("Callable[[], float]", clock.monotonic)


def _shown(text: str) -> str:
    return shown(text, _MOST_SHOWN, escaped=_MOST_SHOWN)


def checked_flag(field: str, value: object) -> bool:
    """True or False and nothing that merely counts as one."""
    if not isinstance(value, bool):
        raise ConfigurationError(field, f"takes True or False, not {value!r}")
    return value


def checked_warm_up(value: object) -> WarmUp:
    """What ``warm_up=`` takes."""
    for known in _WARM_UPS:
        if value == known:
            return known
    raise ConfigurationError("warm_up", f"takes 'background', 'required' or None, not {value!r}")


def required_start(client: Any) -> Callable[[], Any]:
    """Return what a start calls that requires keys: ``warm_up``, less what need not be there."""
    if getattr(client, "_requires_all", True):
        return cast("Callable[[], Any]", client.warm_up)
    return cast("Callable[[], Any]", client._warm_up_required)  # noqa: SLF001 (our own class)


def told_of_warm_up(error: Exception) -> str:
    """What is said of a warm-up that failed; of what is not ours, no more than its type."""
    told = str(error) if isinstance(error, JWKSError) else type(error).__name__
    return f"keys could not be loaded: {told}"


def check_client(client: object, *, asynchronous: bool) -> None:
    verify = getattr(client, "verify", None)
    wanted = "an AsyncJWKSClient" if asynchronous else "a JWKSClient"
    if isinstance(client, type):
        raise ConfigurationError("client", f"takes {wanted} that was made, not the class")
    if not callable(verify) or inspect.iscoroutinefunction(verify) is not asynchronous:
        raise ConfigurationError("client", f"takes {wanted}, not {type(client).__name__}")


def _can_be_sent(answer: object) -> bool:
    """Whether an application's answer is one: no server takes it apart or chokes on it."""
    return (
        isinstance(answer, Answer)
        and isinstance(answer.status, int)
        and 200 <= answer.status <= 599
        and isinstance(answer.body, bytes)
        and all(_NAME.fullmatch(name) and _VALUE.fullmatch(value) for name, value in answer.headers)
    )
