"""Read a provider's key set into an immutable `KeySet`, and select the key for a token.

Covers JWK Sets (RFC 7517) and thumbprints (RFC 7638). Must not depend on: where the bytes came
from, how old they are, whose tokens they are for.

Reading tolerates the oddities of real providers, and entries are independent: a bad entry is kept
with its reason and never affects the others. Selection is exact: what a token says about its key
narrows the choice and never widens it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypeAlias, TypeVar, cast

from ..encoding import Repeated, to_base64url, tolerant_json
from . import reasons

if TYPE_CHECKING:
    from .algorithms import Verify

__all__ = ["BadKeySet", "Key", "KeySet", "UnusableKey", "present_members", "read_key_set"]

MAX_CANDIDATES: Final = 4
_PRIVATE_MEMBERS = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """One public key that can verify signatures.

    Attributes:
        kid: the key ID, or None (RFC 7517, section 4.5).
        kty: the key type: RSA, EC, OKP or AKP.
        crv: the curve, for EC and OKP.
        alg: the algorithm the entry names, or None.
        use: ``sig`` or None.
        thumbprint: the SHA-256 thumbprint of its material (RFC 7638).
        key: the public key of the cryptography library, as ``jwt.decode`` accepts it.
        issuer: the entry's own ``issuer`` member, if any (Entra ID).
        algorithms: the algorithms that the key fits.
    """

    kid: str | None
    kty: str
    crv: str | None
    alg: str | None
    use: str | None
    thumbprint: str
    key: Any = field(repr=False, compare=False)  # `jwt.decode` is not typed for ML-DSA keys
    issuer: str | None = field(default=None, repr=False)
    algorithms: frozenset[str] = field(default=frozenset(), repr=False)
    verifiers: Mapping[str, Verify] = field(
        default_factory=dict[str, "Verify"], repr=False, compare=False
    )

    def may_be_of(self, issuer: str, value: str) -> bool:
        """Return whether the entry's own ``issuer``, if any, permits this issuer of a template.

        Arguments:
            issuer: the issuer in question.
            value: the tenant in it; it replaces one ``{…}`` of any name.
        """
        if self.issuer is None:
            return True
        before, brace, rest = self.issuer.partition("{")
        _, closing, after = rest.partition("}")
        return (before + value + after if brace and closing else self.issuer) == issuer


@dataclass(frozen=True, slots=True, kw_only=True)
class UnusableKey:
    """An entry of a key set that cannot verify anything, and why.

    Attributes:
        index: its position in the document, from 0.
        kid, kty, alg, use: its members if they are strings, else None.
        code: the reason for programs, such as ``weak_key``.
        reason: the reason for people; it never shows key material.
    """

    index: int
    kid: str | None
    kty: str | None
    alg: str | None
    use: str | None
    code: str
    reason: str


@dataclass(frozen=True, slots=True)
class Found:
    """The keys that may have signed, in the order to try them."""

    keys: tuple[Key, ...]


@dataclass(frozen=True, slots=True)
class Missing:
    """No entry has the kid; or the token has none, and no key fits."""


@dataclass(frozen=True, slots=True)
class Unfit:
    """Keys with the kid exist, but none fits the algorithm."""


@dataclass(frozen=True, slots=True)
class Unusable:
    """The kid exists, but its entry is unusable."""


@dataclass(frozen=True, slots=True)
class Ambiguous:
    """More keys fit than are tried."""


Chosen: TypeAlias = Found | Unfit | Unusable | Ambiguous
Selection: TypeAlias = Chosen | Missing
_MISSING, _UNFIT, _UNUSABLE, _AMBIGUOUS = Missing(), Unfit(), Unusable(), Ambiguous()
T = TypeVar("T")


class BadKeySet(ValueError):
    """A document that is not a key set, or has no usable key."""


class KeySet:
    """An immutable set of keys as a provider published it. Iterates over its usable keys.

    Attributes:
        unusable: the entries that cannot verify anything, each with its ``reason``.
    """

    __slots__ = ("_by_kid", "_keys", "chosen", "unusable")

    unusable: tuple[UnusableKey, ...]

    def __init__(self, keys: tuple[Key, ...], unusable: tuple[UnusableKey, ...] = ()) -> None:
        by_kid: dict[str | None, list[Key]] = {}
        for key in keys:
            by_kid.setdefault(key.kid, []).append(key)
        for bad in unusable:
            if bad.kid is not None:
                by_kid.setdefault(bad.kid, [])
        self._keys = keys
        self._by_kid = {kid: tuple(some) for kid, some in by_kid.items()}
        # Results of select() for kids of this set, so bounded by the set itself.
        self.chosen: dict[tuple[str | None, str], Chosen] = {}
        self.unusable = unusable

    def __iter__(self) -> Iterator[Key]:
        return iter(self._keys)

    def __len__(self) -> int:
        return len(self._keys)

    def __contains__(self, key: object) -> bool:
        if type(key) is not Key or key.kid not in self._by_kid:
            return False
        return key in self._by_kid[key.kid]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, KeySet):
            return NotImplemented
        return self._keys == other._keys and self.unusable == other.unusable

    def __hash__(self) -> int:
        return hash((self._keys, self.unusable))

    def __repr__(self) -> str:
        return f"<KeySet of {len(self._keys)} keys, {len(self.unusable)} unusable>"

    def with_kid(self, kid: str) -> tuple[Key, ...]:
        """Return the usable keys with this kid."""
        return self._by_kid.get(kid, ())

    def select(self, kid: str | None, algorithm: str) -> Selection:
        """Return the keys for a token with this ``kid`` (or None) and ``alg`` (RFC 7515, 4.1.4).

        A kid is compared exactly; a key without a kid never matches a token with one. One to four
        fitting keys are tried in order; more are ambiguous.
        """
        if kid is None:
            return self._fitting(self._keys, algorithm, _MISSING)
        known = self.chosen.get((kid, algorithm))
        if known is not None:
            return known
        some = self._by_kid.get(kid)
        if some is None:
            return _MISSING
        chosen = self._fitting(some, algorithm, _UNFIT if some else _UNUSABLE)
        self.chosen[kid, algorithm] = chosen
        return chosen

    @staticmethod
    def _fitting(keys: tuple[Key, ...], algorithm: str, none: T) -> Found | Ambiguous | T:
        fitting = tuple(key for key in keys if algorithm in key.algorithms)
        if len(fitting) > MAX_CANDIDATES:
            # Several entries of one key (for two certificates, say) are one candidate.
            once: dict[tuple[str, str | None], Key] = {}
            for key in fitting:
                once.setdefault((key.thumbprint, key.issuer), key)
            fitting = tuple(once.values())
        if not fitting:
            return none
        return Found(fitting) if len(fitting) <= MAX_CANDIDATES else _AMBIGUOUS


def read_key_set(document: bytes | str | Mapping[str, Any], *, max_keys: int) -> KeySet:
    """Read a JWK Set (RFC 7517, section 5).

    Arguments:
        document: the set as bytes, text, or a parsed object.
        max_keys: the maximum number of entries.

    Raises `BadKeySet` if it is not a key set or has no usable key.
    """
    entries = [read for _, read in read_entries(document, max_keys=max_keys)]
    keys = [one for one in entries if isinstance(one, Key)]
    unusable = [one for one in entries if isinstance(one, UnusableKey)]
    if not keys:
        if not unusable:
            raise BadKeySet("it has no entries")
        why = reasons.unusable(one.reason for one in unusable)
        raise BadKeySet(f"none of its {len(unusable)} entries is usable ({why})")
    return KeySet(tuple(keys), tuple(unusable))


def read_entries(
    document: bytes | str | Mapping[str, Any], *, max_keys: int
) -> list[tuple[object, Key | UnusableKey]]:
    """Return each entry of a JWK Set, in its order, as a key or with the reason why it is unusable.

    Raises `BadKeySet` if it is not a key set or has too many entries.
    """
    entries = _entries(document)
    if len(entries) > max_keys:
        raise BadKeySet(f"it has more than {max_keys} entries ({len(entries)}; see max_keys)")
    return [(entry, _read_entry(index, entry)) for index, entry in enumerate(entries)]


def _entries(document: bytes | str | Mapping[str, Any]) -> list[Any]:
    if isinstance(document, Mapping):
        value: object = dict(document)
    else:
        raw = document.encode("utf-8", "surrogatepass") if isinstance(document, str) else document
        try:
            value = tolerant_json(raw)
        except ValueError:
            raise BadKeySet("its body is not JSON") from None
    if not isinstance(value, dict):
        raise BadKeySet("it is JSON, but not an object")
    if isinstance(value, Repeated):
        raise BadKeySet("it has a duplicate member")
    entries = cast("dict[str, object]", value).get("keys")
    if not isinstance(entries, list):
        raise BadKeySet("it has no list 'keys'")
    return entries


def _read_entry(index: int, entry: object) -> Key | UnusableKey:
    from .algorithms import Unbuildable, build, verifier

    written: dict[str, Any] = cast("dict[str, Any]", entry) if isinstance(entry, dict) else {}
    jwk = present_members(written)

    def word(member: str) -> str | None:
        value = jwk.get(member)
        return value if isinstance(value, str) else None

    try:
        _check_entry(entry, jwk)
        built = build(jwk)
        algorithms = _algorithms_of(jwk.get("alg"), built.algorithms)
    except Unbuildable as bad:
        return UnusableKey(
            index=index,
            kid=word("kid"),
            kty=word("kty"),
            alg=word("alg"),
            use=word("use"),
            code=bad.code,
            reason=str(bad),
        )
    return Key(
        kid=word("kid"),
        kty=built.members["kty"],
        crv=built.members.get("crv"),
        alg=word("alg"),
        use=word("use"),
        thumbprint=thumbprint(built.members),
        key=built.key,
        # An issuer that is empty or not a string matches no tenant, rather than every tenant.
        issuer=(word("issuer") or "") if "issuer" in written else None,
        algorithms=algorithms,
        verifiers={name: verifier(built.key, name) for name in algorithms},
    )


def present_members(jwk: Mapping[str, Any]) -> dict[str, Any]:
    """Return the members that are present: serializers write null, "" or [] for absent ones.

    An empty string is a valid kid.
    """
    return {
        name: value
        for name, value in jwk.items()
        if not (value is None or value == [] or (value == "" and name != "kid"))
    }


def _check_entry(entry: object, jwk: dict[str, Any]) -> None:
    from .algorithms import Unbuildable

    if not isinstance(entry, dict):
        raise Unbuildable("malformed_key", "it is not a JSON object")
    if isinstance(entry, Repeated):
        raise Unbuildable("repeated_member", "it has a duplicate member")
    if not _PRIVATE_MEMBERS.isdisjoint(jwk) and jwk.get("kty") != "oct":
        raise Unbuildable(
            "private_key", "it contains private members; treat that key as compromised"
        )
    for member in ("kid", "alg", "use"):
        if member in jwk and not isinstance(jwk[member], str):
            raise Unbuildable("malformed_key", f"{member} must be a string")
    if jwk.get("use", "sig") != "sig":
        raise Unbuildable(
            "not_for_signatures",
            f"its use is {reasons.value(jwk['use'])}; it must be 'sig' or absent",
        )
    operations = jwk.get("key_ops", ["verify"])
    if not isinstance(operations, list) or not all(
        isinstance(one, str) for one in cast("list[object]", operations)
    ):
        raise Unbuildable("malformed_key", "key_ops must be a list of strings")
    names = cast("list[str]", operations)
    if len(set(names)) != len(names):
        raise Unbuildable("malformed_key", "key_ops names an operation twice")
    if "verify" not in names:
        raise Unbuildable("not_for_signatures", "its key_ops do not contain verify")


def _algorithms_of(named: str | None, fitting: frozenset[str]) -> frozenset[str]:
    from .algorithms import Unbuildable

    if named is None:
        return fitting
    if named not in fitting:
        raise Unbuildable(
            "wrong_algorithm",
            f"its alg {reasons.value(named)} is not a signature algorithm for this type of key",
        )
    # EdDSA and the curve's own name are two names of one algorithm. Each of RSA's six algorithms is
    # distinct.
    return fitting if "EdDSA" in fitting else frozenset({named})


def thumbprint(members: Mapping[str, str]) -> str:
    """Return the SHA-256 thumbprint of the required members of a key (RFC 7638, section 3)."""
    import hashlib  # PyJWT imports it too, when a client is made

    text = json.dumps(members, sort_keys=True, separators=(",", ":"))
    return to_base64url(hashlib.sha256(text.encode()).digest())
