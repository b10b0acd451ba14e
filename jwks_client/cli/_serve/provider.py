"""The provider behind ``jwks-client serve``: a `FakeProvider` at a fixed base URL."""

from __future__ import annotations

from typing import Final

from ... import Provider
from ..._core.unchecked import Unchecked
from ...testing import FakeProvider

__all__ = ["FAILURES", "DevelopmentProvider"]

# Named as in a path and on a button.
FAILURES: Final = ("500", "hang", "empty", "html")


class DevelopmentProvider(FakeProvider):
    """A `FakeProvider` that another server runs at ``base_url``.

    Arguments:
        base_url: its address; also its issuer, unless one is given.
        issuer, audience, algorithm: as in `FakeProvider`.
        expires_in: the default lifetime of its tokens, in seconds.
        preset: the provider whose tokens, keys and paths it imitates; ``issuer`` and ``audience``
            are then taken from it.
        preset_code: the Python expression that makes ``preset``.

    Attributes:
        failure: the current failure, one of `FAILURES`, or None.
    """

    def __init__(
        self,
        base_url: str,
        *,
        issuer: str | None = None,
        audience: str | tuple[str, ...] | Unchecked = "api",
        algorithm: str = "RS256",
        expires_in: int = 3600,
        preset: Provider | None = None,
        preset_code: str | None = None,
    ) -> None:
        self.expires_in: Final = expires_in
        self.preset: Final = preset
        self.preset_code: Final = preset_code
        self.failure: str | None = None
        super().__init__(issuer, audience, algorithm)
        self._identity.served_at = base_url
        self._documents.more_metadata = {  # RFC 8414
            "token_endpoint": self.token_endpoint,
            "grant_types_supported": ["client_credentials"],
            "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
        }
        if preset is not None:
            self.as_provider(preset, algorithm=algorithm)

    @property
    def token_endpoint(self) -> str:
        """Return the URL at which clients get tokens (RFC 6749, section 3.2)."""
        return f"{self.base_url}/token"

    @property
    def audiences(self) -> tuple[str, ...]:
        """Return the audiences of its tokens; empty if tokens have none or it is not checked."""
        match self.audience:
            case str(one):
                return (one,)
            case tuple(several):
                return several
            case _:
                return ()

    @property
    def subject(self) -> str:
        """Return the default ``sub`` of its tokens."""
        return self._identity.shape.subject

    def break_down(self, how: str) -> None:
        """Fail in one of the ways in `FAILURES` until `mend`; ValueError for another way."""
        if how not in FAILURES:
            raise ValueError(f"the failure must be one of {', '.join(FAILURES)}, got {how!r}")
        self.fail(500 if how == "500" else how)  # type: ignore[arg-type]
        self.failure = how

    def mend(self) -> None:
        """End the failure that `break_down` began."""
        self.recover()
        self.failure = None
