"""Rules of this repository that no linter checks."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pytest

import jwks_client

TESTS = Path(__file__).parent
ROOT = TESTS.parent


def stated_tests(path: Path) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Return every test function in a file."""
    return [
        node
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
        and node.name.startswith("test_")
    ]


@pytest.mark.parametrize("path", sorted(TESTS.rglob("test_*.py")), ids=lambda path: path.name)
def test_every_test_states_its_promise(path):
    """Each test has a docstring that states its promise."""
    silent = [one.name for one in stated_tests(path) if not ast.get_docstring(one)]
    assert silent == []


def test_no_module_is_too_long():
    """A module of the package has at most 400 lines."""
    package = Path(jwks_client.__file__).parent
    long = {
        str(path.relative_to(package)): lines
        for path in package.rglob("*.py")
        if (lines := path.read_text().count("\n")) > 400
    }
    assert long == {}


def test_every_function_fits_on_a_screen():
    """A function of the package has at most 60 lines, its docstring included."""
    package = Path(jwks_client.__file__).parent
    long = {
        f"{path.relative_to(package)}: {node.name}": lines
        for path in package.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
        and (lines := (node.end_lineno or 0) - node.lineno + 1) > 60
    }
    assert long == {}


def test_every_silenced_rule_has_its_reason():
    """A lint rule is silenced in the package with a reason in parentheses on the same line."""
    package = Path(jwks_client.__file__).parent
    bare = [
        f"{path.relative_to(package)}:{number}"
        for path in package.rglob("*.py")
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if re.search(r"#\snoqa[^(]*$", line)
    ]
    assert bare == []


def test_vectors_stay_where_they_are():
    """No collection of another project is copied here; tests/vectors holds facts and our own recordings."""
    assert [path.name for path in ROOT.rglob("SOURCE.md") if ".venv" not in path.parts] == []


@dataclass(frozen=True)
class Banned:
    """A phrase that this project once used, what to say instead, and why."""

    pattern: str
    say: str
    because: str

    @cached_property
    def compiled(self) -> re.Pattern[str]:
        """Return the pattern; a blank also matches the end of a line, even in a comment."""
        return re.compile(self.pattern.replace(" ", r"[\s#]+"), re.IGNORECASE)


