"""One typed factory per provider, each returning a `Provider`: data, not behaviour.

Owns: the facts about providers. May not know: clients. A factory takes what is yours (an id, a
domain, an audience) and any field of `Provider` by keyword, as ``_make`` merges them.
"""

from .._core.provider import Cookie, Header, Query, Subprotocol
from ._generic import generic, oidc
from ._hanko import hanko, hanko_passkeys
from ._prelude import prelude, prelude_step_up
from ._stytch import stytch, stytch_b2b, stytch_connected_app, stytch_m2m
from ._wso2 import asgardeo, wso2

__all__ = [
    "Cookie",
    "Header",
    "Query",
    "Subprotocol",
    "asgardeo",
    "generic",
    "hanko",
    "hanko_passkeys",
    "oidc",
    "prelude",
    "prelude_step_up",
    "stytch",
    "stytch_b2b",
    "stytch_connected_app",
    "stytch_m2m",
    "wso2",
]
