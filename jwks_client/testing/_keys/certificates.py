"""Certificates: a private authority for loopback servers, and self-signed ones.

Must not depend on providers or servers.
The certificates satisfy Python 3.13's ``VERIFY_X509_STRICT`` (RFC 5280, section 4.2): the authority
has the matching key usage, and each certificate names its own key and its signer's.
"""

from __future__ import annotations

import datetime as dt
import functools
import ipaddress
import os
import shutil
import ssl
import tempfile
import weakref
from pathlib import Path
from typing import TYPE_CHECKING, Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes

__all__ = ["Authority", "authority", "self_signed"]

# Certificates are checked by the system's clock, and tests must not fail in a later year.
_BEGIN: Final = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
_END: Final = dt.datetime(2099, 1, 1, tzinfo=dt.UTC)
_PEM: Final = serialization.Encoding.PEM


class Authority:
    """A certificate authority of this process, and a server certificate by it.

    Attributes:
        pem: the authority's certificate, for clients that must trust it.
        ca_file: a file with the certificate, removed when the process ends.
        server_context: the SSL context of a server at 127.0.0.1, ::1 or localhost.
    """

    def __init__(self) -> None:
        key, server = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
        name = _name("jwks_client.testing: a private CA")
        identity = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
        certificate = (
            _builder(name, name, key.public_key())
            .serial_number(1)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(signs_certificates=True), critical=True)
            .add_extension(identity, critical=False)
            .sign(key, hashes.SHA256())
        )
        of_server = (
            _builder(_name("localhost"), name, server.public_key())
            .serial_number(2)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(signs_certificates=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .add_extension(_loopback(), critical=False)
            .add_extension(
                x509.SubjectKeyIdentifier.from_public_key(server.public_key()), critical=False
            )
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identity),
                critical=False,
            )
            .sign(key, hashes.SHA256())
        )
        folder = Path(tempfile.mkdtemp(prefix="jwks-client-testing-"))
        weakref.finalize(self, _remove, folder, os.getpid())
        self.pem: Final = certificate.public_bytes(_PEM).decode("ascii")
        self.ca_file: Final = str(folder / "ca.pem")
        Path(self.ca_file).write_text(self.pem, encoding="ascii")
        self.server_context: Final = _server_context(server, of_server, folder / "server.pem")


@functools.cache
def authority() -> Authority:
    """Return the authority of this process."""
    return Authority()


def self_signed(key: rsa.RSAPrivateKey) -> bytes:
    """Return a self-signed certificate (DER) of a key, as in ``x5c`` (RFC 7517, section 4.7).

    It is the same each time.
    """
    name = _name("a key of a fake provider")
    certificate = _builder(name, name, key.public_key()).serial_number(1)
    return certificate.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: CertificatePublicKeyTypes
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .not_valid_before(_BEGIN)
        .not_valid_after(_END)
    )


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _loopback() -> x509.SubjectAlternativeName:
    addresses = [x509.IPAddress(ipaddress.ip_address(one)) for one in ("127.0.0.1", "::1")]
    return x509.SubjectAlternativeName([x509.DNSName("localhost"), *addresses])


def _server_context(
    key: ec.EllipticCurvePrivateKey, certificate: x509.Certificate, chain: Path
) -> ssl.SSLContext:
    private = key.private_bytes(
        _PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    # OpenSSL reads keys from files only; the file is removed at once.
    chain.touch(mode=0o600)
    chain.write_bytes(private + certificate.public_bytes(_PEM))
    context.load_cert_chain(chain)
    chain.unlink()
    return context


def _remove(folder: Path, process: int) -> None:
    if os.getpid() == process:  # a forked child must not remove its parent's file
        shutil.rmtree(folder, ignore_errors=True)
