"""The pytest plugin in separate runs: fixtures, marker, ids; under each plugin for coroutines."""

import os
import subprocess
import sys

import pytest

PLUGIN = ("-p", "jwks_client.testing.pytest_plugin")
ASYNCIO = ("-p", "pytest_asyncio.plugin", "-o", "asyncio_default_fixture_loop_scope=function")


def run(folder, suite, *options, conftest=""):
    """Run pytest in a new process and folder, with only the named plugins."""
    (folder / "test_app.py").write_text(suite)
    (folder / "conftest.py").write_text(conftest)
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-W", "error", *options]
    env = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_ADDOPTS": ""}
    done = subprocess.run(
        [*command, "--strict-markers", "--rootdir", folder, folder],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env=env,
        cwd=folder,
    )
    return done.returncode, done.stdout + done.stderr


def assert_passed(outcome, number):
    status, said = outcome
    assert status == 0, said
    assert f"{number} passed" in said, said


FIXTURES = """
import pytest
from jwks_client import AsyncJWKSClient, JWKSClient, TokenError
from jwks_client.testing import FakeClock, FakeProvider

def test_the_client_and_the_headers(jwks_client, jwks_provider, auth_headers):
    assert type(jwks_client) is JWKSClient
    headers = auth_headers(sub="u1", scope="orders:read", org="o1")
    assert list(headers) == ["Authorization"]
    scheme, token = headers["Authorization"].split(" ")
    verified = jwks_client.verify(token)
    assert (scheme, verified.subject, verified.scopes) == ("Bearer", "u1", {"orders:read"})
    assert verified.claims["org"] == "o1"
    assert jwks_provider.fetches == 1

def test_time_passes_by_the_clock(jwks_client, jwks_provider, jwks_clock):
    token = jwks_provider.issue(expires_in=60)
    jwks_client.verify(token)
    jwks_clock.advance(90)
    with pytest.raises(TokenError, match="token_expired"):
        jwks_client.verify(token)

def test_the_async_client_is_there(async_jwks_client):
    assert type(async_jwks_client) is AsyncJWKSClient
"""

MARKED = """
import pytest
from jwks_client import providers

MINE = providers.stytch("project-test-9")

@pytest.mark.jwks(provider="hanko", algorithm="ES256")
def test_a_shape_by_name(jwks_provider, jwks_client, auth_headers):
    assert jwks_provider.provider.name == "hanko"
    assert jwks_client.verify(jwks_provider.issue()).algorithm == "ES256"

@pytest.mark.jwks("auth0", "acme.eu.auth0.com", audience="shop")
def test_a_shape_with_arguments(jwks_provider):
    assert jwks_provider.provider == providers.auth0("acme.eu.auth0.com", audience="shop")

@pytest.mark.jwks(MINE)
def test_a_provider_of_ones_own(jwks_provider):
    assert jwks_provider.provider == MINE

@pytest.mark.jwks(issuer="https://a.test", audience=("a", "b"))
class TestPlain:
    def test_a_class_may_be_marked(self, jwks_provider):
        assert (jwks_provider.issuer, jwks_provider.audience) == ("https://a.test", ("a", "b"))

    @pytest.mark.jwks("stytch")
    def test_the_nearest_marker_wins(self, jwks_provider):
        assert jwks_provider.provider.name == "stytch"
"""

HOSTILE = """
import pytest
from jwks_client import TokenError
from jwks_client.testing import FakeProvider

idp = FakeProvider()
client = idp.client()

@pytest.mark.parametrize("token", idp.forge.all())
def test_hostile(token):
    with pytest.raises(TokenError) as caught:
        client.verify(token)
    assert caught.value.code == token.code

@pytest.mark.parametrize("word", ["plain"])
def test_other_parameters_keep_their_ids(word):
    assert word
"""

ASYNC = """
import asyncio
import pytest
MARK

async def test_a_token(async_jwks_client, jwks_provider):
    assert (await async_jwks_client.verify(jwks_provider.issue(sub="u2"))).subject == "u2"

async def test_a_flight_in_the_air_at_the_end(async_jwks_client, jwks_provider, jwks_clock):
    await async_jwks_client.verify(jwks_provider.issue())
    jwks_clock.advance(299)
    jwks_provider.fail("hang")
    with jwks_provider.hold() as held:
        await async_jwks_client.verify(jwks_provider.issue())
        await held.wait_async()

async def test_each_test_has_its_own(async_jwks_client, jwks_provider):
    assert jwks_provider.fetches == 0
    await asyncio.gather(*(async_jwks_client.verify(jwks_provider.issue()) for _ in range(5)))
    assert jwks_provider.fetches == 1
"""


