"""Bearer credentials in a request, and the answer to a request that is refused (RFC 6750).

Owns: which place decides, what a token's text may be, and how an error becomes a status, a
challenge and a body. May not know: servers, frameworks, clients, and whether a token is good. Pure
data in (`UnverifiedRequest`), pure data out (the token's text, `Answer`): an integration for one
more framework needs nothing else from here.

Places are asked in the order of the locations, and the first that holds credentials decides alone:
a bad token there is not made good by another place. Nothing of a request reaches an answer.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Collection
from http import HTTPStatus
from typing import Final, NamedTuple

from ..errors import (
    ConfigurationError,
    CredentialsError,
    InsufficientScopeError,
    JWKSError,
    KeysUnavailableError,
    TokenError,
)
from . import settings
from .cross_site import CrossSiteRule
from .places import CookiePlace, HeaderPlace, Place, QueryPlace, SubprotocolPlace, place_of
from .provider import Cookie, Header, Location, Query, Subprotocol
from .request import UnverifiedRequest

__all__ = [
    "Answer",
    "Answers",
    "CredentialsReader",
    "Handshake",
    "Location",
    "UnverifiedRequest",
]

# RFC 6750, section 2.1: b64token, but for the padding at its end.
_B64TOKEN: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/"
_LONGEST: Final = 1024 * 1024  # the most that FetchPolicy.max_token can be
_OF_CROSS_SITE_RULE: Final = ("origin", "sec-fetch-site", "host")


class Handshake(NamedTuple):
    """A WebSocket handshake as the app may see it: tokens taken out.

    Attributes:
        request: without what subprotocols and query said of tokens; the very same where there was
            nothing to take out.
        echo: the subprotocol to accept with if the app names none, or browsers give up.
    """

    request: UnverifiedRequest
    echo: str | None


class CredentialsReader:
    """Finds the credentials of requests.

    Arguments:
        locations: where to look, in order; not empty. `Subprotocol` and `Query` count in WebSocket
            handshakes only.
        trusted_origins: whose pages may send requests with a cookie; see `CrossSiteRule`.

    Raises ConfigurationError ``locations`` or ``trusted_origins``.
    """

    __slots__ = ("_cross_site", "_of_handshakes", "_of_requests", "header_names")

    def __init__(
        self, locations: Collection[Location], trusted_origins: Collection[str] = ()
    ) -> None:
        places = tuple(place_of(one) for one in _checked(locations))
        self._cross_site = CrossSiteRule(trusted_origins)
        self._of_handshakes = places
        self._of_requests = tuple(
            one for one in places if isinstance(one, (HeaderPlace, CookiePlace))
        )
        #: The headers that are looked at, in lower case: all that a request needs to have here.
        self.header_names = frozenset(_header_names(locations))

    def read(self, request: UnverifiedRequest) -> str | None:
        """The token of a request, unverified, or None if it has no credentials.

        Raises CredentialsError ``invalid_request`` or ``cross_site_cookie``; TokenError
        ``token_too_large``.
        """
        if request.kind == "http":
            places: tuple[Place, ...] = self._of_requests
        else:
            places = self._of_handshakes
            self._check_query_alone(request)
        for place in places:
            found = place.find(request)
            if found:
                if len(found) > 1:
                    raise CredentialsError("invalid_request", "one place holds two credentials")
                if isinstance(place, CookiePlace) and not self._cross_site.allows(request):
                    raise CredentialsError(
                        "cross_site_cookie", "another site may have caused this request"
                    )
                return _text(found[0])
        return None

    def without_tokens(self, handshake: UnverifiedRequest) -> Handshake:
        """A handshake as the app may see it, whichever place decided."""
        seen = handshake
        echo: str | None = None
        for place in self._of_handshakes:
            if isinstance(place, SubprotocolPlace):
                if echo is None and place.offered(seen):
                    echo = place.name
                seen = place.taken_out(seen)
            elif isinstance(place, QueryPlace):
                seen = place.taken_out(seen)
        return Handshake(seen, echo)

    def _check_query_alone(self, request: UnverifiedRequest) -> None:
        """RFC 6750, section 2: one way of sending the token; URLs are what others may make up."""
        holding = [place for place in self._of_handshakes if place.find(request)]
        if len(holding) > 1 and any(isinstance(place, QueryPlace) for place in holding):
            raise CredentialsError("invalid_request", "a token in the query and another elsewhere")


def _text(octets: bytes) -> str:
    """A token's text; raises where it can be none."""
    if len(octets) > _LONGEST:
        raise TokenError("token_too_large", f"a token is at most {_LONGEST} characters")
    # Deleting what may stand there is three times as fast as a pattern.
    if not octets or octets.translate(None, _B64TOKEN):
        bare = octets.rstrip(b"=")
        if not bare or bare.translate(None, _B64TOKEN):
            raise CredentialsError(
                "invalid_request", "the credentials are no b64token (RFC 6750, 2.1)"
            )
    return octets.decode("ascii")


