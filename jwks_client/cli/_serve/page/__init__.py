"""The page of the development provider in a browser: what it answers, and what a click does.

Owns: ``GET /``, ``POST /`` and the files below ``/page/``. May not know: how it looks (`view`),
what the fields mean (`form`), who may ask (`.._callers` has said yes before anything comes here).

All of it works without a script: a button sends a form. A token is shown in the answer itself, so
that it is in no URL; every other click is answered with a redirect, so that reloading does not do
it again.
"""

from __future__ import annotations

import asyncio
from importlib.resources import files
from typing import Final

from ..provider import DevelopmentProvider
from ..requests import FORM, Refused, media_type_of, read_body, read_form
from ..responses import Message, Receive, Send
from .form import FieldError, Form
from .view import NOTICES, View, render

__all__ = ["Page"]

_HTML: Final = "text/html; charset=utf-8"
_FILES: Final = {
    "style.css": "text/css; charset=utf-8",
    "script.js": "text/javascript; charset=utf-8",
    "icon.svg": "image/svg+xml",
}
# Nothing but what this server has, no script within the page, and no frame around it. As for
# Referrer-Policy: with no-referrer a browser would say `Origin: null` with the page's own forms.
_HEADERS: Final = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'; "
        "require-trusted-types-for 'script'"
    ),
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "same-origin",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "cache-control": "no-store",
}


class Page:
    """The page; an ASGI app for ``/`` and ``/page/…``. Raises Refused.

    Arguments:
        idp: what it shows and drives.
    """

    def __init__(self, idp: DevelopmentProvider) -> None:
        self._idp = idp

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one request."""
        match scope["method"], scope["path"]:
            case "GET" | "HEAD", "/":
                await self._show(send, View(form=Form.usual(self._idp), notice=_notice_in(scope)))
            case "POST", "/":
                if media_type_of(scope) != FORM:
                    raise Refused(415, "not_a_form", f"a POST takes Content-Type: {FORM}")
                await self._act(_read(await read_body(receive)), send)
            case "GET" | "HEAD", path if (name := path.removeprefix("/page/")) in _FILES:
                content = files(__name__).joinpath(name).read_bytes()
                await _send(send, 200, content, {"content-type": _FILES[name]})
            case _, "/":
                raise Refused(405, "method_not_allowed", "only GET and POST", allow="GET, POST")
            case _:
                raise Refused(404, "not_found", "the page is at /")

    async def _act(self, fields: dict[str, str], send: Send) -> None:
        idp = self._idp
        match fields.pop("do", None):
            case "issue":
                await self._issue(Form.of(fields), send)
                return
            case "rotate":
                await asyncio.to_thread(idp.rotate)
                done = "rotated"
            case "revoke":
                try:
                    await asyncio.to_thread(idp.revoke, fields.get("kid", ""))
                    done = "revoked"
                except ValueError:  # of a page that is older than the key's end
                    done = "unknown"
            case "fail":
                try:
                    idp.break_down(fields.get("how", ""))
                except ValueError as error:
                    raise Refused(400, "unknown_failure", str(error)) from None
                done = "broken"
            case "recover":
                idp.mend()
                done = "recovered"
            case _:
                raise Refused(400, "bad_form", "the page has no such button")
        location = f"/?done={done}#{NOTICES[done].section}"
        await _send(send, 303, b"", {"location": location})  # RFC 9110, section 15.4.4

    async def _issue(self, form: Form, send: Send) -> None:
        try:
            issued = await asyncio.to_thread(form.issue, self._idp)
        except FieldError as error:
            wrong = View(form=form, error=error)
            await self._show(send, wrong, status=400)
        else:
            await self._show(send, View(form=form, issued=issued))

    async def _show(self, send: Send, view: View, *, status: int = 200) -> None:
        # A lone surrogate may stand in JSON, but not in UTF-8.
        content = render(self._idp, view).encode("utf-8", "backslashreplace")
        await _send(send, status, content, {"content-type": _HTML})


def _notice_in(scope: Message) -> str | None:
    name = scope.get("query_string", b"").decode("latin-1").removeprefix("done=")
    return name if name in NOTICES else None


def _read(body: bytes) -> dict[str, str]:
    try:
        fields = read_form(body)
    except ValueError:
        raise Refused(400, "bad_form", "the body is no form") from None
    return {name: values[-1] for name, values in fields.items()}


async def _send(send: Send, status: int, body: bytes, headers: dict[str, str]) -> None:
    named = {**_HEADERS, **headers, "content-length": str(len(body))}
    encoded = [(name.encode("ascii"), value.encode("ascii")) for name, value in named.items()]
    await send({"type": "http.response.start", "status": status, "headers": encoded})
    await send({"type": "http.response.body", "body": body})
