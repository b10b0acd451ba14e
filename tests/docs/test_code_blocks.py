"""The documents match the code: blocks run, tables and names agree, links lead somewhere.

How a page's blocks are run. The blocks of one page share a namespace, in order, as if typed one after the
other. A ``python`` block is run, and its functions named ``test_…`` are called with fixtures, as
pytest would. Of a ``diff`` block the new version is run. A ``text`` block that follows either is
its exact output. Two things are given: ``token``, a session token of the Stytch project that the pages
name, and an internet with its keys at their URL and nothing else.
``bash`` blocks are not run, but the targets and commands in them must exist.
"""

from __future__ import annotations

import builtins
import dataclasses
import inspect
import os
import re
import subprocess
import symtable
import sys
import types
from collections.abc import Iterator
from dataclasses import MISSING
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from accounts import account

from jwks_client import (
    AsyncJWKSClient,
    CachePolicy,
    ConfigurationError,
    FetchPolicy,
    JWKSClient,
    Provider,
    errors,
    providers,
)

ROOT = Path(__file__).resolve().parents[2]
README = ROOT / "README.md"
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("examples/*.md")])
by_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


class Block(NamedTuple):
    """A fenced block: its language, its text, and the line of its beginning."""

    language: str
    text: str
    line: int


def blocks_of(page: Path) -> Iterator[Block]:
    """Return the fenced blocks of a page, in order."""
    begin: tuple[str, int] | None = None
    lines = page.read_text().splitlines()
    for number, line in enumerate(lines, start=1):
        if not line.lstrip().startswith("```"):
            continue
        assert line.startswith("```"), f"{page.name}:{number}: an indented block would not be run"
        if begin is None:
            begin = (line.removeprefix("```"), number)
            assert begin[0], f"{page.name}:{number}: a block says what language it is"
        else:
            language, first = begin
            yield Block(language, "\n".join(lines[first : number - 1]) + "\n", first + 1)
            begin = None
    assert begin is None, f"{page.name}: the last block has no end"


RUN = {"python", "diff"}
runnable = [page for page in PAGES if any(block.language in RUN for block in blocks_of(page))]


def code_of(block: Block) -> str:
    """Return the Python of a block: of a diff, its new version."""
    if block.language == "python":
        return block.text
    return "".join(f"{line[1:]}\n" for line in block.text.splitlines() if not line.startswith("-"))


@pytest.mark.usefixtures("logging_of_its_own")
@pytest.mark.parametrize("page", runnable, ids=lambda page: str(page.relative_to(ROOT)))
def test_the_code_of_a_page_runs_and_prints_what_it_says(
    page, request, internet, monkeypatch, capsys
):
    """Copied code works unchanged, and does what the page says."""
    if "settings.configure(" in page.read_text() and "JWKS_PAGE_APART" not in os.environ:
        run_apart(request.node.nodeid)  # Django has one configuration in a process
        return
    stytch = account("stytch")
    internet.publish(stytch)
    module = types.ModuleType("page")
    module.token = stytch.issue()
    monkeypatch.setitem(sys.modules, "page", module)  # dataclasses look up their types there
    printed: str | None = None  # by the block before, if that was run
    for block in blocks_of(page):
        if block.language in RUN:
            known = set(vars(module))
            # Padded with empty lines, so that a traceback names the page's line.
            code = "\n" * (block.line - 1) + code_of(block)
            exec(compile(code, str(page), "exec"), vars(module))  # noqa: S102
            for name in sorted(vars(module).keys() - known):
                if name.startswith("test_"):
                    call_test(getattr(module, name), request)
            printed = capsys.readouterr().out
        else:
            if block.language == "text" and printed is not None:
                assert printed == block.text, f"{page.name}:{block.line}"
            printed = None


RECIPES = ROOT / "docs/frameworks/recipes.md"
recipes = dict(re.findall(r"^## (.+)\n((?:(?!## ).*\n)*)", RECIPES.read_text(), re.MULTILINE))


@pytest.mark.parametrize("name", [name for name, text in recipes.items() if "```python" in text])
def test_a_recipe_runs_alone(name, request, internet, monkeypatch):
    """A recipe is a complete app: it imports what it uses, whatever stands above it."""
    if "settings.configure(" in recipes[name] and "JWKS_PAGE_APART" not in os.environ:
        run_apart(request.node.nodeid)
        return
    stytch = account("stytch")
    internet.publish(stytch)
    module = types.ModuleType("recipe")
    module.token = stytch.issue()
    module.good = {"Authorization": f"Bearer {module.token}"}
    monkeypatch.setitem(sys.modules, "recipe", module)
    blocks = re.findall(r"^```python\n(.*?)^```", recipes[name], re.MULTILINE | re.DOTALL)
    for code in blocks:
        exec(compile(code, name, "exec"), vars(module))  # noqa: S102
    module_table = symtable.symtable("\n".join(blocks), name, "exec")
    used = set[str]().union(*map(globals_in, module_table.get_children()))
    assert used - vars(module).keys() - set(dir(builtins)) == set()


