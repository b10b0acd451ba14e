r"""Requests that need no credentials: what ``exclude=`` takes, and what it matches.

Owns: the patterns and how a path is compared. May not know: requests, servers.

    "/health"                       exactly this path, no slash more or less, case and all
    "/docs/*"                       whatever is below /docs/, not /docs itself
    "GET /prices"                   for one method; HEAD, and a WebSocket handshake, are others
    re.compile(r"/v\d+/open/.+")    the whole path matches

The path is the one the app routes by: decoded, without the place where the app is mounted. A path
that somebody on the way might read in another way (dot segments, empty segments, a backslash, an
escape that is left over, control characters) is matched by nothing but its own exact spelling: what
``/docs/*`` opens must not open ``/docs/../admin`` for an app that resolves it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from ..errors import ConfigurationError

__all__ = ["Exclusions"]

_WITH_METHOD: Final = re.compile(r"([A-Z]+(?:-[A-Z]+)*) (/.*)", re.DOTALL)
_AMBIGUOUS: Final = re.compile(r"//|/\.{1,2}(?:[/;]|\Z)|[\\%\x00-\x1f\x7f]")
_TAKES: Final = (
    "takes paths such as '/health', '/docs/*' or 'GET /prices', or compiled patterns; a * stands "
    "only at the end, after a slash"
)


class Exclusions:
    """What is excluded.

    Arguments:
        exclude: paths and compiled patterns, as above. A lone string is refused: it would be taken
            for its letters.

    Raises ConfigurationError ``exclude``.
    """

    __slots__ = ("_below", "_exact", "_patterns", "any")

    def __init__(self, exclude: Iterable[str | re.Pattern[str]] = ()) -> None:
        if isinstance(exclude, (str, bytes)) or not isinstance(exclude, Iterable):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise ConfigurationError("exclude", f"is no collection; it {_TAKES}")
        exact: set[tuple[str | None, str]] = set()
        below: list[tuple[str | None, str]] = []
        patterns: list[re.Pattern[str]] = []
        for one in exclude:
            if isinstance(one, re.Pattern):
                if not isinstance(one.pattern, str):  # pyright: ignore[reportUnnecessaryIsInstance]
                    raise ConfigurationError("exclude", "takes patterns of str, not of bytes")
                patterns.append(one)
                continue
            method, path = _read(one)
            if path.endswith("/*"):
                below.append((method, path[:-1]))
            else:
                exact.add((method, path))
        self._exact = frozenset(exact)
        self._below = tuple(below)
        self._patterns = tuple(patterns)
        #: Whether there are any: most requests are spared the rest.
        self.any = bool(exact or below or patterns)

    def match(self, method: str, path: str) -> bool:
        """Whether a request needs no credentials.

        Arguments:
            method: the HTTP method as sent, or any word that is none for a handshake.
            path: what the app routes by.
        """
        if (None, path) in self._exact or (method, path) in self._exact:
            return True
        if not (self._below or self._patterns) or _AMBIGUOUS.search(path):
            return False
        return any(
            path.startswith(above) and only in (None, method) for only, above in self._below
        ) or any(pattern.fullmatch(path) for pattern in self._patterns)


def _read(one: object) -> tuple[str | None, str]:
    if not isinstance(one, str):
        raise ConfigurationError("exclude", f"{_TAKES}; not {one!r}")
    with_method = _WITH_METHOD.fullmatch(one)
    method, path = (None, one) if with_method is None else (with_method[1], with_method[2])
    if not path.startswith("/") or "*" in path.removesuffix("/*"):
        raise ConfigurationError("exclude", f"{_TAKES}; not {one!r}")
    return method, path
