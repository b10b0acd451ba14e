"""Write ``reference.md`` from the docstrings of settings, results and events.

    python docs/reference.py          # update the page
    python docs/reference.py --check  # exit 1 if it is out of date

A test runs the check, so the page always agrees with the code.
"""  # noqa: INP001 (a script, not a package)

from __future__ import annotations

import dataclasses
import inspect
import logging
import re
import sys
from pathlib import Path
from typing import Any, get_args

from jwks_client import CachePolicy, FetchPolicy, JWKSClient, Provider, VerifiedToken, events
from jwks_client._client.health import Health
from jwks_client._client.usage import KeyUse

PAGE = Path(__file__).with_name("reference.md")
HEAD = """# Reference

Every setting, every attribute of a token and a client, and every event. `python docs/reference.py`
writes this page from the docstrings; times are seconds. [Settings](settings.md) is the short form,
with the values that are accepted. [Debugging](debug.md) has the errors and their codes, and
[how keys live](how-keys-live.md) explains the settings of the cache.
"""
EVENTS = """## Events

A client calls each of its `listeners=[…]` with these. `events.LoggingListener()` logs them to the
logger `jwks_client`, at the level below, each field as the attribute `jwks_<field>` of the record.
Events marked * are limited to a burst of ten records, then one per second.
[Logs](production.md#logs) has the other loggers."""
_KINDS = (Provider, CachePolicy, FetchPolicy)
_SECTION = re.compile(r"^(?:Arguments|Attributes):\n((?:(?: {4}.*)?\n?)+)", re.MULTILINE)
_ENTRY = re.compile(r"^ {4}(?=\S)", re.MULTILINE)


def rendered() -> str:
    """Return the page as it should be."""
    parts = [
        _settings("JWKSClient and AsyncJWKSClient", JWKSClient, _defaults_of_init(JWKSClient)),
        *(_settings(kind.__name__, kind, _defaults(kind)) for kind in _KINDS),
        _attributes("VerifiedToken", VerifiedToken),
        _attributes("Health, one of `client.health()`", Health),
        _attributes("KeyUse, of `client.usage()`", KeyUse),
        EVENTS,
        _table(
            ("event", "level", "fields", "when"), [_event(kind) for kind in get_args(events.Event)]
        ),
    ]
    return "\n\n".join([HEAD.rstrip(), *parts]) + "\n"


def _settings(title: str, kind: type, defaults: dict[str, str]) -> str:
    entries = _entries(kind)
    rows = [(f"`{name}`", defaults.get(name, ""), text) for name, text in entries.items()]
    return f"## {title}\n\n{_summary(kind)}\n\n{_table(('setting', 'default', ''), rows)}"


def _attributes(title: str, kind: type) -> str:
    rows = [(f"`{name}`", text) for name, text in _entries(kind).items()]
    return f"## {title}\n\n{_summary(kind)}\n\n{_table(('attribute', ''), rows)}"


def _event(kind: Any) -> tuple[str, str, str, str]:
    fields = ", ".join(f"`{one.name}`" for one in dataclasses.fields(kind))
    text = re.sub(r"\s+", " ", inspect.getdoc(kind) or "")
    level = logging.getLevelName(events._LEVELS[kind])  # noqa: SLF001 (users set it by `logging`)
    limited = " *" if kind in events._DRIVEN_BY_TOKENS else ""  # noqa: SLF001
    return f"`{kind.__name__}`", f"{level}{limited}", fields, _plain(text)


def _summary(kind: type) -> str:
    return _plain((inspect.getdoc(kind) or "").partition("\n\n")[0].replace("\n", " "))


def _entries(kind: type) -> dict[str, str]:
    """Return what a docstring says of each argument or attribute; several may share a text."""
    doc = (inspect.getdoc(kind) or "") + "\n"
    found = _SECTION.search(doc)
    assert found, f"{kind.__name__} has no list of its settings"  # noqa: S101 (a script's own check)
    entries: dict[str, str] = {}
    for entry in _ENTRY.split(found[1])[1:]:
        names, _, text = entry.partition(":")
        entries[names] = _plain(re.sub(r"\s+", " ", text).strip())
    return {one: text for names, text in entries.items() for one in names.split(", ")}


def _defaults(kind: Any) -> dict[str, str]:
    return {one.name: _default(one) for one in dataclasses.fields(kind)}


def _default(one: dataclasses.Field[Any]) -> str:
    if one.default_factory is not dataclasses.MISSING:
        return f"`{one.default_factory()!r}`"
    if one.default is dataclasses.MISSING:
        return "required"
    return _shown(one.default)


def _defaults_of_init(kind: type) -> dict[str, str]:
    return {
        name: _shown(one.default)
        for name, one in inspect.signature(kind).parameters.items()
        if one.default is not inspect.Parameter.empty
    }


def _shown(value: object) -> str:
    if isinstance(value, (CachePolicy, FetchPolicy)):
        return f"`{type(value).__name__}()`"
    return f"`{value!r}`"


def _plain(text: str) -> str:
    """Return a docstring's text as Markdown, with one kind of quotes for code."""
    return text.replace("``", "`").replace("|", "\\|")


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


if __name__ == "__main__":
    page = rendered()
    if sys.argv[1:] == ["--check"]:
        sys.exit(PAGE.read_text("utf-8") != page)
    PAGE.write_text(page, "utf-8")
