"""``jwks-client demo``: a provider and an API on this machine, and what happens between them.

`app` is the API, a small real ASGI app under uvicorn. `stage` starts it and the provider as
processes and asks them over HTTP. `steps` is the story: what each step does and what must come of
it. `report` shows it.
"""

from __future__ import annotations

import sys

import click

from .._options import as_json_option

__all__ = ["demo"]


@click.command()
@as_json_option
def demo(*, as_json: bool) -> None:
    """Show on this machine how keys are fetched, rotated and kept through an outage.

    Starts a provider (jwks-client serve) and an API that verifies with AsyncJWKSClient, both on
    127.0.0.1, and asks them over real HTTP. Every step says what was expected and what came; the
    exit status is 1 if they differ anywhere. Takes some ten seconds.
    """
    import asyncio

    from .report import RecordedReport, Report
    from .stage import StageError
    from .steps import STEPS, play

    try:
        went_well = asyncio.run(play(STEPS, RecordedReport() if as_json else Report()))
    except StageError as error:
        raise click.ClickException(str(error)) from None
    sys.exit(0 if went_well else 1)
