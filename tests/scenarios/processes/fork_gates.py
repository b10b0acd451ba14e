"""Fork while a flight is at a gate, or at a random moment: each child must verify.

Prints a line for each child that did not.
"""

from __future__ import annotations

import faulthandler
import importlib
import importlib.util
import os
import random
import signal
import socket
import sys
import threading
import traceback
from collections.abc import Callable
from typing import Any

from jwks_client import JWKSClient, providers
from jwks_client.testing import FakeProvider

PATIENCE = 10.0  # real seconds after which a working operation is long done
FLIGHT = 5.0  # real seconds that a caller waits at most for a flight of this process

reported, telling = os.pipe()
server = os.fork()
if server == 0:  # the provider is another process: this one has only the client's threads
    idp = FakeProvider(issuer="https://idp.test", algorithm="ES256")
    with idp.serve() as base:
        os.write(telling, f"{base} {idp.issue(expires_in=3600)}".encode())
        signal.pause()
URL, TOKEN = os.read(reported, 4000).decode().split()


def made() -> JWKSClient:
    """Return a client as an application makes it."""
    return JWKSClient(
        providers.generic(f"{URL}/.well-known/jwks.json", issuer="https://idp.test", audience="api")
    )


def child_verifies(client: JWKSClient) -> bool:
    """Fork, and verify in the child, which dies if it hangs for as long as a flight may last."""
    return child_succeeds(lambda: client.verify(TOKEN).subject is not None)


def child_succeeds(check: Callable[[], bool]) -> bool:
    """Fork, and return whether a check is true in the child, which says on standard error why not."""
    pid = os.fork()
    if pid == 0:
        faulthandler.dump_traceback_later(FLIGHT, exit=True)
        status = 1
        try:
            status = int(not check())
        except Exception:
            traceback.print_exc()
        os._exit(status)
    return os.waitpid(pid, 0)[1] == 0


def at_gate(place: Any, name: str) -> bool:
    """Fork while the flight's thread is inside a function, which it leaves only afterwards."""
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
        return child_verifies(client)
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
        with source._landing, client._verifier.memo_lock:
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


def while_a_client_is_made() -> bool:
    """Fork while another thread imports what its client needs, and make a client in the child."""
    network: Any = importlib.import_module("jwks_client._client.network")
    client, real = made(), network._import_what_a_fetch_needs
    importing, forking = threading.Event(), threading.Event()

    class Module:
        """A finder and loader of a module that takes until another thread forks."""

        def find_spec(self, name: str, *_: object) -> Any:
            return importlib.util.spec_from_loader(name, self) if name == "slow_import" else None

        def create_module(self, _: object) -> None: ...

        def exec_module(self, _: object) -> None:
            importing.set()
            forking.wait(PATIENCE)

    network._import_what_a_fetch_needs = lambda: importlib.import_module("slow_import")
    sys.meta_path.insert(0, Module())
    making = threading.Thread(target=made)
    making.start()
    importing.wait(PATIENCE)
    try:
        os.register_at_fork(before=forking.set)  # the newest hook is called first
        return child_succeeds(lambda: made().verify(TOKEN).subject == client.verify(TOKEN).subject)
    finally:
        network._import_what_a_fetch_needs = real
        making.join(PATIENCE)


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
        "import": while_a_client_is_made,
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
