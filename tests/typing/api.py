"""The public types, as a user's type checker sees them. Checked by mypy and pyright, never run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypedDict, assert_type

import httpx
import jwt

from jwks_client import (
    AsyncJWKSClient,
    CachePolicy,
    FetchPolicy,
    IssuerTemplate,
    JWKSClient,
    Key,
    KeySet,
    Provider,
    VerifiedToken,
    events,
    providers,
)
from jwks_client.testing import FakeClock, FakeProvider, ForgedToken


@dataclass
class Claims:
    sub: str


class Loose(TypedDict):
    sub: str


def listener(event: events.Event) -> None:
    """Accept any event."""
    match event:
        case events.KeysRotated(withdrawn=withdrawn):
            assert_type(withdrawn, tuple[str, ...])
        case _:
            pass


def is_member(token: VerifiedToken) -> bool:
    """Apply an application's own rule."""
    return token.claims.get("org") == "o1"


async def is_member_by_database(token: VerifiedToken) -> bool:
    """Apply a rule that awaits a database."""
    return token.subject is not None


async def find_tenant(issuer: str) -> Provider | None:
    """Find the provider of a tenant, in a database."""
    return None


def sync_client(idp: FakeProvider, clock: FakeClock) -> None:
    """Use every call of the sync client."""
    client = JWKSClient(
        idp.provider,
        providers.stytch("project-live-1", checks=[is_member]),
        cache=CachePolicy(ttl=60),
        fetch=FetchPolicy(deadline=2),
        http=httpx.Client(),
        listeners=[listener, events.LoggingListener()],
        clock=clock,
    )
    token = client.verify("x", provider="p", claim_values={"nonce": "n"})
    assert_type(token, VerifiedToken)
    assert_type(token.claims, dict[str, Any])
    assert_type(token.scopes, frozenset[str])
    assert_type(token.claims_as(Claims), Claims)
    assert_type(token.claims_as(Loose), Loose)
    assert_type(token.require("a", any_of=("b", "c")), VerifiedToken)
    keys = client.keys()
    assert_type(keys, KeySet)
    assert_type(client.get_signing_key("k", alg="RS256"), Key)
    jwt.decode("x", client.get_signing_key_from_jwt("x").key, algorithms=["RS256"])
    assert_type([one.kid for one in keys], list[str | None])
    assert_type(client.health()["p"].fetches, int)
    with client as same:
        assert_type(same, JWKSClient)


async def async_client() -> None:
    """Use every call of the async client."""
    provider = Provider(
        name="entra",
        issuer=IssuerTemplate("https://login.example/{tid}/v2.0", allowed={"t1"}),
        audience=providers.UNCHECKED,
        jwks_url="https://login.example/keys",
        checks=(is_member_by_database,),
        headers=lambda: {"X-Api-Key": "secret"},
    )
    async with AsyncJWKSClient(provider, http=httpx.AsyncClient()) as client:
        assert_type(client, AsyncJWKSClient)
        assert_type(await client.verify(b"x"), VerifiedToken)
        assert_type(await client.get_signing_key_from_jwt("x"), Key)
        await client.refresh()
        await client.warm_up(timeout=5)


def testing_kit() -> None:
    """Use the testing kit for applications."""
    idp = FakeProvider()
    assert_type(idp.issue(sub="u1"), str)
    assert_type(idp.forge.expired("u1"), ForgedToken)
    assert_type(idp.client(resolve={"https://a.test": idp.provider}.get), JWKSClient)
    assert_type(idp.client(max_resolved=8, resolve_ttl=60, count_keys=True), JWKSClient)
    assert_type(idp.async_client(resolve=find_tenant, count_keys=True), AsyncJWKSClient)
    assert_type(idp.as_provider("stytch"), FakeProvider)


def wrong(options: Mapping[str, str]) -> None:
    """Mistakes that a type checker must find."""
    FakeProvider().client(resolve=find_tenant)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    providers.stytch("project-live-1", audienze="x")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    Provider(name="x", jwks_url="https://x.test")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    JWKSClient(providers.oidc("https://x.test", audience="a"), ttl=5)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    providers.oidc("https://x.test", audience=None)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    providers.oidc("https://x.test", audience=[providers.UNCHECKED])  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    VerifiedToken.claims = options  # type: ignore[assignment,method-assign]  # pyright: ignore[reportAttributeAccessIssue]
