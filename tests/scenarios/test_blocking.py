"""Nothing that blocks is done on an event loop: no import, no file, no TLS context, no name look-up.

Wall time would tell of the machine. What is done, and by which thread, tells of the library.
"""

from __future__ import annotations

import json
from collections import Counter

import pytest
from apart import run

from jwks_client.testing import FakeProvider


@pytest.fixture(scope="module")
def seen() -> dict:
    """What a first fetch did, in a fresh process, over a real connection."""
    idp = FakeProvider(algorithm="ES256")  # on the system's clock, as that process
    with idp.serve():
        outcome = run("first_fetch", idp.jwks_url, idp.issue(expires_in=600), mode=())
    assert (outcome.status, outcome.err) == (0, "")
    return json.loads(outcome.out)


def test_a_first_fetch_blocks_no_loop(seen):
    """The first verification of a client imports, opens and looks up nothing on the loop's own thread."""
    by_whom = Counter((kind, ours) for kind, _, ours in seen["loop"])
    assert by_whom == {}, seen["loop"][:20]


def test_what_blocks_is_done_elsewhere(seen):
    """The TLS context is made for it, in another thread: the watch above sees what there is to see."""
    assert "tls" in seen["elsewhere"]
