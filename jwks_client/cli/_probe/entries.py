"""The entries of a key set one by one: each as it stands in the document, and as it was read.

Owns: how an entry is told in a table or as JSON. May not know: where the document came from. Which
entries are usable, and why not, is what `_core.jwk` says; this only asks it in a way that tells of
every entry even where no single one is usable.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

from ..._core.encoding import tolerant_json, tolerant_octets
from ..._core.keysets.jwk import BadKeySet, Key, UnusableKey, read_key_set

__all__ = ["Entry", "read_entries"]

# An entry that is always usable (RFC 8037, appendix A.2), put last and dropped again: the reader
# gives a reason for every entry only where one of them can be used.
_GOOD: Final = {
    "kty": "OKP",
    "crv": "Ed25519",
    "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One entry of a key set.

    Attributes:
        index: its place in the document, from 0.
        jwk: its members as they stand there; empty where it is no object.
        key: the key it is, if it is usable.
        unusable: why it is not.
    """

    index: int
    jwk: Mapping[str, Any]
    key: Key | None
    unusable: UnusableKey | None

    @property
    def kid(self) -> str | None:
        """Its kid, if that is a string."""
        return self.word("kid")

    @property
    def title(self) -> str:
        """What to call it: its kid, or its place where it has none."""
        return self.kid if self.kid is not None else f"#{self.index + 1}"

    @property
    def size(self) -> str:
        """The bits of an RSA modulus, the curve, or the parameter set; empty if not to be seen."""
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
        """A name for what the key is made of, whatever its kid; None where that cannot be read."""
        if self.key is not None:
            return self.key.thumbprint
        octets = tolerant_octets(self.jwk.get("n"), 4096)
        return None if octets is None else f"RSA {octets.lstrip(bytes(1)).hex()}"

    def word(self, member: str) -> str | None:
        """A member, if it is a string."""
        value = self.jwk.get(member)
        return value if isinstance(value, str) else None


def read_entries(document: bytes, max_keys: int) -> tuple[Entry, ...]:
    """Every entry of a key set, in its order.

    Raises `BadKeySet` if it is no key set (RFC 7517, section 5), or has too many entries.
    """
    try:
        value: object = tolerant_json(document)
    except ValueError:
        raise BadKeySet("its body is not JSON") from None
    top = cast("dict[str, Any]", value) if isinstance(value, dict) else {}
    jwks = top.get("keys")
    if not isinstance(jwks, list) or len(jwks) > max_keys:
        read_key_set(document, max_keys=max_keys)  # which knows what is wrong
        raise BadKeySet("it has no list of keys")
    key_set = read_key_set({"keys": [*jwks, _GOOD]}, max_keys=max_keys + 1)
    bad = {one.index: one for one in key_set.unusable}
    good = iter(key_set)
    return tuple(
        Entry(
            index=index,
            jwk=cast("dict[str, Any]", jwk) if isinstance(jwk, dict) else {},
            key=None if index in bad else next(good),
            unusable=bad.get(index),
        )
        for index, jwk in enumerate(cast("list[object]", jwks))
    )