def _checked(locations: object) -> tuple[Location, ...]:
    given: tuple[object, ...] = tuple(locations) if isinstance(locations, Collection) else ()
    checked = tuple(one for one in given if isinstance(one, (Header, Cookie, Subprotocol, Query)))
    if not checked or len(checked) != len(given):
        raise ConfigurationError(
            "locations", "takes a collection of Header, Cookie, Subprotocol or Query, not empty"
        )
    return checked


def _header_names(locations: Collection[Location]) -> list[str]:
    # Subprotocols and queries are of handshakes, which are handed over whole.
    names = [one.name.lower() for one in locations if isinstance(one, Header)]
    if any(isinstance(one, Cookie) for one in locations):
        names += ("cookie", *_OF_CROSS_SITE_RULE)
    return names


# --- answers


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The answer to a request that is refused.

    Attributes:
        status: the HTTP status.
        headers: names in lower case and values; Content-Length is added as it is sent.
        body: the whole body.
    """

    status: int
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes

    def with_body(self, body: bytes, media_type: str = "application/json") -> Answer:
        """The same answer, challenge and all, with another body."""
        others = [(name, value) for name, value in self.headers if name != b"content-type"]
        headers = ((b"content-type", media_type.encode("latin-1")), *others)
        return dataclasses.replace(self, headers=headers, body=body)

    @property
    def headers_to_send(self) -> list[tuple[bytes, bytes]]:
        """The headers with Content-Length, where there may be one (RFC 9110, section 8.6)."""
        if self.status in (204, 304):
            return list(self.headers)
        return [*self.headers, (b"content-length", str(len(self.body)).encode())]

    @property
    def phrase(self) -> str:
        """The status in words (RFC 9110, section 15)."""
        try:
            return HTTPStatus(self.status).phrase
        except ValueError:  # an error of the application's own, with a status of its own
            return "Refused"


class Answers:
    """How errors are answered: status, challenge, problem (RFC 6750, 3; RFC 9457; RFC 9728, 5.1).

    Arguments:
        realm: shown in each challenge; printable ASCII.
        resource_metadata: the URL of the protected resource's metadata, likewise; https, or http on
            loopback.

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
        """The answer to an error: its code, nothing of its message, causes or token."""
        status, challenge, detail = error.http_status, self._challenge_for(error), _detail(error)
        headers = [(b"content-type", b"application/problem+json"), (b"cache-control", b"no-store")]
        if challenge is not None:
            headers.append((b"www-authenticate", challenge.encode("ascii")))
        if error.retry_after is not None or status == 503:
            seconds = max(1, math.ceil(error.retry_after or 1))
            headers.append((b"retry-after", str(seconds).encode()))
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
            case InsufficientScopeError():
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


def _parameter(name: str, value: str) -> str:
    """A parameter as a quoted string (RFC 9110, section 5.6.4); what it cannot hold is a ``?``."""
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    held = "".join(one if " " <= one <= "~" else "?" for one in escaped)
    return f'{name}="{held}"'


def _detail(error: JWKSError) -> str | None:
    """A sentence for people that says no more than the class of the error."""
    match error:
        case CredentialsError(code="missing_credentials"):
            return "The request carries no credentials."
        case CredentialsError(code="cross_site_cookie"):
            return "A cookie does not count in a request that another site may have caused."
        case CredentialsError():
            return "The credentials of the request cannot be read."
        case TokenError():
            return "The token is not accepted."
        case InsufficientScopeError():
            return "The token lacks a required scope."
        case KeysUnavailableError():
            return "The token cannot be checked at the moment; try again later."
        case _:
            return None
