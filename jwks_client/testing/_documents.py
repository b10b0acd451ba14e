"""The documents that a provider publishes, and their paths.

See OpenID Connect Discovery 1.0, section 4, and RFC 8414, section 3. Must not depend on how the
documents are requested.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

from .._core.keysets.discovery import OAUTH_PATH, OPENID_PATH
from ._identity import KEY_PATH, Identity, path_of
from ._serving.responder import KEY_SET, Document, Published

__all__ = ["Documents"]

_OIDC: Final[Document] = "openid-configuration"
_RFC_8414: Final[Document] = "oauth-authorization-server"


class Documents:
    """The documents of a `FakeProvider`.

    Arguments:
        identity: the provider of the documents.

    Attributes:
        more_metadata: additional members of the metadata.
    """

    def __init__(self, identity: Identity) -> None:
        self._identity = identity
        self.more_metadata: Mapping[str, object] = {}

    def published(self) -> Published:
        """Return every document by its path, as it is now."""
        idp = self._identity
        with idp.lock:
            shape = idp.shape
            shaped = shape.provider is not None  # then its key set has one URL only
            keys = {**idp.jwks(), **shape.document_members}
            metadata = {
                "issuer": idp.issuer,
                "jwks_uri": idp.jwks_url,
                "response_types_supported": ["code"],
                "subject_types_supported": ["public"],
                "id_token_signing_alg_values_supported": [idp.keys.algorithm],
                **self.more_metadata,
            }
            documents: dict[str, tuple[Document, Mapping[str, object]]] = {}
            # A client made before serve() began still requests paths below the issuer's.
            for place in {path_of(idp.base_url), path_of(idp.issuer)}:
                if not shaped:
                    documents[f"{place}{KEY_PATH}"] = (KEY_SET, keys)
                documents[f"{place}{OPENID_PATH}"] = (_OIDC, metadata)
                documents[f"{OAUTH_PATH}{place}"] = (_RFC_8414, metadata)
            if shaped:
                documents[urlsplit(idp.discovery_url).path] = (_OIDC, metadata)
                documents[urlsplit(idp.jwks_url).path] = (KEY_SET, keys)
            return Published(documents, shape.answer_headers)
