"""The event loop's thread does nothing that blocks: no import, no file, no TLS context, no name look-up.

Wall time would depend on the machine. The actions of each thread depend only on the library.
"""

from __future__ import annotations

import json
from collections import Counter

import pytest
from apart import run

from jwks_client.testing import FakeProvider


@pytest.fixture(scope="module")
def seen() -> dict:
    """Return what a first fetch did, in a fresh process, over a real connection."""
    idp = FakeProvider(algorithm="ES256")  # on the system's clock, as that process
    with idp.serve():
        outcome = run("first_fetch", idp.jwks_url, idp.issue(expires_in=600), mode=())
    assert (outcome.status, outcome.err) == (0, "")
    return json.loads(outcome.out)


def test_a_first_fetch_blocks_no_loop(seen):
    """The first verification of a client imports, opens and looks up nothing on the loop's own thread."""
    by_whom = Counter((kind, ours) for kind, _, ours in seen["loop"])
    assert by_whom == {}, seen["loop"][:20]


def test_blocking_work_is_done_in_another_thread(seen):
    """Another thread makes the TLS context, which shows that the watch above works."""
    assert "tls" in seen["elsewhere"]
