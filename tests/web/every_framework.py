"""One small app, written for each framework, and the way to ask it.

A new framework is one subclass of `Framework` and its name in `test_every_framework.EVERY`. Its app:

    /whoami   answers with the JSON ``{"sub": …, "current": …}``: the subject that the framework's own
              accessor gives, and that of ``current_token()``; null for an anonymous request
    /orders   requires the scope ``orders:read``, then as /whoami
    /org      requires the claim ``org_id`` ``o1``, then as /whoami
    /caught   catches a refusal of its own and answers 200 as /whoami
    /bug      raises `Bug`
    /open     is public: ``exclude=["/open"]``, or what the framework has for it
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar, NamedTuple

import httpx
from edge_running import PATIENCE, serving

from jwks_client import JWKSError, VerifiedToken
from jwks_client.integrations import current_token

EXCLUDE = ["/open"]
ORG = {"org_id": "o1"}


class Bug(Exception):
    """A mistake of the application."""


class Answer(NamedTuple):
    """An answer as the client sees it; ``code`` is None where the app answered."""

    status: int
    headers: Mapping[str, str]
    json: Any

    @property
    def code(self) -> str | None:
        return self.json.get("code") if isinstance(self.json, dict) else None

    @property
    def challenge(self) -> str | None:
        return self.headers.get("www-authenticate")


Ask = Callable[[str, str | None], Answer]


class Framework:
    """A framework under test.

    Attributes:
        asynchronous: whether `app` is given an `AsyncJWKSClient`.
        server: one of ``edge_running.serving``'s.
        has_current: whether ``current_token()`` is set in handlers.
        own_answers: whether refusals are answered in the framework's own words, with the status and
            the challenge of the table but another body.
        asks_claims: whether it can require claims of a token.
    """

    asynchronous: ClassVar[bool] = True
    server: ClassVar[str] = "uvicorn"
    has_current: ClassVar[bool] = True

    @contextlib.contextmanager
    def app(self, client: Any, *, optional: bool) -> Iterator[Any]:
        """Make the app, protected with this client."""
        raise NotImplementedError

    @contextlib.contextmanager
    def asking(self, client: Any, *, optional: bool = False) -> Iterator[Ask]:
        """Serve the app; give a function of a path and an Authorization header that asks it."""
        with (
            self.app(client, optional=optional) as app,
            serving(app, self.server) as port,
            httpx.Client(
                base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=PATIENCE
            ) as http,
        ):

            def ask(path: str, authorization: str | None) -> Answer:
                headers = {} if authorization is None else {"Authorization": authorization}
                answer = http.get(path, headers=headers)
                is_json = "json" in answer.headers.get("content-type", "")
                return Answer(
                    answer.status_code, answer.headers, answer.json() if is_json else None
                )

            yield ask


def seen(token: VerifiedToken | None) -> dict[str, Any]:
    """What /whoami answers, of the framework's own accessor."""
    current = current_token()
    return {
        "sub": None if token is None else token.subject,
        "current": None if current is None else current.subject,
    }


def catch(token: VerifiedToken | None) -> None:
    """Cause a refusal and catch it."""
    with contextlib.suppress(JWKSError, AttributeError):
        token.require("never")
