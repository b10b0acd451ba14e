"""The other libraries, each used as its documentation says, with its keys loaded beforehand.

A library that can fetch keys fetches them from the scene's provider; others get parsed keys. A
library that is not installed, or does not support an algorithm, is omitted, and the report says so.
Before it is timed, each must accept valid tokens and refuse invalid ones (`examined`).
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import warnings
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, NamedTuple

import jwt

from .scene import Scene


class Peer(NamedTuple):
    """``verify`` returns the claims, or raises; it may be a coroutine function."""

    verify: Callable[[str], Any]
    asynchronous: bool = False


class LeftOut(Exception):
    """Why a library is omitted."""


def pyjwt(scene: Scene) -> Peer:
    key: Any = jwt.PyJWKSet.from_dict(scene.idp.jwks()).keys[0].key
    options = _pyjwt_options(scene)
    return Peer(lambda token: jwt.decode(token, key, **options))


def pyjwkclient(scene: Scene) -> Peer:
    return _pyjwkclient(scene, cache_keys=False)


def pyjwkclient_caching(scene: Scene) -> Peer:
    return _pyjwkclient(scene, cache_keys=True)


def _pyjwkclient(scene: Scene, *, cache_keys: bool) -> Peer:
    client = jwt.PyJWKClient(scene.jwks_url, cache_keys=cache_keys)
    options = _pyjwt_options(scene)

    def verify(token: str) -> Any:
        key = client.get_signing_key_from_jwt(token)
        return jwt.decode(token, key, **options)

    return Peer(verify)


def _pyjwt_options(scene: Scene) -> dict[str, Any]:
    return {
        "algorithms": [scene.algorithm],
        "audience": scene.audience,
        "issuer": scene.issuer,
        "options": {"require": ["exp"]},
    }


def joserfc(scene: Scene) -> Peer:
    from joserfc import jwt as jose
    from joserfc.jwk import KeySet

    keys = KeySet.import_key_set(scene.idp.jwks())
    rules = jose.JWTClaimsRegistry(
        iss={"essential": True, "value": scene.issuer},
        aud={"essential": True, "value": scene.audience},
        exp={"essential": True},
    )
    algorithms = [scene.algorithm]

    def verify(token: str) -> Any:
        decoded = jose.decode(token, keys, algorithms=algorithms)
        rules.validate(decoded.claims)
        return decoded.claims

    return Peer(verify)


def authlib(scene: Scene) -> Peer:
    from authlib.jose import JsonWebKey, JsonWebToken

    keys = JsonWebKey.import_key_set(scene.idp.jwks())
    reader = JsonWebToken([scene.algorithm])
    rules = {
        "iss": {"essential": True, "value": scene.issuer},
        "aud": {"essential": True, "value": scene.audience},
        "exp": {"essential": True},
    }

    def verify(token: str) -> Any:
        claims = reader.decode(token, keys, claims_options=rules)
        claims.validate()
        return claims

    return Peer(verify)


def python_jose(scene: Scene) -> Peer:
    from jose import jwk
    from jose import jwt as jose

    if scene.algorithm == "EdDSA":
        raise LeftOut("it does not support EdDSA")
    # With a key set it would build all keys for every token, so they are built once here.
    keys = {one["kid"]: jwk.construct(one) for one in scene.idp.jwks()["keys"]}

    def verify(token: str) -> Any:
        key = keys[jose.get_unverified_header(token)["kid"]]
        return jose.decode(
            token,
            key,
            algorithms=[scene.algorithm],
            audience=scene.audience,
            issuer=scene.issuer,
            options={"require_exp": True, "require_iss": True, "require_aud": True},
        )

    return Peer(verify)


def jwcrypto(scene: Scene) -> Peer:
    from jwcrypto import jwk
    from jwcrypto import jwt as jose

    keys = jwk.JWKSet.from_json(json.dumps(scene.idp.jwks()))
    rules = {"iss": scene.issuer, "aud": scene.audience, "exp": None}

    def verify(token: str) -> Any:
        found = jose.JWT(jwt=token, key=keys, check_claims=rules, algs=[scene.algorithm])
        return json.loads(found.claims)

    return Peer(verify)


def pyjwt_key_fetcher(scene: Scene) -> Peer:
    from pyjwt_key_fetcher import AsyncKeyFetcher
    from pyjwt_key_fetcher.http_client import HTTPClient

    class Plain(HTTPClient):
        async def get_json(self, url: str) -> Any:
            import httpx

            async with httpx.AsyncClient() as http:
                return (await http.get(url)).json()

    fetcher = AsyncKeyFetcher(valid_issuers=[scene.issuer], http_client=Plain())
    options = {**_pyjwt_options(scene)}
    del options["algorithms"]  # which its key determines

    async def verify(token: str) -> Any:
        return jwt.decode(token, **await fetcher.get_key(token), **options)

    return Peer(verify, asynchronous=True)


def fastmcp(scene: Scene) -> Peer:
    from fastmcp.server.auth.providers.jwt import JWTVerifier

    verifier = JWTVerifier(
        jwks_uri=scene.jwks_url,
        issuer=scene.issuer,
        audience=scene.audience,
        algorithm=scene.algorithm,
    )

    async def verify(token: str) -> Any:
        found = await verifier.verify_token(token)
        if found is None:
            raise PermissionError("it was refused")
        return found.claims

    return Peer(verify, asynchronous=True)


PEERS: dict[str, Callable[[Scene], Peer]] = {
    "PyJWT with a parsed key": pyjwt,
    "PyJWKClient and jwt.decode": pyjwkclient,
    "… with `cache_keys=True`": pyjwkclient_caching,
    "joserfc": joserfc,
    "Authlib": authlib,
    "python-jose": python_jose,
    "jwcrypto": jwcrypto,
    "pyjwt-key-fetcher and jwt.decode": pyjwt_key_fetcher,
    "FastMCP's JWTVerifier": fastmcp,
}


def peers(scene: Scene, loop: asyncio.AbstractEventLoop) -> tuple[dict[str, Peer], list[str]]:
    """Return the libraries that work as expected, and why the others are omitted."""
    found: dict[str, Peer] = {}
    left_out: list[str] = []
    for name, make in PEERS.items():
        with quietly():
            try:
                peer = make(scene)
                examined(peer.verify, scene, loop)
            except (ImportError, LeftOut, ValueError, AssertionError) as error:
                left_out.append(f"{name} ({error})")
            else:
                found[name] = peer
    return found, left_out


def examined(verify: Callable[[str], Any], scene: Scene, loop: asyncio.AbstractEventLoop) -> None:
    """Check that a verifier gives the right answers; afterwards its keys are cached.

    Raises AssertionError if it does not.
    """

    async def asked(token: str) -> Any:
        claims = verify(token)
        return await claims if isinstance(claims, Awaitable) else claims

    for number, token in enumerate(scene.tokens[:3]):
        claims = loop.run_until_complete(asked(token.decode()))
        assert claims["sub"] == f"user-{number}", "it finds another subject"
    for what, bad in scene.bad.items():
        try:
            loop.run_until_complete(asked(bad))
        except Exception:  # noqa: BLE001, S112 (each library has its own errors)
            continue
        raise AssertionError(f"it accepts a token with {what}")


@contextlib.contextmanager
def quietly() -> Iterator[None]:
    before = logging.root.manager.disable
    logging.disable()
    try:
        with warnings.catch_warnings(record=True):  # one library forces its warnings to be shown
            yield
    finally:
        logging.disable(before)
