"""``--provider stytch:project-live-…``: presets by short names.

Owns: the spelling ``name:arg[,arg…][,key=value…]`` and how its text becomes arguments. May not
know: any preset. Names, parameters and types are those of the factories in `jwks_client.providers`,
read from their signatures, so that a new preset is there as soon as it is exported.

A value is text, a number or true/false, as the parameter's type says. A parameter that takes
several is given several times. The word UNCHECKED switches a check off where the parameter allows
it (``audience=UNCHECKED``). A blank value, which a variable that is not set gives, is wrong usage.
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
from ._errors import wrong_setting
from ._output import printable, without_tokens

__all__ = ["PresetCall", "call_of", "complete_preset", "preset_names", "provider_of"]

_NAMED: Final = re.compile(r"([A-Za-z_]\w*)=(.*)", re.DOTALL)
_WRITABLE: Final[frozenset[object]] = frozenset({str, float, bool})
_MISSING: Final = inspect.Parameter.empty


@dataclass(frozen=True, slots=True)
class _Preset:
    """A factory's parameters: those by place, all by name, and those without a default."""

    by_place: tuple[str, ...]
    kinds: Mapping[str, object]
    required: tuple[str, ...]


def preset_names() -> list[str]:
    """The short names of all presets."""
    return [name for name in providers.__all__ if inspect.isfunction(getattr(providers, name))]


def complete_preset(
    _context: click.Context, _parameter: click.Parameter, begun: str
) -> list[CompletionItem]:
    """Short names that begin so, for the shell's completion."""
    return [
        CompletionItem(f"{name}:")
        for name in preset_names()
        if name.startswith(begun.replace("-", "_"))
    ]


@dataclass(frozen=True, slots=True)
class PresetCall:
    """A call of a factory in `jwks_client.providers`, read from a short name."""

    factory: str
    by_place: tuple[Any, ...]
    by_name: Mapping[str, Any]

    def make(self) -> Provider:
        """Make the provider. Raises click's UsageError where the factory refuses a value."""
        make: Callable[..., Provider] = getattr(providers, self.factory)
        try:
            return make(*self.by_place, **self.by_name)
        except ConfigurationError as error:
            raise wrong_setting(error) from None

    def code(self) -> str:
        """Return the Python expression of the call."""
        given = [repr(value) for value in self.by_place]
        for name, value in self.by_name.items():
            given.append(f"{name}={'providers.UNCHECKED' if value is UNCHECKED else repr(value)}")
        return f"providers.{self.factory}({', '.join(given)})"


def provider_of(text: str, more: Mapping[str, list[str]], *, keys_alone: bool = False) -> Provider:
    """Make the provider that a short name stands for; see `call_of`."""
    return call_of(text, more, keys_alone=keys_alone).make()


def call_of(text: str, more: Mapping[str, list[str]], *, keys_alone: bool = False) -> PresetCall:
    """Read the call that a short name stands for.

    Arguments:
        text: the short name with its arguments.
        more: arguments from options of their own (``--audience``), by parameter; each replaces
            what the text says.
        keys_alone: only its keys matter, so what can be UNCHECKED (an audience) may be left out.

    Raises click's UsageError, which offers the nearest names where one is unknown.
    """
    name, _, rest = text.partition(":")
    factory = _known(name.replace("-", "_"), preset_names(), "preset")
    preset = _preset(factory)
    given = {**_given(name, preset, rest), **more}
    for parameter in more:
        if parameter not in preset.kinds:
            raise click.UsageError(f"{name} settles its {parameter} itself, so leave that out")
    missing = [one for one in preset.required if one not in given]
    if keys_alone:
        unsaid = [one for one in missing if Unchecked in _options_of(preset.kinds[one])]
        given |= {one: [UNCHECKED.name] for one in unsaid}
        missing = [one for one in missing if one not in unsaid]
    if missing:
        raise click.UsageError(f"{name} needs {' and '.join(missing)}: {_spelled(name, preset)}")
    values = {one: _value(name, one, preset.kinds[one], said) for one, said in given.items()}
    by_place = tuple(values.pop(one) for one in preset.by_place if one in values)
    return PresetCall(factory, by_place, values)


