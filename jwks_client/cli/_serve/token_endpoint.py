"""The token endpoint: the client credentials grant (RFC 6749, section 4.4).

Owns: what a request for a token must look like, and how it is refused (section 5.2). May not know:
who may reach it.

Any client ID and secret are good, since this is for development. Everything else is as strict as
the providers that an app will meet later, so that a client which works here works there.
"""

from __future__ import annotations

import asyncio
import base64
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final
from urllib.parse import unquote_plus, urlsplit

from ...testing import FakeProvider
from .requests import FORM, media_type_of, read_body, read_form
from .responses import Message, Receive, Send, answer, header_values

__all__ = ["METADATA", "answer_token_request"]

METADATA: Final[Mapping[str, object]] = {
    "grant_types_supported": ["client_credentials"],
    "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
}

_SCOPE: Final = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+(?: [\x21\x23-\x5b\x5d-\x7e]+)*")  # 3.3
_MAY_REPEAT: Final = ("audience", "resource")  # RFC 8707, section 2; RFC 8693, section 2.1
_NEVER_KEPT: Final = {"pragma": "no-cache"}  # section 5.1, beside the usual no-store


class _Denied(Exception):
    """A refusal; what it says may hold no quotation mark and no backslash (section 5.2)."""

    def __init__(self, error: str, description: str, *, status: int = 400) -> None:
        super().__init__(description)
        self.error = error
        self.description = description
        self.status = status


async def answer_token_request(
    idp: FakeProvider, expires_in: int, scope: Message, receive: Receive, send: Send
) -> None:
    """Answer one request; the token lives so many seconds."""
    try:
        content = await _grant(idp, expires_in, scope, receive)
    except _Denied as denied:
        headers = dict(_NEVER_KEPT)
        if denied.status == 401:
            headers["www-authenticate"] = 'Basic realm="development"'
        if denied.status == 405:
            headers["allow"] = "POST"
        told: dict[str, object] = {"error": denied.error, "error_description": denied.description}
        await answer(send, told, status=denied.status, headers=headers)
    else:
        await answer(send, content, headers=_NEVER_KEPT)


async def _grant(
    idp: FakeProvider, expires_in: int, scope: Message, receive: Receive
) -> dict[str, object]:
    if scope["method"] != "POST":
        raise _Denied("invalid_request", "a token is asked for by POST", status=405)
    if media_type_of(scope) != FORM:
        raise _Denied("invalid_request", f"the body is a form: Content-Type: {FORM}")
    fields = _read(await read_body(receive))
    client_id = _client(header_values(scope["headers"], "authorization"), fields)
    match _one(fields, "grant_type"):
        case "client_credentials":
            pass
        case None:
            raise _Denied("invalid_request", "grant_type is missing")
        case _:
            raise _Denied("unsupported_grant_type", "there is client_credentials alone")
    wanted = _one(fields, "scope")
    if wanted is not None and not _SCOPE.fullmatch(wanted):
        raise _Denied("invalid_scope", "scope is words of ASCII with one space between them")
    claims: dict[str, Any] = {"client_id": client_id}
    if audience := _audience(fields):
        claims["aud"] = audience
    token = await asyncio.to_thread(
        lambda: idp.issue(client_id, wanted, expires_in=expires_in, **claims)
    )
    granted: dict[str, object] = {
        "access_token": token,
        "token_type": "Bearer",
        "expires_in": expires_in,
    }
    return granted if wanted is None else {**granted, "scope": wanted}


def _read(body: bytes) -> dict[str, list[str]]:
    try:
        fields = read_form(body)
    except ValueError:
        raise _Denied("invalid_request", "the body is no form") from None
    # Sections 3.2 and 4.4.2: no value is as good as none; no parameter comes twice.
    said = {name: [one for one in values if one] for name, values in fields.items()}
    if any(len(values) > 1 for name, values in said.items() if name not in _MAY_REPEAT):
        raise _Denied("invalid_request", "a parameter is there twice")
    return {name: values for name, values in said.items() if values}


def _one(fields: Mapping[str, list[str]], name: str) -> str | None:
    return fields.get(name, [None])[0]


def _client(authorization: list[str], fields: Mapping[str, list[str]]) -> str:
    """The client ID (section 2.3.1): any, but by one way alone and with a secret."""
    client_id, secret = _one(fields, "client_id"), _one(fields, "client_secret")
    if not authorization:
        if client_id is None or secret is None:
            raise _unknown_client("any client ID and secret will do, by Basic or in the form")
        return client_id
    if len(authorization) > 1 or secret is not None:
        raise _Denied("invalid_request", "a client says who it is in one way, not in several")
    named = _basic(authorization[0])
    if client_id is not None and client_id != named:
        raise _Denied("invalid_request", "the form and Basic name two clients")
    return named


def _basic(value: str) -> str:
    scheme, _, credentials = value.partition(" ")
    if scheme.lower() != "basic":
        raise _unknown_client("Basic with a client ID and a secret is wanted")
    try:
        pair = base64.b64decode(credentials.strip(), validate=True).decode("utf-8")
        client_id, colon, secret = pair.partition(":")
        named = unquote_plus(client_id, errors="strict")
    except ValueError:
        raise _unknown_client("what follows Basic is no client ID and secret") from None
    if not (colon and named and secret):
        raise _unknown_client("Basic needs a client ID and a secret, and both say something")
    return named


def _unknown_client(description: str) -> _Denied:
    return _Denied("invalid_client", description, status=401)


def _audience(fields: Mapping[str, list[str]]) -> str | list[str] | None:
    resources = fields.get("resource", [])
    if not all(_is_resource(one) for one in resources):
        raise _Denied("invalid_target", "resource is an absolute URI without a fragment")
    return _all_of([*fields.get("audience", []), *resources])


def _all_of(values: Iterable[str]) -> str | list[str] | None:
    match list(dict.fromkeys(values)):
        case []:
            return None
        case [one]:
            return one
        case several:
            return several


def _is_resource(uri: str) -> bool:
    """Whether it will do as a ``resource`` (RFC 8707, section 2)."""
    try:
        return bool(urlsplit(uri).scheme) and "#" not in uri
    except ValueError:
        return False
