"""One typed factory per kind of token, each returning a `Provider`: data, not behaviour.

A factory accepts your account's ids (a domain, an audience), and any field of `Provider` by
keyword; ``_make`` merges the two. Must not depend on: clients.
"""

from .._core.locations import Cookie, Header, Query, Subprotocol
from .._core.unchecked import UNCHECKED
from ._auth0 import auth0
from ._authentik import authentik
from ._clerk import clerk
from ._cloudflare import cloudflare_access
from ._cognito import cognito_access, cognito_id
from ._descope import descope
from ._entra import entra, entra_b2c, entra_external_id, entra_multi_tenant
from ._forges import github_actions, gitlab
from ._generic import generic, oidc
from ._google import firebase, google
from ._hanko import hanko, hanko_passkeys, hanko_passkeys_transaction
from ._keycloak import keycloak
from ._kinde import kinde
from ._kubernetes import kubernetes
from ._logto import logto
from ._okta import okta
from ._ory import ory_hydra
from ._prelude import prelude, prelude_step_up
from ._stytch import stytch, stytch_b2b, stytch_connected_app, stytch_m2m
from ._supabase import supabase
from ._workos import workos
from ._wso2 import asgardeo, wso2
from ._zitadel import zitadel

__all__ = [
    "UNCHECKED",
    "Cookie",
    "Header",
    "Query",
    "Subprotocol",
    "asgardeo",
    "auth0",
    "authentik",
    "clerk",
    "cloudflare_access",
    "cognito_access",
    "cognito_id",
    "descope",
    "entra",
    "entra_b2c",
    "entra_external_id",
    "entra_multi_tenant",
    "firebase",
    "generic",
    "github_actions",
    "gitlab",
    "google",
    "hanko",
    "hanko_passkeys",
    "hanko_passkeys_transaction",
    "keycloak",
    "kinde",
    "kubernetes",
    "logto",
    "oidc",
    "okta",
    "ory_hydra",
    "prelude",
    "prelude_step_up",
    "stytch",
    "stytch_b2b",
    "stytch_connected_app",
    "stytch_m2m",
    "supabase",
    "workos",
    "wso2",
    "zitadel",
]
