"""Which callables return coroutines."""

from __future__ import annotations

import functools

import pytest

from jwks_client._core.callables import is_coroutine_function


async def waits(_: object = None) -> None:
    """Return nothing, as a coroutine function."""


def returns(_: object = None) -> None:
    """Return nothing, as a plain function."""


class Waits:
    """A callable object whose call returns a coroutine."""

    async def __call__(self) -> None:
        """Wait."""


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        (waits, True),
        (functools.partial(waits, 1), True),
        (functools.partial(functools.partial(waits), 1), True),
        (Waits(), True),
        (returns, False),
        (functools.partial(returns, 1), False),
        (Waits, False),
        (None, False),
    ],
)
def test_coroutine_functions_are_recognized(call, expected):
    """A coroutine function is recognized however it is wrapped, so a sync client can refuse it as a check."""
    assert is_coroutine_function(call) is expected
