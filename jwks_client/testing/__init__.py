"""Test an app without its identity provider.

`FakeProvider` is a provider in memory: it issues tokens, publishes, rotates and withdraws keys, and
fails on request. Clients reach it through an httpx transport, as an ASGI app or over loopback
HTTP. It can imitate a real provider (`FakeProvider.as_provider`) and forge tokens
(`FakeProvider.forge`). `FakeClock` is a clock that tests move. `provider` makes a `FakeProvider`
for the length of a block, like the pytest fixtures. Do not use any of this in production.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from ._clock import FakeClock
    from ._context import provider
    from ._forge.forged_token import ForgedToken
    from ._provider import FakeProvider

__all__ = ["FakeClock", "FakeProvider", "ForgedToken", "provider"]

# Imported when first used: pytest imports the plugin in this folder in every test run.
_HOMES: Final = {
    "FakeClock": "_clock",
    "FakeProvider": "_provider",
    "ForgedToken": "_forge.forged_token",
    "provider": "_context",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(f".{_HOMES[name]}", __name__), name)
    return value


def __dir__() -> list[str]:
    return sorted({*__all__, *(name for name in globals() if name.startswith("_"))})
