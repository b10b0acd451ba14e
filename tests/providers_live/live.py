"""Third-party providers as processes on loopback: start, issue, rotate, stop, and start again on one port.

Each has a list of generations of keys, the newest first. Its process signs with the newest and
publishes all of them. A rotation starts the process again with other generations, as operators do.
"""

from __future__ import annotations

import json
import re
import shutil
import socket
import subprocess
import threading
from abc import abstractmethod
from contextlib import closing
from itertools import count
from pathlib import Path
from typing import Any, ClassVar

import httpx
import jwt.algorithms
import trustme
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from installing import installed

from jwks_client import Provider, providers

PROGRAMS = Path(__file__).resolve().parent / "programs"
PATIENCE = 30.0
_numbers = count(1)


def _new_key(algorithm: str) -> Any:
    match algorithm:
        case "ES256":
            return ec.generate_private_key(ec.SECP256R1())
        case "ES384":
            return ec.generate_private_key(ec.SECP384R1())
        case "ES512":
            return ec.generate_private_key(ec.SECP521R1())
        case "EdDSA" | "Ed25519":
            return ed25519.Ed25519PrivateKey.generate()
        case _:
            return rsa.generate_private_key(65537, 2048)


class Generation:
    """One set of signing keys: a key for each algorithm, RS and PS each with their own."""

    def __init__(self, algorithms: tuple[str, ...]) -> None:
        number = next(_numbers)
        self.keys = {algorithm: _new_key(algorithm) for algorithm in algorithms}
        self.jwks = [
            {**self._jwk(key), "alg": algorithm, "use": "sig", "kid": f"{algorithm}-{number}"}
            for algorithm, key in self.keys.items()
        ]

    @staticmethod
    def _jwk(key: Any) -> dict[str, Any]:
        kinds: Any = jwt.algorithms
        if isinstance(key, rsa.RSAPrivateKey):
            found: dict[str, Any] = kinds.RSAAlgorithm.to_jwk(key, as_dict=True)
        elif isinstance(key, ec.EllipticCurvePrivateKey):
            found = kinds.ECAlgorithm.to_jwk(key, as_dict=True)
        else:
            found = kinds.OKPAlgorithm.to_jwk(key, as_dict=True)
        return {name: value for name, value in found.items() if name != "key_ops"}

    def pem(self, algorithm: str) -> str:
        """Return the private key as PEM."""
        return self.keys[algorithm].private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ).decode()  # fmt: skip


class Live:
    """A third-party provider.

    Arguments:
        folder: for its settings, log and database.
        tls: serve https with a certificate of a private authority.
    """

    name: ClassVar[str]
    algorithms: ClassVar[tuple[str, ...]]
    path: ClassVar[str] = ""
    scope_claim: ClassVar[Any]
    roles: ClassVar[frozenset[str]]

    def __init__(self, folder: Path, *, tls: bool = False) -> None:
        self.home = installed(self.name)
        self.folder = folder
        self.authority = trustme.CA() if tls else None
        self.ca_file = folder / "ca.pem"
        if self.authority is not None:
            self.authority.cert_pem.write_to_path(str(self.ca_file))
        with closing(socket.socket()) as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        self.origin = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}"
        self.issuer = self.origin + self.path
        self.generations = [Generation(self.algorithms)]
        self._process: subprocess.Popen[bytes] | None = None

    # --- parts of each provider

    @abstractmethod
    def settings(self) -> dict[str, Any]:
        """Return the settings of its program, in addition to the port."""

    @abstractmethod
    def command(self, settings: Path) -> list[str]:
        """Return the command that starts it."""

    @abstractmethod
    def token(self, algorithm: str) -> str:
        """Request a token that is signed with an algorithm."""

    @abstractmethod
    def audience(self, algorithm: str) -> str:
        """Return the audience of such a token."""

    # --- parts of all providers

    def provider(self, algorithm: str, **options: Any) -> Provider:
        """Return the provider as a user of this library configures it: by discovery."""
        audience, algorithms = self.audience(algorithm), list(self.algorithms)
        return providers.oidc(self.issuer, audience=audience, algorithms=algorithms, **options)

    def http(self) -> httpx.Client:
        """Return a browser's or an app's connection to it."""
        verify: Any = True
        if self.authority is not None:
            import ssl

            verify = ssl.create_default_context(cafile=str(self.ca_file))
        return httpx.Client(base_url=self.origin, verify=verify, trust_env=False, timeout=PATIENCE)

    def start(self) -> None:
        """Start the process and wait until its metadata can be read."""
        given: dict[str, Any] = {"issuer": self.issuer, "port": self.port, **self.settings()}
        if self.authority is not None:
            leaf = self.authority.issue_cert("127.0.0.1")
            given["cert_file"], given["key_file"] = (
                str(self.folder / "leaf.pem"),
                str(self.folder / "leaf.key"),
            )
            leaf.cert_chain_pems[0].write_to_path(given["cert_file"])
            leaf.private_key_pem.write_to_path(given["key_file"])
            given["cert"] = leaf.cert_chain_pems[0].bytes().decode()
            given["key"] = leaf.private_key_pem.bytes().decode()
        settings = self.folder / "settings.json"
        settings.write_text(json.dumps(given))
        log = self.folder / "log"
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                self.command(settings),
                cwd=self.folder,
                stdout=output,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
            )
        pause = threading.Event()
        with self.http() as http:
            for _ in range(600):
                assert self._process.poll() is None, f"{self.name} ended:\n{log.read_text()}"
                try:
                    answer = http.get(f"{self.path}/.well-known/openid-configuration")
                except httpx.TransportError:
                    pause.wait(0.05)
                    continue
                assert answer.status_code == 200, f"{answer.text}\n{log.read_text()}"
                return
        raise AssertionError(f"{self.name} did not start:\n{log.read_text()}")

    def stop(self) -> None:
        """End the process, by its own id."""
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait(PATIENCE)
            self._process = None

    def rotate(self, *, keep: int = 1) -> None:
        """Sign with new keys from now on, and still publish this many older generations."""
        self.stop()
        self.generations = [Generation(self.algorithms), *self.generations[:keep]]
        self.start()

    def drop(self) -> None:
        """Publish only the newest generation."""
        self.stop()
        del self.generations[1:]
        self.start()


