"""`serve(tls=True)`: https on loopback, by an authority that a client must be given."""

import os
import socket
import ssl
import subprocess
import sys
import threading
from pathlib import Path

import httpx
import pytest

from jwks_client import FetchPolicy, JWKSClient, KeysUnavailableError
from jwks_client.testing import FakeProvider

STRICT = ssl.VERIFY_X509_STRICT  # Python 3.13 sets it by default


def trusting(idp):
    context = ssl.create_default_context(cafile=idp.ca_file)
    context.verify_flags |= STRICT
    return context


def test_the_strictest_check_of_certificates_passes(idp):
    """Chain, names and extensions satisfy OpenSSL's strict mode, by file and by text."""
    with idp.serve(tls=True) as base_url:
        assert base_url.startswith("https://127.0.0.1:")
        by_text = ssl.create_default_context(cadata=idp.ca_pem)
        by_text.verify_flags |= STRICT
        for context in (trusting(idp), by_text):
            with httpx.Client(verify=context, trust_env=False) as client:
                assert client.get(idp.jwks_url).json() == idp.jwks()


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost", "::1"])
def test_the_certificate_is_for_loopback_by_any_name(idp, name):
    """The certificate is valid for every spelling of loopback."""
    with idp.serve(tls=True) as base_url:
        port = int(base_url.rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port), timeout=10) as raw:
            with trusting(idp).wrap_socket(raw, server_hostname=name) as connection:
                assert connection.version() in {"TLSv1.2", "TLSv1.3"}


def test_a_client_gets_the_authority_by_ca_file(idp):
    """`FetchPolicy(ca_file=…)` suffices; discovery and keys use https."""
    with idp.serve(tls=True):
        assert idp.jwks_url.startswith("https://")
        with JWKSClient(
            idp.provider, fetch=FetchPolicy(ca_file=idp.ca_file), clock=idp.clock
        ) as client:
            assert client.verify(idp.issue()).subject == "u1"


def test_a_client_without_the_authority_refuses_the_certificate(idp):
    """Without the authority the certificate is refused like any private one, and the server continues."""
    with idp.serve(tls=True):
        with JWKSClient(idp.provider, clock=idp.clock) as client:
            with pytest.raises(KeysUnavailableError):
                client.verify(idp.issue())
        assert idp.fetches == 0
        with httpx.Client(verify=trusting(idp), trust_env=False) as client:
            assert client.get(idp.jwks_url).status_code == 200


def test_a_silent_handshake_delays_no_other(idp):
    """A connection that never begins its handshake does not delay any other."""
    with idp.serve(tls=True) as base_url:
        port = int(base_url.rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port), timeout=10):
            with httpx.Client(verify=trusting(idp), trust_env=False, timeout=10) as client:
                assert client.get(idp.jwks_url).status_code == 200
    assert not [one for one in threading.enumerate() if one.name.startswith("fake-provider")]


def test_failures_are_the_same_over_tls(idp):
    """A provider that fails, closes or hangs does so behind TLS as well."""
    with idp.serve(tls=True):
        with httpx.Client(verify=trusting(idp), trust_env=False, timeout=1) as client:
            idp.fail(503)
            assert client.get(idp.jwks_url).status_code == 503
            idp.fail(ConnectionResetError)
            with pytest.raises(httpx.TransportError):
                client.get(idp.jwks_url)
            idp.fail("hang")
            with pytest.raises(httpx.ReadTimeout):
                client.get(idp.jwks_url, timeout=0.05)
            idp.recover()
            assert client.get(idp.jwks_url).status_code == 200


def test_one_authority_serves_the_whole_process():
    """One file makes several providers trusted, so tests make few certificates."""
    one, other = (FakeProvider(algorithm="ES256") for _ in range(2))
    assert (one.ca_file, one.ca_pem) == (other.ca_file, other.ca_pem)
    assert Path(one.ca_file).read_text() == one.ca_pem
    with one.serve(tls=True), other.serve(tls=True):
        with httpx.Client(verify=trusting(one), trust_env=False) as client:
            assert client.get(other.jwks_url).json() == other.jwks()


def test_the_file_is_removed_at_the_process_s_end():
    """No file is left on disk, no private key was readable there, and a fork removes nothing."""
    code = (
        "import os, pathlib\n"
        "from jwks_client.testing import FakeProvider\n"
        "idp = FakeProvider(algorithm='ES256')\n"
        "folder = pathlib.Path(idp.ca_file).parent\n"
        "assert [one.name for one in folder.iterdir()] == ['ca.pem']\n"
        "import subprocess, sys\n"
        "from jwks_client.testing._keys import certificates\n"
        "certificates._remove(folder, os.getpid() + 1)\n"
        "assert folder.exists()\n"
        "print(folder)\n"
    )
    command = [sys.executable, "-X", "dev", "-W", "error", "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert not os.path.exists(done.stdout.strip())  # noqa: PTH110 (the same in a word)