def globals_in(table: symtable.SymbolTable) -> set[str]:
    """Return the global names that a function or a class reads, whether or not it is called."""
    read = {
        one.get_name() for one in table.get_symbols() if one.is_global() and one.is_referenced()
    }
    return read.union(*map(globals_in, table.get_children()))


def run_apart(node: str) -> None:
    """Run the test of a page in a separate process."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", node]
    ended = subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, "JWKS_PAGE_APART": "1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout


def call_test(test: Any, request: pytest.FixtureRequest) -> None:
    """Call a test function of a page with the fixtures that it names."""
    test(**{one: request.getfixturevalue(one) for one in inspect.signature(test).parameters})


# Commands and links.


def commands_in(page: Path) -> set[tuple[str, str]]:
    """Return the ``make`` targets and ``jwks-client`` commands that a page names, in blocks and in spans."""
    text = page.read_text()
    shell = [block.text for block in blocks_of(page) if block.language == "bash"]
    fences = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
    spans = re.findall(r"`([^`\n]+)`", fences.sub("", text))
    code = "\n".join([*shell, *spans])
    return set(
        re.findall(r"^\s*(?:.*/|.*&& )?(make|jwks-client) ([a-z][\w-]*)", code, re.MULTILINE)
    )


@by_page
def test_every_command_that_a_page_names_exists(page):
    """A make target is in the Makefile, and a command of jwks-client among its commands."""
    named = commands_in(page)
    from jwks_client.cli._app import commands

    assert {name for tool, name in named if tool == "jwks-client"} <= set(commands.commands)
    targets = {name for tool, name in named if tool == "make"}
    makefile = ROOT / "Makefile"
    if targets and not makefile.exists():
        pytest.skip("the sdist has no Makefile")
    if targets:
        assert targets <= set(re.findall(r"^([a-z-]+):", makefile.read_text(), re.MULTILINE))


def test_commands_are_found_in_blocks_and_spans():
    """The README names both ways to the demonstration, so the search for commands must find them."""
    assert {
        ("make", "demo"),
        ("make", "test"),
        ("jwks-client", "demo"),
        ("jwks-client", "serve"),
    } <= (commands_in(README))


def anchors_of(page: Path) -> set[str]:
    """Return the anchors of a page: its headings, as the sites that show them spell them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", one.lower()).replace(" ", "-") for one in headings}


@by_page
def test_every_relative_link_leads_somewhere(page):
    """Linked files exist, and so do linked headings in them."""
    broken = []
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        file = (page.parent / name).resolve() if name else page
        if not file.exists() or (anchor and anchor not in anchors_of(file)):
            broken.append(target)
    assert broken == []


# The tables of the README, the settings and the errors.


def section_of(page: Path, heading: str) -> str:
    """Return the text below a heading of the second level."""
    found = re.search(
        rf"^## {heading}\n(.*?)(?=^## |\Z)", page.read_text(), re.MULTILINE | re.DOTALL
    )
    assert found is not None, f"{page.name} has no section {heading!r}"
    return found[1]


def rows_of(text: str) -> list[list[str]]:
    """Return the rows of the tables in a text, without their heads."""
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in text.splitlines()
        if line.startswith("|")
    ]
    rule = next(at for at, row in enumerate(rows) if set("".join(row)) <= set("- :"))
    return rows[rule + 1 :]


def factories() -> set[str]:
    """Return the names of the functions that make a provider."""
    return {name for name in providers.__all__ if inspect.isfunction(getattr(providers, name))}


DOCUMENTED = {
    *("hanko", "hanko_passkeys", "prelude", "stytch", "wso2", "asgardeo", "generic", "oidc"),
}


def test_the_readme_has_a_line_that_works_for_each_documented_provider():
    """Every documented provider has a line, and every line makes a provider."""
    named = set()
    for _, line in rows_of(section_of(README, "Providers")):
        code = line.strip("`")
        assert isinstance(eval(code, {"providers": providers}), Provider)  # noqa: S307
        named.add(re.match(r"providers\.(\w+)\(", code)[1])
    assert named == DOCUMENTED


def test_the_readme_is_short():
    """Tables and details have their own pages."""
    assert len(README.read_text().splitlines()) <= 180


def test_the_page_of_providers_names_only_factories():
    """docs/providers has a row for each factory, and no other."""
    text = (ROOT / "docs/providers/README.md").read_text()
    rows = next(part for part in text.split("\n\n") if part.startswith("| provider"))
    assert {re.match(r"`(\w+)\(", row[1])[1] for row in rows_of(rows)} == factories()


