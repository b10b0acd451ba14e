"""The shell commands and the code that the page offers to copy.

Text from the form becomes part of a shell command, so each word is quoted and JSON is ASCII: no
character can end the word or the line, or reverse the text.
"""

from __future__ import annotations

import json
import shlex
from urllib.parse import urlsplit

from ..._core.addresses import is_remote_http
from ..._core.unchecked import Unchecked, UncheckedType
from .orders import Order
from .provider import DevelopmentProvider

__all__ = ["fastapi_code", "grant_command", "order_command", "use_command", "verify_code"]

_API = "http://localhost:8000/"

_VERIFY = """\
{imports}from jwks_client import JWKSClient, providers

provider = {provider}
client = JWKSClient(provider)
token = client.verify(raw)"""

_FASTAPI = """\
{imports}from typing import Annotated

from fastapi import FastAPI, Security
from jwks_client import AsyncJWKSClient, VerifiedToken, providers
from jwks_client.integrations.fastapi import JWKSAuth

provider = {provider}
auth = JWKSAuth(AsyncJWKSClient(provider))
app = FastAPI()


@app.get("/")
async def read(token: Annotated[VerifiedToken, Security(auth)]):
    return {{"subject": token.subject}}"""


def use_command(token: str) -> str:
    """Return a command that calls an API with this token."""
    return f"curl {_API} \\\n  -H {shlex.quote(f'Authorization: Bearer {token}')}"


def order_command(idp: DevelopmentProvider, order: Order) -> str:
    """Return a command that gets the same token from ``/dev/token``."""
    body = shlex.quote(json.dumps(order))
    return (
        f"TOKEN=$(curl -s {shlex.quote(f'{idp.base_url}/dev/token')} \\\n"
        "  -H 'Accept: text/plain' -H 'Content-Type: application/json' \\\n"
        f"  -d {body})"
    )


def grant_command(idp: DevelopmentProvider) -> str:
    """Return a command that gets a token by the client credentials grant."""
    return (
        f"curl {shlex.quote(idp.token_endpoint)} \\\n"
        "  -u any-client:any-secret -d grant_type=client_credentials"
    )


def verify_code(idp: DevelopmentProvider) -> str:
    """Return the Python that verifies its tokens."""
    return _VERIFY.format(imports=_imports(idp), provider=_provider_code(idp))


def fastapi_code(idp: DevelopmentProvider) -> str:
    """Return a whole FastAPI app that accepts its tokens."""
    return _FASTAPI.format(imports=_imports(idp), provider=_provider_code(idp))


def _imports(idp: DevelopmentProvider) -> str:
    return "" if idp.preset is None else "from dataclasses import replace\n"


def _provider_code(idp: DevelopmentProvider) -> str:
    more = ["allow_http=True"] if is_remote_http(urlsplit(idp.base_url)) else []
    if idp.preset is not None:
        discovery = ["discovery_url=None"] if idp.preset.discovery_url is not None else []
        here = [f"jwks_url={_literal(idp.jwks_url)}", *discovery, *more]
        return f"{idp.preset_code}\nprovider = replace(provider, {', '.join(here)})"
    checked = [f"audience={_literal(idp.audience)}", f"algorithms={_literal((idp.algorithm,))}"]
    if idp.issuer == idp.base_url:
        return f"providers.oidc({', '.join([_literal(idp.issuer), *checked, *more])})"
    place = [_literal(idp.jwks_url), f"issuer={_literal(idp.issuer)}"]
    return f"providers.generic({', '.join([*place, *checked, *more])})"


def _literal(value: str | tuple[str, ...] | Unchecked) -> str:
    """Return a Python literal with double quotes, as JSON, which escapes strings alike."""
    match value:
        case UncheckedType.UNCHECKED:
            return "providers.UNCHECKED"
        case str():
            return json.dumps(value, ensure_ascii=False)
        case (one,):
            return f"({_literal(one)},)"
        case several:
            return f"({', '.join(_literal(one) for one in several)})"
