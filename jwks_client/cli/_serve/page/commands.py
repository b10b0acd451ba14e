"""What the page offers to be copied: commands for a shell, and the line that connects an app.

Owns: quoting. May not know: HTML. What a person typed goes into a shell here, so each word is
quoted and JSON is ASCII: nothing in it can end the word, the line, or turn the text around.
"""

from __future__ import annotations

import json
import shlex
from urllib.parse import urlsplit

from ...._core.unchecked import Unchecked, UncheckedType
from ..orders import Order
from ..origin_guard import is_loopback
from ..provider import DevelopmentProvider

__all__ = ["client_of", "grant_command", "order_command", "use_command"]

_API = "http://localhost:8000/"


def use_command(token: str) -> str:
    """A call of an API with this token."""
    return f"curl {_API} \\\n  -H {shlex.quote(f'Authorization: Bearer {token}')}"


def order_command(idp: DevelopmentProvider, order: Order) -> str:
    """The same token by ``/dev/token``, for a script."""
    body = shlex.quote(json.dumps(order))
    return (
        f"TOKEN=$(curl -s {shlex.quote(f'{idp.base_url}/dev/token')} \\\n"
        "  -H 'Accept: text/plain' -H 'Content-Type: application/json' \\\n"
        f"  -d {body})"
    )


def grant_command(idp: DevelopmentProvider) -> str:
    """A token by the client credentials grant."""
    return (
        f"curl {shlex.quote(idp.token_endpoint)} \\\n"
        "  -u any-client:any-secret -d grant_type=client_credentials"
    )


def client_of(idp: DevelopmentProvider) -> str:
    """The lines of Python that verify its tokens."""
    whose = [f"audience={_literal(idp.audience)}", f"algorithms={_literal((idp.algorithm,))}"]
    if idp.base_url.startswith("http://") and not is_loopback(urlsplit(idp.base_url).hostname):
        whose.append("allow_http=True")
    if idp.issuer == idp.base_url:
        factory, place = "oidc", [_literal(idp.issuer)]
    else:
        factory, place = "generic", [_literal(idp.jwks_url), f"issuer={_literal(idp.issuer)}"]
    given = "".join(f"        {one},\n" for one in (*place, *whose))
    return (
        "from jwks_client import JWKSClient, providers\n\n"
        f"client = JWKSClient(\n    providers.{factory}(\n{given}    )\n)\n"
        "token = client.verify(raw)"
    )


def _literal(value: str | tuple[str, ...] | Unchecked) -> str:
    """As Python has it; with ASCII quotes alone, which JSON and Python escape alike."""
    match value:
        case UncheckedType.UNCHECKED:
            return "providers.UNCHECKED"
        case str():
            return json.dumps(value, ensure_ascii=False)
        case (one,):
            return f"({_literal(one)},)"
        case several:
            return f"({', '.join(_literal(one) for one in several)})"
