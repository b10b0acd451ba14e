"""``jwks-client doctor``: report problems of a provider's key set and metadata.

`examination` turns a recorded inspection into findings, with `wire`, `discovery` and `material`.
`watch` repeats the inspection and reports what changed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import click

from .._options import (
    SecondsRange,
    as_json_option,
    ca_option,
    provider_option,
    timeout_option,
)

if TYPE_CHECKING:
    from .watch import Report

__all__ = ["doctor"]

_STYLES: Final = {"error": "bold red", "warning": "yellow", "info": "cyan"}


@click.command()
@click.argument("url_or_issuer", required=False)
@provider_option
@click.option("--watch", "watching", is_flag=True, help="Repeat, and print what changes.")
@click.option(
    "--interval",
    type=SecondsRange(1, 86_400),
    default=60.0,
    show_default=True,
    metavar="SECONDS",
    help="How long --watch waits between two inspections.",
)
@click.option(
    "--store",
    "store_url",
    metavar="REDIS_URL",
    help="Examine a store as well; its secret comes from JWKS_STORE_SECRET.",
)
@click.option(
    "--migrate",
    "migrating",
    is_flag=True,
    help="Read a token from standard input, and explain why it is refused if PyJWT accepts it.",
)
@ca_option
@timeout_option
@as_json_option
def doctor(
    *,
    url_or_issuer: str | None,
    preset: str | None,
    watching: bool,
    interval: float,
    store_url: str | None,
    migrating: bool,
    ca_file: str | None,
    timeout: float,
    as_json: bool,
) -> None:
    """Examine the key set at URL_OR_ISSUER and report its problems, worst first.

    URL_OR_ISSUER is the URL of a key set (JWKS) or an issuer, as for the command keys. Each finding
    names a section to read about it.

    \b
      jwks-client doctor https://idp.example.com
      jwks-client doctor https://idp.example.com/oauth2/jwks --json
      jwks-client doctor --provider auth0:acme.eu.auth0.com
      jwks-client doctor https://idp.example.com --watch --interval 300
      jwks-client doctor https://idp.example.com --migrate < token.txt

    Exit status: 0 no errors (perhaps warnings); 1 an error; 2 wrong usage; 3 no key set.
    --watch runs until Ctrl-C and ends with the status of the last inspection. --watch --json
    prints one object first and one per change, which also contains "changes".
    """  # noqa: D301 (click wants the character behind \\b)
    import sys

    from ..._client.clock import SystemClock
    from .._probe.prober import Prober
    from .._probe.target import inspect_place, place_of, url_of
    from .examination import examine
    from .finding import worst_first
    from .migration import of_token, token_to_migrate
    from .store import of_store, open_store
    from .watch import Report, watch

    store = None if store_url is None else open_store(store_url)
    place = place_of(url_or_issuer, preset)
    token = token_to_migrate() if migrating else None
    clock = SystemClock()
    with Prober(timeout, url_of(place), ca_file) as prober:

        def examined() -> Report:
            inspection = inspect_place(place, prober)
            findings = [*examine(inspection, clock.time())]
            if store is not None and store_url is not None:
                findings += of_store(store_url, store)
            if token is not None:
                findings += of_token(token, inspection, place)
            return Report(inspection=inspection, findings=tuple(worst_first(findings)))

        show = _show_json if as_json else _show
        wait = _waiting_for(interval) if watching else lambda: False
        report = watch(examined, show, wait)
    sys.exit(_status(report))


def _waiting_for(interval: float) -> Callable[[], bool]:
    """Return a function that waits for the next inspection, and returns False after Ctrl-C."""
    import signal
    import threading

    ended = threading.Event()
    signal.signal(signal.SIGINT, lambda *_: ended.set())
    return lambda: not ended.wait(interval)


def _status(report: Report) -> int:
    from .._errors import KEYS_UNAVAILABLE

    if report.inspection.entries is None:
        return KEYS_UNAVAILABLE
    return int(any(one.severity == "error" for one in report.findings))


def _show_json(report: Report, changes: list[str] | None) -> None:
    from dataclasses import asdict

    from .._output import say_json

    content: dict[str, object] = {
        "target": report.inspection.target,
        "findings": [asdict(one) for one in report.findings],
    }
    say_json(content if changes is None else {**content, "changes": changes})


def _show(report: Report, changes: list[str] | None) -> None:
    from .._output import printable, say

    if changes is not None:
        for change in changes:
            say((f"{_time_of_day()}  ", "dim"), change)
        return
    inspection = report.inspection
    url = inspection.target if inspection.keys is None else inspection.keys.url
    say((printable(url), "bold"))
    for finding in report.findings:
        style = _STYLES[finding.severity]
        say((f"{finding.severity:<8} ", style), (finding.code, "bold"))
        say(f"         {finding.message}")
        say(("         see " + finding.see, "dim"))
    say(_summary(report))


def _summary(report: Report) -> str:
    entries = report.inspection.entries
    if entries is None:
        return "No key set could be read."
    usable = sum(entry.key is not None for entry in entries)
    keys = f"{len(entries)} key{'' if len(entries) == 1 else 's'}, {usable} usable"
    counted = [
        f"{count} {severity if count == 1 or severity == 'info' else severity + 's'}"
        for severity in _STYLES
        if (count := sum(one.severity == severity for one in report.findings))
    ]
    return f"{keys}: {', '.join(counted) or 'no problems found'}."


def _time_of_day() -> str:
    from datetime import datetime

    from ..._client.clock import SystemClock

    return f"{datetime.fromtimestamp(SystemClock().time()).astimezone():%H:%M:%S}"
