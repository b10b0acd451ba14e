"""examples/testing-your-api and docs/testing.md: the project's tests pass, and the page quotes them."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROJECT = ROOT / "examples" / "testing-your-api"
PAGE = ROOT / "docs" / "testing.md"
PLUGINS = ("jwks_client.testing.pytest_plugin", "anyio.pytest_plugin", "respx.plugin")


def run(folder):
    """Run the project's tests as its README says, with the plugins that it installs."""
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-q"]
    for plugin in PLUGINS:
        command += ["-p", plugin]
    env = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_ADDOPTS": ""}
    env["PYTHONDONTWRITEBYTECODE"] = "1"
    done = subprocess.run(
        command, cwd=folder, env=env, capture_output=True, text=True, timeout=120, check=False
    )
    return done.returncode, done.stdout + done.stderr


@pytest.fixture
def project(tmp_path):
    """Return a copy of the project, away from this repository and its settings."""
    pytest.importorskip("starlette")
    copy = tmp_path / "testing-your-api"
    shutil.copytree(PROJECT, copy, ignore=shutil.ignore_patterns("__pycache__"))
    return copy


def test_the_project_stands_alone(project):
    """Its tests pass outside this repository, with the packages of its pyproject, with warnings as errors."""
    status, said = run(project)
    assert status == 0, said
    assert int(re.search(r"(\d+) passed", said)[1]) > 45


@pytest.mark.parametrize(
    ("good", "bad", "broken"),
    [
        ('token.require("orders:write")', "token", "requires_a_scope"),
        ('exclude=("/health",)', 'exclude=("/orders", "/health")', "without_a_token_does_not"),
        (
            'providers.auth0("acme.eu.auth0.com", audience="https://orders.example.com")',
            'providers.auth0("acme.eu.auth0.com", audience=providers.UNCHECKED)',
            "",
        ),
    ],
)
def test_the_project_finds_faults(project, good, bad, broken):
    """An API that forgets a scope or a path fails its tests, and the kit follows its settings."""
    source = project / "orders_api.py"
    text = source.read_text()
    assert good in text
    source.write_text(text.replace(good, bad))
    status, said = run(project)
    if broken:
        assert status == 1, said
        assert re.search(rf"FAILED .*{broken}", said), said
    else:  # what the API deliberately does not check is not forged
        assert status == 0, said
        assert "wrong_audience" not in said


def test_the_page_quotes_the_project():
    """Code that docs/testing.md shows without running it (``py``) is in the project, to the line."""
    sources = [path.read_text() for path in PROJECT.rglob("*.py")]
    quoted = re.findall(r"^```py\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    assert quoted
    for block in quoted:
        for part in block.strip("\n").split("\n\n\n"):
            assert any(part in source for source in sources), part


def test_the_page_names_every_trick():
    """The page's table of hostile tokens lists the tricks of the forge."""
    from jwks_client.testing import FakeProvider

    idp = FakeProvider(algorithm="RS256")
    names = {one.name for one in idp.forge.all() if not one.name.startswith("missing_")}
    text = PAGE.read_text()
    section = text[text.index("## Hostile tokens") :]
    section = section[: section.index("\n## ")]
    named = set(re.findall(r"`([a-z0-9_]+)`", section))
    codes = {one.code for one in idp.forge.all()}
    assert names | {"too_old"} <= named
    table = [line for line in section.splitlines() if line.startswith("| `")]
    for line in table:
        code, listed = line.strip("|").split("|")[:2]
        code = code.strip().strip("`")
        for name in re.findall(r"`(\w+)`", listed):
            assert {one.name: one.code for one in idp.forge.all()}.get(name, code) == code
    assert codes <= named
