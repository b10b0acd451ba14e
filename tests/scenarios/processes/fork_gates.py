"""A process forks while a flight of its client is at a gate, or at a random moment: each child verifies.

Prints a line for each child that did not.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib
import os
import random
import signal
import socket
import sys
import threading
from collections.abc import Callable
from typing import Any

from jwks_client import JWKSClient, providers
from jwks_client.testing import FakeProvider

PATIENCE = 10.0  # real seconds after which what works is long done
FLIGHT = 5.0  # real seconds that a caller waits at most for a flight of this process

told, telling = os.pipe()
tokens, telling_tokens = os.pipe()
server = os.fork()
if server == 0:  # the provider is another process: this one has no threads but the client's
    idp = FakeProvider(issuer="https://idp.test", algorithm="ES256")
    with idp.serve() as base:
        os.write(telling, f"{base} {idp.issue(expires_in=3600)}".encode())
        signal.pause()
URL, TOKEN = os.read(told, 4000).decode().split()


def made() -> JWKSClient:
    """A client as an application makes it."""
    return JWKSClient(
        providers.generic(f"{URL}/.well-known/jwks.json", issuer="https://idp.test", audience="api")
    )


def child_verifies(client: JWKSClient, fork: Callable[[], int] = os.fork) -> bool:
    """Fork, and verify in the child, which dies if it hangs for as long as a flight may last."""
    pid = fork()
    if pid == 0:
        signal.alarm(int(FLIGHT))
        status = 1
        with contextlib.suppress(Exception):
            status = int(client.verify(TOKEN).subject is None)
        os._exit(status)
    return os.waitpid(pid, 0)[1] == 0


def at_gate(place: Any, name: str, fork: Callable[[], int] = os.fork) -> bool:
    """Fork while the flight's thread is inside a function, which it does not leave before that."""
    real: Callable[..., Any] = getattr(place, name)
    inside, go_on = threading.Event(), threading.Event()

    def gate(*arguments: Any, **options: Any) -> Any:
        if threading.current_thread().name.startswith("jwks-client") and os.getpid() == parent:
            inside.set()
            go_on.wait(PATIENCE)
        return real(*arguments, **options)

    parent = os.getpid()
    client = made()
    setattr(place, name, gate)
    try:
        client._flights.refresh_behind(next(iter(client._sources.values())))
        if not inside.wait(PATIENCE):
            sys.stdout.write(f"{name}: no flight came by\n")
            return False
        return child_verifies(client, fork)
    finally:
        go_on.set()
        setattr(place, name, real)
        client.close()


def while_a_lock_is_held() -> bool:
    """Fork while another thread holds every lock of the client."""
    client = made()
    [source] = client._sources.values()
    held, go_on = threading.Event(), threading.Event()

    def hold() -> None:
        with source._landing, client._memo_lock:
            held.set()
            go_on.wait(PATIENCE)

    holder = threading.Thread(target=hold)
    holder.start()
    held.wait(PATIENCE)
    try:
        return child_verifies(client)
    finally:
        go_on.set()
        holder.join()


def at_random() -> bool:
    """Fork at a random moment of a warm-up."""
    client = made()
    warming = threading.Thread(target=client.warm_up)
    warming.start()
    threading.Event().wait(random.random() / 20)
    try:
        return child_verifies(client)
    finally:
        warming.join(PATIENCE)


right = True
try:
    sources = importlib.import_module("jwks_client._client.keysets.source")
    network = importlib.import_module("jwks_client._client.network")
    stories: dict[str, Callable[[], bool]] = {
        "headers": lambda: at_gate(sources.KeySource, "talk"),
        "TLS context": lambda: at_gate(network._Transport, "_make"),
        "socket": lambda: at_gate(socket, "create_connection"),
        # As uWSGI forks: Python is not told, and calls no hook.
        "C": lambda: at_gate(sources.KeySource, "talk", ctypes.PyDLL(None).fork),
        "lock": while_a_lock_is_held,
        **{f"random {number}": at_random for number in range(20)},
    }
    for name, story in stories.items():
        if not story():
            right = False
            sys.stdout.write(f"{name}: the child did not verify\n")
finally:
    os.kill(server, signal.SIGTERM)
    os.waitpid(server, 0)
sys.exit(not right)
