"""The record that processes share through a store: its format, seal, binding and age.

Must not depend on: stores, clocks, key sets. A record is ASCII: a line with the format and the
seal, a line of JSON, then the body of the provider's response in base64. It contains the body
unchanged, with the headers that determine its lifetime, its validators and its age, and no verdict.
Each reader parses the body and computes lifetimes again, by its own settings.

Theory of operation. The seal is an HMAC-SHA256 over the *binding* and everything after the first
line. The binding is everything that a fetch depends on: URLs, issuer, allow_http, proxy,
authorities, static headers, store_scope. If a record was written for another configuration, moved
to another name, or truncated, its seal does not match. So an attacker who can write to the store,
but does not know the secret, cannot plant a key. They can replay an earlier record; its age shows
that.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import math
from base64 import b64encode
from binascii import a2b_base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from ..encoding import strict_object
from ..provider import IssuerTemplate
from .freshness import CACHING_HEADERS

if TYPE_CHECKING:
    from ..provider import Provider

BadRecordCode: TypeAlias = Literal[
    "record_too_large", "not_a_record", "other_version", "seal_missing", "seal_wrong"
]

_FORMAT: Final = b"jwks_client/1"
_LONGEST_HEAD: Final = 128
_LONGEST_FACTS: Final = 16 * 1024
_LONGEST_TEXT: Final = 2048
_LATEST: Final = 253_402_300_799.0  # the end of the year 9999
# Makes guessing a weak password among the headers cost this many hashes per guess.
_STRETCH: Final = 100_000


class BadRecord(ValueError):
    """A stored value that must not be used; ``code`` says why."""

    def __init__(self, code: BadRecordCode) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A provider's response as one process saw it.

    Arguments:
        body: the body of the response with the key set, decompressed.
        headers: the headers that determine its lifetime, with lower-case names.
        url: the key set's URL, which discovery may have named.
        etag, last_modified: validators for a conditional request.
        asked_at: when it was requested, in seconds since the epoch by the writer's clock.
        age: seconds from then to the write, by the writer's monotonic clock.
    """

    body: bytes
    headers: Mapping[str, str]
    url: str
    etag: str | None
    last_modified: str | None
    asked_at: float
    age: float


@dataclass(frozen=True, slots=True)
class Binding:
    """The configuration that records of one key set belong to.

    Arguments:
        name: the name of its records in a store; depends on no secret.
        material: what a seal covers in addition to the record.
    """

    name: str
    material: bytes


def binding_of(
    provider: Provider, *, proxy: str | None, authorities: bytes | None, own_http: bool
) -> Binding | None:
    """Return the binding of a provider's key set, or None if it must not use a store.

    Static headers and a proxy's password are stretched before they are hashed. The name contains 32
    bits of the result: enough to separate two configurations, too little to find the secrets.

    Arguments:
        provider: the provider of the key set.
        proxy: the URL of the configured proxy.
        authorities: the contents of ``ca_file``.
        own_http: the HTTP client is caller-supplied.
    """
    headers = provider.headers
    if (own_http or callable(headers)) and provider.store_scope is None:
        return None  # the settings do not describe everything that such a fetch depends on
    public = {
        "allow_http": provider.allow_http,
        "authorities": None if authorities is None else hashlib.sha256(authorities).hexdigest(),
        "discovery_url": provider.discovery_url,
        "issuer": _issuer(provider.issuer),
        "jwks_url": provider.jwks_url,
        "own_http": own_http,
        "scope": provider.store_scope,
    }
    salt = _FORMAT + json.dumps(public, sort_keys=True).encode()
    sent = {} if callable(headers) else dict(headers or {})
    private = b""
    if sent or proxy is not None:
        secret = json.dumps([sorted(sent.items()), proxy]).encode()
        private = hashlib.pbkdf2_hmac("sha256", secret, salt, _STRETCH)
    digest = hashlib.sha256(salt + private[:4]).hexdigest()
    return Binding(name=f"keys-{digest[:32]}", material=hashlib.sha256(salt + private).digest())


