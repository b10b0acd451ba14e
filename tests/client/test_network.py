"""The environment and the network below both clients: proxies, certificate authorities, addresses of a host."""

from __future__ import annotations

import errno
import json
import logging
import shutil
import socket
import ssl
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import httpcore
import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from servers import Server, answering, crowded, http, serving

from jwks_client import AsyncJWKSClient, ConfigurationError, FetchPolicy, JWKSClient, providers
from jwks_client._client.dialing import EveryAddress
from jwks_client._client.network import Network
from jwks_client.testing import FakeProvider
from jwks_client.testing._keys.certificates import authority as kit_authority
from jwks_client.testing._keys.certificates import self_signed

FAR = "https://idp.test/jwks"
VARIABLES = [f"{name}_proxy" for name in ("http", "https", "all", "no")]  # and each in upper case


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    """Remove every variable about the network from the environment."""
    for name in (*VARIABLES, *map(str.upper, VARIABLES), "SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def key_set(idp: FakeProvider) -> bytes:
    """Return the key set of ``idp`` as it is on the wire."""
    return json.dumps(idp.jwks()).encode()


@contextmanager
def answers(body: bytes) -> Iterator[Server]:
    """Serve every request with this body."""
    with serving(answering(http(body))) as server:
        yield server


def asked(url: str) -> bytes:
    """Return the response that a flight of a client gets from this URL."""
    with Network(FetchPolicy(), [url]).open() as client:
        return client.get(url).content


@pytest.fixture(params=[JWKSClient, AsyncJWKSClient])
def make(request: pytest.FixtureRequest) -> Callable[[str], Any]:
    """Return a function that makes a client of one kind whose keys are at a URL."""

    def made(url: str, **settings: Any) -> Any:
        provider = providers.generic(
            url, issuer="https://idp.test", audience="api", allow_http=True
        )
        return request.param(provider, **settings)

    return made


def refused(make: Callable[..., Any], url: str, **settings: Any) -> ConfigurationError:
    """Return the error of making a client."""
    with pytest.raises(ConfigurationError) as caught:
        make(url, **settings)
    return caught.value


class TestProxies:
    @pytest.mark.parametrize("variable", ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"])
    @pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "localhost.localdomain", "0.0.0.0"])
    def test_loopback_never_goes_through_a_proxy_of_the_environment(
        self, variable: str, host: str, monkeypatch: pytest.MonkeyPatch, key_set: bytes
    ) -> None:
        """A proxy cannot plant the keys of a side-car, whatever name this machine has."""
        real = socket.getaddrinfo
        monkeypatch.setattr(
            socket, "getaddrinfo", lambda _, *rest, **more: real("127.0.0.1", *rest, **more)
        )
        with answers(b"planted") as proxy, answers(key_set) as sidecar:
            monkeypatch.setenv(variable, f"http://{proxy.place}")
            assert asked(sidecar.url.replace("127.0.0.1", host)) == key_set
            assert proxy.connections == 0

    @pytest.mark.parametrize("variable", ["HTTP_PROXY", "ALL_PROXY"])
    def test_other_hosts_go_through_a_proxy_of_the_environment(
        self, variable: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The proxy variables count for every other host, with and without a scheme in them."""
        with answers(b"by proxy") as proxy:
            for value in (f"http://{proxy.place}", proxy.place):
                monkeypatch.setenv(variable, value)
                assert asked("http://idp.test/jwks") == b"by proxy"
            assert proxy.requests[0].startswith(b"GET http://idp.test/jwks ")

    def test_proxy_variables_are_read_once(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A proxy variable that changes after its check has no effect."""
        with answers(b"by proxy") as proxy:
            monkeypatch.setenv("HTTP_PROXY", f"http://{proxy.place}")
            network = Network(FetchPolicy(), ["http://idp.test/jwks"])
            monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
            with network.open() as client:
                assert client.get("http://idp.test/jwks").content == b"by proxy"

    @pytest.mark.parametrize(
        "exempt", ["127.0.0.2", "127.0.0.2,idp.test", "*", "idp.test:{port}", "http://idp.test"]
    )
    def test_exempt_hosts_do_not_go_through_a_proxy(
        self, exempt: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """NO_PROXY exempts hosts in every form that httpx reads."""
        real = socket.getaddrinfo
        monkeypatch.setattr(
            socket, "getaddrinfo", lambda _, *rest, **more: real("127.0.0.1", *rest, **more)
        )
        with answers(b"by proxy") as proxy, answers(b"direct") as server:
            port = server.place.partition(":")[2]
            monkeypatch.setenv("HTTP_PROXY", f"http://{proxy.place}")
            monkeypatch.setenv("NO_PROXY", exempt.format(port=port))
            named = "idp.test" in exempt or exempt == "*"
            body = asked(f"http://idp.test:{port}/jwks")
            assert body == (b"direct" if named else b"by proxy")

    @pytest.mark.parametrize(
        "value",
        [
            *("socks://127.0.0.1:7890/", "ftp://proxy.test", "http://[::1", "http://[bad"),
            *("http://:3128", "http://", "http://proxy.test:99999", "http://pro xy:3128", " "),
        ],
    )
    @pytest.mark.parametrize("variable", ["ALL_PROXY", "all_proxy", "HTTPS_PROXY", "https_proxy"])
    def test_an_unusable_proxy_is_refused_when_a_client_is_made(
        self, make: Any, variable: str, value: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The error names the variable and not its value, which may hold a password."""
        monkeypatch.setenv(variable, value)
        error = refused(make, FAR)
        assert error.field == variable
        assert not value.strip() or value not in str(error)

    def test_a_socks_proxy_without_its_package_is_refused(
        self, make: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The error names the variable and the package to install."""
        monkeypatch.setenv("ALL_PROXY", "socks5://proxy.test:1080")
        with patch.dict(sys.modules, {"socksio": None}):
            error = refused(make, FAR)
        assert error.field == "ALL_PROXY"
        assert "httpx[socks]" in str(error)

    def test_a_proxy_that_no_configured_url_would_use_is_not_checked(
        self, make: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """An unusable proxy for another scheme, for an exempt host or for loopback does not stop an app."""
        loopback = "http://127.0.0.1:9/jwks"
        monkeypatch.setenv("HTTP_PROXY", "socks://broken")
        assert not make(FAR).ready
        monkeypatch.setenv("ALL_PROXY", "socks://broken")
        assert not make(loopback).ready
        monkeypatch.setenv("NO_PROXY", "idp.test")
        assert not make(FAR).ready

    def test_a_proxy_that_is_used_later_is_named_by_the_failure(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A tenant's or a discovered URL may be the first to need a proxy, and the failure names the variable."""
        monkeypatch.setenv("ALL_PROXY", "socks://broken")
        network = Network(FetchPolicy(), ["http://127.0.0.1:9/jwks"])
        with network.open() as client, pytest.raises(ConfigurationError, match="ALL_PROXY"):
            client.get(FAR)

    @pytest.mark.parametrize("variable", ["NO_PROXY", "no_proxy"])
    @pytest.mark.parametrize("entry", ["fd07:b51a:cc66:f0::/64", "::1/128", "host:no-port"])
    def test_an_unreadable_exemption_is_refused_where_a_proxy_would_be_used(
        self, make: Any, variable: str, entry: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """An unreadable NO_PROXY entry is refused where a proxy would be used, and ignored elsewhere."""
        monkeypatch.setenv(variable, f"localhost,{entry}")
        make(FAR)
        monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
        error = refused(make, FAR)
        assert error.field == variable
        assert entry in str(error)
        make("http://127.0.0.1:9/jwks")

    def test_a_client_that_resolves_tenants_is_checked_for_them(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The URLs of tenants are not known when the client is made, but they will be https."""
        monkeypatch.setenv("HTTPS_PROXY", "socks://broken")
        for kind in (JWKSClient, AsyncJWKSClient):
            with pytest.raises(ConfigurationError, match="HTTPS_PROXY"):
                kind(resolve=lambda _: None)

    def test_a_caller_supplied_client_brings_its_own_proxies(
        self, make: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """With ``http=`` the environment's proxies are not checked."""
        monkeypatch.setenv("HTTPS_PROXY", "socks://broken")
        sync = httpx.Client(transport=httpx.MockTransport(lambda _: httpx.Response(204)))
        with sync:
            provider = providers.generic(FAR, issuer="https://idp.test", audience="api")
            assert not JWKSClient(provider, http=sync).ready


class TestAuthorities:
    @pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "SSL_CERT_DIR"])
    def test_unreadable_authorities_are_refused_when_a_client_is_made(
        self, make: Any, variable: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The error names variable and path; https needs the authorities on loopback too, plain http does not."""
        monkeypatch.setenv(variable, str(tmp_path / "gone"))
        for url in (FAR, "https://127.0.0.1:9/jwks"):
            error = refused(make, url)
            assert error.field == variable
            assert "gone" in str(error)
        make("http://127.0.0.1:9/jwks")

    def test_a_file_without_certificates_is_refused(
        self, make: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A file without certificates trusts no server, so it is refused."""
        (tmp_path / "empty.pem").write_text("nothing")
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "empty.pem"))
        assert refused(make, FAR).field == "SSL_CERT_FILE"

    def test_the_environment_s_authorities_are_trusted(
        self, monkeypatch: pytest.MonkeyPatch, key_set: bytes
    ) -> None:
        """A private authority in SSL_CERT_FILE is trusted for its servers."""
        own = kit_authority()
        monkeypatch.setenv("SSL_CERT_FILE", own.ca_file)
        with serving(answering(http(key_set)), tls=own.server_context) as server:
            assert asked(server.url) == key_set

    def test_plain_http_reads_no_authorities(
        self, monkeypatch: pytest.MonkeyPatch, key_set: bytes
    ) -> None:
        """A client of http URLs does not create a TLS context."""
        monkeypatch.setattr(ssl.SSLContext, "load_verify_locations", None)
        with answers(key_set) as server:
            assert asked(server.url) == key_set

    def test_all_flights_share_one_context(self) -> None:
        """A TLS context takes tens of milliseconds to create, so all flights share it."""
        authorities = Network(FetchPolicy(), [FAR]).authorities
        assert authorities.context() is authorities.context()

    @pytest.mark.parametrize("path", ["missing.pem", "null\0.pem", "\ud800.pem"])
    def test_a_private_authority_that_cannot_be_read_is_refused(
        self, path: str, tmp_path: Path
    ) -> None:
        """``ca_file`` must be readable when a client is made, whatever its path contains."""
        with pytest.raises(ConfigurationError, match="ca_file must be a readable PEM file"):
            Network(FetchPolicy(ca_file=f"{tmp_path}/{path}"), [])

    def test_a_private_authority_is_read_again_when_its_file_changed(
        self, tmp_path: Path, key_set: bytes, caplog: pytest.LogCaptureFixture
    ) -> None:
        """A renewed CA file counts without a restart; a broken one keeps the previous context, with one warning."""
        own, ca_file = kit_authority(), tmp_path / "ca.pem"
        another = tmp_path / "another.pem"
        make_another(another)
        shutil.copy(another, ca_file)
        network = Network(FetchPolicy(ca_file=str(ca_file)), [])
        with serving(answering(http(key_set)), tls=own.server_context) as server:

            def is_trusted() -> bool:
                try:
                    with network.open() as client:
                        return client.get(server.url).content == key_set
                except httpx.ConnectError:
                    return False

            assert not is_trusted()
            shutil.copy(own.ca_file, ca_file)
            assert is_trusted()
            for broken in (lambda: ca_file.write_text("half a fi"), ca_file.unlink):
                caplog.clear()
                broken()
                with caplog.at_level(logging.WARNING, "jwks_client"):
                    assert is_trusted()
                    assert is_trusted()
                assert [one.message.count("ca_file") for one in caplog.records] == [1]
            shutil.copy(another, ca_file)
            assert not is_trusted()


def make_another(path: Path) -> None:
    """Write the certificate of an authority that no server here uses."""
    der = self_signed(rsa.generate_private_key(65537, 2048))
    path.write_text(ssl.DER_cert_to_PEM_cert(der))


class TestAddresses:
    @staticmethod
    def resolving(monkeypatch: pytest.MonkeyPatch, *hosts: str) -> None:
        """Let every name resolve to these addresses."""

        def getaddrinfo(_: object, port: Any, *rest: object, **more: object) -> object:
            kind = socket.SOCK_STREAM
            return [(socket.AF_INET, kind, 6, "", (one, int(port))) for one in hosts]

        monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)

    @pytest.mark.parametrize("dead", [1, 2, 5])
    def test_dead_addresses_before_a_good_one_are_skipped(
        self, dead: int, monkeypatch: pytest.MonkeyPatch, key_set: bytes
    ) -> None:
        """All addresses are tried within one connect_timeout, even if one of them does not answer."""
        tried: list[tuple[str, float]] = []

        class Tcp:
            def connect_tcp(self, host: str, port: int, patience: float, *_: object) -> Any:
                tried.append((host, patience))
                if host != "127.0.0.1":
                    raise httpcore.ConnectTimeout(host)
                return closing(socket.socket())

        hosts = [f"127.0.0.{number + 2}" for number in range(dead)]
        self.resolving(monkeypatch, *hosts, "127.0.0.1")
        backend = EveryAddress()
        backend._tcp = Tcp()  # type: ignore[assignment]
        with backend.connect_tcp("idp.test", 80, 2.0):  # type: ignore[attr-defined]
            pass
        assert [host for host, _ in tried] == [*hosts, "127.0.0.1"]
        assert sum(patience for _, patience in tried) <= 2.0

    def test_a_slow_address_gets_the_rest_of_the_time(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """An address that is slower than the first short try is tried again with the rest of the time."""
        tried: list[float] = []

        class Tcp:
            def connect_tcp(self, host: str, port: int, patience: float, *_: object) -> Any:
                tried.append(patience)
                if len(tried) < 3:
                    raise httpcore.ConnectTimeout(host)
                return closing(socket.socket())

        self.resolving(monkeypatch, "127.0.0.2", "127.0.0.3")
        backend = EveryAddress()
        backend._tcp = Tcp()  # type: ignore[assignment]
        with backend.connect_tcp("idp.test", 80, 2.0):  # type: ignore[attr-defined]
            pass
        assert tried[0] == pytest.approx(0.25)
        assert tried[2] > 0.9

    def test_both_address_families_take_turns(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A broken IPv6 route with many addresses does not use up the time."""
        tried: list[str] = []

        class Tcp:
            def connect_tcp(self, host: str, port: int, patience: float, *_: object) -> Any:
                tried.append(host)
                raise httpcore.ConnectError(errno.ENETUNREACH)

        self.resolving(monkeypatch, "2001:db8::1", "2001:db8::2", "2001:db8::3", "192.0.2.1")
        backend = EveryAddress()
        backend._tcp = Tcp()  # type: ignore[assignment]
        with pytest.raises(httpcore.ConnectError):
            backend.connect_tcp("idp.test", 80, 2.0)
        assert tried[:4] == ["2001:db8::1", "192.0.2.1", "2001:db8::2", "2001:db8::3"]

    def test_dead_addresses_are_skipped_over_the_wire(
        self, monkeypatch: pytest.MonkeyPatch, key_set: bytes
    ) -> None:
        """A refused and a silent address before a good one delay a fetch but do not fail it."""
        with ExitStack() as stack:
            server = stack.enter_context(answers(key_set))
            silent = stack.enter_context(crowded())
            ports = {"127.0.0.2": 9, "127.0.0.3": silent, "127.0.0.1": server.url}
            self.resolving(monkeypatch, *ports)
            real = socket.create_connection

            def create_connection(place: tuple[str, int], *rest: Any, **more: Any) -> Any:
                url = ports.get(place[0])
                port = url if isinstance(url, int) else httpx.URL(str(url)).port
                monkeypatch.undo()  # addresses resolve to themselves
                try:
                    return real(("127.0.0.1", int(port or 0)), *rest, **more)
                finally:
                    self.resolving(monkeypatch, *ports)
                    monkeypatch.setattr(socket, "create_connection", create_connection)

            monkeypatch.setattr(socket, "create_connection", create_connection)
            assert asked("http://idp.test/jwks") == key_set
