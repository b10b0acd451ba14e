"""The API of the demo: a plain ASGI app, and the code that protects it.

``GET /orders`` requires a token with the scope ``orders:read``; ``GET /health`` is public. Run as
``python -m jwks_client.cli._demo.app ISSUER [LIFETIME]``; it prints its base URL first. LIFETIME is
the lifetime of keys in seconds; a short one saves the demo from waiting.
"""

from __future__ import annotations

import math
import re
import sys
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict
from time import perf_counter_ns
from typing import TYPE_CHECKING, Final

from ... import (
    AsyncJWKSClient,
    CachePolicy,
    InsufficientScopeError,
    JWKSError,
    KeysUnavailableError,
    providers,
)
from ...errors import CredentialsError
from ...events import Event
from .._serve.server import base_url_of, listen, run
from .responses import answer, answer_problem, header_values

if TYPE_CHECKING:
    from ..._web.asgi_scope import Receive, Scope, Send

__all__ = ["DemoAPI"]

AUDIENCE: Final = "api"
SCOPE: Final = "orders:read"
_B64TOKEN: Final = re.compile(r"[A-Za-z0-9._~+/-]+=*")  # RFC 6750, section 2.1


class DemoAPI:
    """The API.

    Arguments:
        issuer: the URL of the accepted issuer.
        lifetime: the lifetime of keys in seconds; None for the default.
    """

    def __init__(self, issuer: str, lifetime: float | None = None) -> None:
        self._events: Counter[str] = Counter()
        policy = CachePolicy()
        if lifetime is not None:
            policy = CachePolicy(
                ttl=lifetime, min_ttl=lifetime, max_ttl=lifetime, failure_backoff=(0.5, 1)
            )
        self._client = AsyncJWKSClient(
            providers.oidc(issuer, audience=AUDIENCE, algorithms=("RS256",)),
            cache=policy,
            listeners=[self._count],
        )

    def _count(self, event: Event) -> None:
        self._events[type(event).__name__] += 1

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one connection."""
        match scope["type"], scope.get("path"):
            case "lifespan", _:
                await self._live(receive, send)
            case "http", "/orders":
                await self._orders(scope, send)
            case "http", "/health":
                health = self._client.health()["oidc"]
                await answer(send, {"keys": asdict(health), "events": dict(self._events)})
            case "http", _:
                await answer_problem(send, 404, "not_found")
            case other, _:
                raise NotImplementedError(f"this API supports http, not {other}")

    async def _orders(self, scope: Scope, send: Send) -> None:
        try:
            raw = bearer_token(scope["headers"])
            began = perf_counter_ns()
            token = await self._client.verify(raw)
            millis = (perf_counter_ns() - began) / 1_000_000
            token.require(SCOPE)
        except JWKSError as error:
            await answer_problem(send, error.http_status, error.code, headers=headers_of(error))
            return
        content = {
            "subject": token.subject,
            "kid": token.key_id,
            "keys": self._client.health()["oidc"].state,
        }
        await answer(send, content, headers={"server-timing": f"verify;dur={millis:.4f}"})

    async def _live(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.shutdown":
                await self._client.aclose()
            await send({"type": f"{message['type']}.complete"})
            if message["type"] == "lifespan.shutdown":
                return


def bearer_token(headers: Iterable[tuple[bytes, bytes]]) -> str:
    """Return the token of a request (RFC 6750, section 2.1). Raises CredentialsError."""
    given = header_values(headers, "authorization")
    if len(given) > 1:
        raise CredentialsError("invalid_request", "the Authorization header is repeated")
    scheme, _, token = (given[0] if given else "").partition(" ")
    if scheme.lower() != "bearer":
        raise CredentialsError("missing_credentials", "the request has no Bearer token")
    if not _B64TOKEN.fullmatch(token.strip(" ")):
        raise CredentialsError("invalid_request", "Bearer is not followed by a token")
    return token.strip(" ")


def headers_of(error: JWKSError) -> dict[str, str]:
    """Return the headers of a denied request (RFC 6750, section 3; RFC 9110, section 10.2.3)."""
    match error:
        case KeysUnavailableError():
            return {"retry-after": str(math.ceil(error.retry_after or 1))}
        case CredentialsError(code="missing_credentials"):
            challenge = "Bearer"
        case CredentialsError():
            challenge = 'Bearer error="invalid_request"'
        case InsufficientScopeError():
            challenge = f'Bearer error="insufficient_scope", scope="{" ".join(error.required)}"'
        case _:
            challenge = 'Bearer error="invalid_token"'
    return {"www-authenticate": challenge}


def main() -> None:
    """Serve the API until a signal, or until standard input ends."""
    issuer, *lifetime = sys.argv[1:]
    with listen(0) as listener:
        app = DemoAPI(issuer, float(lifetime[0]) if lifetime else None)
        sys.stdout.write(f"{base_url_of(listener)}\n")
        sys.stdout.flush()
        run(app, listener, until_stdin_ends=True)


if __name__ == "__main__":
    main()