def seal(record: Record, binding: Binding, secrets: tuple[bytes, ...]) -> bytes:
    """Return a record as bytes: sealed with the first secret, or marked as unsealed without one."""
    facts = {
        "age": record.age,
        "asked_at": record.asked_at,
        "etag": record.etag,
        "headers": dict(record.headers),
        "last_modified": record.last_modified,
        "url": record.url,
    }
    rest = json.dumps(facts, sort_keys=True).encode() + b"\n" + b64encode(record.body)
    kind, key = (b"sealed", secrets[0]) if secrets else (b"unsealed", b"")
    return b" ".join((_FORMAT, kind, _mark(key, binding, rest))) + b"\n" + rest


def unseal(value: bytes, binding: Binding, secrets: tuple[bytes, ...], max_body: int) -> Record:
    """Return the record in ``value`` if a known secret sealed it for this binding.

    Raises `BadRecord`.

    The size is checked first, then the seal; only then is anything parsed.
    """
    if len(value) > longest(max_body):
        raise BadRecord("record_too_large")
    head, _, rest = value.partition(b"\n")
    words = head[:_LONGEST_HEAD].split(b" ")
    if words[0] != _FORMAT or len(words) != 3:
        raise BadRecord("other_version" if head.startswith(b"jwks_client/") else "not_a_record")
    kind = b"sealed" if secrets else b"unsealed"
    if words[1] != kind:
        raise BadRecord("seal_missing" if secrets else "seal_wrong")
    marks = (_mark(secret, binding, rest) for secret in secrets or (b"",))
    if not any(hmac.compare_digest(mark, words[2]) for mark in marks):
        raise BadRecord("seal_wrong")
    facts, _, body = rest.partition(b"\n")
    return _read(facts, body, max_body)


def longest(max_body: int) -> int:
    """Return the maximum length of a record whose body is within ``max_body``."""
    return _LONGEST_HEAD + _LONGEST_FACTS + 4 * (max_body // 3 + 1)


def age_of(record: Record, wall: float, in_store: float | None) -> float | None:
    """Return the seconds since the provider was asked, or None if they are unknown.

    The larger of two values counts: the difference of the wall clocks, which another host's clock
    can falsify, and the store's own measure, which a replayed record resets.

    Arguments:
        record: the record.
        wall: now, in seconds since the epoch.
        in_store: seconds since the write, by the store's own clock or by observation.
    """
    by_wall = wall - record.asked_at
    if in_store is None:
        return by_wall if by_wall >= 0 else None
    return max(by_wall, record.age + in_store)


def _issuer(issuer: object) -> object:
    match issuer:
        case IssuerTemplate():
            return {"template": issuer.template}
        case tuple():
            return [str(one) for one in issuer]
        case str():
            return issuer
        case _:
            return None


def _mark(key: bytes, binding: Binding, rest: bytes) -> bytes:
    # The binding is a digest of fixed length, so it cannot run into the record.
    return hmac.digest(key, _FORMAT + binding.material + rest, "sha256").hex().encode()


def _read(facts: bytes, body: bytes, max_body: int) -> Record:
    found = strict_object(facts) if len(facts) <= _LONGEST_FACTS else None
    try:
        octets = a2b_base64(body, strict_mode=True)
    except ValueError:
        raise BadRecord("not_a_record") from None
    if found is None:
        raise BadRecord("not_a_record")
    if len(octets) > max_body:
        raise BadRecord("record_too_large")
    headers = found.get("headers")
    if not isinstance(headers, dict) or not all(_is_text(value) for value in headers.values()):
        raise BadRecord("not_a_record")
    return Record(
        body=octets,
        headers={name: headers[name] for name in CACHING_HEADERS if name in headers},
        url=_text(found.get("url")),
        etag=_validator(found.get("etag")),
        last_modified=_validator(found.get("last_modified")),
        asked_at=_number(found.get("asked_at")),
        age=_number(found.get("age")),
    )


def _is_text(value: object) -> bool:
    return isinstance(value, str) and len(value) <= _LONGEST_TEXT and value.isascii()


def _text(value: Any) -> str:
    if not _is_text(value):
        raise BadRecord("not_a_record")
    return str(value)


def _validator(value: Any) -> str | None:
    if value is None:
        return None
    if not _is_text(value) or len(value) > 256 or not value.isprintable():
        raise BadRecord("not_a_record")
    return str(value)


def _number(value: Any) -> float:
    good = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not good or not math.isfinite(value) or not 0 <= value <= _LATEST:
        raise BadRecord("not_a_record")
    return float(value)
