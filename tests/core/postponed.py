"""Types as an application writes them in its own module, with annotations that are only text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NotRequired, Required, TypedDict


@dataclass
class Postponed:
    sub: str
    org: str | None = None


class Account(TypedDict):
    sub: str
    org: NotRequired[str]


class Loose(TypedDict, total=False):
    sub: Required[str]
    org: str
