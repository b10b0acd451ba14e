"""`answer_for`: the answer to a refusal, for frameworks that answer all errors themselves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .._core.credentials.answers import Answer
from .._core.credentials.request import UnverifiedRequest
from .guard import Guard, is_refusal
from .handling import handling_in
from .identity import mapping_of

__all__ = ["answer_for", "path_of"]


def answer_for(guard: Guard[Any], error: Exception, request: object) -> Answer:
    """Return the answer to a refusal; the refusal is reported once.

    Arguments:
        guard: renders the answer, unless a middleware serves the request.
        error: the refusal.
        request: a scope, an environ, or an object with one.

    Raises TypeError if the error is not a refusal, or the object is not a request.
    """
    if not is_refusal(error):
        raise TypeError(f"error must be a refusal by this library, got {type(error).__name__}")
    found = mapping_of(request)
    handling = handling_in(found)
    if handling is not None:
        return handling.answer(error)
    return guard.refuse(error, UnverifiedRequest.of(found), path_of(found))


def path_of(scope_or_environ: Mapping[str, Any]) -> str:
    """Return the unescaped path of a request."""
    if "path" in scope_or_environ:
        return str(scope_or_environ["path"])
    path: str = scope_or_environ.get("SCRIPT_NAME", "") + scope_or_environ.get("PATH_INFO", "")
    return path.encode("latin-1", "replace").decode("utf-8", "replace")  # PEP 3333
