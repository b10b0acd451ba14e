"""What a provider publishes, and at which paths.

Owns: the places of the documents (OpenID Connect Discovery 1.0, section 4; RFC 8414, section 3) and
their content. May not know: how they are asked for.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, TypeAlias
from urllib.parse import urlsplit

from ._identity import path_of

if TYPE_CHECKING:
    from ._identity import Identity
    from ._serving.responder import Document

__all__ = ["Documents", "documents_of"]

Documents: TypeAlias = "dict[str, tuple[Document, Mapping[str, object]]]"

_KEY_SET: Final[Document] = "jwks.json"
_OIDC: Final[Document] = "openid-configuration"
_RFC_8414: Final[Document] = "oauth-authorization-server"


def documents_of(idp: Identity, members: Mapping[str, object], *, shaped: bool) -> Documents:
    """Every document by its path.

    Arguments:
        members: what the key set has beside ``keys``.
        shaped: whether it has the shape of a provider, whose key set is at one place alone.
    """
    keys = {**idp.jwks(), **members}
    metadata = {
        "issuer": idp.issuer,
        "jwks_uri": idp.jwks_url,
        "response_types_supported": ["code"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": [idp.algorithm],
    }
    documents: Documents = {}
    # A client made before serve() began still asks under the issuer's own path.
    for place in {path_of(idp.base_url), path_of(idp.issuer)}:
        if not shaped:
            documents[f"{place}/.well-known/{_KEY_SET}"] = (_KEY_SET, keys)
        documents[f"{place}/.well-known/{_OIDC}"] = (_OIDC, metadata)
        documents[f"/.well-known/{_RFC_8414}{place}"] = (_RFC_8414, metadata)
    if shaped:
        documents[urlsplit(idp.discovery_url).path] = (_OIDC, metadata)
        documents[urlsplit(idp.jwks_url).path] = (_KEY_SET, keys)
    return documents
