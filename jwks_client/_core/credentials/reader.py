"""Find the bearer credentials of a request, and check that a token is valid text (RFC 6750).

Must not depend on: servers, frameworks, clients, and whether a token is valid.

Places are read in the order of the locations. The first place with credentials decides alone: a
valid token elsewhere does not replace a bad one.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final, NamedTuple

from ...errors import CredentialsError, TokenError
from ..locations import Location, checked_locations
from .answers import Answer, Answers
from .cross_site import HEADERS, CrossSiteRule
from .places import HandshakePlace, Place, QueryPlace, SubprotocolPlace, place_of
from .request import UnverifiedRequest

__all__ = [
    "Answer",
    "Answers",
    "CredentialsReader",
    "Handshake",
    "Location",
    "UnverifiedRequest",
    "no_credentials",
]

# RFC 6750, section 2.1: b64token, without the padding at its end.
_B64TOKEN: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/"
_LONGEST: Final = 1024 * 1024  # the upper bound of FetchPolicy.max_token


class Handshake(NamedTuple):
    """A WebSocket handshake as the app sees it, without tokens.

    Attributes:
        request: the handshake without tokens in subprotocols and query; the same object if it
            contained none.
        echo: the subprotocol to accept if the app chooses none, because browsers expect one.
    """

    request: UnverifiedRequest
    echo: str | None


class CredentialsReader:
    """Reads the credentials of requests.

    Arguments:
        locations: where to look, in order; not empty. `Subprotocol` and `Query` apply to WebSocket
            handshakes only.
        trusted_origins: origins whose pages may send requests with a cookie; see `CrossSiteRule`.

    Raises ConfigurationError ``locations`` or ``trusted_origins``.
    """

    __slots__ = (
        "_credential_headers",
        "_cross_site",
        "_of_handshakes",
        "_of_requests",
        "header_names",
    )

    def __init__(
        self, locations: Collection[Location], trusted_origins: Collection[str] = ()
    ) -> None:
        places = tuple(place_of(one) for one in checked_locations(locations))
        self._cross_site = CrossSiteRule(trusted_origins)
        self._of_handshakes = places
        self._of_requests = tuple(one for one in places if not isinstance(one, HandshakePlace))
        holding = {name for one in self._of_requests for name in one.headers}
        deciding = HEADERS if any(one.is_ambient for one in self._of_requests) else ()
        #: The lower-case names of the headers that are read. A request may omit all others; a
        #: handshake arrives whole.
        self.header_names = frozenset(name.decode() for name in (*holding, *deciding))
        self._credential_headers = {
            *(b"authorization", b"cookie"),
            *(name for one in places for name in one.headers),
        }

    def read(self, request: UnverifiedRequest) -> str | None:
        """Return the unverified token of a request, or None if it has no credentials.

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
                    raise CredentialsError("invalid_request", "one location holds two credentials")
                if place.is_ambient and not self._cross_site.allows(request):
                    raise CredentialsError(
                        "cross_site_cookie",
                        "another site may have caused this request (see trusted_origins)",
                    )
                return _text(found[0])
        return None

    def without_tokens(self, handshake: UnverifiedRequest, *, excluded: bool = False) -> Handshake:
        """Return a handshake without tokens, in every place that may hold one.

        Arguments:
            handshake: as it was sent.
            excluded: the path needs no credentials. Then only values that look like a JWS are
                removed, because any other value may belong to the app.
        """
        seen = handshake
        echo: str | None = None
        for place in self._of_handshakes:
            if isinstance(place, HandshakePlace):
                before, seen = seen, place.without_token(seen, only_tokens=excluded)
                if (
                    echo is None
                    and isinstance(place, SubprotocolPlace)
                    and place.offered(before)
                    and (seen is not before or not excluded)
                ):
                    echo = place.name
        return Handshake(seen, echo)

    def without_credentials(self, request: UnverifiedRequest) -> UnverifiedRequest:
        """Return a request without Authorization, cookies and everything the locations name."""
        headers = [pair for pair in request.headers if pair[0] not in self._credential_headers]
        seen = request._replace(headers=headers)
        for place in self._of_handshakes:
            if isinstance(place, HandshakePlace):
                seen = place.without_token(seen)
        return seen

    def _check_query_alone(self, request: UnverifiedRequest) -> None:
        """Reject a query token next to another token (RFC 6750, 2): anyone can make up a URL."""
        places = self._of_handshakes
        queries = [one for one in places if isinstance(one, QueryPlace) and one.find(request)]
        if queries and any(one.find(request) for one in places if one is not queries[0]):
            raise CredentialsError(
                "invalid_request", "the request has a token in the query and another elsewhere"
            )


def no_credentials() -> CredentialsError:
    """Return the error for a request that must have credentials and has none."""
    return CredentialsError("missing_credentials", "the request carries no credentials")


def _text(octets: bytes) -> str:
    """Return the token as text, or raise if it cannot be a token."""
    if len(octets) > _LONGEST:
        raise TokenError("token_too_large", f"the token is longer than {_LONGEST} characters")
    # Deleting the characters that are allowed is faster than a pattern.
    if not octets or octets.translate(None, _B64TOKEN):
        bare = octets.rstrip(b"=")
        if not bare or bare.translate(None, _B64TOKEN):
            raise CredentialsError(
                "invalid_request", "the credentials are not a b64token (RFC 6750, 2.1)"
            )
    return octets.decode("ascii")
