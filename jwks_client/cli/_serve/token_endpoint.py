"""The token endpoint: the client credentials grant (RFC 6749, section 4.4).

It accepts any client ID and secret, because it is for development. Everything else is as strict as
at a real provider, so that a client that works here also works there.
"""

from __future__ import annotations

import asyncio
import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote_plus, urlsplit

from .answers import FORM, Json, media_type_of, read_form
from .provider import DevelopmentProvider

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

__all__ = ["TokenEndpoint"]

_SCOPE: Final = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+(?: [\x21\x23-\x5b\x5d-\x7e]+)*")  # 3.3
_REPEATABLE: Final = ("audience", "resource")  # RFC 8693, section 2.1; RFC 8707, section 2
_NO_CACHE: Final = {"pragma": "no-cache"}  # section 5.1, in addition to no-store


class _Denied(Exception):
    """A refusal; its description must not contain quotation marks or backslashes (section 5.2)."""

    def __init__(self, error: str, description: str, *, status: int = 400) -> None:
        super().__init__(description)
        self.error = error
        self.status = status


@dataclass(frozen=True, slots=True)
class TokenEndpoint:
    """``POST /token``."""

    idp: DevelopmentProvider

    async def answer(self, request: Request) -> Response:
        """Answer one request for a token."""
        try:
            return Json(await self._grant(request), headers=_NO_CACHE)
        except _Denied as denied:
            content = {"error": denied.error, "error_description": str(denied)}
            challenge = {"www-authenticate": 'Basic realm="development"'}
            more = challenge if denied.status == 401 else {}
            return Json(content, denied.status, {**_NO_CACHE, **more})

    async def _grant(self, request: Request) -> dict[str, object]:
        fields = await _fields_of(request)
        client_id = _client_of(request.headers.getlist("authorization"), fields)
        match _first(fields, "grant_type"):
            case "client_credentials":
                pass
            case None:
                raise _Denied("invalid_request", "grant_type is missing")
            case _:
                raise _Denied("unsupported_grant_type", "grant_type must be client_credentials")
        scope = _first(fields, "scope")
        if scope is not None and not _SCOPE.fullmatch(scope):
            raise _Denied("invalid_scope", "scope must be ASCII words with single spaces between")
        claims: dict[str, Any] = {"client_id": client_id}
        if audiences := _audiences_of(fields):
            claims["aud"] = audiences[0] if len(audiences) == 1 else audiences
        lifetime = self.idp.expires_in
        token = await asyncio.to_thread(
            lambda: self.idp.issue(client_id, scope, expires_in=lifetime, **claims)
        )
        granted: dict[str, object] = {
            "access_token": token,
            "token_type": "Bearer",
            "expires_in": lifetime,
        }
        return granted if scope is None else {**granted, "scope": scope}


async def _fields_of(request: Request) -> dict[str, list[str]]:
    if media_type_of(request) != FORM:
        raise _Denied("invalid_request", f"the body must be a form: Content-Type: {FORM}")
    try:
        form = await read_form(request)
    except ValueError:
        raise _Denied("invalid_request", "the body is not a form") from None
    # Sections 3.2 and 4.4.2: an empty value counts as absent; parameters must not repeat.
    fields = {
        name: kept for name, values in form.items() if (kept := [one for one in values if one])
    }
    if any(len(values) > 1 for name, values in fields.items() if name not in _REPEATABLE):
        raise _Denied("invalid_request", "a parameter is repeated")
    return fields


def _first(fields: Mapping[str, list[str]], name: str) -> str | None:
    return fields.get(name, [None])[0]


def _client_of(authorization: list[str], fields: Mapping[str, list[str]]) -> str:
    """Return the client ID (section 2.3.1): any, but authenticated in one way and with a secret."""
    client_id, secret = _first(fields, "client_id"), _first(fields, "client_secret")
    if not authorization:
        if client_id is None or secret is None:
            raise _unauthorized("send any client ID and secret, by Basic or in the form")
        return client_id
    if len(authorization) > 1 or secret is not None:
        raise _Denied("invalid_request", "the client must authenticate in one way, not in several")
    named = _client_in_basic(authorization[0])
    if client_id is not None and client_id != named:
        raise _Denied("invalid_request", "the form and Basic name different clients")
    return named


def _client_in_basic(value: str) -> str:
    scheme, _, credentials = value.partition(" ")
    if scheme.lower() != "basic":
        raise _unauthorized("Authorization must be Basic with a client ID and a secret")
    try:
        pair = base64.b64decode(credentials.strip(), validate=True).decode("utf-8")
        client_id, _, secret = pair.partition(":")
        named = unquote_plus(client_id, errors="strict")
    except ValueError:
        raise _unauthorized("the Basic credentials are malformed") from None
    if not (named and secret):
        raise _unauthorized("Basic needs a client ID and a secret, both not empty")
    return named


def _unauthorized(description: str) -> _Denied:
    return _Denied("invalid_client", description, status=401)


def _audiences_of(fields: Mapping[str, list[str]]) -> list[str]:
    resources = fields.get("resource", [])
    if not all(_is_resource(one) for one in resources):
        raise _Denied("invalid_target", "resource must be an absolute URI without a fragment")
    return list(dict.fromkeys([*fields.get("audience", []), *resources]))


def _is_resource(uri: str) -> bool:
    """Return whether a URI is allowed as ``resource`` (RFC 8707, section 2)."""
    try:
        return bool(urlsplit(uri).scheme) and "#" not in uri
    except ValueError:
        return False
