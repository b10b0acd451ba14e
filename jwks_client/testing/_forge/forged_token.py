"""A forged token, and what makes a method of `Forge` of the few lines that forge it.

Owns: `ForgedToken`, `Bench`, `Trick`. May not know: any trick.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Self, overload

from ..._core.provider import Provider
from ...errors import TokenErrorCode
from .._shapes.drafts import SUBJECT, Draft, Wish

if TYPE_CHECKING:
    from .._keys.signing_key import SigningKey

__all__ = ["LASTING", "Bench", "Draft", "ForgedToken", "Trick", "trick"]

# Forged tokens are often made when tests are collected, and used when the last of them runs.
LASTING: Final = 24 * 3600


class ForgedToken(str):
    """A token that a client must refuse; it is the token itself, as a string.

    Attributes:
        name: what is wrong with it, such as ``wrong_audience``; pytest shows it as the test's id.
        code: of the `TokenError` that a client of this one provider raises.
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
    """What a forger works with.

    Arguments:
        provider: who is to refuse the tokens.
        draft: makes a token not signed yet of what a caller wishes.
        stranger: makes a key of this kid that nobody publishes.
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
        """A token signed by a key that nobody publishes, under the kid that its header names.

        Arguments:
            brings: header members made of that key.
        """
        stranger = self.stranger(str(draft.header["kid"]))
        draft.header.update(brings(stranger))
        return stranger.sign_compact(*draft.octets())


@dataclass(frozen=True, slots=True)
class Trick:
    """One way to forge, as a method of `Forge` that takes what ``issue`` takes."""

    code: TokenErrorCode
    when: Callable[[Provider], bool]
    forge: Callable[[Any, Draft], str]

    @property
    def name(self) -> str:
        """What it is called."""
        return self.forge.__name__

    @overload
    def __get__(self, forge: None, owner: type[Bench]) -> Trick: ...

    @overload
    def __get__(self, forge: Bench, owner: type[Bench]) -> TrickOf: ...

    def __get__(self, forge: Bench | None, owner: type[Bench]) -> Trick | TrickOf:
        return self if forge is None else TrickOf(self.name, self.code, self._bound(forge))

    def _bound(self, forge: Bench) -> Callable[[Wish], str]:
        def make(wish: Wish) -> str:
            if not self.when(forge.provider):
                raise ValueError(f"{forge.provider.name} does not check what {self.name}() breaks")
            return self.forge(forge, forge.draft(wish))

        return make


@dataclass(frozen=True, slots=True)
class TrickOf:
    """A trick of one provider's forge."""

    name: str
    code: TokenErrorCode
    make: Callable[[Wish], str]

    def __call__(
        self,
        sub: object = SUBJECT,
        scope: object = None,
        expires_in: float | None = LASTING,
        *,
        headers: Mapping[str, object] | None = None,
        **claims: object,
    ) -> ForgedToken:
        """Forge a token. ValueError where the provider at hand would accept it."""
        wish = Wish(
            sub=sub, scope=scope, expires_in=expires_in, headers=headers or {}, claims=claims
        )
        return ForgedToken(self.make(wish), self.name, self.code)


def _always(_: Provider) -> bool:
    return True


def trick(
    code: TokenErrorCode, *, when: Callable[[Provider], bool] = _always
) -> Callable[[Callable[[Any, Draft], str]], Trick]:
    """Make a method of what forges a draft.

    Arguments:
        code: with which the token is refused.
        when: whether a provider refuses it at all.
    """
    return lambda forge: Trick(code, when, forge)
