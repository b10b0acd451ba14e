"""``jwks-client demo``: run a provider and an API on this machine and show how they interact.

`app` is the API, a small Starlette app under uvicorn. `stage` starts it and the provider as
processes and sends them requests. `steps` contains each step and its expected results. `report`
prints them.
"""

from __future__ import annotations

import sys
from typing import Final

import click

from .._options import as_json_option

__all__ = ["demo"]

# What the API requires of tokens.
AUDIENCE: Final = "api"
SCOPE: Final = "orders:read"


@click.command()
@as_json_option
def demo(*, as_json: bool) -> None:
    """Show how keys are fetched, rotated and kept through an outage.

    Starts a provider (jwks-client serve) and an API that verifies with AsyncJWKSClient, both on
    127.0.0.1, and sends them real HTTP requests. Each step prints expected and actual results; the
    exit status is 1 if any of them differ. Takes about ten seconds.
    """
    import asyncio

    from .report import RecordedReport, Report
    from .stage import StageError
    from .steps import STEPS, play

    try:
        passed = asyncio.run(play(STEPS, RecordedReport() if as_json else Report()))
    except StageError as error:
        raise click.ClickException(str(error)) from None
    sys.exit(0 if passed else 1)
