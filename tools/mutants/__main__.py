"""Measure whether the core's tests notice changes of the core: ``python tools/mutants [MODULE…]``.

Decides which modules are mutated, which mutants count, and the score. Must not depend on: how
mutants are made and run, which mutmut does. It works on a copy of the repository.

mutmut changes each module in one place at a time, and runs the tests in tests/core that reach that
place. A mutant that no test notices has survived. Survivors that are equivalent to the original are
not counted: other words in a message for people (a string that contains a space), another type for
`typing.cast`, and the entries of ``equivalent.toml``, each with its proof.
"""

from __future__ import annotations

import argparse
import io
import re
import shutil
import subprocess
import sys
import tempfile
import tokenize
import tomllib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MODULES = (
    *("tokens.unverified", "tokens.verified", "keysets.jwk", "keysets.cache"),
    *("credentials.reader", "credentials.answers"),
)
ENOUGH = 95.0  # percent of the mutants that count
NOTICED = {"killed", "timeout", "segfault", "caught by type check"}
SETTINGS = """
[tool.mutmut]
source_paths = ["jwks_client/"]
only_mutate = [{paths}]
# The ignored tests are slow and concern modules that are not mutated.
pytest_add_cli_args = [
    "-p", "no:cacheprovider", "--ignore=tests/core/tokens/test_claims_at_a_glance.py",
    "--ignore=tests/core/issuers/test_tenants.py", "--ignore=tests/core/keysets/test_fetch.py",
]
pytest_add_cli_args_test_selection = ["tests/core"]
process_isolation = "forkserver"  # with fork, Hypothesis would see each test run twice
use_git_change_detection = false
"""
# jwks_client._core.keysets.jwk.xǁKeySetǁselect__mutmut_8, or ….jwk.x__entries__mutmut_11
NAME = re.compile(r"jwks_client\._core\.([\w.]+)\.x(?:ǁ(\w+)ǁ|_)(\w+)__mutmut_\d+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Survivor:
    """A mutant that no test noticed: its place, and the lines before and after."""

    module: str
    function: str
    before: str
    after: str

    def __str__(self) -> str:
        lines = [f"{self.module}: {self.function}"]
        lines += [f"  - {line}" for line in self.before.splitlines()]
        lines += [f"  + {line}" for line in self.after.splitlines()]
        return "\n".join(lines)


def main() -> int:
    """Mutate, test and report; return 0 if the tests notice enough mutants of every module."""
    parser = argparse.ArgumentParser(prog="python tools/mutants", description=__doc__)
    parser.add_argument(
        "modules",
        nargs="*",
        help=f"modules of jwks_client/_core, such as keysets.jwk; by default {MODULES}",
    )
    parser.add_argument("--jobs", type=int, default=1, help="how many mutants are tested at a time")
    given = parser.parse_args()
    modules = tuple(given.modules) or MODULES
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        work = Path(folder)
        _copy_to(work, modules)
        # Without a terminal, its progress would fill thousands of lines.
        terminal = sys.stdout.isatty()
        _mutmut(work, "run", "--max-children", str(given.jobs), shown=terminal)
        outcomes = _outcomes(work)
        survivors = [_survivor(work, name) for name, how in outcomes.items() if how not in NOTICED]
    stale = _proofs(modules)  # survivors are removed below, so that unused proofs remain
    equivalent: list[Survivor] = []
    left: list[Survivor] = []
    for one in survivors:
        if one in stale:
            stale.remove(one)
            equivalent.append(one)
        else:
            (equivalent if _is_wording(one) else left).append(one)
    enough = [_report_score(module, outcomes, equivalent, left) for module in modules]
    for title, some in (("Survived", left), ("Listed as equivalent, but gone or noticed", stale)):
        for one in some:
            print(f"\n{title}: {one}")
    return 0 if all(enough) and not stale and outcomes else 1


def _copy_to(work: Path, modules: tuple[str, ...]) -> None:
    junk = shutil.ignore_patterns("__pycache__", ".hypothesis")
    for name in ("jwks_client", "tests"):
        shutil.copytree(ROOT / name, work / name, ignore=junk)
    paths = ", ".join(f'"jwks_client/_core/{one.replace(".", "/")}.py"' for one in modules)
    settings = (ROOT / "pyproject.toml").read_text() + SETTINGS.format(paths=paths)
    (work / "pyproject.toml").write_text(settings)


def _mutmut(work: Path, *arguments: str, shown: bool = False) -> str:
    """Return the output of a mutmut command; exit with its output if it fails."""
    done = subprocess.run(
        [sys.executable, "-m", "mutmut", *arguments],
        cwd=work,
        stdout=None if shown else subprocess.PIPE,
        text=True,
        check=False,
    )
    if done.returncode:
        sys.exit(f"mutmut {arguments[0]} failed:\n{done.stdout or ''}")
    return done.stdout or ""


def _outcomes(work: Path) -> dict[str, str]:
    lines = _mutmut(work, "results", "--all", "true").splitlines()
    pairs = (line.strip().rpartition(": ") for line in lines)
    return {name: how for name, _, how in pairs if NAME.fullmatch(name)}


def _survivor(work: Path, name: str) -> Survivor:
    match = NAME.fullmatch(name)
    assert match is not None  # noqa: S101 (it matched before)
    module, kind, function = match.groups()
    changed: dict[str, list[str]] = {"-": [], "+": []}
    for line in _mutmut(work, "show", name).splitlines():
        if line[:1] in changed and not line.startswith(("---", "+++")):
            changed[line[0]].append(line[1:].strip())
    return Survivor(
        module=module,
        function=f"{kind}.{function}" if kind else function,
        before="\n".join(changed["-"]),
        after="\n".join(changed["+"]),
    )


def _is_wording(one: Survivor) -> bool:
    """Return whether only the words of a message changed, or the type in a `cast`."""
    before, after = _tokens(one.before), _tokens(one.after)
    differing = [pair for pair in zip(before, after, strict=False) if pair[0] != pair[1]]
    if len(before) != len(after) or len(differing) != 1:
        return False
    place = next(at for at, token in enumerate(before) if token != after[at])
    (kind, text), (other_kind, _) = differing[0]
    if kind == tokenize.STRING and before[max(place - 2, 0) : place] == [
        (tokenize.NAME, "cast"),
        (tokenize.OP, "("),
    ]:
        return True
    return kind == other_kind == tokenize.STRING and " " in text


def _tokens(line: str) -> list[tuple[int, str]]:
    tokens: list[tuple[int, str]] = []
    try:
        found = tokenize.generate_tokens(io.StringIO(line).readline)
        tokens.extend((token.type, token.string) for token in found)
    except (tokenize.TokenError, IndentationError):
        pass  # only a part of a statement: the tokens up to its end suffice
    return tokens


def _proofs(modules: tuple[str, ...]) -> list[Survivor]:
    listed = tomllib.loads(Path(__file__).with_name("equivalent.toml").read_text())
    return [
        Survivor(**{name: text for name, text in one.items() if name != "why"})
        for one in listed.get("equivalent", [])
        if one["why"] and one["module"] in modules
    ]


def _report_score(
    module: str, outcomes: dict[str, str], equivalent: list[Survivor], left: list[Survivor]
) -> bool:
    """Print the score of a module, and return whether it is high enough."""
    of_module = Counter(
        how for name, how in outcomes.items() if name.startswith(f"jwks_client._core.{module}.")
    )
    not_counted = sum(one.module == module for one in equivalent)
    counted = of_module.total() - not_counted
    noticed = counted - sum(one.module == module for one in left)
    score = 100 * noticed / counted if counted else 0.0
    print(
        f"{module}: {noticed} of {counted} mutants noticed, {score:.1f} % "
        f"({not_counted} more are equivalent)"
    )
    return score >= ENOUGH


if __name__ == "__main__":
    sys.exit(main())
