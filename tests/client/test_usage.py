"""The use of each key, where a client counts it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from jwks_client import JWKSClient
from jwks_client._client import usage
from jwks_client._client.usage import MOST_WITHDRAWN
from jwks_client.errors import ConfigurationError, TokenError
from jwks_client.testing import FakeClock, FakeProvider


def test_each_accepted_token_counts_for_its_key(drive, idp, clock):
    """Accepted tokens count, whether they caused a fetch or were remembered; a refused token does not."""
    client = drive.client(idp, count_keys=True)
    assert client.usage() == {"issuer.test": ()}
    token = idp.issue()
    for _ in range(3):  # fetched, then remembered
        drive.verify(token)
    clock.advance(5)
    drive.verify(idp.issue(sub="other"))
    with pytest.raises(TokenError):
        drive.verify(idp.issue(aud="other"))
    ((use,),) = client.usage().values()
    assert (use.kid, use.verified, use.published) == ("key-1", 4, True)
    assert use.last_used == clock.time()
    (key,) = drive.keys()
    assert use.thumbprint == key.thumbprint


def test_a_published_key_without_uses_is_listed(drive, idp):
    """An unused published key is listed with 0, so a rotation can be followed."""
    client = drive.client(idp, count_keys=True)
    drive.verify(idp.issue())
    idp.rotate()
    drive.refresh()
    uses = {use.kid: use for use in client.usage()["issuer.test"]}
    assert (uses["key-1"].verified, uses["key-2"].verified) == (1, 0)
    assert uses["key-2"].last_used is None


@pytest.mark.parametrize("seconds", [0, 1])
def test_a_withdrawn_key_stays_for_a_while(drive, clock, seconds):
    """The last 16 withdrawn keys of a provider stay listed, so the table of a long-lived client stays small."""
    idp = FakeProvider(algorithm="ES256", clock=clock)
    client = drive.client(idp, count_keys=True)
    for _ in range(MOST_WITHDRAWN + 4):
        drive.refresh()
        drive.verify(idp.issue())
        clock.advance(seconds)
        (old,) = drive.keys()
        idp.rotate()
        idp.revoke(old.kid)
    drive.refresh()
    uses = client.usage()["issuer.test"]
    assert [use.published for use in uses] == [True] + [False] * MOST_WITHDRAWN
    assert [use.kid for use in uses[1:3]] == ["key-20", "key-19"]
    assert len(client._uses._counts["issuer.test"]) <= MOST_WITHDRAWN + 2


def facts(kid: str) -> Any:
    return SimpleNamespace(provider="p", key=SimpleNamespace(kid=kid, thumbprint=kid))


def test_two_threads_may_count_new_keys_at_once(monkeypatch):
    """A valid token is accepted also while another thread counts a new key and drops a withdrawn one."""
    meanwhile: list[str] = []

    class Interrupted(usage._Count):
        """A count; while it is read, another thread counts."""

        def __getattribute__(self, name: str) -> Any:
            if name == "last_used":
                new, meanwhile[:] = meanwhile[:], []
                for kid in new:
                    uses.count(facts(kid))
            return super().__getattribute__(name)

    monkeypatch.setattr(usage, "_Count", Interrupted)
    uses = usage.KeyUses(FakeClock(), lambda: {"p": None})
    for number in range(MOST_WITHDRAWN + 1):
        uses.count(facts(f"key-{number}"))
    meanwhile += ["one", "two"]
    uses.count(facts("three"))
    assert ("three", "three") in uses._counts["p"]


def test_counting_costs_nothing_where_it_is_off(drive, idp):
    """Without `count_keys` the verifier is called without a wrapper, and `usage()` is empty."""
    client = drive.client(idp)
    drive.verify(idp.issue())
    assert client.usage() == {}
    assert client._begin == client._verifier.begin


def test_dropped_tenants_lose_their_counts(clock: FakeClock):
    """The counts of a tenant that the application forgets are dropped."""
    idp = FakeProvider(issuer="https://tenant.test", clock=clock)
    other = FakeProvider(issuer="https://other.test", clock=clock)
    http = httpx.Client(transport=idp.transport)
    client = JWKSClient(
        resolve={"https://tenant.test": idp.provider}.get, http=http, clock=clock, count_keys=True
    )
    client.verify(idp.issue())
    assert list(client.usage()) == ["https://tenant.test"]
    client.forget("https://tenant.test")
    assert client.usage() == {}
    with pytest.raises(TokenError):
        client.verify(other.issue())
    client.close()


def test_the_setting_is_checked(idp):
    """Any value but True or False is a ConfigurationError that names `count_keys`."""
    with pytest.raises(ConfigurationError) as caught:
        JWKSClient(idp.provider, count_keys=1)
    assert caught.value.field == "count_keys"
