"""``doctor --watch``: what changes is told, and nothing else; nobody waits in these tests."""

import json
import signal
from itertools import islice, pairwise

import pytest
from running import running
from serving import served

from jwks_client.cli._doctor.examination import examine
from jwks_client.cli._doctor.watch import Report, watch
from jwks_client.cli._probe.network import Asker, fetch_policy
from jwks_client.cli._probe.target import look_at
from jwks_client.testing import FakeProvider


def watching(base_url, *events):
    """What was shown while these things happened between the looks: the first report, then changes."""
    shown = []
    due = iter(events)

    def wait():
        for event in islice(due, 1):
            event()
            return True
        return False

    with Asker(fetch_policy(2)) as asker:

        def look():
            found = look_at(base_url, asker)
            return Report(look=found, findings=tuple(examine(found, 1_700_000_000)))

        last = watch(look, lambda report, changes: shown.append(changes), wait)
    assert shown[0] is None
    return shown[1:], last


@pytest.fixture
def idp():
    idp = FakeProvider(issuer=None, algorithm="ES256")
    idp.answer_headers = {"Cache-Control": "max-age=900"}
    idp.rotate()
    return idp


def test_nothing_is_said_while_nothing_changes(idp):
    """Looks that find the same are silent."""
    with idp.serve() as base_url:
        changes, _ = watching(base_url, *[lambda: None] * 3)
    assert changes == []


def test_keys_that_come_go_and_change_are_told(idp):
    """A rotation, a withdrawal and new material under an old kid are each one change."""
    with idp.serve() as base_url:
        changes, _ = watching(
            base_url, idp.rotate, lambda: idp.revoke("key-1"), lambda: idp.swap("key-3")
        )
    assert changes == [
        ["key key-3 was added"],
        ["key key-1 was withdrawn"],
        ["key key-3 is another key now"],
    ]


def test_findings_that_come_and_go_are_told(idp):
    """An outage is told when it begins and when it is over; the last look is what counts."""
    with idp.serve() as base_url:
        changes, last = watching(base_url, lambda: idp.fail(503), lambda: None, idp.recover)
        assert [len(one) for one in changes] == [1, 1]
        assert changes[0][0].startswith("now error bad_status: ")
        assert changes[1] == ["no more error bad_status"]
        assert last.findings == ()


@pytest.mark.collection("jwks-rotation")
@pytest.mark.parametrize(
    "name", ["apple", "google", "facebook", "spotify", "yahoo", "entra-common"]
)
def test_real_rotations_are_told_as_they_were(vectors, name):
    """Of a real endpoint's recorded months, each state is looked at, and each key's coming and going told."""
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
    told = [line for lines in changes for line in lines]

    def expected(old, new, how):
        gone = {key["kid"] for key in old["keys"]} - {key["kid"] for key in new["keys"]}
        return [f"key {kid} was {how}" for kid in gone]

    wanted = [
        line
        for old, new in pairwise(states)
        for line in (*expected(new, old, "added"), *expected(old, new, "withdrawn"))
    ]
    assert sorted(line for line in told if line.startswith("key ") and " was " in line) == sorted(
        wanted
    )
    assert wanted or len(states) < 2


@pytest.mark.parametrize("as_json", [False, True])
def test_an_interrupt_ends_it_with_the_last_verdict(idp, as_json):
    """Ctrl-C is how it ends: with the exit status of the last look and without a traceback."""
    options = ["--json"] if as_json else []
    with idp.serve() as base_url, running("doctor", "--watch", *options, base_url) as process:
        first = process.stdout.readline()
        while "nothing found" not in first and '"findings": []' not in first:
            first = process.stdout.readline()
            assert first
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate()
    assert (process.returncode, stderr) == (0, "")
