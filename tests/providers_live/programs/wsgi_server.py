"""Serve a WSGI app on loopback, with TLS where the settings have a certificate."""

from __future__ import annotations

import ssl
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _Quiet(WSGIRequestHandler):
    def log_message(self, *_: Any) -> None:
        """Write nothing."""


def serve(app: Any, given: dict[str, Any]) -> None:
    """Serve until the process is ended."""
    server = _Server(("127.0.0.1", given["port"]), _Quiet)
    server.set_app(app)
    if "cert_file" in given:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(given["cert_file"], given["key_file"])
        server.base_environ["HTTPS"] = "on"
        server.socket = context.wrap_socket(server.socket, server_side=True)
    server.serve_forever()