_NO_NOUN = r"\b(is|are) no (?!longer\b|more\b)\w"
_BESIDE = (
    r"\bbeside (the|a|an|it|them|this|that|these|those|another|others?|its|one|no|ours|many|`+)"
)
_ALSO = (
    r", also (if|in|while|where|when|with|for|of|to|as|by|during|around|below|those|its|under)\b"
)
BANNED = (
    Banned(r"\bmay not\b", "must not, cannot or might not", "it means any of the three"),
    Banned(_NO_NOUN, "is not a …, has no …", "it hides the actor"),
    Banned(r"\bno such number\b", "what the number must be", "a message must say what is valid"),
    Banned(r'\bf?"takes (a|an|True|strings|the) ', "must be …, got …", "messages have one pattern"),
    Banned(r"\b(in|on) the air\b", "in flight, in progress", "a flight is in flight"),
    Banned(r"\bat hand\b", "cached", "'cached' is the word for keys in the cache"),
    Banned(r"\bin hand\b", "static key set, parsed key", "it does not say how the key got there"),
    Banned(r"\bto be had\b", "available", "it is archaic"),
    Banned(r"\bof one's own\b", "custom, caller-supplied", "it does not name the owner"),
    Banned(r"\bof (its|their) own accord\b", "automatically, unprompted", "it is archaic"),
    Banned(r"\bpast (its|their) life\b", "stale, expired", "keys have a lifetime"),
    Banned(r"\bwhoever\b", "name the actor", "the reader must guess who acts"),
    Banned(
        r"(?<![\"'])\bnobody\b(?![\"'])", "name the actor", "the reader must guess who could act"
    ),
    Banned(
        r"\b(is|are|was|were|be|being) told\b", "is reported, is notified", "events are emitted"
    ),
    Banned(r"\btold (of|apart)\b", "reported, distinguished", "'told' once had six meanings"),
    Banned(r"\bturned away\b", "denied, refused", "requests are denied, tokens are refused"),
    Banned(r"\blet(s|ting)? (in|through)\b", "admit, accept", "requests are admitted"),
    Banned(r"\bnone of (ours|one's)\b", "not configured, foreign", "it does not name the owner"),
    Banned(r"\b(its|their) kin\b", "list the members", "a reader cannot know who belongs to it"),
    Banned(r"\bby hand\b", "manually, explicitly, written out", "three meanings hide in it"),
    Banned(r"\bfor ever\b", "forever", "American spelling"),
    Banned(r"\bnothing of (the|a|an|its|it|this)\b", "no part of …", "it is archaic"),
    Banned(r"\bno matter to\b", "does not affect", "it is archaic"),
    Banned(r"\bbut for (the|a|an|its|those)\b", "except for", "it also means 'without'"),
    Banned(r"\bin spite of\b", "despite", "one word is enough"),
    Banned(r"\b(came|became|becomes) of\b", "the outcome", "it does not say what happened"),
    Banned(r"\bso many (seconds|octets|requests)\b", "name the argument", "the number is unnamed"),
    Banned(
        r"\bjudg(e|es|ed|ing) (a|the|its|it|one|every|each)\b",
        "check, verify",
        "tokens are verified, claims are checked",
    ),
    Banned(r"\bcannot be judged\b", "a verdict is impossible", "tokens are verified"),
    Banned(
        r"\bsignatures? (holds?|held|does not hold|did not hold)\b",
        "the signature is valid, is invalid",
        "a signature holds nothing",
    ),
    Banned(
        r'"""(Who|Whose|Whoever|What) [a-z]',
        "a noun, or a verb in the imperative",
        "a sentence that begins with a relative clause hides its subject",
    ),
    Banned(
        r"(?<=[a-z][.:]\s)(?-i:Who|Whoever|Whose) [a-z]+ [^.?!]*[.!]",
        "If you …, the client …",
        "a sentence that begins with a relative clause hides its subject",
    ),
    Banned(
        r"\bthat (is|are) given (an?|the|each|one|every)\b", "that receives …", "it hides the actor"
    ),
    Banned(r"\bat (the )?start\b", "at startup, first, initially", "it does not say of what"),
    Banned(
        r"\bof (its|their|our) own\b(?! [a-z])",
        "its own …, a separate …",
        "it puts the adjective after the noun",
    ),
    Banned(_BESIDE, "next to, in addition to, compared with", "three meanings hide in it"),
    Banned(r"\blikewise\b", "what is meant", "the reader must look for what came before"),
    Banned(_ALSO, "even if, including", "it is German word order"),
    Banned(r"\banew\b(?!,|:|\.[a-z])", "again", "it is archaic"),
    Banned(
        r"\b(one|two|five|ten) a (second|minute)\b",
        "one per second",
        "'one a second' reads like two numerals",
    ),
    Banned(
        r"\bten (records |refusals )?at once\b",
        "a burst of ten",
        "'at once' also means immediately",
    ),
    Banned(
        r"(?<=[a-z]) meanwhile(?=[.;,|\"]|\s*\n)",
        "in the meantime, concurrently, since",
        "it does not say during what",
    ),
    Banned(
        r"\b(goes|go|went|going) on\b",
        "continues, is passed on",
        "it means both, and 'happens' as well",
    ),
)
# Files and folders that are clean. The list grows, and nothing is removed from it.
CLEAN = (
    *("jwks_client", "examples", "benchmarks", "fuzz", "tools", "docs", "tests"),
    *("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md"),
)
_WRITTEN = {".py", ".md", ".toml", ".html", ".js", ".yaml"}


def texts(name: str) -> Iterator[tuple[str, str]]:
    """Yield the path and the text of a file, or of every file with prose in a folder."""
    path = ROOT / name
    for one in [path] if path.is_file() else sorted(path.rglob("*")):
        if one.suffix in _WRITTEN and "_build" not in one.parts and one != Path(__file__):
            yield str(one.relative_to(ROOT)), one.read_text("utf-8")


def banned_in(text: str) -> Iterator[tuple[int, str, Banned]]:
    """Yield the line and the words of each banned phrase, which may span two lines."""
    for banned in BANNED:
        for match in banned.compiled.finditer(text):
            yield text.count("\n", 0, match.start()) + 1, match[0], banned


@pytest.mark.parametrize("name", CLEAN)
def test_the_language_is_plain(name):
    """No docstring, comment, message or page has a phrase that a native engineer stumbles over."""
    found = [
        f"{path}:{line}: {words!r}: say {banned.say!r}, because {banned.because}"
        for path, text in texts(name)
        for line, words, banned in banned_in(text)
    ]
    assert found == []


def test_a_banned_phrase_is_found_across_lines_and_in_any_case():
    """A phrase is found in a comment of two lines, and where a sentence begins with it."""
    found = [words for _, words, _ in banned_in("# It is by\n# hand.\nNobody knows.")]
    assert sorted(found) == ["Nobody", "by\n# hand"]
