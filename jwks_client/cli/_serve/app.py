"""The development provider: a `FakeProvider`, and the endpoints by which apps and people drive it.

Owns: which path is whose, and ``/dev/…``. May not know: how it is served, who may drive it
(`_callers`), the page (`_page`), the grant (`_token_endpoint`).
"""

from __future__ import annotations

import asyncio
import json
from typing import Final

from ..._core.unchecked import UNCHECKED
from .orders import OrderError, fill, read_order
from .origin_guard import Callers
from .page import Page
from .provider import DevelopmentProvider
from .requests import Refused, media_type_of, prefers_text, read_body
from .responses import Message, Receive, Send, answer, answer_problem
from .token_endpoint import METADATA, answer_token_request

__all__ = ["DevelopmentApp", "DevelopmentProvider"]

_METHODS: Final = {
    "state": "GET",
    "token": "POST",
    "rotate": "POST",
    "revoke": "POST",
    "fail": "POST",
    "recover": "POST",
}
_METADATA_PATHS: Final = (
    "/.well-known/openid-configuration",
    "/.well-known/oauth-authorization-server",
)


class DevelopmentApp:
    """The ASGI app: what the provider publishes, and what drives it.

    ``GET /``
        The page in the browser.
    ``POST /token``
        The token endpoint: the client credentials grant of RFC 6749.
    ``GET /dev/state``
        Who it is, its kids, how it fails, and how often its key set was asked for.
    ``POST /dev/token``
        ``{"token": …}``, or the token alone for ``Accept: text/plain``. The body is a JSON object
        of claims over the usual ones; null leaves a claim out. As for `FakeProvider.issue`, two
        members are no claims: ``expires_in`` (seconds, or null for no ``exp``) and ``headers`` (an
        object of header members).
    ``POST /dev/rotate``
        A new key signs from now on; answers with the state.
    ``POST /dev/revoke/{kid}``
        The key is withdrawn; answers with the state.
    ``POST /dev/fail/{how}``
        Key set and metadata fail from now on: ``500``, ``hang``, ``empty`` or ``html``; answers
        with the state.
    ``POST /dev/recover``
        They are well again; answers with the state.

    Refusals are problems (RFC 9457) with a ``code``; those of the token endpoint are RFC 6749's.

    Arguments:
        idp: the provider.
        beyond_loopback: whether it is knowingly reached from other machines; see `Callers`.
    """

    def __init__(self, idp: DevelopmentProvider, *, beyond_loopback: bool = False) -> None:
        self._idp = idp
        self._published = idp.app
        self._callers = Callers(base_url=idp.base_url, beyond_loopback=beyond_loopback)
        self._page = Page(idp)

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one connection."""
        if scope["type"] != "http":
            await self._published(scope, receive, send)
            return
        try:
            await self._answer(scope, receive, send)
        except Refused as refused:
            allow = {"allow": refused.allow} if refused.allow else {}
            await answer_problem(send, refused.status, refused.code, refused.detail, headers=allow)

    async def _answer(self, scope: Message, receive: Receive, send: Send) -> None:
        match scope["path"].split("/"):
            case ["", ""] | ["", "page", _]:
                # Only what a form can do needs proof; a link may come from anywhere.
                is_form = scope["method"] == "POST"
                (self._callers.check_form if is_form else self._callers.check)(scope)
                await self._page(scope, receive, send)
            case ["", "token"]:
                self._callers.check(scope)
                await answer_token_request(self._idp, self._idp.expires_in, scope, receive, send)
            case ["", "dev", *rest] if rest:
                self._callers.check(scope)
                _check_order(scope, rest[0])
                await self._drive(rest, scope, receive, send)
            case _:
                await self._publish(scope, receive, send)

    async def _publish(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["path"].startswith(_METADATA_PATHS) or scope["path"].endswith(_METADATA_PATHS):
            send = _naming_token_endpoint(send, self._idp.token_endpoint)
        try:
            await self._published(scope, receive, send)
        except ConnectionAbortedError:  # it hung and has recovered; uvicorn would log a traceback
            raise Refused(503, "recovered", "this request hung until it recovered") from None

    async def _drive(self, rest: list[str], scope: Message, receive: Receive, send: Send) -> None:
        # Making and signing take milliseconds of computing: in a thread, so that fetches go on.
        idp = self._idp
        match rest:
            case ["state"]:
                pass
            case ["token"]:
                await _send_token(send, await self._issue(receive), as_text=prefers_text(scope))
                return
            case ["rotate"]:
                await asyncio.to_thread(idp.rotate)
            case ["revoke", kid]:
                try:
                    await asyncio.to_thread(idp.revoke, kid)
                except ValueError as error:
                    raise Refused(404, "unknown_kid", str(error)) from None
            case ["fail", how]:
                try:
                    idp.break_down(how)
                except ValueError as error:
                    raise Refused(404, "unknown_failure", str(error)) from None
            case ["recover"]:
                idp.mend()
            case _:
                raise _nothing_here()
        await answer(send, self._state())

    async def _issue(self, receive: Receive) -> str:
        body = await read_body(receive)
        try:
            return await asyncio.to_thread(fill, self._idp, read_order(body), self._idp.expires_in)
        except OrderError as error:
            raise Refused(400, "bad_order", str(error)) from None

    def _state(self) -> dict[str, object]:
        idp = self._idp
        return {
            "base_url": idp.base_url,
            "issuer": idp.issuer,
            "audience": None if idp.audience is UNCHECKED else idp.audience,
            "algorithm": idp.algorithm,
            "jwks_url": idp.jwks_url,
            "discovery_url": idp.discovery_url,
            "token_endpoint": idp.token_endpoint,
            "kid": idp.kid,
            "kids": [key["kid"] for key in idp.jwks()["keys"]],
            "fetches": idp.fetches,
            "failure": idp.failure,
        }


def _check_order(scope: Message, name: str) -> None:
    method = _METHODS.get(name)
    if method is None:
        raise _nothing_here()
    if scope["method"] != method:
        raise Refused(405, "method_not_allowed", f"only {method} is answered", allow=method)
    # A foreign page can send a form without any leave, but no JSON.
    if method == "POST" and media_type_of(scope) != "application/json":
        raise Refused(415, "not_json", "a POST takes Content-Type: application/json")


def _nothing_here() -> Refused:
    return Refused(
        404,
        "not_found",
        "there are GET /dev/state, POST /dev/token, /dev/rotate, /dev/revoke/{kid}, "
        "/dev/fail/{how}, /dev/recover",
    )


async def _send_token(send: Send, token: str, *, as_text: bool) -> None:
    if not as_text:
        await answer(send, {"token": token})
        return
    body = token.encode("ascii")
    headers = [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", str(len(body)).encode("ascii")),
        (b"cache-control", b"no-store"),
    ]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _naming_token_endpoint(send: Send, token_endpoint: str) -> Send:
    """``send`` for an answer with metadata: good ones also say how tokens are had (RFC 8414)."""
    started: list[Message] = []

    async def extended(message: Message) -> None:
        if message["type"] == "http.response.start" and message["status"] == 200:
            started.append(message)
            return
        if started and message["type"] == "http.response.body":
            start = started.pop()
            body = _extended(message.get("body", b""), token_endpoint)
            if body is not None:
                kept = [one for one in start["headers"] if one[0] != b"content-length"]
                length = (b"content-length", str(len(body)).encode("ascii"))
                start = {**start, "headers": [*kept, length]}
                message = {**message, "body": body}
            await send(start)
        await send(message)

    return extended


def _extended(body: bytes, token_endpoint: str) -> bytes | None:
    try:
        metadata: object = json.loads(body)
    except ValueError:  # broken on purpose
        return None
    if not isinstance(metadata, dict) or "issuer" not in metadata:
        return None
    return json.dumps({**metadata, "token_endpoint": token_endpoint, **METADATA}).encode("ascii")
