"""The entries of a key set, each with its members, and its key or why it is unusable.

Must not depend on where the document came from. `_core.keysets.jwk` decides which entries are
usable.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from ..._core.encoding import tolerant_octets
from ..._core.keysets import jwk
from ..._core.keysets.jwk import Key, UnusableKey, present_members

__all__ = ["Entry", "read_entries"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """An entry of a key set.

    Attributes:
        index: its position in the document, from 0.
        jwk: its members, without empty ones; no members if it is not an object.
        key: the key, if it is usable.
        unusable: why it is unusable, otherwise.
    """

    index: int
    jwk: Mapping[str, Any]
    key: Key | None
    unusable: UnusableKey | None

    @property
    def kid(self) -> str | None:
        """Return its kid, if that is a string."""
        return self.word("kid")

    @property
    def title(self) -> str:
        """Return its kid, or its position if it has none."""
        return self.kid if self.kid is not None else f"#{self.index + 1}"

    @property
    def modulus(self) -> bytes | None:
        """Return the octets of an RSA modulus, as published; None if they cannot be read."""
        return tolerant_octets(self.jwk.get("n"), 4096)

    @property
    def size(self) -> str:
        """Return the bits of an RSA modulus, the curve, or the parameter set; empty if unknown."""
        match self.word("kty"):
            case "RSA":
                modulus = self.modulus
                return "" if modulus is None else str(int.from_bytes(modulus, "big").bit_length())
            case "EC" | "OKP":
                return self.word("crv") or ""
            case "AKP":
                return self.word("alg") or ""
            case _:
                return ""

    @property
    def material(self) -> str | None:
        """Return an identifier of its key material; None if the material cannot be read."""
        if self.key is not None:
            return self.key.thumbprint
        modulus = self.modulus
        return None if modulus is None else f"RSA {modulus.lstrip(bytes(1)).hex()}"

    def word(self, member: str) -> str | None:
        """Return a member, if it is a string."""
        value = self.jwk.get(member)
        return value if isinstance(value, str) else None


def read_entries(document: bytes, max_keys: int) -> tuple[Entry, ...]:
    """Return every entry of a key set, in its order.

    Raises `BadKeySet` if it is not a key set (RFC 7517, section 5), or has too many entries.
    """
    return tuple(
        Entry(
            index=index,
            jwk=present_members(cast("dict[str, Any]", entry)) if isinstance(entry, dict) else {},
            key=read if isinstance(read, Key) else None,
            unusable=read if isinstance(read, UnusableKey) else None,
        )
        for index, (entry, read) in enumerate(jwk.read_entries(document, max_keys=max_keys))
    )
