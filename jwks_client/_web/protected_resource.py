"""Serve the metadata document of a protected resource (RFC 9728).

A challenge names the document's URL. Clients, such as MCP clients, read from the document which
authorization servers issue tokens for this resource. Must not depend on: tokens, clients.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import Final
from urllib.parse import urlsplit

from .._core import settings
from .._core.credentials.answers import Answer
from ..errors import ConfigurationError
from .asgi_scope import Receive, Scope, Send, send_answer

__all__ = ["ProtectedResource"]

_WELL_KNOWN: Final = "/.well-known/oauth-protected-resource"
_METHODS: Final = ("header", "body", "query")


class ProtectedResource:
    """The metadata of a protected resource, and an ASGI app that serves it (RFC 9728, section 2).

    If it is passed to a middleware as ``resource_metadata=``, each challenge names its URL, and the
    middleware serves it at `path` (without ``root_path``, as in ``exclude``) to everyone. Without a
    middleware, mount it at `path`, where it answers every request.

    Arguments:
        resource: the resource's identifier, an https URL (http on loopback) without fragment.
            Tokens for the resource should have this URL as audience.
        authorization_servers: the issuers of tokens for the resource.
        scopes_supported: scopes that a client may ask for.
        bearer_methods_supported: how tokens are sent: ``"header"``, ``"body"``, ``"query"``.
        resource_name: the name to show to people.
        resource_documentation: URL of a page for developers.
        more: further members, such as ``{"resource_policy_uri": …}``; JSON values.

    Attributes:
        url: the document's URL, with the well-known name between host and path (section 3.1).
        path: the path of that URL.

    Raises ConfigurationError naming the argument.
    """

    __slots__ = ("_document", "path", "resource", "url")

    def __init__(
        self,
        *,
        resource: str,
        authorization_servers: Collection[str] = (),
        scopes_supported: Collection[str] = (),
        bearer_methods_supported: Collection[str] = ("header",),
        resource_name: str | None = None,
        resource_documentation: str | None = None,
        more: Mapping[str, object] | None = None,
    ) -> None:
        self.resource = settings.url("resource", resource)
        parts = urlsplit(self.resource)
        self.path = _WELL_KNOWN + ("" if parts.path == "/" else parts.path)
        query = f"?{parts.query}" if parts.query else ""
        self.url = f"{parts.scheme}://{parts.netloc}{self.path}{query}"
        servers = settings.names("authorization_servers", authorization_servers)
        methods = settings.names("bearer_methods_supported", bearer_methods_supported)
        members: dict[str, object] = {
            "resource": self.resource,
            "authorization_servers": [
                settings.url("authorization_servers", one) for one in servers
            ],
            "scopes_supported": list(settings.names("scopes_supported", scopes_supported)),
            "bearer_methods_supported": [
                settings.one_of("bearer_methods_supported", one, _METHODS) for one in methods
            ],
        }
        if resource_name is not None:
            members["resource_name"] = settings.text("resource_name", resource_name)
        if resource_documentation is not None:
            members["resource_documentation"] = settings.url(
                "resource_documentation", resource_documentation
            )
        # Section 2: members without a value are omitted.
        members = {name: value for name, value in members.items() if value}
        try:
            self._document = json.dumps({**members, **(more or {})}, allow_nan=False).encode()
        except (TypeError, ValueError) as error:
            raise ConfigurationError(
                "more", f"must be JSON values by name, got {more!r}"
            ) from error

    def answer(self, method: str) -> Answer:
        """Return the document, or the answer to a method that does not read it."""
        # The document is public, and browser-based clients need it, so scripts of any site may
        # read it.
        headers = [(b"access-control-allow-origin", b"*")]
        if method in ("GET", "HEAD"):
            headers += [
                (b"content-type", b"application/json"),
                (b"cache-control", b"public, max-age=3600"),
            ]
            return Answer(status=200, headers=tuple(headers), body=self._document)
        headers += [(b"content-type", b"text/plain"), (b"allow", b"GET, HEAD, OPTIONS")]
        if method == "OPTIONS":  # a preflight, which a custom header of the client causes
            headers += [
                (b"access-control-allow-methods", b"GET, HEAD"),
                (b"access-control-allow-headers", b"*"),
            ]
            return Answer(status=200, headers=tuple(headers), body=b"")
        return Answer(status=405, headers=tuple(headers), body=b"only GET and HEAD are answered")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 (ASGI)
        """Serve the document as an ASGI app."""
        if scope["type"] != "http":
            raise NotImplementedError(f"the document is served over http only, got {scope['type']}")
        await send_answer(self.answer(scope["method"]), scope, send)