def _given(name: str, preset: _Preset, rest: str) -> dict[str, list[str]]:
    """What the text says, by parameter."""
    given: dict[str, list[str]] = {}
    places = list(preset.by_place)
    for item in rest.split(",") if rest else []:
        named = _NAMED.fullmatch(item)
        if named is not None:
            known = _known(named[1], list(preset.kinds), f"parameter of {name}")
            given.setdefault(known, []).append(named[2])
            places = [one for one in places if one != known]
        elif places:
            given[places.pop(0)] = [item]
        else:
            shown = printable(without_tokens(item), 40)
            raise click.UsageError(
                f"{name} has no place for {shown!r}; name its parameter: {_spelled(name, preset)}"
            )
    return given


@cache
def _preset(name: str) -> _Preset:
    make = getattr(providers, name)
    by_place: list[str] = []
    kinds: dict[str, object] = {}
    required: list[str] = []
    for one in inspect.signature(make, eval_str=True).parameters.values():
        if one.kind is inspect.Parameter.VAR_KEYWORD:
            options = typing.get_type_hints(typing.get_args(one.annotation)[0])
            kinds |= {field: kind for field, kind in options.items() if _is_writable(kind)}
            continue
        kinds[one.name] = one.annotation
        if one.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD:
            by_place.append(one.name)
        if one.default is _MISSING:
            required.append(one.name)
    return _Preset(tuple(by_place), kinds, tuple(required))


def _known(name: str, names: list[str], what: str) -> str:
    if name in names:
        return name
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
    offer = f"did you mean {' or '.join(near)}?" if near else f"there are {', '.join(names)}"
    shown = printable(without_tokens(name), 40)
    raise click.UsageError(f"there is no {what} called {shown!r}; {offer}")


def _spelled(name: str, preset: _Preset) -> str:
    """How the preset is written with all that it needs."""
    places = [one for one in preset.by_place if one in preset.required] or list(preset.by_place)
    named = [f"{one}=…" for one in preset.required if one not in places]
    wanted = ",".join([*(f"<{one}>" for one in places), *named])
    return f"{name}:{wanted}" if wanted else name


def _options_of(kind: object) -> tuple[object, ...]:
    """The types that a union is made of."""
    union = typing.get_origin(kind) in {Union, types.UnionType}
    return typing.get_args(kind) if union else (kind,)


def _is_writable(kind: object) -> bool:
    """Whether a value of some such type can be written as text; a whole key set (bytes) cannot."""
    options = _options_of(kind)
    if bytes in options or typing.get_origin(kind) is Literal:
        return bytes not in options
    return any(one in _WRITABLE or _is_several(one) for one in options)


def _is_several(kind: object) -> bool:
    if typing.get_origin(kind) not in {tuple, Collection}:
        return False
    members = [part for one in typing.get_args(kind) for part in _options_of(one)]
    return str in members


def _value(name: str, parameter: str, kind: object, said: list[str]) -> Any:
    options = _options_of(kind)
    if said == [UNCHECKED.name] and Unchecked in options:
        return UNCHECKED
    if any(not one.strip() for one in said):
        raise click.UsageError(f"{parameter} must not be blank; leave it out for its default")
    several = any(_is_several(one) for one in options)
    if len(said) > 1 and not several:
        raise click.UsageError(f"{name} takes {parameter} once")
    if several:
        return said[0] if len(said) == 1 and str in options else tuple(said)
    if float in options:
        try:
            return float(said[0])
        except ValueError:
            raise click.UsageError(f"{name} takes a number of seconds as {parameter}") from None
    if bool in options:
        if said[0] not in {"true", "false"}:
            raise click.UsageError(f"{name} takes true or false as {parameter}")
        return said[0] == "true"
    return said[0]
