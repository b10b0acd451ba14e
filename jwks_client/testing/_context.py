"""A fake provider for the length of a block, as in the pytest fixtures.

Must not depend on a test framework.
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
    """Yield a `FakeProvider`; at the end it recovers and its clients are closed.

    ::

        with provider() as idp:                       # issuer, audience, algorithm: as FakeProvider
            client = idp.client()

        with provider("stytch", "project-test-1") as idp:        # as FakeProvider.as_provider

    Arguments:
        provider: the provider to imitate: a factory's name, or a `Provider`.
        arguments: the arguments of that factory.
        clock: its clock; None for a `FakeClock` that starts at the real time, so that other
            verifiers accept its tokens.
        options: options of the factory, and ``algorithm``; without ``provider``, options of
            `FakeProvider`.
    """
    clock = FakeClock(SystemClock().time()) if clock is None else clock
    if provider is None:
        idp = FakeProvider(clock=clock, **options)
    else:
        idp = FakeProvider(clock=clock).as_provider(provider, *arguments, **options)
    with idp:
        yield idp
