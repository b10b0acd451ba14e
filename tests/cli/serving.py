"""A loopback server of recorded answers, plain or with TLS, and a certificate authority for it."""

from __future__ import annotations

import datetime as dt
import ipaddress
import json
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

from click.testing import CliRunner, Result
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from jwks_client.cli._app import commands

# What a server of one piece says otherwise than the one whose answer was recorded.
_OF_THE_WIRE = {"content-encoding", "transfer-encoding", "content-length", "connection"}


class Answer(NamedTuple):
    """One answer; a body that is no text is sent as JSON."""

    body: Any = ""
    headers: Mapping[str, str] = {}
    status: int = 200

    def octets(self) -> bytes:
        """The body as it goes out."""
        match self.body:
            case bytes():
                return self.body
            case str():
                return self.body.encode()
            case other:
                return json.dumps(other).encode()


class Served:
    """What is served where; ``asked`` has the paths that were asked for."""

    def __init__(self, base_url: str) -> None:
        self.base_url = base_url
        self.answers: dict[str, Answer] = {}
        self.asked: list[str] = []

    def put(self, path: str, body: Any, status: int = 200, **headers: str) -> str:
        """Serve this from now on (``_`` in header names is ``-``); gives its URL."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.answers[path] = Answer(body, {"content-type": "application/json"} | named, status)
        return self.base_url + path


@contextmanager
def served(tls: ssl.SSLContext | None = None) -> Iterator[Served]:
    """A server on 127.0.0.1; what is not put there is 404."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            what.asked.append(self.path)
            answer = what.answers.get(self.path, Answer({"error": "nothing here"}, {}, 404))
            self.send_response_only(answer.status)
            for name, value in answer.headers.items():
                if name.lower() not in _OF_THE_WIRE:
                    self.send_header(name, value)
            octets = answer.octets()
            self.send_header("content-length", str(len(octets)))
            self.end_headers()
            self.wfile.write(octets)

        def log_message(self, *_: Any) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def server_bind(self) -> None:
            self.socket.bind(self.server_address)
            self.server_address = self.socket.getsockname()

        def handle_error(self, *_: Any) -> None:  # a client that trusts nobody hangs up
            pass

    server = Server(("127.0.0.1", 0), Handler)
    if tls is not None:
        # The handshake is the connection's thread's, so that nobody's refusal ends the server.
        server.socket = tls.wrap_socket(
            server.socket, server_side=True, do_handshake_on_connect=False
        )
    scheme = "http" if tls is None else "https"
    what = Served(f"{scheme}://127.0.0.1:{server.server_address[1]}")
    accepting = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    accepting.start()
    try:
        yield what
    finally:
        server.shutdown()
        server.server_close()
        accepting.join(10)


def invoke(*arguments: str, stdin: str | bytes = "") -> Result:
    """A command in this process; whatever it raises is raised here."""
    result = CliRunner().invoke(commands, arguments, input=stdin)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def findings_at(*arguments: str) -> list[dict[str, Any]]:
    """What the doctor finds there."""
    return json.loads(invoke("doctor", "--json", *arguments).stdout)["findings"]


def codes_at(*arguments: str) -> list[str]:
    """The codes of what the doctor finds there."""
    return [finding["code"] for finding in findings_at(*arguments)]


def _usage(*, key_cert_sign: bool) -> x509.KeyUsage:
    """What a certificate's key may do; Python 3.13 wants an authority to say that it signs them."""
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=key_cert_sign,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )


def certificate(
    key: Any, *, days: float = 365, signer: Any = None, name: str = "test"
) -> x509.Certificate:
    """A certificate for a key and 127.0.0.1, by itself or by a signer, that ends in so many days."""
    subject = x509.Name([x509.NameAttribute(x509.oid.NameOID.COMMON_NAME, name)])
    issuer = x509.Name([x509.NameAttribute(x509.oid.NameOID.COMMON_NAME, "authority")])
    now = dt.datetime.now(dt.UTC)  # noqa: TID251 (a certificate is judged by the system's clock)
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    return (
        x509.CertificateBuilder()
        .subject_name(subject if signer else issuer)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=400))
        .not_valid_after(now + dt.timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=signer is None, path_length=None), critical=True)
        .add_extension(_usage(key_cert_sign=signer is None), critical=True)
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key((signer or key).public_key()),
            critical=False,
        )
        .sign(signer or key, hashes.SHA256())
    )


def make_tls(folder: Path, *, days: float = 365) -> tuple[str, ssl.SSLContext]:
    """The file of an authority, and the context of a server that it vouches for."""
    authority, own = (
        ec.generate_private_key(ec.SECP256R1()),
        ec.generate_private_key(ec.SECP256R1()),
    )
    ca_file, chain = folder / "authority.pem", folder / "server.pem"
    pem = serialization.Encoding.PEM
    ca_file.write_bytes(certificate(authority).public_bytes(pem))
    chain.write_bytes(
        certificate(own, days=days, signer=authority, name="server").public_bytes(pem)
        + own.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain)
    return str(ca_file), context
