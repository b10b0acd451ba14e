"""Parse short names of providers: ``--provider name:arg[,arg…][,key=value…]``.

Must not depend on any particular factory: names, parameters and types are read from the signatures
in `jwks_client.providers`, so that a new factory is available as soon as it is exported.

A value is text, a number or true/false, depending on the parameter's type. A parameter that accepts
several values may be repeated. The word UNCHECKED disables a check if the parameter allows it
(``audience=UNCHECKED``). A blank value, which an unset variable produces, is wrong usage.
"""

from __future__ import annotations

import difflib
import inspect
import re
import types
import typing
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final, Literal, Union

import click
from click.shell_completion import CompletionItem

from .. import Provider, providers
from .._core.unchecked import UNCHECKED, Unchecked
from ..errors import ConfigurationError
from ._output import printable, without_tokens

__all__ = ["PresetCall", "call_of", "complete_preset", "preset_names", "provider_of"]

_NAMED: Final = re.compile(r"([A-Za-z_]\w*)=(.*)", re.DOTALL)
_WRITABLE: Final[frozenset[object]] = frozenset({str, float, bool})
_MISSING: Final = inspect.Parameter.empty


@dataclass(frozen=True, slots=True)
class _Preset:
    """The parameters of a factory: the positional ones, the types of all, the required ones."""

    positional: tuple[str, ...]
    types: Mapping[str, object]
    required: tuple[str, ...]


def preset_names() -> list[str]:
    """Return the short names of all presets."""
    return [name for name in providers.__all__ if inspect.isfunction(getattr(providers, name))]


def complete_preset(
    _context: click.Context, _parameter: click.Parameter, begun: str
) -> list[CompletionItem]:
    """Return the short names that complete what was typed."""
    return [
        CompletionItem(f"{name}:")
        for name in preset_names()
        if name.startswith(begun.replace("-", "_"))
    ]


@dataclass(frozen=True, slots=True)
class PresetCall:
    """A call of a factory in `jwks_client.providers`, read from a short name."""

    factory: str
    positional: tuple[Any, ...]
    keywords: Mapping[str, Any]

    def make(self) -> Provider:
        """Make the provider. Raises click's UsageError if the factory rejects a value."""
        make: Callable[..., Provider] = getattr(providers, self.factory)
        try:
            return make(*self.positional, **self.keywords)
        except ConfigurationError as error:
            raise click.UsageError(error.message) from None

    def code(self) -> str:
        """Return the Python expression of the call."""
        given = [repr(value) for value in self.positional]
        for name, value in self.keywords.items():
            given.append(f"{name}={'providers.UNCHECKED' if value is UNCHECKED else repr(value)}")
        return f"providers.{self.factory}({', '.join(given)})"


def provider_of(text: str, more: Mapping[str, list[str]], *, keys_alone: bool = False) -> Provider:
    """Make the provider for a short name; see `call_of`."""
    return call_of(text, more, keys_alone=keys_alone).make()


def call_of(text: str, more: Mapping[str, list[str]], *, keys_alone: bool = False) -> PresetCall:
    """Parse a short name into a call of a factory.

    Arguments:
        text: the short name with its arguments.
        more: arguments from separate options (``--audience``), by parameter; they override
            the text.
        keys_alone: only the keys matter, so parameters that can be UNCHECKED (an audience) are
            optional.

    Raises click's UsageError, which suggests similar names for an unknown one.
    """
    name, _, rest = text.partition(":")
    factory = _known(name.replace("-", "_"), preset_names(), "preset")
    preset = _preset(factory)
    given = {**_arguments(name, preset, rest), **more}
    for parameter in more:
        if parameter not in preset.types:
            raise click.UsageError(f"{name} determines {parameter} itself; leave that option out")
    missing = [one for one in preset.required if one not in given]
    if keys_alone:
        optional = [one for one in missing if Unchecked in _options_of(preset.types[one])]
        given |= {one: [UNCHECKED.name] for one in optional}
        missing = [one for one in missing if one not in optional]
    if missing:
        raise click.UsageError(f"{name} needs {' and '.join(missing)}: {_usage(name, preset)}")
    values = {one: _value(name, one, preset.types[one], texts) for one, texts in given.items()}
    positional = tuple(values.pop(one) for one in preset.positional if one in values)
    return PresetCall(factory, positional, values)


