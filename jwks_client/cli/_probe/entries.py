"""The entries of a key set one by one: each with its members, and as the library reads it.

Must not depend on: where the document came from. `_core.keysets.jwk` decides which entries are
usable; `read_entries` asks it so that every entry gets a reason even if none is usable.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

from ..._core.encoding import tolerant_json, tolerant_octets
from ..._core.keysets.jwk import BadKeySet, Key, UnusableKey, present_members, read_key_set

__all__ = ["Entry", "read_entries"]

# An entry that is always usable (RFC 8037, appendix A.2), added last and dropped again: the library
# returns a reason for every entry only if one of them is usable.
_GOOD: Final = {
    "kty": "OKP",
    "crv": "Ed25519",
    "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """An entry of a key set.

    Attributes:
        index: its place in the document, from 0.
        jwk: its members, without those that are empty; no members where it is not an object.
        key: its key, if it is usable.
        unusable: the reason if it is not.
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
        """Return its kid, or its place where it has none."""
        return self.kid if self.kid is not None else f"#{self.index + 1}"

    @property
    def size(self) -> str:
        """Return the bits of an RSA modulus, the curve, or the parameter set; empty if unknown."""
        match self.word("kty"):
            case "RSA":
                octets = tolerant_octets(self.jwk.get("n"), 4096)
                return "" if octets is None else str(int.from_bytes(octets, "big").bit_length())
            case "EC" | "OKP":
                return self.word("crv") or ""
            case "AKP":
                return self.word("alg") or ""
            case _:
                return ""

    @property
    def material(self) -> str | None:
        """Return a name for its key material, whatever its kid; None if that cannot be read."""
        if self.key is not None:
            return self.key.thumbprint
        octets = tolerant_octets(self.jwk.get("n"), 4096)
        return None if octets is None else f"RSA {octets.lstrip(bytes(1)).hex()}"

    def word(self, member: str) -> str | None:
        """Return a member, if it is a string."""
        value = self.jwk.get(member)
        return value if isinstance(value, str) else None


def read_entries(document: bytes, max_keys: int) -> tuple[Entry, ...]:
    """Return every entry of a key set, in its order.

    Raises `BadKeySet` if it is not a key set (RFC 7517, section 5), or has too many entries.
    """
    try:
        value: object = tolerant_json(document)
    except ValueError:
        raise BadKeySet("its body is not JSON") from None
    top = cast("dict[str, Any]", value) if isinstance(value, dict) else {}
    jwks = top.get("keys")
    if not isinstance(jwks, list) or len(jwks) > max_keys:
        read_key_set(document, max_keys=max_keys)  # raises, and says what is wrong
        raise BadKeySet("it has no list 'keys'")
    key_set = read_key_set({"keys": [*jwks, _GOOD]}, max_keys=max_keys + 1)
    bad = {one.index: one for one in key_set.unusable}
    good = iter(key_set)
    return tuple(
        Entry(
            index=index,
            jwk=present_members(cast("dict[str, Any]", jwk)) if isinstance(jwk, dict) else {},
            key=None if index in bad else next(good),
            unusable=bad.get(index),
        )
        for index, jwk in enumerate(cast("list[object]", jwks))
    )