class OidcProvider(Live):
    """oidc-provider (npm), certified by the OpenID Foundation; access tokens by RFC 9068."""

    name = "oidc-provider"
    algorithms = ("RS256", "PS256", "ES256", "ES384", "ES512", "EdDSA")
    scope_claim = staticmethod(lambda claims: claims["realm"]["roles"])
    roles = frozenset({"admin"})

    def settings(self) -> dict[str, Any]:
        keys = [jwk for one in self.generations for jwk in one.jwks]
        return {"jwks": {"keys": keys}}

    def command(self, settings: Path) -> list[str]:
        program = self.home / "server.mjs"
        shutil.copyfile(PROGRAMS / "oidc_provider.mjs", program)
        return [str(shutil.which("node")), str(program), str(settings)]

    def audience(self, algorithm: str) -> str:
        return f"urn:api:{algorithm}"

    def token(self, algorithm: str) -> str:
        form = {"grant_type": "client_credentials", "scope": "orders:read"}
        form["resource"] = self.audience(algorithm)
        with self.http() as http:
            answer = http.post("/token", data=form, auth=("machine", "secret-of-the-test"))
        assert answer.status_code == 200, answer.text
        return str(answer.json()["access_token"])


class Canaille(Live):
    """canaille (PyPI); access tokens by the password grant."""

    name = "canaille"
    algorithms = ("RS256", "ES256", "EdDSA")
    scope_claim = "groups"
    roles = frozenset({"admins"})

    def settings(self) -> dict[str, Any]:
        return {
            "algorithms": self.algorithms,
            "generations": [one.jwks for one in self.generations],
        }

    def command(self, settings: Path) -> list[str]:
        python = self.home / "venv" / "bin" / "python"
        return [str(python), str(PROGRAMS / "canaille_server.py"), str(settings)]

    def audience(self, algorithm: str) -> str:
        return f"app-{algorithm}"

    def token(self, algorithm: str) -> str:
        form = {"grant_type": "password", "scope": "openid profile groups"}
        form |= {"username": "alice", "password": "password-of-the-test"}
        with self.http() as http:
            auth = (self.audience(algorithm), "secret-of-the-test")
            answer = http.post("/oauth/token", data=form, auth=auth)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["access_token"])


class DjangoOAuthToolkit(Live):
    """django-oauth-toolkit (PyPI); ID tokens by an authorization code."""

    name = "django-oauth-toolkit"
    algorithms = ("RS256",)
    path = "/o"
    scope_claim = "groups"
    roles = frozenset({"admins"})

    def settings(self) -> dict[str, Any]:
        database = self.folder / "db.sqlite3"
        database.unlink(missing_ok=True)
        return {
            "pems": [one.pem("RS256") for one in self.generations],
            "database": str(database),
        }

    def command(self, settings: Path) -> list[str]:
        python = self.home / "venv" / "bin" / "python"
        return [str(python), str(PROGRAMS / "django_oauth_toolkit.py"), str(settings)]

    def audience(self, algorithm: str) -> str:
        return "app"

    def token(self, algorithm: str) -> str:
        callback = f"{self.issuer}/callback"
        asked = {"client_id": "app", "redirect_uri": callback, "scope": "openid"}
        with self.http() as http:
            http.get("/login")
            answer = http.get("/o/authorize/", params={"response_type": "code", **asked})
            assert answer.status_code == 302, answer.text
            found = re.search(r"[?&]code=([^&]+)", answer.headers["location"])
            assert found is not None, answer.headers["location"]
            form = {"grant_type": "authorization_code", "code": found[1], "redirect_uri": callback}
            answer = http.post("/o/token/", data=form, auth=("app", "secret-of-the-test"))
        assert answer.status_code == 200, answer.text
        return str(answer.json()["id_token"])


KINDS: tuple[type[Live], ...] = (OidcProvider, Canaille, DjangoOAuthToolkit)
