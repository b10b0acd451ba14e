"""The kit to test an app without its identity provider, which also tests this library.

`FakeProvider` is a provider in memory: it issues tokens, publishes keys, rotates, withdraws and
breaks at a word, and is reached through an httpx transport, as an ASGI app or over real loopback
HTTP. It takes the shape of a real provider (`FakeProvider.as_provider`) and forges what attackers
send (`FakeProvider.forge`). `FakeClock` is a clock that moves when told. `provider` is the same for
the length of a block, as the pytest fixtures have it. None of it is for production.
"""

from ._clock import FakeClock
from ._context import provider
from ._forge.forged_token import ForgedToken
from ._provider import FakeProvider

__all__ = ["FakeClock", "FakeProvider", "ForgedToken", "provider"]
