"""Find out why this library refuses a token that PyJWT accepts.

Both verify the same token with the same key set. Must not depend on the network.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import click

from ... import JWKSClient, Provider, providers
from ..._core.encoding import tolerant_json
from .._options import read_token
from .._probe.target import metadata_of
from .finding import Finding, Severity

if TYPE_CHECKING:
    from ..._core.tokens.explain import CheckExplained
    from .._probe.target import Inspection

__all__ = ["of_token", "token_to_migrate"]

_SEE: Final = "docs/migrate/pyjwkclient.md"
# How to accept such tokens, by code, and by claim where the code alone does not decide.
_HINTS: Final[dict[tuple[str, str | None], str]] = {
    ("algorithm_not_allowed", None): "name the algorithm in algorithms, unless it is HS256 or none",
    ("wrong_token_type", None): "name the type in token_types",
    ("token_too_large", None): "raise FetchPolicy.max_token or max_header",
    ("missing_claim", "exp"): "require_expiry=False accepts tokens without it",
    ("invalid_claim", "cnf"): "verify the proof yourself and set bound_tokens='checked_elsewhere'",
    ("wrong_issuer", "iss"): "configure the issuer as the tokens spell it",
    ("unknown_key", None): "jwks-client keys shows why an entry is unusable",
}


def token_to_migrate() -> bytes:
    """Return the token on standard input. Raises click's UsageError if there is none."""
    if sys.stdin.isatty():
        raise click.UsageError("--migrate reads a token from standard input: pipe it in")
    return read_token(())


def of_token(token: bytes, inspection: Inspection, place: str | Provider) -> Iterator[Finding]:
    """Yield why this library refuses a token that PyJWT accepts.

    Arguments:
        token: the token.
        inspection: what was found at the URL.
        place: the URL, or the provider of a preset, whose rules then apply.
    """
    if inspection.keys is None or inspection.keys.body is None or inspection.fetched is None:
        return  # other findings say why the keys are missing
    body = inspection.keys.body
    provider = replace(_provider(inspection, place), jwks_url=None, discovery_url=None, jwks=body)
    with JWKSClient(provider) as client:
        explanation = client.explain(token)
    problem = _refused_by_pyjwt(token, body)
    severity: Severity = "error" if problem is None else "warning"
    if problem is not None:
        yield Finding(
            code="refused_by_pyjwt",
            severity="info",
            message=f"PyJWT refuses the token too ({problem}); a fresh token says more",
            see=_SEE,
        )
    failed = [one for found in explanation.candidates for one in found.checks if one.code]
    for check in failed:
        yield _refusal(check.code or "", _message(check), check.claim, severity)
    if not failed and explanation.code is not None:
        yield _refusal(explanation.code, explanation.message, None, severity)
    if explanation.accepted:
        yield Finding(
            code="token_accepted",
            severity="info",
            message="this library accepts the token, without checking its audience: name yours",
            see=_SEE,
        )


def _provider(inspection: Inspection, place: str | Provider) -> Provider:
    """Return the preset's provider; else one with default rules and the known issuer."""
    if isinstance(place, Provider):
        return place
    metadata = {} if inspection.metadata is None else metadata_of(inspection.metadata)
    issuer = metadata.get("issuer", inspection.issuer)
    return Provider(
        name="provider",
        issuer=issuer if isinstance(issuer, str) and issuer.strip() else providers.UNCHECKED,
        audience=providers.UNCHECKED,
        jwks="{}",
    )


def _refused_by_pyjwt(token: bytes, body: bytes) -> str | None:
    """Return PyJWT's error for a token, or None if it accepts the token.

    PyJWT gets the key with the token's kid, and checks neither audience nor issuer.
    """
    import jwt

    try:
        header = jwt.get_unverified_header(token)
        document: Any = tolerant_json(body)
        key = jwt.PyJWKSet.from_dict(document)[header["kid"]]
        # The token may choose its algorithm here, because nothing relies on this verification.
        algorithms = [header["alg"]]
        jwt.decode(token, key.key, algorithms=algorithms, options={"verify_aud": False})
    except Exception as error:  # noqa: BLE001 (every exception of PyJWT is a refusal)
        return "no key with its kid" if isinstance(error, KeyError) else type(error).__name__
    return None


def _message(check: CheckExplained) -> str:
    return f"{check.message}, expected {check.expected}" if check.claim == "iss" else check.message


def _refusal(code: str, message: str, claim: str | None, severity: Severity) -> Finding:
    hint = _HINTS.get((code, claim)) or _HINTS.get((code, None))
    return Finding(
        code=code,
        severity=severity,
        message=f"this library refuses the token: {message}" + (f"; {hint}" if hint else ""),
        see=f"docs/debug.md#{code}",
    )
