"""A loopback server of canned responses, plain or TLS, with a certificate authority, and commands."""

from __future__ import annotations

import datetime as dt
import inspect
import ipaddress
import json
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

from click.testing import CliRunner
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from jwks_client.cli._app import commands
from jwks_client.cli._probe import prober

# Recorded headers that do not apply to how this server sends the body.
_OF_THE_WIRE = {"content-encoding", "transfer-encoding", "content-length", "connection"}


# click before 8.2 mixes the outputs by default
_MIXES = "mix_stderr" in inspect.signature(CliRunner).parameters
_RUNNER = CliRunner(**({"mix_stderr": False} if _MIXES else {}))


class Answer(NamedTuple):
    """One response; a body that is not text or bytes is sent as JSON."""

    body: Any = ""
    headers: Mapping[str, str] = {}
    status: int = 200

    def octets(self) -> bytes:
        """Return the encoded body."""
        match self.body:
            case bytes():
                return self.body
            case str():
                return self.body.encode()
            case other:
                return json.dumps(other).encode()


class Served:
    """The responses by path; ``asked`` contains the requested paths."""

    def __init__(self, base_url: str) -> None:
        self.base_url = base_url
        self.answers: dict[str, Answer] = {}
        self.asked: list[str] = []

    def put(self, path: str, body: Any, status: int = 200, **headers: str) -> str:
        """Serve this from now on (``_`` in header names becomes ``-``); return its URL."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.answers[path] = Answer(body, {"content-type": "application/json"} | named, status)
        return self.base_url + path


@contextmanager
def served(tls: ssl.SSLContext | None = None) -> Iterator[Served]:
    """Serve on 127.0.0.1 during the block; unknown paths are 404."""

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

        def handle_error(self, *_: Any) -> None:  # clients that do not trust it hang up
            pass

    server = Server(("127.0.0.1", 0), Handler)
    if tls is not None:
        # Each connection's thread does the handshake, so that a failed one does not end the server.
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


@dataclass(frozen=True, slots=True)
class Ended:
    """A command that has ended."""

    exit_code: int
    stdout: str
    stderr: str

    @property
    def output(self) -> str:
        """Return both outputs."""
        return self.stdout + self.stderr


def invoke(*arguments: str, stdin: str | bytes = "") -> Ended:
    """Run a command in this process; re-raise what it raises.

    Responses take no time, so that a busy machine adds no finding.
    """
    with mock.patch.object(prober, "monotonic", return_value=0.0):
        result = _RUNNER.invoke(commands, arguments, input=stdin, prog_name="jwks-client")
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Ended(result.exit_code, result.stdout, result.stderr)


def findings_at(*arguments: str) -> list[dict[str, Any]]:
    """Return the doctor's findings."""
    return json.loads(invoke("doctor", "--json", *arguments).stdout)["findings"]


def codes_at(*arguments: str) -> list[str]:
    """Return the codes of the doctor's findings."""
    return [finding["code"] for finding in findings_at(*arguments)]


def _usage(*, key_cert_sign: bool) -> x509.KeyUsage:
    """Return the key usage; Python 3.13 requires it of an authority."""
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
    """Return a certificate for a key and 127.0.0.1, self-signed or signed by ``signer``."""
    subject = x509.Name([x509.NameAttribute(x509.oid.NameOID.COMMON_NAME, name)])
    issuer = x509.Name([x509.NameAttribute(x509.oid.NameOID.COMMON_NAME, "authority")])
    now = dt.datetime.now(dt.UTC)  # noqa: TID251 (certificates are checked by the system clock)
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
    """Return an authority's file, and the context of a server with a certificate by it."""
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
