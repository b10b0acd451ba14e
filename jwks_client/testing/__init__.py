"""The kit to test an app without its identity provider, which also tests this library.

`FakeProvider` is a provider in memory: it issues tokens, publishes keys, rotates, withdraws and
breaks at a word, and is reached through an httpx transport, as an ASGI app or over real loopback
HTTP. `FakeClock` is a clock that moves when told. Neither is for production.
"""

from ._clock import FakeClock
from ._provider import FakeProvider

__all__ = ["FakeClock", "FakeProvider"]
