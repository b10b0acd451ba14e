"""A fake provider for the length of a block, made as the pytest fixtures make it.

Owns: what a test means by "a provider". May not know: any test framework.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

from .. import Provider
from .._client.clock import SystemClock
from ..protocols import Clock
from ._clock import FakeClock
from ._provider import FakeProvider

__all__ = ["provider"]


@contextmanager
def provider(
    provider: str | Provider | None = None,
    *arguments: object,
    clock: Clock | None = None,
    **options: Any,
) -> Generator[FakeProvider]:
    """A `FakeProvider` until the block ends; then it recovers, and its clients are closed.

    ::

        with provider() as idp:                       # issuer, audience, algorithm: as FakeProvider
            client = idp.client()

        with provider("stytch", "project-test-1") as idp:        # as FakeProvider.as_provider

    Arguments:
        provider: the provider whose shape it has: a factory's name, or a `Provider`.
        arguments: that factory's.
        clock: its clock; None: a `FakeClock` that starts at the real time, so that other verifiers
            agree with it.
        options: the factory's, and ``algorithm``; without ``provider`` those of `FakeProvider`.
    """
    clock = FakeClock(SystemClock().time()) if clock is None else clock
    if provider is None:
        idp = FakeProvider(clock=clock, **options)
    else:
        idp = FakeProvider(clock=clock).as_provider(provider, *arguments, **options)
    with idp:
        yield idp
