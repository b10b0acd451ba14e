"""The library's events, and the listener that writes them to stdlib logging."""

from __future__ import annotations

import logging

from jwks_client.events import FetchFailed, KeysRotated, LoggingListener, TokenRefused
from jwks_client.testing import FakeClock

ROTATED = KeysRotated(provider="p", added=("b",), withdrawn=("a",), swapped=(), life=300.0)
REFUSED = TokenRefused(provider="p", code="bad_signature", claim=None)


def test_fields_are_structured(caplog):
    """Each event has one record: readable as a line, and with each field for log processors."""
    with caplog.at_level(logging.DEBUG, "jwks_client"):
        LoggingListener()(ROTATED)
    [record] = caplog.records
    assert record.getMessage() == (
        "KeysRotated provider='p' fetch=0 url=None duration=0.0 requests=0 reason='cold'"
        " source='provider' added=('b',) withdrawn=('a',) swapped=() life=300.0 content_type=None"
    )
    assert (record.jwks_event, record.jwks_added, record.jwks_suppressed) == (
        "KeysRotated",
        ("b",),
        0,
    )
    assert record.levelno == logging.INFO


def test_a_flood_is_limited(caplog):
    """Events that tokens cause are written ten times at once, then once a second, with the number left out."""
    clock = FakeClock()
    listener = LoggingListener(monotonic=clock.monotonic)
    with caplog.at_level(logging.INFO, "jwks_client"):
        for _ in range(1000):
            listener(REFUSED)
        assert len(caplog.records) == 10
        clock.advance(1)
        listener(REFUSED)
        listener(REFUSED)
        clock.advance(3600)
        for _ in range(20):
            listener(REFUSED)
    assert [one.jwks_suppressed for one in caplog.records] == [0] * 10 + [990, 1] + [0] * 9


def test_events_of_the_provider_are_never_limited(caplog):
    """Failed fetches are few by themselves, so each is written."""
    failed = FetchFailed(
        provider="p", code="fetch_failed", message="m", cause=None, failures=1, retry_in=1.0
    )
    listener = LoggingListener()
    with caplog.at_level(logging.INFO, "jwks_client"):
        for _ in range(50):
            listener(failed)
    assert [one.levelno for one in caplog.records] == [logging.WARNING] * 50


def test_a_quiet_logger_costs_nothing(caplog):
    """Below the logger's level no record is written and none is counted."""
    logger = logging.getLogger("jwks_client.quiet")
    logger.setLevel(logging.ERROR)
    listener = LoggingListener(logger)
    for _ in range(1000):
        listener(REFUSED)
    logger.setLevel(logging.INFO)
    with caplog.at_level(logging.INFO):
        listener(REFUSED)
    [record] = caplog.records
    assert record.jwks_suppressed == 0