def defaults() -> dict[str, dict[str, Any]]:
    """Return the default of each setting, by its class."""
    found = {
        kind.__name__: {
            one.name: one.default if one.default_factory is MISSING else one.default_factory()
            for one in dataclasses.fields(kind)
        }
        for kind in (CachePolicy, FetchPolicy, Provider)
    }
    for client in (JWKSClient, AsyncJWKSClient):
        found[client.__name__] = {
            name: one.default
            for name, one in inspect.signature(client).parameters.items()
            if one.kind is one.KEYWORD_ONLY
        }
    return found


def rows_of_settings(kind: str) -> list[list[str]]:
    """Return the rows of docs/settings.md on a class: field, default, accepted, meaning."""
    return rows_of(section_of(ROOT / "docs/settings.md", kind))


@pytest.mark.parametrize("kind", ["CachePolicy", "FetchPolicy", "Provider", "JWKSClient"])
def test_the_page_of_settings_has_each_setting_with_its_default(kind):
    """docs/settings.md has a row for each field, in the order of the code, with the code's default."""
    names = {"CachePolicy": CachePolicy, "FetchPolicy": FetchPolicy, "providers": providers}
    in_the_page = {
        field.strip("`"): MISSING if default == "required" else eval(default.strip("`"), names)  # noqa: S307
        for field, default, *_ in rows_of_settings(kind)
    }
    assert in_the_page == defaults()[kind]
    assert list(in_the_page) == list(defaults()[kind])


def test_both_clients_have_the_same_defaults():
    """One table is enough for both clients."""
    code = defaults()
    assert code["JWKSClient"] == code["AsyncJWKSClient"]


@pytest.mark.parametrize("kind", [CachePolicy, FetchPolicy])
def test_the_page_of_settings_has_the_accepted_bounds(kind):
    """The bounds in docs/settings.md are accepted, and values beyond them are not."""
    tried = 0
    for field, _, accepted, _ in rows_of_settings(kind.__name__):
        name, step = field.strip("`"), 1 if "whole" in accepted else 0.0001
        if bounds := re.search(r"([\d.]+) to ([\d.]+)|at least ([\d.]+)", accepted):
            low, high = (None if one is None else float(one) for one in bounds.group(1, 2))
            low = float(bounds[3]) if low is None else low
            good, bad = [low], [low - step]
            if high is not None:
                good, bad = [*good, high], [*bad, high + step]
            for value in good:
                kind(**{name: int(value) if step == 1 else value})
            for value in bad:
                with pytest.raises(ConfigurationError) as caught:
                    kind(**{name: int(value) if step == 1 else value})
                assert caught.value.field == name
            tried += 1
    assert tried >= 7


def test_defaults_in_running_text_are_those_of_the_code():
    """A default that docs/how-keys-live.md gives as `setting` (number) is the code's default."""
    known = {name: value for group in defaults().values() for name, value in group.items()}
    text = (ROOT / "docs/how-keys-live.md").read_text()
    in_the_page = [
        (name, value)
        for name, value in re.findall(r"`(\w+)`\s\(([\d.]+)[,;)]", text)
        if name in known
    ]
    assert len(in_the_page) > 8
    assert in_the_page == [(name, str(known[name])) for name, _ in in_the_page]


def test_the_table_of_errors_has_each_code_and_its_status():
    """The table has exactly the codes of refused tokens, each with its status."""
    codes = {
        "TokenError": set(errors.TOKEN_ERROR_CODES),
        "InsufficientScopeError": {*errors.InsufficientScopeCode.__args__},
        "KeysUnavailableError": {*errors.KeysUnavailableCode.__args__},
        "CredentialsError": {*errors.CredentialsErrorCode.__args__},
        "ConfigurationError": {errors.ConfigurationError("a", "b").code},
    }
    in_the_page: dict[str, set[str]] = {}
    for what, status, listed in rows_of(section_of(ROOT / "docs/debug.md", "Errors")):
        if what.startswith("`"):
            kind = what.split("`")[1]
        if "`invalid_request`" in listed:
            assert status == str(errors.CredentialsError("invalid_request", "").http_status)
        elif kind != "ConfigurationError":
            assert status == str(getattr(errors, kind).http_status)
        in_the_page.setdefault(kind, set()).update(re.findall(r"`(\w+)`", listed))
    assert in_the_page.keys() == codes.keys()
    assert all(in_the_page[kind] <= codes[kind] for kind in in_the_page)
    assert in_the_page["TokenError"] == codes["TokenError"]


def test_each_error_code_has_a_heading():
    """docs/debug.md explains exactly the existing codes, each under its own heading."""
    codes = {
        *errors.TOKEN_ERROR_CODES,
        *errors.InsufficientScopeCode.__args__,
        *errors.KeysUnavailableCode.__args__,
        *errors.CredentialsErrorCode.__args__,
        errors.ConfigurationError("a", "b").code,
    }
    text = (ROOT / "docs/debug.md").read_text()
    headings = re.findall(r"^### (.+)$", text, re.MULTILINE)
    assert sorted(headings) == sorted(codes)