def _arguments(name: str, preset: _Preset, rest: str) -> dict[str, list[str]]:
    """Return the values in the text, by parameter."""
    given: dict[str, list[str]] = {}
    positional = list(preset.positional)
    for item in rest.split(",") if rest else []:
        named = _NAMED.fullmatch(item)
        if named is not None:
            known = _known(named[1], list(preset.types), f"parameter of {name}")
            given.setdefault(known, []).append(named[2])
            positional = [one for one in positional if one != known]
        elif positional:
            given[positional.pop(0)] = [item]
        else:
            escaped = printable(without_tokens(item), 40)
            raise click.UsageError(
                f"{name} has no positional argument left for {escaped!r}; name its parameter: "
                f"{_usage(name, preset)}"
            )
    return given


@cache
def _preset(name: str) -> _Preset:
    make = getattr(providers, name)
    positional: list[str] = []
    types_: dict[str, object] = {}
    required: list[str] = []
    for one in inspect.signature(make, eval_str=True).parameters.values():
        if one.kind is inspect.Parameter.VAR_KEYWORD:
            options = typing.get_type_hints(typing.get_args(one.annotation)[0])
            types_ |= {field: kind for field, kind in options.items() if _is_writable(kind)}
            continue
        types_[one.name] = one.annotation
        if one.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD:
            positional.append(one.name)
        if one.default is _MISSING:
            required.append(one.name)
    return _Preset(tuple(positional), types_, tuple(required))


def _known(name: str, names: list[str], what: str) -> str:
    if name in names:
        return name
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(near)}?" if near else f"known: {', '.join(names)}"
    escaped = printable(without_tokens(name), 40)
    raise click.UsageError(f"unknown {what} {escaped!r}; {hint}")


def _usage(name: str, preset: _Preset) -> str:
    """Return the short name with everything that it requires."""
    positional = [one for one in preset.positional if one in preset.required]
    positional = positional or list(preset.positional)
    named = [f"{one}=…" for one in preset.required if one not in positional]
    arguments = ",".join([*(f"<{one}>" for one in positional), *named])
    return f"{name}:{arguments}" if arguments else name


def _options_of(kind: object) -> tuple[object, ...]:
    """Return the members of a union."""
    union = typing.get_origin(kind) in {Union, types.UnionType}
    return typing.get_args(kind) if union else (kind,)


def _is_writable(kind: object) -> bool:
    """Return whether a value of the type can be written as text; a key set (bytes) cannot."""
    options = _options_of(kind)
    if bytes in options or typing.get_origin(kind) is Literal:
        return bytes not in options
    return any(one in _WRITABLE or _is_several(one) for one in options)


def _is_several(kind: object) -> bool:
    if typing.get_origin(kind) not in {tuple, Collection}:
        return False
    members = [part for one in typing.get_args(kind) for part in _options_of(one)]
    return str in members


def _value(name: str, parameter: str, kind: object, texts: list[str]) -> Any:
    options = _options_of(kind)
    if texts == [UNCHECKED.name] and Unchecked in options:
        return UNCHECKED
    if any(not one.strip() for one in texts):
        raise click.UsageError(f"{parameter} of {name} must not be blank")
    several = any(_is_several(one) for one in options)
    if len(texts) > 1 and not several:
        raise click.UsageError(f"{parameter} of {name} must not be repeated")
    if several:
        return texts[0] if len(texts) == 1 and str in options else tuple(texts)
    if float in options:
        try:
            return float(texts[0])
        except ValueError:
            raise click.UsageError(f"{parameter} of {name} must be a number of seconds") from None
    if bool in options:
        if texts[0] not in {"true", "false"}:
            raise click.UsageError(f"{parameter} of {name} must be true or false")
        return texts[0] == "true"
    return texts[0]
