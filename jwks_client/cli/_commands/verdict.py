"""Print the result of a verification: the verified token, and the explanation of each check."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._output import Cell, labelled, moment, printable, say, say_json, table

if TYPE_CHECKING:
    from ... import VerifiedToken
    from ..._core.tokens.explain import CandidateExplained, Explanation, KeyExplained

__all__ = ["show_explanation", "show_token", "token_as_json"]


def show_token(token: VerifiedToken) -> None:
    """Print a verified token."""
    say(("verified", "bold green"), ": the signature and all claims are valid")
    labelled(
        [
            ("issuer", token.issuer or "-"),
            ("subject", token.subject or "-"),
            ("audience", " ".join(token.audience) or "-"),
            ("scopes", " ".join(sorted(token.scopes)) or "-"),
            ("expires", "-" if token.expires_at is None else moment(token.expires_at)),
            ("key", f"{token.key_id or '-'} ({token.algorithm})"),
            ("provider", token.provider),
        ]
    )
    say(("claims", "bold"))
    say_json(token.claims)


def token_as_json(token: VerifiedToken) -> dict[str, object]:
    """Return a verified token as JSON members, without the token itself."""
    return {
        "verified": True,
        "provider": token.provider,
        "issuer": token.issuer,
        "subject": token.subject,
        "audience": list(token.audience),
        "scopes": sorted(token.scopes),
        "expires_at": token.expires_at,
        "issued_at": token.issued_at,
        "key_id": token.key_id,
        "algorithm": token.algorithm,
        "header": token.header,
        "claims": token.claims,
    }


def show_explanation(explanation: Explanation) -> None:
    """Print every key that was considered and every check, with its outcome."""
    for hint in explanation.hints:
        say((f"hint: {hint}", "yellow"))
    if explanation.now is not None:
        kid, typ = explanation.kid or "-", explanation.typ or "-"
        say(f"token: kid {kid}, typ {typ}; checked at {moment(explanation.now)}")
    for candidate in explanation.candidates:
        say()
        say((f"provider {printable(candidate.provider)}", "bold"), f", keys {candidate.state}")
        if candidate.keys:
            table(("KEY", "TYPE", "ALG", "OUTCOME"), [_key_row(key) for key in candidate.keys])
        say()
        table(("CHECK", "OUTCOME"), _check_rows(candidate))
    if not explanation.candidates:
        say("The token was refused before any provider or key was considered.")


def _key_row(key: KeyExplained) -> tuple[Cell, ...]:
    style = "green" if key.made_the_signature else ""
    words = [printable(word or "-", 128) for word in (key.kid, key.kty, key.alg)]
    return (*words, (key.outcome, style))


def _check_rows(candidate: CandidateExplained) -> list[tuple[Cell, ...]]:
    rows: list[tuple[Cell, ...]] = []
    for check in candidate.checks:
        about = f" ({check.claim})" if check.claim else ""
        outcome: Cell = ("ok", "green")
        if check.code is not None:
            compared = f"; expected {check.expected}" if check.expected else ""
            compared += f"; found {check.found}" if check.found else ""
            outcome = (f"FAILED {check.code}{about}: {check.message}{compared}", "bold red")
        rows.append((check.name, outcome))
    return rows
