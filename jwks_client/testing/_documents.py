"""The documents that a provider publishes, and their paths.

See OpenID Connect Discovery 1.0, section 4, and RFC 8414, section 3. Must not depend on how the
documents are requested.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, TypeAlias
from urllib.parse import urlsplit

from .._core.keysets.discovery import OAUTH_PATH, OPENID_PATH
from ._identity import KEY_PATH, path_of

if TYPE_CHECKING:
    from ._identity import Identity
    from ._serving.responder import Document

__all__ = ["Documents", "documents_of"]

Documents: TypeAlias = "dict[str, tuple[Document, Mapping[str, object]]]"

_KEY_SET: Final[Document] = "jwks.json"
_OIDC: Final[Document] = "openid-configuration"
_RFC_8414: Final[Document] = "oauth-authorization-server"


def documents_of(idp: Identity, members: Mapping[str, object], *, shaped: bool) -> Documents:
    """Return every document by its path.

    Arguments:
        members: of the key set, besides ``keys``.
        shaped: whether it imitates a provider, whose key set has one URL only.
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
    # A client made before serve() began still requests paths below the issuer's.
    for place in {path_of(idp.base_url), path_of(idp.issuer)}:
        if not shaped:
            documents[f"{place}{KEY_PATH}"] = (_KEY_SET, keys)
        documents[f"{place}{OPENID_PATH}"] = (_OIDC, metadata)
        documents[f"{OAUTH_PATH}{place}"] = (_RFC_8414, metadata)
    if shaped:
        documents[urlsplit(idp.discovery_url).path] = (_OIDC, metadata)
        documents[urlsplit(idp.jwks_url).path] = (_KEY_SET, keys)
    return documents
