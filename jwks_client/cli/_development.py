"""The development provider: a `FakeProvider` with a few endpoints by which it is driven.

Owns: ``/dev/…``, and who may call it. May not know: how it is served.

Browsers visit foreign pages while this runs, and it signs whatever it is asked to. So nothing below
``/dev/`` answers a page of another origin. Host must be a loopback name: one that was rebound to
127.0.0.1 is none. Origin, where there is one, must be this server. And a POST must say that it is
JSON, for which a foreign page needs a leave (CORS) that is never given.
"""

from __future__ import annotations

import asyncio
import ipaddress
import json
import math
from typing import Any, Final
from urllib.parse import urlsplit

from ..testing import FakeProvider
from ._answers import Message, Receive, Send, answer, answer_problem, header_values

__all__ = ["DevelopmentApp", "DevelopmentProvider"]

_MOST_BYTES: Final = 64 * 1024
_METHODS: Final = {"state": "GET", "token": "POST", "rotate": "POST", "revoke": "POST"}


class DevelopmentProvider(FakeProvider):
    """A `FakeProvider` that another server puts at ``base_url``.

    Arguments:
        base_url: where it is reached; also its issuer, unless one is given.
        issuer, audience, algorithm: as for `FakeProvider`.
    """

    def __init__(
        self,
        base_url: str,
        *,
        issuer: str | None = None,
        audience: str | tuple[str, ...] | None = "api",
        algorithm: str = "RS256",
    ) -> None:
        self._base_url = base_url
        super().__init__(issuer, audience, algorithm)

    @property
    def base_url(self) -> str:
        """Where it is."""
        return self._base_url


class DevelopmentApp:
    """The ASGI app: what the provider publishes, and below ``/dev/`` what drives it.

    ``GET /dev/state``
        Who it is, its kids, and how often its key set was asked for.
    ``POST /dev/token``
        ``{"token": …}``. The body is a JSON object of claims over the usual ones; null leaves a
        claim out. As for `FakeProvider.issue`, two members are no claims: ``expires_in`` (seconds,
        or null for no ``exp``) and ``headers`` (an object of header members).
    ``POST /dev/rotate``
        A new key signs from now on; answers with the state.
    ``POST /dev/revoke/{kid}``
        The key is withdrawn; answers with the state.

    Refusals are problems (RFC 9457) with a ``code``.
    """

    def __init__(self, idp: FakeProvider) -> None:
        self._idp = idp
        self._published = idp.app

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one connection."""
        if scope["type"] != "http" or not scope["path"].startswith("/dev/"):
            await self._published(scope, receive, send)
            return
        try:
            _check_caller(scope)
            content = await self._drive(scope, receive)
        except _Refused as refused:
            allow = {"allow": refused.allow} if refused.allow else {}
            await answer_problem(send, refused.status, refused.code, refused.detail, headers=allow)
        else:
            await answer(send, content)

    async def _drive(self, scope: Message, receive: Receive) -> dict[str, object]:
        # Making and signing take milliseconds of computing: in a thread, so that fetches go on.
        match scope["path"].removeprefix("/dev/").split("/"):
            case ["state"]:
                return self._state()
            case ["token"]:
                order = _read_order(await _read_body(receive))
                try:
                    return {"token": await asyncio.to_thread(self._idp.issue, **order)}
                except RecursionError:
                    raise _bad_order("is nested too deep") from None
            case ["rotate"]:
                await asyncio.to_thread(self._idp.rotate)
                return self._state()
            case ["revoke", kid]:
                try:
                    await asyncio.to_thread(self._idp.revoke, kid)
                except ValueError as error:
                    raise _Refused(404, "unknown_kid", str(error)) from None
                return self._state()
            case _:
                raise _nothing_here()

    def _state(self) -> dict[str, object]:
        idp = self._idp
        return {
            "base_url": idp.base_url,
            "issuer": idp.issuer,
            "audience": idp.audience,
            "algorithm": idp.algorithm,
            "jwks_url": idp.jwks_url,
            "discovery_url": idp.discovery_url,
            "kid": idp.kid,
            "kids": [key["kid"] for key in idp.jwks()["keys"]],
            "fetches": idp.fetches,
        }


class _Refused(Exception):
    def __init__(self, status: int, code: str, detail: str, allow: str | None = None) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.allow = allow


def _check_caller(scope: Message) -> None:
    headers = scope["headers"]
    hosts = header_values(headers, "host")
    if len(hosts) != 1 or not _is_loopback(hosts[0]):
        raise _Refused(403, "foreign_host", "/dev/ is reached as 127.0.0.1 or localhost only")
    if any(origin != f"http://{hosts[0]}" for origin in header_values(headers, "origin")):
        raise _Refused(403, "foreign_origin", "/dev/ does not answer pages of another origin")
    method = _METHODS.get(scope["path"].split("/")[2])
    if method is None:
        raise _nothing_here()
    if scope["method"] != method:
        raise _Refused(405, "method_not_allowed", f"only {method} is answered", allow=method)
    if method == "POST" and not _is_json(header_values(headers, "content-type")):
        raise _Refused(415, "not_json", "a POST takes Content-Type: application/json")


def _nothing_here() -> _Refused:
    return _Refused(
        404,
        "not_found",
        "there are GET /dev/state, POST /dev/token, /dev/rotate, /dev/revoke/{kid}",
    )


def _is_loopback(host: str) -> bool:
    try:
        name = urlsplit(f"//{host}").hostname
        return name == "localhost" or ipaddress.ip_address(name or "").is_loopback
    except ValueError:  # neither a host nor an address
        return False


def _is_json(content_types: list[str]) -> bool:
    return [one.partition(";")[0].strip().lower() for one in content_types] == ["application/json"]


async def _read_body(receive: Receive) -> bytes:
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] != "http.request":
            raise _Refused(400, "gone", "the caller went away")
        body += message.get("body", b"")
        if len(body) > _MOST_BYTES:
            raise _Refused(413, "too_large", f"a body has at most {_MOST_BYTES} bytes")
        if not message.get("more_body", False):
            return bytes(body)


def _read_order(body: bytes) -> dict[str, Any]:
    """The arguments for `FakeProvider.issue`."""
    try:
        order: object = json.loads(body or b"{}", parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        raise _bad_order("takes a JSON object of claims") from None
    if not isinstance(order, dict):
        raise _bad_order("takes a JSON object of claims")
    if not isinstance(order.get("headers", {}), dict | None):
        raise _bad_order("headers takes an object of header members")
    if not _is_seconds(order.get("expires_in")):
        raise _bad_order("expires_in takes a number of seconds, or null for no exp")
    if "self" in order:
        raise _bad_order("cannot issue a claim named self")
    return order


def _is_seconds(value: object) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)  # 1e999 is JSON
    return value is None or (isinstance(value, int) and not isinstance(value, bool))


def _bad_order(detail: str) -> _Refused:
    return _Refused(400, "bad_order", detail)


def _refuse_constant(name: str) -> object:
    raise ValueError(f"{name} is no JSON")
