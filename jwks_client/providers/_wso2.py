"""WSO2 Identity Server and Asgardeo, which is the same product as a service: access tokens."""

from __future__ import annotations

from typing import Final, Unpack

from .._core.provider import Provider
from .._core.unchecked import Unchecked
from ._checks import ClaimImplies
from ._identifiers import base_url as base
from ._identifiers import segment
from ._make import make
from ._options import OptionsExceptAudience, OptionsExceptIssuer

__all__ = ["asgardeo", "wso2"]

# RS256 by default; HS* and NONE can be configured too, but are never accepted.
_ALGORITHMS: Final = ("RS256", "RS384", "RS512", "PS256", "ES256", "ES384", "ES512", "EdDSA")
# Claims that WSO2 and OpenID Connect Core (sections 2 and 3.3.2.11) put into ID tokens only. An ID
# token may share issuer, audience and the absent typ with an access token. Refresh tokens
# have the typ rt+jwt, and the issuer as audience.
_ID_TOKEN: Final = ("at_hash", "c_hash", "isk", "nonce")
# An impersonator's subject token has ``may_act`` without ``aut``.
_NO_SUBJECT_TOKEN: Final = ClaimImplies("may_act", ("aut",))


def wso2(
    base_url: str = "https://localhost:9443",
    *,
    audience: str | tuple[str, ...] | Unchecked,
    tenant: str | None = None,
    issuer: str | tuple[str, ...] | None = None,
    **options: Unpack[OptionsExceptIssuer],
) -> Provider:
    """Return the provider of JWT access tokens of a WSO2 Identity Server.

    Refresh tokens are refused by ``typ``, and ID tokens by the claims that only they have. An ID
    token without any of these cannot be distinguished. If your release writes ``aut`` into every
    access token, ``required_claims=("aut",)`` refuses such ID tokens.

    To trust a server with the certificate that WSO2 ships (``wso2carbon``), use
    ``FetchPolicy(ca_file=…)``; TLS verification cannot be turned off.

    Arguments:
        base_url: scheme, host and port; for a sub-organization
            ``https://{host}/t/{root}/o/{org_id}``.
        audience: the application's client id, or an audience configured for it.
        tenant: the tenant's domain, such as ``acme.com``.
        issuer: the accepted ``iss``; None for the token endpoint's URL, which is WSO2's default.
        options: any other field of `Provider`.

    Limits: a configured issuer (resident entity id, FAPI2, mTLS alias) needs ``issuer=``.
    Applications get opaque tokens, which cannot be verified here, unless their token type is JWT.
    Checked against: wso2-extensions/identity-inbound-auth-oauth, JWTTokenIssuer.java,
    DefaultIDTokenBuilder.java, JwksEndpoint.java and OAuth2Util.java, 2026-11-25.
    """
    url = base("base_url", base_url, options)
    if tenant is not None:
        url = f"{url}/t/{segment('tenant', tenant, 'the domain of the tenant', dots=True)}"
    return make(
        options,
        name="wso2",
        jwks_url=f"{url}/oauth2/jwks",
        issuer=f"{url}/oauth2/token" if issuer is None else issuer,
        audience=audience,
        algorithms=_ALGORITHMS,
        forbidden_claims=_ID_TOKEN,
        checks=(_NO_SUBJECT_TOKEN,),
    )


def asgardeo(
    organization: str,
    *,
    audience: str | tuple[str, ...] | Unchecked,
    **options: Unpack[OptionsExceptAudience],
) -> Provider:
    """Return the provider of JWT access tokens of an Asgardeo organization.

    Refresh and ID tokens are refused as for `wso2`.

    Arguments:
        organization: the organization's name, which follows ``/t/`` in its URLs.
        audience: the application's client id, or an audience configured for it.
        options: any other field of `Provider`.

    Limits: applications get opaque tokens, which cannot be verified here, unless their token type
    is JWT.
    Checked against: Asgardeo's documentation, 2026-11-25, and the sources named at `wso2`.
    """
    name = segment("organization", organization, "the organization's name", dots=True)
    url = f"https://api.asgardeo.io/t/{name}/oauth2"
    return make(
        options,
        name="asgardeo",
        jwks_url=f"{url}/jwks",
        issuer=f"{url}/token",
        audience=audience,
        algorithms=_ALGORITHMS,
        forbidden_claims=_ID_TOKEN,
        checks=(_NO_SUBJECT_TOKEN,),
    )
