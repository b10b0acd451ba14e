"""Serve the page of the development provider, and carry out the actions of its buttons.

The page works without a script: every button submits the same form, so a click keeps the fields. A
token is shown in the answer to the POST, so that no URL contains it. All other actions are answered
with a redirect, so that reloading the page does not repeat them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from starlette.responses import FileResponse, HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from ... import __version__
from . import snippets
from .answers import FORM, Refused, media_type_of, read_form
from .form import FieldError, Form
from .issued import Issued, highlighted
from .provider import DevelopmentProvider

if TYPE_CHECKING:
    from starlette.requests import Request

__all__ = ["Page"]

_HERE: Final = Path(__file__).parent
_FILES: Final = {  # media types are explicit, because the system's table may differ
    "style.css": "text/css",
    "script.js": "text/javascript",
    "icon.svg": "image/svg+xml",
}
# Referrer-Policy must not be no-referrer: a browser would send `Origin: null` with the page's form.
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


class Notice(NamedTuple):
    """A sentence to show after an action: the section of the page, the tone and the text."""

    section: str
    tone: str
    text: str


NOTICES: Final = {
    "rotated": Notice("keys", "good", "A new key signs from now on. Older keys stay published."),
    "revoked": Notice(
        "keys", "good", "The key is withdrawn. Apps refuse its tokens once their caches notice."
    ),
    "unknown": Notice("keys", "plain", "That key was withdrawn before."),
    "broken": Notice("health", "bad", "The provider fails from now on, as you asked."),
    "recovered": Notice("health", "good", "The provider answers normally again."),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """The content of one answer, in addition to the provider's state.

    Attributes:
        form: the submitted fields.
        issued: the token that was just issued, or is still shown.
        error: the field that is wrong.
        notice: the result of the last action.
    """

    form: Form
    issued: Issued | None = None
    error: FieldError | None = None
    notice: Notice | None = None


@cache
def _template() -> Template:
    templates = Environment(
        loader=FileSystemLoader(_HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.filters["highlighted"] = highlighted
    return templates.get_template("page.html")


class Page:
    """The page at ``/`` and its files below ``/page/``."""

    def __init__(self, idp: DevelopmentProvider) -> None:
        self._idp = idp
        self._kept = View(form=Form.usual(idp))

    @property
    def routes(self) -> list[Route]:
        """Return the routes of the page."""
        return [
            Route("/", self._answer, methods=["GET", "POST"]),
            Route("/page/{name}", self._file, methods=["GET"]),
        ]

    async def _file(self, request: Request) -> Response:
        name = request.path_params["name"]
        if name not in _FILES:
            raise Refused(404, "not_found", "the page has no such file")
        return FileResponse(_HERE / "static" / name, headers=_HEADERS, media_type=_FILES[name])

    async def _answer(self, request: Request) -> Response:
        if request.method == "POST":
            return await self._act(await _fields_of(request))
        done = request.url.query.removeprefix("done=")
        if done not in NOTICES:
            return self._show(View(form=Form.usual(self._idp)))
        return self._show(replace(self._kept, notice=NOTICES[done]))

    async def _act(self, fields: dict[str, str]) -> Response:
        form = Form.of(fields)
        self._kept = replace(self._kept, form=form)
        action, _, what = fields.get("do", "").partition(" ")
        match action:
            case "issue":
                return await self._issue(form)
            case "rotate":
                done = await self._do(self._idp.rotate, "rotated")
            case "revoke":
                done = await self._do(lambda: self._idp.revoke(what), "revoked", "unknown")
            case "fail":
                done = await self._do(lambda: self._idp.break_down(what), "broken", "")
            case "recover":
                done = await self._do(self._idp.mend, "recovered")
            case _:
                done = ""
        if not done:
            raise Refused(400, "bad_form", "the page has no such button")
        to = f"/?done={done}#{NOTICES[done].section}"
        return RedirectResponse(to, 303, headers=_HEADERS)  # RFC 9110, section 15.4.4

    async def _do(self, act: Callable[[], object], done: str, impossible: str = "") -> str:
        try:
            await asyncio.to_thread(act)
        except ValueError:  # the page was loaded before the key was withdrawn
            return impossible
        return done

    async def _issue(self, form: Form) -> Response:
        try:
            issued = await asyncio.to_thread(form.issue, self._idp)
        except FieldError as error:
            return self._show(View(form=form, error=error), status=400)
        self._kept = View(form=form, issued=issued)
        return self._show(self._kept)

    def _show(self, view: View, *, status: int = 200) -> Response:
        idp = self._idp
        html = _template().render(
            idp=idp,
            view=view,
            keys=idp.jwks()["keys"][::-1],
            snippets=snippets,
            version=__version__,
        )
        # JSON can hold a lone surrogate, UTF-8 cannot.
        return HTMLResponse(html.encode("utf-8", "backslashreplace"), status, _HEADERS)


async def _fields_of(request: Request) -> dict[str, str]:
    if media_type_of(request) != FORM:
        raise Refused(415, "not_a_form", f"a POST must have Content-Type: {FORM}")
    try:
        form = await read_form(request)
    except ValueError:
        raise Refused(400, "bad_form", "the body is not a form") from None
    return {name: values[-1] for name, values in form.items()}
