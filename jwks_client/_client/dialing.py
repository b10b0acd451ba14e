"""Connect to a host that has several addresses.

Imported when a client is made, never by ``import jwks_client``.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Iterable
from itertools import chain, zip_longest
from typing import Any, Final

import httpcore

#: Seconds in which a healthy address accepts a connection; after that, the next one is tried.
_USUALLY: Final = 0.25


class EveryAddress(httpcore.NetworkBackend):
    """Connects to a host by any of its addresses, within one timeout for all of them.

    All addresses are first tried with a short timeout, then again with a longer one, for addresses
    that are slow.
    """

    def __init__(self) -> None:
        self._tcp = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        """Connect to the first address that answers."""
        end = time.monotonic() + (60.0 if timeout is None else timeout)
        found = _addresses(host, port)
        failure: httpcore.ConnectError | httpcore.ConnectTimeout | None = None
        for longest in (_USUALLY, None) if len(found) > 1 else (None,):
            for place, address in enumerate(tuple(found)):
                share = max(end - time.monotonic(), 0.001) / (len(found) - place)
                limit = share if longest is None else min(share / 2, longest)
                try:
                    return self._tcp.connect_tcp(
                        address, port, limit, local_address, socket_options
                    )
                except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                    failure = error
        raise failure or httpcore.ConnectError("the host has no address")


def _addresses(host: str, port: int) -> list[str]:
    """Return the addresses of a host, IPv6 and IPv4 in turn, the system's preference first."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise httpcore.ConnectError(str(error)) from error
    each = dict.fromkeys(str(address[0]) for *_, address in found)
    first = [one for one in each if (":" in one) == (":" in next(iter(each)))]
    others = [one for one in each if one not in first]
    return [one for one in chain.from_iterable(zip_longest(first, others)) if one is not None]
