"""What the doctor finds in an issuer's metadata.

Owns: the comparison of issuers and hosts. May not know: keys.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final
from urllib.parse import urlsplit

from .._output import printable
from .._probe.target import Look, metadata_of
from .finding import Finding

__all__ = ["of_metadata"]

_ISSUER: Final = "OpenID Connect Discovery 1.0, section 4.3; RFC 8414, section 3.3"


def of_metadata(look: Look) -> Iterator[Finding]:
    """Findings on the metadata by which a key set was found, if it was."""
    if look.metadata is None:
        return
    document = metadata_of(look.metadata)
    if not document:
        return
    if look.issuer is not None:
        yield from _of_issuer(look.issuer, document.get("issuer"), exact=look.exact)
    url, home = document.get("jwks_uri"), urlsplit(look.metadata.url).hostname
    if isinstance(url, str) and look.keys is not None and urlsplit(url).hostname != home:
        yield Finding(
            code="foreign_jwks_uri",
            severity="warning",
            message=f"its jwks_uri {printable(url)} is on another host, which thereby decides on "
            "its tokens; see that it is the provider's own",
            see="RFC 8414, section 2",
        )


def _of_issuer(wanted: str, found: object, *, exact: bool) -> Iterator[Finding]:
    if found == wanted:
        return
    if not isinstance(found, str):
        yield Finding(
            code="issuer_mismatch",
            severity="error",
            message="its metadata names no issuer, so that no client can tell whose it is",
            see=_ISSUER,
        )
    elif found.rstrip("/") != wanted.rstrip("/"):
        yield Finding(
            code="issuer_mismatch",
            severity="error",
            message=f"its metadata is at {printable(wanted)} and names the issuer "
            f"{printable(found)}: a client that is given the former refuses it",
            see=_ISSUER,
        )
    elif exact:
        yield Finding(
            code="issuer_spelling",
            severity="info",
            message=f"it spells itself {printable(found)}: the slash at the end counts, so give "
            "that to clients",
            see=_ISSUER,
        )
