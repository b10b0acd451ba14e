"""The installed kit: fixtures for pytest, and the cost of importing it."""

import os
import subprocess
import sys

import pytest

SUITE = """
import httpx, jwt
from jwks_client.testing import FakeClock, FakeProvider

def test_the_fixtures(jwks_clock, jwks_provider):
    assert type(jwks_clock) is FakeClock and type(jwks_provider) is FakeProvider
    assert jwks_provider.clock is jwks_clock
    before = jwks_clock.time()
    jwks_clock.advance(60)
    assert jwks_clock.time() == before + 60

def test_that_the_clock_starts_now(jwks_provider):
    with httpx.Client(transport=jwks_provider.transport) as client:
        [jwk] = client.get(jwks_provider.jwks_url).json()["keys"]
    key = jwt.PyJWK(jwk)
    assert jwt.decode(jwks_provider.issue(sub="u7"), key, audience="api")["sub"] == "u7"

def test_that_each_test_has_its_own(jwks_provider):
    assert jwks_provider.fetches == 0
"""


def run(*arguments, **environment):
    command = [sys.executable, *arguments]
    env = {**os.environ, **environment}
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=env)


def test_the_fixtures_of_the_plugin(tmp_path):
    """`jwks_clock` starts at the real time, `jwks_provider` uses it; both are new in each test."""
    (tmp_path / "test_app.py").write_text(SUITE)
    options = ["-p", "jwks_client.testing.pytest_plugin", "-p", "no:cacheprovider", "-W", "error"]
    done = run(
        "-m",
        "pytest",
        *options,
        "--rootdir",
        tmp_path,
        tmp_path,
        PYTEST_DISABLE_PLUGIN_AUTOLOAD="1",
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "3 passed" in done.stdout


@pytest.mark.parametrize("module", ["jwks_client.testing", "jwks_client.testing.pytest_plugin"])
def test_an_import_is_cheap(module):
    """Neither the kit nor its plugin imports httpx, PyJWT, cryptography or a server until used."""
    heavy = ("httpx", "jwt", "cryptography", "http.server")
    code = f"import sys, {module}; print([one for one in {heavy} if one in sys.modules])"
    done = run("-c", code)
    assert (done.returncode, done.stdout.strip()) == (0, "[]"), done.stdout + done.stderr


def test_a_provider_needs_no_httpx():
    """Issuing and serving tokens needs neither httpx nor PyJWT."""
    code = (
        "import sys; from jwks_client.testing import FakeProvider; idp = FakeProvider(); idp.issue()\n"
        "with idp.serve(): print([one for one in ('httpx', 'jwt') if one in sys.modules])"
    )
    done = run("-X", "dev", "-W", "error", "-c", code)
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, "[]", "")
