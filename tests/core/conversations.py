"""The conversation that fetches a key set, driven by a test: the parts that these tests share."""

import json
from collections.abc import Mapping
from typing import Any

from jwks_client import CachePolicy, FetchPolicy, Provider, __version__, providers
from jwks_client._core.keysets.fetch import (
    Broken,
    Conversation,
    Failed,
    Fetched,
    Outcome,
    Plan,
    Request,
    Response,
    Talk,
)

NOW = 5000.0
WALL = 1_700_000_000.0
ISSUER = "https://idp.example.com"
METADATA = f"{ISSUER}/.well-known/openid-configuration"
KEYS = "https://keys.example.com/jwks"
AGENT = f"jwks-client-sdk/{__version__}"

# The key of RFC 8037, appendix A.2.
ED25519 = {
    "kty": "OKP",
    "crv": "Ed25519",
    "kid": "k1",
    "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPJHURo",
}
# Coordinates of RFC 7515, appendix A.3.
P256 = {
    "kty": "EC",
    "crv": "P-256",
    "kid": "k2",
    "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
    "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
}
KEY_SET = json.dumps({"keys": [ED25519]}).encode()

AT_URL = Provider(name="p", issuer=ISSUER, audience="api", jwks_url=KEYS)
BY_METADATA = providers.oidc(ISSUER, audience="api")


def talk(provider: Provider = AT_URL, **facts: Any) -> Talk:
    """Return a conversation before its first step; ``cache`` and ``fetch`` are its policies."""
    plan = Plan(
        provider=provider,
        cache=facts.pop("cache", CachePolicy()),
        fetch=facts.pop("fetch", FetchPolicy()),
    )
    headers = tuple(provider.headers.items()) if isinstance(provider.headers, Mapping) else ()
    usual = {"validators": None, "discovered": None, "last_failed": False, "headers": headers}
    return Talk(plan=plan, now=NOW, wall=WALL, **{**usual, **facts})


def tell(steps: Conversation, answer: Response | Broken) -> Request | Outcome:
    """Give one response; return the next request, or the outcome."""
    try:
        return steps.send(answer)
    except StopIteration as done:
        return done.value


def play(one: Talk, *answers: Response | Broken) -> tuple[list[Request], Outcome]:
    """Give these responses, all of which must be requested and no more; return requests and outcome."""
    steps = one.converse()
    asked = [next(steps)]
    for number, answer in enumerate(answers, 1):
        match tell(steps, answer):
            case Request() as request:
                asked.append(request)
            case outcome:
                assert number == len(answers), f"it had enough of {number} of {len(answers)}"
                return asked, outcome
    raise AssertionError(f"it asks on, for {asked[-1].url}")


def fetched(one: Talk, *answers: Response | Broken) -> Fetched:
    """Return the outcome of a conversation that must succeed."""
    _, outcome = play(one, *answers)
    assert isinstance(outcome, Fetched), outcome
    return outcome


def failed(one: Talk, *answers: Response | Broken) -> Failed:
    """Return the outcome of a conversation that must fail."""
    _, outcome = play(one, *answers)
    assert isinstance(outcome, Failed), outcome
    return outcome


def ok(body: bytes = KEY_SET, **headers: str) -> Response:
    """Return a 200 as it comes from the wire; ``_`` in a header's name stands for ``-``."""
    return answer(200, body, **headers)


def answer(status: int, body: bytes = b"", **headers: str) -> Response:
    """Return a response as it comes from the wire."""
    return Response(status, {name.replace("_", "-"): v for name, v in headers.items()}, body)


def metadata(**members: Any) -> Response:
    """Return the provider's metadata; a member of None is left out."""
    document = {"issuer": ISSUER, "jwks_uri": KEYS, **members}
    return ok(json.dumps({k: v for k, v in document.items() if v is not None}).encode())


def zipped(raw: bytes) -> Response:
    """Return a 200 labelled gzip."""
    return ok(raw, content_encoding="gzip")


def headers_of(request: Request) -> dict[str, str]:
    """Return a request's headers by lower-case name; a repeated name fails the test."""
    found = {name.lower(): value for name, value in request.headers}
    assert len(found) == len(request.headers)
    return found
