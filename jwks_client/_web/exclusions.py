r"""Decide which requests need no credentials, by the settings ``exclude`` and ``optional``.

Must not depend on: requests, servers.

    "/health"                       exactly this path: case and slashes count
    "/docs/*"                       everything below /docs/, neither /docs nor /docs/
    "GET /prices"                   one method; neither HEAD nor a WebSocket handshake
    re.compile(r"/v\d+/open/.+")    the whole path matches

The path is compared in the form that the app routes by: decoded, without ``root_path``
(`route_path`). Ambiguous paths are never excluded: paths with a dot segment, an empty segment, a
backslash, a control character or a remaining escape, and paths with ``root_path`` in a place where
frameworks differ in removing it. ``/docs/*`` must not open ``/docs/../admin``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from ..errors import ConfigurationError

__all__ = ["Exclusions", "optional_paths", "route_path"]

_WITH_METHOD: Final = re.compile(r"([A-Z]+(?:-[A-Z]+)*) (/.*)", re.DOTALL)
_AMBIGUOUS: Final = re.compile(r"//|/\.{1,2}(?:[/;]|\Z)|[\\%\x00-\x1f\x7f]")
_MUST_BE: Final = (
    "must be a collection of paths such as '/health', '/docs/*' or 'GET /prices', or compiled "
    "patterns of str (* only at the end, after a slash)"
)


def route_path(path: str, root_path: str) -> str | None:
    """Return the path by which an app routes, or None where frameworks may disagree.

    Arguments:
        path: the decoded path from the server.
        root_path: the mount point of the app, from the server.
    """
    if not root_path or root_path not in path:
        return path  # not mounted, or a proxy or server has removed root_path
    rest = _below(path, root_path)
    # Some frameworks remove root_path again, some anywhere in the path.
    return None if not rest or _below(rest, root_path) is not None else rest


def _below(path: str, root_path: str) -> str | None:
    """Return the part of a path after ``root_path``, compared by whole segments."""
    rest = path.removeprefix(root_path)
    return rest if rest != path and (not rest or rest.startswith("/")) else None


class Exclusions:
    """The paths of one setting: ``exclude``, or ``optional``.

    Arguments:
        exclude: paths and compiled patterns, as above. A single string is rejected, because
            iterating over it would give its letters.
        field: the name of the setting.

    Raises ConfigurationError naming the setting.
    """

    __slots__ = ("_below", "_exact", "_patterns", "any")

    def __init__(
        self, exclude: Iterable[str | re.Pattern[str]] = (), field: str = "exclude"
    ) -> None:
        if isinstance(exclude, (str, bytes)) or not isinstance(exclude, Iterable):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise ConfigurationError(field, f"{_MUST_BE}, got {exclude!r}")
        exact: set[tuple[str | None, str]] = set()
        below: list[tuple[str | None, str]] = []
        patterns: list[re.Pattern[str]] = []
        for one in exclude:
            if isinstance(one, re.Pattern) and isinstance(one.pattern, str):  # pyright: ignore[reportUnnecessaryIsInstance]
                patterns.append(one)
                continue
            method, path = _read(one, field)
            if path.endswith("/*"):
                below.append((method, path[:-1]))
            else:
                exact.add((method, path))
        self._exact = frozenset(exact)
        self._below = tuple(below)
        self._patterns = tuple(patterns)
        #: Whether the setting names any path; if not, requests skip the rest.
        self.any = bool(exact or below or patterns)

    def match(self, method: str, path: str | None) -> bool:
        """Return whether the setting covers a request.

        Arguments:
            method: the HTTP method as sent; for a handshake, a word that is not a method.
            path: what `route_path` returns.
        """
        if path is None or _AMBIGUOUS.search(path):
            return False
        return (
            (None, path) in self._exact
            or (method, path) in self._exact
            or any(
                path.startswith(above) and path != above and only in (None, method)
                for only, above in self._below
            )
            or any(pattern.fullmatch(path) for pattern in self._patterns)
        )


def optional_paths(optional: Iterable[str | re.Pattern[str]] | bool) -> Exclusions:  # noqa: FBT001 (the setting)
    """Return the paths of the setting ``optional``; empty for True, which covers every path."""
    return Exclusions(() if isinstance(optional, bool) else optional, "optional")


def _read(one: object, field: str) -> tuple[str | None, str]:
    if not isinstance(one, str):
        raise ConfigurationError(field, f"{_MUST_BE}, got {one!r}")
    with_method = _WITH_METHOD.fullmatch(one)
    method, path = (None, one) if with_method is None else (with_method[1], with_method[2])
    if not path.startswith("/") or "*" in path.removesuffix("/*"):
        raise ConfigurationError(field, f"{_MUST_BE}, got {one!r}")
    return method, path
