"""Find problems of an issuer's metadata: the issuers and hosts that it names.

Must not depend on keys.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from .._output import printable
from .._probe.target import Inspection, metadata_of
from .finding import Finding

__all__ = ["of_metadata"]

_ISSUER: Final = "OpenID Connect Discovery 1.0, section 4.3; RFC 8414, section 3.3"


def of_metadata(inspection: Inspection) -> Iterator[Finding]:
    """Yield findings on the metadata that led to the key set, if any."""
    if inspection.metadata is None:
        return
    document = metadata_of(inspection.metadata)
    if not document:
        return
    yield from _of_issuer(inspection, document.get("issuer"))
    yield from _of_access_tokens(document)
    url, home = document.get("jwks_uri"), urlsplit(inspection.metadata.url).hostname
    if isinstance(url, str) and inspection.keys is not None and urlsplit(url).hostname != home:
        yield Finding(
            code="foreign_jwks_uri",
            severity="warning",
            message=f"jwks_uri {printable(url)} is on another host, whose owner can sign tokens; "
            "make sure that it belongs to the provider",
            see="RFC 8414, section 2",
        )


def _of_issuer(inspection: Inspection, found: object) -> Iterator[Finding]:
    wanted = inspection.issuer
    if wanted is None or found == wanted:
        return
    if not isinstance(found, str):
        yield Finding(
            code="issuer_mismatch",
            severity="error",
            message="the metadata has no issuer, so clients reject it",
            see=_ISSUER,
        )
    elif found.rstrip("/") != wanted.rstrip("/"):
        yield Finding(
            code="issuer_mismatch",
            severity="error",
            message=f"the metadata at {printable(wanted)} names the issuer {printable(found)}; a "
            "client that is configured with the former rejects it",
            see=_ISSUER,
        )
    elif wanted == inspection.target:  # else the URL of the metadata was given
        yield Finding(
            code="issuer_spelling",
            severity="info",
            message=f"the metadata spells the issuer {printable(found)}; the trailing slash "
            "matters, so configure clients with that spelling",
            see=_ISSUER,
        )


def _of_access_tokens(document: Mapping[str, Any]) -> Iterator[Finding]:
    # AD FS puts this issuer into access tokens, and the metadata's issuer into ID tokens only.
    own = document.get("access_token_issuer")
    if isinstance(own, str) and own != document.get("issuer"):
        yield Finding(
            code="access_token_issuer",
            severity="warning",
            message=f"access_token_issuer is {printable(own)}: access tokens name it as their "
            "issuer, and a client that accepts only the issuer of the metadata refuses them; "
            "configure both, Provider(issuer=(…, …), discovery_url=…)",
            see="AD FS: access_token_issuer in the OpenID Connect metadata",
        )