def test_the_fixtures(tmp_path):
    """The client, the headers and the clock belong to one provider, new in each test."""
    assert_passed(run(tmp_path, FIXTURES, *PLUGIN), 3)


def test_the_marker(tmp_path):
    """`@pytest.mark.jwks` selects the provider's shape; it is registered, and the nearest one wins."""
    assert_passed(run(tmp_path, MARKED, *PLUGIN), 5)


def test_the_marker_is_listed(tmp_path):
    """`pytest --markers` lists the marker."""
    status, said = run(tmp_path, "", *PLUGIN, "--markers")
    assert status == 0, said
    assert "@pytest.mark.jwks(provider=None, *arguments, algorithm=..., **options)" in said


def test_a_wrong_marker_is_an_error_of_the_test(tmp_path):
    """An unknown provider is named, with the known ones."""
    suite = (
        "import pytest\n@pytest.mark.jwks('stych')\ndef test_it(jwks_provider):\n    assert False\n"
    )
    status, said = run(tmp_path, suite, *PLUGIN)
    assert status == 1
    assert "which must be one of" in said
    assert "1 error" in said


def test_forged_tokens_are_named_after_their_fault(tmp_path):
    """The ids of a parametrized test are words, so no token appears in a report."""
    status, said = run(tmp_path, HOSTILE, *PLUGIN, "--collect-only", "-q")
    assert status == 0, said
    names = [line.partition("::")[2] for line in said.splitlines() if "::" in line]
    assert "test_hostile[wrong_audience]" in names
    assert "test_hostile[hmac_with_public_key]" in names
    assert "test_other_parameters_keep_their_ids[plain]" in names
    assert len(names) > 40
    assert "eyJ" not in said
    assert_passed(run(tmp_path, HOSTILE, *PLUGIN), len(names))


def test_under_xdist(tmp_path):
    """Workers collect the same tests although each has its own keys, and all pass."""
    status, said = run(tmp_path, HOSTILE + FIXTURES, *PLUGIN, "-p", "xdist.plugin", "-n", "2")
    assert status == 0, said
    assert "Different tests were collected" not in said


@pytest.mark.parametrize(
    ("mark", "options"),
    [
        ("pytestmark = pytest.mark.asyncio", (*ASYNCIO, "-o", "asyncio_mode=strict")),
        ("", (*ASYNCIO, "-o", "asyncio_mode=auto")),
        ("pytestmark = pytest.mark.anyio", ("-p", "anyio.pytest_plugin")),
    ],
    ids=["strict", "auto", "anyio"],
)
def test_under_each_plugin_for_coroutines(tmp_path, mark, options):
    """The async client works with whatever runs the coroutine, and leaves nothing behind."""
    conftest = ""
    if "anyio" in mark:
        conftest = "import pytest\n@pytest.fixture\ndef anyio_backend(): return 'asyncio'\n"
    suite = ASYNC.replace("MARK", mark)
    assert_passed(run(tmp_path, suite, *PLUGIN, *options, conftest=conftest), 3)


def test_a_run_that_does_not_use_the_plugin_imports_nothing(tmp_path):
    """With the plugin loaded but unused, neither httpx nor PyJWT nor cryptography is imported."""
    suite = """
import sys
import pytest

@pytest.mark.parametrize("word", ["a", 1, None, b"x"])
def test_that_nothing_heavy_was_imported(word):
    heavy = {"httpx", "jwt", "cryptography", "http.server"} & set(sys.modules)
    assert not heavy
"""
    assert_passed(run(tmp_path, suite, *PLUGIN), 4)


def test_the_entry_point_loads_it(tmp_path):
    """pytest finds the plugin of an installed package by itself."""
    from importlib.metadata import entry_points

    [found] = entry_points(group="pytest11", name="jwks_client")
    assert found.value == "jwks_client.testing.pytest_plugin"


def test_it_imports_next_to_nothing_until_a_fixture_is_used():
    """Every test run of every project with this library installed imports the plugin, so the import must be cheap."""
    code = (
        "import sys, pytest\n"
        "before = set(sys.modules)\n"
        "import jwks_client.testing.pytest_plugin as plugin\n"
        "plugin.pytest_make_parametrize_id(3)\n"
        "print(*set(sys.modules) - before)\n"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    loaded = [one for one in done.stdout.split() if not one.startswith("_")]
    assert all(one.startswith("jwks_client") for one in loaded), loaded
    assert len(loaded) < 6, loaded
