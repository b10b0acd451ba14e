"""Frozen time: tokens are issued and verified by the frozen clock, whichever library freezes it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

import freezegun
import pytest
import time_machine

from jwks_client import JWKSClient, TokenError
from jwks_client.testing import FakeProvider

if TYPE_CHECKING:
    from driver import Driver

Freeze = Callable[[str], AbstractContextManager[Any]]


def by_freezegun(day: str) -> AbstractContextManager[Any]:
    return freezegun.freeze_time(day, real_asyncio=True)


def by_time_machine(day: str) -> AbstractContextManager[Any]:
    moment = dt.datetime.fromisoformat(day).replace(tzinfo=dt.UTC)
    return time_machine.travel(moment, tick=False)


@pytest.fixture(params=[by_freezegun, by_time_machine])
def frozen(request: pytest.FixtureRequest) -> Freeze:
    """Freeze time at a day, by one library or the other."""
    return request.param


@pytest.mark.parametrize("year", [2020, 2035])
def test_a_token_is_good_on_its_frozen_day_and_expired_a_day_later(
    drive: Driver, frozen: Freeze, year: int
) -> None:
    """The client and the fake provider use the same frozen clock, past or future."""
    idp = FakeProvider()
    drive.client(idp)
    with frozen(f"{year}-01-01"):
        token = idp.issue(expires_in=60)
        assert drive.verify(token).subject
    with frozen(f"{year}-01-02"), pytest.raises(TokenError) as caught:
        drive.verify(token)
    assert caught.value.code == "token_expired"


def test_keys_are_fetched_over_the_wire_while_time_is_frozen(frozen: Freeze) -> None:
    """Deadlines use a clock that no library freezes, so a fetch ends."""
    idp = FakeProvider()
    with idp.serve(), frozen("2030-01-01"):
        assert JWKSClient(idp.provider).verify(idp.issue()).subject
