"""Hosts whose clocks differ by ten minutes, on every real store."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from jwks_client import JWKSClient, TokenError
from jwks_client.stores import FileStore, RedisStore
from jwks_client.testing import FakeClock, FakeProvider

LIFE = 300


def age(store, seconds: int) -> None:
    """Let time pass by the clock of a store, if it has one."""
    match store:
        case RedisStore():
            for name in store._client.scan_iter(f"{store._prefix}keys-*"):
                store._client.pexpire(name, store._client.pttl(name) - 1000 * seconds)
        case FileStore():
            for path in Path(store._path).glob("keys-*"):
                facts = path.stat()
                os.utime(path, (facts.st_atime, facts.st_mtime - seconds))
        case _:
            pass


@pytest.mark.parametrize("skew", [-600, 600])
def test_a_withdrawn_key_is_refused_in_time(open_store, skew):
    """A key is refused a lifetime after the fetch that saw it last, whatever the clock of who fetched."""
    writes, reads = FakeClock(1_700_000_000 + skew), FakeClock(1_700_000_000)
    idp = FakeProvider(clock=reads, algorithm="ES256")
    http = httpx.Client(transport=idp.transport)
    provider = replace(idp.provider, store_scope="test")
    token = idp.issue(expires_in=7200, iat=1_699_999_000)
    stores = [open_store(), open_store()]

    def time_passes(seconds: int) -> None:
        for clock in (writes, reads):
            clock.advance(seconds)
        age(stores[1], seconds)

    with http, JWKSClient(provider, http=http, clock=writes, store=stores[0]) as writer:
        assert writer.verify(token)
    idp.rotate(overlap=False)
    time_passes(200)
    http = httpx.Client(transport=idp.transport)
    with http, JWKSClient(provider, http=http, clock=reads, store=stores[1]) as reader:
        with suppress(TokenError):
            reader.verify(token)  # within the lifetime, so both verdicts are right
        time_passes(LIFE - 200)
        with pytest.raises(TokenError):
            reader.verify(token)
        assert reader.verify(idp.issue())
