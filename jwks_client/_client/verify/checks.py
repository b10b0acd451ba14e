"""Run the custom checks of a provider in order, until one refuses the token.

Must not depend on keys, candidates or flights.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Generator
from typing import TYPE_CHECKING, Any, cast

from ..._core.tokens.verified import VerifiedToken
from ...errors import JWKSError, TokenError
from .waiting import Want

if TYPE_CHECKING:
    from ..._core.provider import Check
    from ..._core.tokens.claims import Rules


def run_checks(
    rules: Rules, token: VerifiedToken, asked: list[tuple[str, JWKSError | None]] | None = None
) -> Generator[Want, object, JWKSError | None]:
    """Run the custom checks. Return the error of the first that refuses, or None.

    Arguments:
        rules: the provider's rules, which have the checks.
        token: the verified token, which is passed to each check.
        asked: a list to which the name of each check is added, with its error.
    """
    for check in rules.checks:
        refusal = yield from _asked(check, token)
        if asked is not None:
            asked.append((_name_of(check), refusal))
        if refusal is not None:
            return refusal
    return None


def _asked(check: Check, token: VerifiedToken) -> Generator[Want, object, JWKSError | None]:
    """Run one check: None or True accepts, a JWKSError is returned unchanged, all else refuses."""
    cause: Exception | None = None
    outcome: object = False
    try:
        outcome = check(token)
        if inspect.isawaitable(outcome):
            outcome = yield cast("Awaitable[object]", outcome)
    except Exception as raised:  # noqa: BLE001 (every exception of the application's code is a refusal)
        cause = raised
    if isinstance(cause, TokenError):
        # A check decides whether the token is valid, so the answer is 401.
        cause._misfit = False  # noqa: SLF001 (our own class)  # pyright: ignore[reportPrivateUsage]
    if isinstance(cause, JWKSError):
        return cause
    if cause is None and (outcome is None or outcome is True):
        return None
    refused = TokenError(
        "rejected_by_check", f"the application's check {_name_of(check)} refused it"
    )
    refused.__cause__ = cause
    return refused


def _name_of(check: Any) -> str:
    return str(getattr(check, "__qualname__", None) or type(check).__qualname__)
