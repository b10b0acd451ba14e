"""Use a client, fork, and use it in both processes: what gunicorn does with ``--preload``.

Argument: the client, ``sync`` or ``async``, and ``plain`` or ``logging`` for a client that logs its events. At the
moment of the fork a fetch is in flight and other threads hold the client's locks. Prints one line
of JSON for the test.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable
from typing import Any

from jwks_client import AsyncJWKSClient, FetchPolicy, JWKSClient, TokenError
from jwks_client.events import LoggingListener
from jwks_client.testing import FakeProvider

PATIENCE = 10.0  # real seconds after which a working operation is long done
PATIENT = FetchPolicy(connect_timeout=60, attempt_timeout=60, deadline=120)

# Development mode reports slow callbacks by the wall clock: that would be about the machine.
logging.getLogger("asyncio").setLevel(logging.ERROR)


class Slow:
    """A clock for `LoggingListener` that can keep its reader waiting, and with it the listener's lock."""

    def __init__(self) -> None:
        self.is_slow = False
        self.asked = threading.Event()
        self.go_on = threading.Event()

    def __call__(self) -> float:
        if self.is_slow and threading.current_thread() is not threading.main_thread():
            self.asked.set()
            self.go_on.wait(PATIENCE)
        return time.monotonic()


def call(client: Any, method: str, *arguments: Any) -> Any:
    """Call a method of either client."""
    if isinstance(client, JWKSClient):
        return getattr(client, method)(*arguments)
    return asyncio.run(getattr(client, method)(*arguments))


def begin(work: Callable[[], Any]) -> threading.Thread:
    """Run a function in another thread."""
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


def in_the_child(client: Any, known: str, newest: str, to_parent: int) -> None:
    """Do the child's part, and then end silently."""
    signal.alarm(int(PATIENCE))  # a hanging child dies, and the parent sees it
    found = {
        "known": call(client, "verify", known).key_id,
        "newest": call(client, "verify", newest).key_id,
        "remembered": call(client, "verify", newest).key_id,
        "due_share": share_of(client),
        "state": client.health()["issuer.test"].state,
        "refused": refused(client),
    }
    os.write(to_parent, json.dumps(found).encode())
    os._exit(0)


def share_of(client: Any) -> float | None:
    """Return the share of a lifetime after which this process refreshes."""
    return next(iter(client._sources.values())).cache.due_share


def read_all(descriptor: int) -> str:
    """Return all that comes until the other end is closed."""
    with os.fdopen(descriptor, closefd=True) as text:
        return text.read()


def main(kind: str, logs: bool) -> None:
    """Run the story."""
    idp, slow = FakeProvider(algorithm="ES256"), Slow()
    listeners = []
    if logs:
        logger = logging.getLogger("story")
        logger.setLevel(logging.INFO)
        logger.addHandler(logging.NullHandler())
        listeners = [LoggingListener(logger, monotonic=slow)]
    make = JWKSClient if kind == "sync" else AsyncJWKSClient
    with idp.serve():
        client = make(idp.provider, fetch=PATIENT, listeners=listeners)
        known = idp.issue()
        call(client, "verify", known)
        idp.rotate()
        newest = idp.issue()  # by a key that the client has never seen
        with idp.hold() as held:
            flying = begin(lambda: call(client, "refresh"))
            held.wait()
            logging_one = None
            if logs:
                slow.is_slow = True
                logging_one = begin(lambda: refused(client))
                assert slow.asked.wait(PATIENCE)
            [source] = client._sources.values()
            from_child, to_parent = os.pipe()
            with source._landing, client._verifier.memo_lock, warnings.catch_warnings():
                # Python 3.12 warns about a fork of a process with threads: that is the story here.
                warnings.simplefilter("ignore", DeprecationWarning)
                pid = os.fork()
                if pid == 0:
                    in_the_child(client, known, newest, to_parent)
            os.close(to_parent)
            slow.go_on.set()
            held.wait(
                2, within=PATIENCE
            )  # the child fetches for itself; both have their results now
        found = read_all(from_child)
        _, status = os.waitpid(pid, 0)
        flying.join(PATIENCE)
        if logging_one is not None:
            logging_one.join(PATIENCE)
        parent = {
            "newest": call(client, "verify", newest).key_id,
            "due_share": share_of(client),
            "fetches": idp.fetches,
            "flew": not flying.is_alive(),
        }
    child = json.loads(found) if found else None
    sys.stdout.write(json.dumps({"child": child, "status": status, "parent": parent}))


def refused(client: Any) -> str:
    """Have a token refused, which emits an event."""
    try:
        call(client, "verify", "no token")
    except TokenError as error:
        return error.code
    return ""


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2] == "logging")
