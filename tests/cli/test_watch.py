"""``doctor --watch`` reports what changes, and nothing else; these tests never wait."""

import json
import signal
from itertools import islice, pairwise

import pytest
from running import running
from serving import served

from jwks_client.cli._doctor.examination import examine
from jwks_client.cli._doctor.watch import Report, watch
from jwks_client.cli._probe.prober import Prober
from jwks_client.cli._probe.target import inspect_url
from jwks_client.testing import FakeProvider


def watching(base_url, *events):
    """Return the changes reported while these events happen between inspections, and the last report."""
    shown = []
    due = iter(events)

    def wait():
        for event in islice(due, 1):
            event()
            return True
        return False

    with Prober(2, base_url) as prober:

        def inspect():
            found = inspect_url(base_url, prober)
            return Report(inspection=found, findings=tuple(examine(found, 1_700_000_000)))

        last = watch(inspect, lambda report, changes: shown.append(changes), wait)
    assert shown[0] is None
    return shown[1:], last


@pytest.fixture
def idp():
    idp = FakeProvider(issuer=None, algorithm="ES256")
    idp.answer_headers = {"Cache-Control": "max-age=900"}
    idp.rotate()
    return idp


def test_nothing_is_reported_while_nothing_changes(idp):
    """Inspections with the same result print nothing."""
    with idp.serve() as base_url:
        changes, _ = watching(base_url, *[lambda: None] * 3)
    assert changes == []


def test_changed_keys_are_reported(idp):
    """A rotation, a withdrawal and a replaced key are one change each."""
    with idp.serve() as base_url:
        changes, _ = watching(
            base_url, idp.rotate, lambda: idp.revoke("key-1"), lambda: idp.swap("key-3")
        )
    assert changes == [
        ["key key-3 was added"],
        ["key key-1 was withdrawn"],
        ["key key-3 was replaced by another key"],
    ]


def test_new_and_resolved_findings_are_reported(idp):
    """An outage is reported when it begins and when it ends; the last inspection decides."""
    with idp.serve() as base_url:
        changes, last = watching(base_url, lambda: idp.fail(503), lambda: None, idp.recover)
        assert [len(one) for one in changes] == [1, 1]
        assert changes[0][0].startswith("new error bad_status: ")
        assert changes[1] == ["resolved error bad_status"]
        assert last.findings == ()


@pytest.mark.collection("jwks-rotation")
@pytest.mark.parametrize(
    "name", ["apple", "google", "facebook", "spotify", "yahoo", "entra-common"]
)
def test_recorded_rotations_are_reported(vectors, name):
    """In the recorded states of a real endpoint, each added and withdrawn key is reported."""
    recorded = json.loads((vectors / "jwks-rotation" / f"{name}.json").read_text())
    states = [
        {"keys": [recorded["keys"][key] for key in state["keys"]]} for state in recorded["states"]
    ][:60]
    with served() as what:
        url = what.put("/jwks", states[0], cache_control="max-age=900")
        puts = [
            lambda state=state: what.put("/jwks", state, cache_control="max-age=900")
            for state in states[1:]
        ]
        changes, _ = watching(url, *puts)
    reported = [line for lines in changes for line in lines]

    def expected(old, new, how):
        gone = {key["kid"] for key in old["keys"]} - {key["kid"] for key in new["keys"]}
        return [f"key {kid} was {how}" for kid in gone]

    due = [
        line
        for old, new in pairwise(states)
        for line in (*expected(new, old, "added"), *expected(old, new, "withdrawn"))
    ]
    replaced = "was replaced by"
    lines = [line for line in reported if line.startswith("key ") and replaced not in line]
    assert sorted(lines) == sorted(due)
    assert due or len(states) < 2


def test_an_interrupt_ends_it_with_the_last_status(idp):
    """Ctrl-C ends it with the exit status of the last inspection and without a traceback."""
    with (
        idp.serve() as base_url,
        running("doctor", "--watch", "--timeout", "60", base_url) as process,
    ):
        summary = ""
        while "keys" not in summary:
            summary = process.stdout.readline()
            assert summary
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate()
    assert (process.returncode, stderr) == (0, "")
