"""The root of the package: its names, and the cost of its import."""

from __future__ import annotations

import subprocess
import sys

import pytest

import jwks_client

NAMES = [
    "AsyncJWKSClient",
    "CachePolicy",
    "ConfigurationError",
    "FetchPolicy",
    "InsufficientScopeError",
    "IssuerTemplate",
    "JWKSClient",
    "JWKSError",
    "Key",
    "KeySet",
    "KeysUnavailableError",
    "Provider",
    "TokenError",
    "VerifiedToken",
    "__version__",
    "errors",
    "events",
    "providers",
]


def loaded_by(code: str) -> set[str]:
    """Return the modules that are loaded after a piece of code ran in a fresh interpreter."""
    script = f"import sys; {code}; print(' '.join(sys.modules))"
    run = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60
    )
    return set(run.stdout.split())


def test_the_names_are_exactly_these():
    """The root offers exactly these names, sorted, and each of them exists."""
    assert jwks_client.__all__ == NAMES
    assert all(hasattr(jwks_client, name) for name in NAMES)


def test_a_shell_completes_exactly_these_names():
    """`dir(jwks_client)` lists the public names, and no name that the root imports for itself."""
    listed = {name for name in dir(jwks_client) if not name.startswith("_")}
    assert listed == {name for name in NAMES if not name.startswith("_")}


def test_the_import_is_light():
    """`import jwks_client` loads neither HTTP, nor cryptography, nor any framework."""
    heavy = {"httpx", "jwt", "cryptography", "starlette", "fastapi", "uvicorn", "click", "rich"}
    assert loaded_by("import jwks_client").isdisjoint(heavy)


def test_the_import_loads_no_asyncio():
    """Importing the package does not import asyncio; naming the async client does."""
    heavy = {"asyncio", "ssl", "logging"}
    assert loaded_by("from jwks_client import JWKSClient, providers").isdisjoint(heavy)
    named = "import jwks_client; same = jwks_client.AsyncJWKSClient is jwks_client.AsyncJWKSClient"
    assert "asyncio" in loaded_by(f"{named}; assert same")


def test_an_unknown_name_is_an_attribute_error():
    """A misspelt name is an AttributeError that says so."""
    with pytest.raises(AttributeError, match="'AsyncJWKClient'"):
        jwks_client.AsyncJWKClient  # noqa: B018


def test_making_a_client_pays_for_the_imports():
    """The modules that a verification needs are loaded when the client is made, so no request imports them."""
    make = (
        "import jwks_client as j;"
        "j.JWKSClient(j.providers.generic('https://i.test/jwks', issuer='i', audience='a'))"
    )
    assert {"httpx", "jwt", "cryptography"} <= loaded_by(make)


def test_the_pytest_plugin_is_light():
    """A test run with this package installed but its fixtures unused loads no client."""
    heavy = {"httpx", "jwt", "cryptography"}
    assert loaded_by("import jwks_client.testing.pytest_plugin").isdisjoint(heavy)


def test_the_package_is_typed():
    """Users' type checkers see the types (PEP 561)."""
    from importlib.resources import files

    assert files(jwks_client).joinpath("py.typed").is_file()
