"""The one table, in every framework: what an app protected by its integration answers."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from django_apps import DjangoASGI, DjangoASGIWithSyncClient, DjangoWSGI
from drf_apps import DRF, DRFUnderMiddleware

from jwks_client.testing import FakeProvider

if TYPE_CHECKING:
    from every_framework import Ask, Framework

EVERY: list[type[Framework]] = [
    DjangoWSGI,
    DjangoASGI,
    DjangoASGIWithSyncClient,
    DRF,
    DRFUnderMiddleware,
]


@dataclass
class Setting:
    """An app that is served, and its provider."""

    framework: Framework
    idp: FakeProvider
    ask: Ask

    def get(self, path: str, **claims):
        """Ask with a token of these claims."""
        return self.ask(path, f"Bearer {self.idp.issue(**claims)}")


@contextmanager
def serving(
    kind: type[Framework], *, optional: bool = False, away: bool = False
) -> Iterator[Setting]:
    idp, framework = FakeProvider(), kind()
    if away:
        idp.fail(503)
    client = idp.async_client() if framework.asynchronous else idp.client()
    with framework.asking(client, optional=optional) as ask:
        yield Setting(framework, idp, ask)


in_every = pytest.mark.parametrize("kind", EVERY, ids=lambda kind: kind.__name__)


@pytest.fixture(scope="module", params=EVERY, ids=lambda kind: kind.__name__)
def setting(request: pytest.FixtureRequest) -> Iterator[Setting]:
    with serving(request.param) as setting:
        yield setting


def test_a_good_token_reaches_the_handler(setting):
    """The subject is in the handler, by the framework's own accessor and by current_token()."""
    current = "u7" if setting.framework.has_current else None
    answer = setting.get("/whoami", sub="u7")
    assert (answer.status, answer.json) == (200, {"sub": "u7", "current": current})
    answer = setting.get("/orders", sub="u7", scope="orders:read")
    assert (answer.status, answer.json) == (200, {"sub": "u7", "current": current})
    answer = setting.get("/org", sub="u7", org_id="o1")
    assert (answer.status, answer.json) == (200, {"sub": "u7", "current": current})


REFUSED = 'Bearer error="invalid_token"'


@pytest.mark.parametrize(
    ("name", "status", "code", "challenge"),
    [
        ("none", 401, "missing_credentials", "Bearer"),
        ("Basic dTpw", 401, "missing_credentials", "Bearer"),
        ("Bearer", 400, "invalid_request", 'Bearer error="invalid_request"'),
        ("Bearer a b", 400, "invalid_request", 'Bearer error="invalid_request"'),
        ("Bearer junk", 401, "malformed_token", REFUSED),
        ("expired", 401, "token_expired", REFUSED),
        ("forged", 401, "bad_signature", REFUSED),
        ("another audience", 401, "wrong_audience", REFUSED),
    ],
)
def test_credentials_that_are_refused(setting, name, status, code, challenge):
    """Missing, malformed and refused credentials: the status, the code, and the challenge."""
    idp = setting.idp
    tokens = {
        "expired": lambda: idp.issue(expires_in=-3600),
        "forged": lambda: FakeProvider(issuer=idp.issuer).issue(),
        "another audience": lambda: idp.issue(aud="another"),
    }
    given = f"Bearer {tokens[name]()}" if name in tokens else None if name == "none" else name
    for path in ("/whoami", "/orders"):
        answer = setting.ask(path, given)
        assert (answer.status, answer.code, answer.challenge) == (status, code, challenge)
        assert answer.headers["cache-control"] == "no-store"


def test_a_missing_scope_is_403_and_names_the_scope(setting):
    """A client learns which scope to ask for."""
    answer = setting.get("/orders")
    assert (answer.status, answer.code) == (403, "insufficient_scope")
    assert answer.challenge == 'Bearer error="insufficient_scope", scope="orders:read"'


def test_a_missing_claim_is_403_without_a_challenge(setting):
    """A new token would not help, so no challenge asks for one."""
    answer = setting.get("/org")
    assert (answer.status, answer.code) == (403, "insufficient_claims")
    assert answer.challenge is None


def test_a_public_route_needs_no_credentials(setting):
    """And does not look at bad ones."""
    for given in (None, "Bearer junk"):
        answer = setting.ask("/open", given)
        assert (answer.status, answer.json) == (200, {"sub": None, "current": None})


def test_a_refusal_that_the_handler_catches_is_its_own_affair(setting):
    """The handler's own answer is sent."""
    answer = setting.get("/caught", sub="u7")
    assert (answer.status, answer.json["sub"]) == (200, "u7")


def test_an_error_of_the_app_stays_its_own(setting):
    """A bug is a 500 without a challenge, also after a refusal was caught."""
    answer = setting.get("/bug")
    assert (answer.status, answer.code, answer.challenge) == (500, None, None)


# Apps of their own, while the fixture's is not asked: some frameworks have one configuration only.


@in_every
def test_optional_admits_anonymous_requests(kind):
    """Without credentials a request passes, unless its route requires a scope; bad ones never do."""
    with serving(kind, optional=True) as setting:
        answer = setting.ask("/whoami", None)
        assert (answer.status, answer.json) == (200, {"sub": None, "current": None})
        answer = setting.ask("/orders", None)
        assert (answer.status, answer.code) == (401, "missing_credentials")
        assert answer.challenge == "Bearer"
        assert setting.get("/whoami", sub="u7").json["sub"] == "u7"
        answer = setting.ask("/whoami", "Bearer junk")
        assert (answer.status, answer.code) == (401, "malformed_token")


@in_every
def test_keys_that_are_unavailable_are_503(kind):
    """Retry-After and no challenge: nobody is asked to log in again because of an outage."""
    with serving(kind, away=True) as setting:
        answer = setting.get("/whoami")
        assert (answer.status, answer.code, answer.challenge) == (503, "fetch_failed", None)
        assert int(answer.headers["retry-after"]) >= 1


def test_callers_are_kept_apart(setting):
    """Many requests at once: each handler sees its own caller."""
    subjects = [f"u{number}" for number in range(40)]
    with ThreadPoolExecutor(8) as pool:
        answers = pool.map(lambda one: setting.get("/whoami", sub=one).json, subjects)
        current = setting.framework.has_current
        assert list(answers) == [
            {"sub": one, "current": one if current else None} for one in subjects
        ]


def test_nothing_of_a_token_is_logged(setting, caplog):
    """Neither an accepted token nor a refused one appears in any record, at any level."""
    caplog.set_level(logging.DEBUG)
    tokens = [setting.idp.issue(), setting.idp.issue(expires_in=-3600), setting.idp.issue()]
    for path, token in zip(["/whoami", "/whoami", "/orders"], tokens, strict=True):
        setting.ask(path, f"Bearer {token}")
    shown = "".join(f"{record.getMessage()}{vars(record)}" for record in caplog.records)
    assert "RequestRefused" in shown
    for token in tokens:
        assert not [part for part in token.split(".")[1:] if part in shown]
