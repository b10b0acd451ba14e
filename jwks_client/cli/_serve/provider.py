"""The provider behind ``jwks-client serve``: a `FakeProvider` that another server puts somewhere.

Owns: what it adds to the kit's: its place, how long tokens live, and which failure is in force. May
not know: HTTP.
"""

from __future__ import annotations

from typing import Final

from ..._core.unchecked import Unchecked
from ...testing import FakeProvider

__all__ = ["FAILURES", "DevelopmentProvider"]

# By their names in a path and on a button.
FAILURES: Final = ("500", "hang", "empty", "html")


class DevelopmentProvider(FakeProvider):
    """A `FakeProvider` that another server puts at ``base_url``.

    Arguments:
        base_url: where it is reached; also its issuer, unless one is given.
        issuer, audience, algorithm: as for `FakeProvider`.
        expires_in: seconds that a token lives if nothing else is asked for.

    Attributes:
        failure: the one of `FAILURES` that is in force, or None.
    """

    def __init__(
        self,
        base_url: str,
        *,
        issuer: str | None = None,
        audience: str | tuple[str, ...] | Unchecked = "api",
        algorithm: str = "RS256",
        expires_in: int = 3600,
    ) -> None:
        self._base_url = base_url
        self.expires_in: Final = expires_in
        self.failure: str | None = None
        super().__init__(issuer, audience, algorithm)

    @property
    def base_url(self) -> str:
        """Where it is."""
        return self._base_url

    @property
    def token_endpoint(self) -> str:
        """Where clients get tokens (RFC 6749, section 3.2)."""
        return f"{self._base_url}/token"

    def break_down(self, how: str) -> None:
        """Fail in one of the ways of `FAILURES` (else ValueError) until `mend`."""
        match how:
            case "500":
                self.fail(500)
            case "hang" | "empty" | "html":
                self.fail(how)
            case _:
                raise ValueError(f"no failure {how!r} is known; there are {', '.join(FAILURES)}")
        self.failure = how

    def mend(self) -> None:
        """End what `break_down` began."""
        self.recover()
        self.failure = None
