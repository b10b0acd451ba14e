"""Render the HTTP answer to a refused request: status, challenge and body (RFC 6750, RFC 9457).

An answer contains nothing from the request. Must not depend on: servers, frameworks, clients.
"""

from __future__ import annotations

import dataclasses
import json
import math
from http import HTTPStatus
from typing import Final

from ...errors import (
    CredentialsError,
    InsufficientScopeError,
    JWKSError,
    KeysUnavailableError,
    TokenError,
)
from .. import settings

_A_DAY: Final = 86_400


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The answer to a refused request.

    Attributes:
        status: the HTTP status.
        headers: lower-case names and values; Content-Length is added when the answer is sent.
        body: the whole body.
    """

    status: int
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes

    def with_body(self, body: bytes, media_type: str = "application/json") -> Answer:
        """Return the same answer, challenge included, with another body."""
        others = [(name, value) for name, value in self.headers if name != b"content-type"]
        headers = ((b"content-type", media_type.encode("latin-1")), *others)
        return dataclasses.replace(self, headers=headers, body=body)

    @property
    def headers_to_send(self) -> list[tuple[bytes, bytes]]:
        """Return the headers with Content-Length, unless the status forbids it (RFC 9110, 8.6)."""
        if self.status in (204, 304):
            return list(self.headers)
        return [*self.headers, (b"content-length", str(len(self.body)).encode())]

    @property
    def text_headers(self) -> list[tuple[str, str]]:
        """Return the headers as text, for frameworks that add Content-Length themselves."""
        return [(name.decode("latin-1"), value.decode("latin-1")) for name, value in self.headers]

    @property
    def phrase(self) -> str:
        """Return the reason phrase of the status (RFC 9110, section 15)."""
        try:
            return HTTPStatus(self.status).phrase
        except ValueError:  # a custom error class of the application may have any status
            return "Refused"


class Answers:
    """Answers to errors: status, challenge, problem (RFC 6750, 3; RFC 9457; RFC 9728, 5.1).

    Arguments:
        realm: part of each challenge; printable ASCII.
        resource_metadata: the URL of the protected resource's metadata, part of each challenge;
            https, or http on loopback.

    Raises ConfigurationError ``realm`` or ``resource_metadata``.
    """

    __slots__ = ("_after", "_before")

    def __init__(self, realm: str | None = None, resource_metadata: str | None = None) -> None:
        self._before: tuple[str, ...] = ()
        self._after: tuple[str, ...] = ()
        if realm is not None:
            settings.header("realm", "WWW-Authenticate", realm)
            self._before = (_parameter("realm", realm),)
        if resource_metadata is not None:
            settings.url("resource_metadata", resource_metadata)
            self._after = (_parameter("resource_metadata", resource_metadata),)

    def to(self, error: JWKSError) -> Answer:
        """Return the answer to an error; with the code, but no message, cause or token."""
        status, challenge, detail = error.http_status, self._challenge_for(error), _detail(error)
        headers = [(b"content-type", b"application/problem+json"), (b"cache-control", b"no-store")]
        if challenge is not None:
            headers.append((b"www-authenticate", challenge.encode("ascii")))
        if error.retry_after is not None or status == 503:
            headers.append((b"retry-after", str(_seconds(error.retry_after)).encode()))
        answer = Answer(status=status, headers=tuple(headers), body=b"")
        problem: dict[str, object] = {
            "type": "about:blank",
            "title": answer.phrase,
            "status": status,
            "code": error.code,
        }
        if detail is not None:
            problem["detail"] = detail
        return dataclasses.replace(answer, body=json.dumps(problem).encode())

    def _challenge_for(self, error: JWKSError) -> str | None:
        match error:
            case TokenError():
                return self._challenge('error="invalid_token"')
            case InsufficientScopeError(code="insufficient_scope"):
                wanted = _parameter("scope", " ".join(error.required))
                return self._challenge('error="insufficient_scope"', wanted)
            case CredentialsError(code="invalid_request"):
                return self._challenge('error="invalid_request"')
            case JWKSError(http_status=401):  # RFC 9110, section 15.5.2: each 401 has a challenge
                return self._challenge()
            case _:
                return None

    def _challenge(self, *parameters: str) -> str:
        return " ".join(("Bearer", ", ".join((*self._before, *parameters, *self._after)))).rstrip()


def _seconds(retry_after: float | None) -> int:
    """Return whole seconds, at least 1; infinity ("never") becomes one day."""
    if retry_after is None or math.isnan(retry_after):
        return 1
    return max(1, math.ceil(retry_after)) if math.isfinite(retry_after) else _A_DAY


def _parameter(name: str, value: str) -> str:
    """Return a parameter as a quoted string (RFC 9110, 5.6.4); other characters become ``?``."""
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    held = "".join(one if " " <= one <= "~" else "?" for one in escaped)
    return f'{name}="{held}"'


def _detail(error: JWKSError) -> str | None:
    """Return a sentence for people that reveals no more than the error's class."""
    match error:
        case CredentialsError(code="missing_credentials"):
            return "The request carries no credentials."
        case CredentialsError(code="cross_site_cookie"):
            return "A cookie does not count in a request that another site may have caused."
        case CredentialsError():
            return "The credentials of the request cannot be read."
        case TokenError():
            return "The token is not accepted."
        case InsufficientScopeError(code="insufficient_claims"):
            return "The token's claims do not suffice."
        case InsufficientScopeError():
            return "The token lacks a required scope."
        case KeysUnavailableError():
            return "The token cannot be checked at the moment; try again later."
        case _:
            return None
