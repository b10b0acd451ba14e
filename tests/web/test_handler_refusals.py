"""Refusals that a handler causes, in every framework: answered once, and no bug is hidden."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from typing import Any

import pytest
from framework_apps import EVERY, REPORTING, WSGI, App

from jwks_client import events
from jwks_client.testing import FakeProvider

SCOPE = 'Bearer error="insufficient_scope", scope="{}"'


class Setting:
    """An app of a framework, its provider, and the refusals that were reported."""

    def __init__(self, name: str) -> None:
        self.idp = FakeProvider()
        self.reports = name in REPORTING
        self.refusals: list[str] = []
        kind = self.idp.client if name in WSGI else self.idp.async_client
        client = kind(listeners=[self._listen])
        self.app: App = EVERY[name](client)
        if self.app.inside is not None:
            self.app.inside.clear()

    def _listen(self, event: Any) -> None:
        if isinstance(event, events.RequestRefused):
            self.refusals.append(event.code)


@contextlib.contextmanager
def site(name: str) -> Iterator[None]:
    """Let Django's settings be those of its app while it is asked."""
    if name.startswith("django"):
        import django_refusals

        with django_refusals.running():
            yield
    else:
        yield


@pytest.fixture
def setting(request: pytest.FixtureRequest) -> Iterator[Setting]:
    logging.disable(logging.CRITICAL)
    with site(request.param):
        yield Setting(request.param)
    logging.disable(logging.NOTSET)


in_every = pytest.mark.parametrize("setting", EVERY, indirect=True)
in_reporting = pytest.mark.parametrize("setting", REPORTING, indirect=True)
in_async = pytest.mark.parametrize(
    "setting", [one for one in EVERY if one not in WSGI], indirect=True
)


@in_every
def test_requires_is_answered_with_403(setting):
    """A token without the scope: 403 with the challenge, reported once, and inside the app too."""
    assert setting.app.ask("/role", setting.idp.issue(scope="orders:read")).status == 200
    answer = setting.app.ask("/role", setting.idp.issue())
    assert answer[:3] == (403, "insufficient_scope", SCOPE.format("orders:read"))
    assert setting.refusals == ["insufficient_scope"]
    assert setting.app.inside in (None, [200, 403])


@in_every
def test_requires_refuses_anonymous_requests_with_401(setting):
    """Where the middleware admits anonymous requests, a protected handler does not."""
    answer = setting.app.ask("/role", None)
    assert answer[:3] == (401, "missing_credentials", "Bearer")
    assert setting.refusals == ["missing_credentials"]
    assert setting.app.inside in (None, [401])


@in_every
def test_what_a_handler_asks_inside_is_answered_with_403(setting):
    """token.require and a Requirement are answered alike, each reported once."""
    answer = setting.app.ask("/deep", setting.idp.issue())
    assert answer[:3] == (403, "insufficient_scope", SCOPE.format("deep"))
    answer = setting.app.ask("/claims", setting.idp.issue())
    assert answer[:3] == (403, "insufficient_claims", None)
    assert setting.refusals == ["insufficient_scope", "insufficient_claims"]
    assert setting.app.inside in (None, [403, 403])


@in_every
def test_a_refusal_that_the_handler_catches_is_its_own_affair(setting):
    """The handler's answer is sent, and nothing is reported."""
    answer = setting.app.ask("/caught", setting.idp.issue())
    assert (answer.status, b"handled" in answer.body) == (200, True)
    assert setting.refusals == []


@in_reporting
@pytest.mark.parametrize("path", ["/bug", "/from", "/own"])
def test_a_failure_after_a_caught_refusal_stays_a_500(setting, path):
    """A bug after a caught refusal, a bug raised from one, a 500 of the app's own: none is a 403."""
    assert setting.app.ask(path, setting.idp.issue()).status == 500
    assert setting.refusals == []
    assert setting.app.inside in (None, [], [500])


@in_every
def test_eighty_requests_at_once_each_have_their_own_answer(setting):
    """Refused, admitted, and (where the framework reports errors) failed ones side by side."""
    good, poor = setting.idp.issue(scope="orders:read deep"), setting.idp.issue()
    failing = [("/bug", poor, 500)] if setting.reports else []
    rows = [("/role", good, 200), ("/role", poor, 403), ("/deep", poor, 403), *failing]
    asked = [rows[number % len(rows)] for number in range(80)]
    answers = setting.app.ask_all([(path, token) for path, token, _ in asked])
    assert [one.status for one in answers] == [status for _, _, status in asked]


@in_async
def test_a_thread_without_a_copy_of_the_context_is_no_way_round(setting):
    """loop.run_in_executor copies no context; what is refused in its thread is answered."""
    answer = setting.app.ask("/executor", setting.idp.issue())
    assert answer[:3] == (403, "insufficient_scope", SCOPE.format("deep"))
