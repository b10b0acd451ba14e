"""HTML that cannot be broken out of.

Owns: the one way in which text becomes HTML. May not know: any page.

A template is a literal of ours; whatever is put into it is escaped unless it is `Markup`, and that
comes from here alone. So no claim, kid or path can be anything but text. Attributes are always
quoted in templates, since the escape knows quotes.
"""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from typing import LiteralString, TypeAlias

__all__ = ["Content", "Markup", "fill", "joined"]


class Markup(str):
    """Text that is HTML already."""

    __slots__ = ()


Content: TypeAlias = str | int


def fill(template: LiteralString, **values: Content) -> Markup:
    """A template, each ``{name}`` in it replaced by the value, escaped."""
    return Markup(template.format_map({name: _escaped(value) for name, value in values.items()}))


def joined(parts: Iterable[Markup]) -> Markup:
    """One after the other."""
    return Markup("".join(parts))


def _escaped(value: Content) -> Markup:
    if isinstance(value, Markup):
        return value
    return Markup(escape(str(value), quote=True))
