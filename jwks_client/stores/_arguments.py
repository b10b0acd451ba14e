"""Check the arguments that all stores have in common."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final, TypeAlias

from ..errors import ConfigurationError

Secret: TypeAlias = str | bytes
SHORTEST_SECRET: Final = 32
LONGEST_PREFIX: Final = 40
_PREFIX = re.compile(r"[A-Za-z0-9:_-]*")


def secrets_of(given: Secret | Iterable[Secret] | None, *, required: str) -> tuple[bytes, ...]:
    """Return the secrets as bytes; a ConfigurationError never contains any of them.

    Arguments:
        given: one secret or several; None for none.
        required: why the store requires a secret, or "" if it does not.
    """
    if given is None:
        if required:
            raise ConfigurationError("secret", f"must be given, because {required}")
        return ()
    several = [given] if isinstance(given, (str, bytes)) else _listed(given)
    found = tuple(one.encode() if isinstance(one, str) else one for one in several)
    if not found or not all(isinstance(one, bytes) for one in found):
        raise ConfigurationError("secret", "must be str or bytes, or a collection of them")
    if min(map(len, found)) < SHORTEST_SECRET:
        raise ConfigurationError(
            "secret",
            f"must be at least {SHORTEST_SECRET} bytes long, such as 64 hexadecimal digits",
        )
    return found


def prefix_of(given: object) -> str:
    """Return a prefix that is valid in every store."""
    if not isinstance(given, str) or len(given) > LONGEST_PREFIX or not _PREFIX.fullmatch(given):
        raise ConfigurationError(
            "prefix", f"must be at most {LONGEST_PREFIX} characters of A-Z a-z 0-9 : _ -"
        )
    return given


def _listed(given: object) -> list[Secret]:
    return list(given) if isinstance(given, Iterable) else []
