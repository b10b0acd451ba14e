"""The published keys of one provider, and its signing key.

Must not depend on tokens or servers. The caller holds the lock.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .signing_key import SigningKey

__all__ = ["KeyRing"]


class KeyRing:
    """Published keys, oldest first, one of which is the signing key.

    Arguments:
        algorithm: of its keys; an unknown one is a ValueError.
        kid: returns the kid of the nth key, which has that algorithm.
    """

    def __init__(self, algorithm: str, kid: Callable[[int, str], str]) -> None:
        self.algorithm = algorithm
        self._kid = kid
        self._numbers = itertools.count(1)
        self._stranger: SigningKey | None = None
        self.signing = self._make(kid(next(self._numbers), algorithm))
        self.published: dict[str, SigningKey] = {self.signing.kid: self.signing}

    def reshape(self, algorithm: str, kid: Callable[[int, str], str]) -> None:
        """Start again with one key of this algorithm and naming."""
        name = kid(1, algorithm)
        same = algorithm == self.algorithm
        self.algorithm, self._kid, self._numbers = algorithm, kid, itertools.count(2)
        self.signing = replace(self.signing, kid=name) if same else self._make(name)
        self.published = {name: self.signing}

    def make_next(self) -> SigningKey:
        """Make the next key without publishing it; slow, but needs no lock."""
        return self._make(self._kid(next(self._numbers), self.algorithm))

    def publish(self, key: SigningKey, *, overlap: bool) -> None:
        """Make this the signing key; without overlap, withdraw the others."""
        if not overlap:
            self.published.clear()
        self.published[key.kid] = self.signing = key

    def revoke(self, kid: str) -> None:
        """Withdraw a published key; a signing key is replaced."""
        self._check_published(kid)
        if kid == self.signing.kid:
            self.publish(self.make_next(), overlap=True)
        del self.published[kid]

    def swap(self, kid: str) -> None:
        """Replace the key under a published kid."""
        self._check_published(kid)
        self.published[kid] = key = self._make(kid)
        if kid == self.signing.kid:
            self.signing = key

    def stranger(self, kid: str) -> SigningKey:
        """Return an unpublished key with any kid; its material is always the same."""
        if self._stranger is None or self._stranger.algorithm != self.algorithm:
            self._stranger = self._make(kid)
        return replace(self._stranger, kid=kid)

    def _make(self, kid: str) -> SigningKey:
        from .signing_key import make_key

        return make_key(self.algorithm, kid, borrower=self)

    def _check_published(self, kid: str) -> None:
        if kid not in self.published:
            raise ValueError(f"kid must be one of {', '.join(self.published)}, got {kid!r}")
