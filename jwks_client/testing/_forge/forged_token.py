"""A forged token, and the descriptor that turns a few forging lines into a method of `Forge`.

Must not depend on any particular trick.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final, Protocol, Self, overload

from ..._core.provider import Provider
from ...errors import TokenErrorCode
from .._shapes.drafts import SUBJECT, Draft, Wish

if TYPE_CHECKING:
    from .._keys.signing_key import SigningKey

__all__ = ["LASTING", "Bench", "Draft", "ForgedToken", "Trick", "trick"]

# Forged tokens are often made when tests are collected, and used much later.
LASTING: Final = 24 * 3600


class ForgedToken(str):
    """A token that a client must refuse: a string with a name and a code.

    Attributes:
        name: the name of its flaw, such as ``wrong_audience``; pytest uses it as the test's id.
        code: the code of the `TokenError` that a client of this provider raises.
    """

    __slots__ = ("code", "name")

    name: str
    code: TokenErrorCode

    def __new__(cls, token: str, name: str, code: TokenErrorCode) -> Self:
        made = super().__new__(cls, token)
        made.name = name
        made.code = code
        return made

    def __repr__(self) -> str:
        return f"<forged token {self.name}: {self.code}>"

    def __reduce__(self) -> tuple[type[Self], tuple[str, str, TokenErrorCode]]:
        return type(self), (str(self), self.name, self.code)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """The tools of a `Forge`.

    Arguments:
        provider: the provider that must refuse the tokens.
        draft: makes an unsigned token from the arguments of ``issue``.
        stranger: makes an unpublished key with this kid.
        now: the time, in seconds since 1970.
    """

    provider: Provider
    draft: Callable[[Wish], Draft]
    stranger: Callable[[str], SigningKey]
    now: Callable[[], int]

    def signed_by_stranger(
        self,
        draft: Draft,
        brings: Callable[[SigningKey], Mapping[str, object]] = lambda _: {},
    ) -> str:
        """Return a token signed by an unpublished key, under the kid in its header.

        Arguments:
            brings: returns header members for that key.
        """
        stranger = self.stranger(str(draft.header["kid"]))
        draft.header.update(brings(stranger))
        return stranger.sign_compact(*draft.octets())


class HasBench(Protocol):
    """An object with a forge's tools."""

    @property
    def bench(self) -> Bench:
        """Return the tools."""
        ...


@dataclass(frozen=True, slots=True)
class Trick:
    """One way to forge a token; a method of `Forge` with the arguments of ``issue``."""

    code: TokenErrorCode
    when: Callable[[Provider], bool]
    forge: Callable[[Bench, Draft], str]

    @property
    def name(self) -> str:
        """The name of the trick."""
        return self.forge.__name__

    def forged(self, bench: Bench, wish: Wish) -> ForgedToken:
        """Forge a token."""
        return ForgedToken(self.forge(bench, bench.draft(wish)), self.name, self.code)

    @overload
    def __get__(self, forge: None, owner: type[HasBench]) -> Trick: ...

    @overload
    def __get__(self, forge: HasBench, owner: type[HasBench]) -> TrickOf: ...

    def __get__(self, forge: HasBench | None, owner: type[HasBench]) -> Trick | TrickOf:
        return self if forge is None else TrickOf(partial(self._forged_if_refused, forge.bench))

    def _forged_if_refused(self, bench: Bench, wish: Wish) -> ForgedToken:
        if not self.when(bench.provider):
            raise ValueError(f"{bench.provider.name} does not check for {self.name}()")
        return self.forged(bench, wish)


@dataclass(frozen=True, slots=True)
class TrickOf:
    """A trick as a method of one provider's forge."""

    make: Callable[[Wish], ForgedToken]

    def __call__(
        self,
        sub: object = SUBJECT,
        scope: object = None,
        expires_in: float | None = LASTING,
        *,
        headers: Mapping[str, object] | None = None,
        **claims: object,
    ) -> ForgedToken:
        """Forge a token. Raises ValueError if the provider would accept it."""
        return self.make(Wish(sub, scope, expires_in, headers, claims))


def _always(_: Provider) -> bool:
    return True


def trick(
    code: TokenErrorCode, *, when: Callable[[Provider], bool] = _always
) -> Callable[[Callable[[Bench, Draft], str]], Trick]:
    """Turn a function that forges a draft into a method of `Forge`.

    Arguments:
        code: the code of the refusal.
        when: returns whether a provider refuses the token.
    """
    return lambda forge: Trick(code, when, forge)
