"""Find out whether processes can share key sets through a store."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import click

from ...errors import ConfigurationError
from .finding import Finding, Severity

if TYPE_CHECKING:
    from ...stores import RedisStore

SECRET_VARIABLE: Final = "JWKS_STORE_SECRET"  # noqa: S105 (the name of a variable)
# Seconds for one command: a flight sends about ten, and allows 0.24 s for all of them.
_SLOW: Final = 0.02
_SEE: Final = "docs/stores.md"
_VALUE: Final = b"a value of jwks-client doctor"


def open_store(url: str) -> RedisStore:
    """Return the store at a URL, with the secret from the environment."""
    from ...stores import RedisStore

    secret = os.environ.get(SECRET_VARIABLE)
    if not secret:
        raise click.UsageError(f"--store needs the store's secret in {SECRET_VARIABLE}")
    try:
        return RedisStore(url, secret=secret)
    except ConfigurationError as error:
        raise click.UsageError(f"--store: {error.message}") from None


def of_store(url: str, store: RedisStore) -> Iterator[Finding]:
    """Yield findings from writing, reading and claiming under a name that no client uses.

    Arguments:
        url: the store's URL; it is never printed, because it may contain a password.
        store: the store.
    """
    from ..._core.addresses import is_loopback

    parts = urlsplit(url)
    if parts.scheme == "redis" and not is_loopback(parts.hostname or ""):
        yield _finding(
            "store_in_clear",
            "warning",
            "the connection is not encrypted; use rediss:// (the seal still protects the keys)",
        )
    name = f"doctor-{os.urandom(8).hex()}"
    try:
        store.read(name, 100)  # connects
        began = time.monotonic()
        store.write(name, _VALUE, 10)
        found = store.read(name, 100)
        won, again = store.claim(f"{name}:lease", 10), store.claim(f"{name}:lease", 10)
        store.release(f"{name}:lease")
        took = (time.monotonic() - began) / 6
    except Exception as error:  # noqa: BLE001 (errors of the client library)
        kind = type(error).__name__
        yield _finding("store_failed", "error", f"the store cannot be used: {kind}")
        return
    if found is None or found.value != _VALUE or not won or again:
        yield _finding(
            "store_forgets", "error", "the store does not return the value that was just written"
        )
        return
    if found.age is None:
        yield _finding(
            "store_without_clock", "warning", "the server does not report the age of a value (PTTL)"
        )
    if took > _SLOW:
        yield _finding(
            "store_slow",
            "warning",
            f"a command took {took * 1000:.0f} ms, too long for a flight, which then fetches",
        )


def _finding(code: str, severity: Severity, message: str) -> Finding:
    return Finding(code=code, severity=severity, message=message, see=_SEE)
