"""Word the messages of failed fetches in errors, events and ``health()``.

The messages are for the people who run the application. They must not appear in HTTP responses,
because they quote text from outside. Quoted text is escaped and truncated here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Final

from ..causes import causes
from ..encoding import printable

_LONGEST: Final = 200
_MOST_KINDS: Final = 5
# OpenSSL's X509_V_ERR_… codes that only X509_V_FLAG_X509_STRICT causes.
_STRICT_ONLY: Final = range(80, 95)


def place(url: str) -> str:
    """Return a URL for messages, without its query, which may contain a secret."""
    return printable(url.partition("?")[0], _LONGEST)


def status(what: str, code: int, headers: Mapping[str, str]) -> str:
    """Return the message for a status other than 200."""
    if code == 304 or not 300 <= code < 400:
        return f"{what} answered {code}"
    to = headers.get("location")
    where = "" if to is None else f" to {place(to)}"
    return f"{what} answered with a redirect ({code}){where}; redirects are not followed"


def strictness(error: BaseException | None) -> str | None:
    """Return what to do about a certificate that only Python 3.13's strict checks reject."""
    if _strictly_rejected(error) is None:
        return None
    return (
        "since version 3.13 Python checks certificates strictly (ssl.VERIFY_X509_STRICT); have the "
        "certificates reissued, or pass http= an httpx client whose SSL context lacks that flag"
    )


def rejected_strictly(error: BaseException | None) -> str | None:
    """Return why only strict checks reject a certificate, and what to do; None for other errors."""
    why = _strictly_rejected(error)
    return why and f"the server's certificate is rejected ({why}); {strictness(error)}"


def _strictly_rejected(error: BaseException | None) -> str | None:
    for cause in causes(error):
        if getattr(cause, "verify_code", None) in _STRICT_ONLY:
            return printable(str(getattr(cause, "verify_message", "")), _LONGEST)
    return None


def cause(error: BaseException | None, *, private: bool) -> str | None:
    """Return the exception behind a failure; only its type if its text may contain a secret."""
    if error is None:
        return None
    kind = type(error).__name__
    text = kind if private or not str(error) else f"{kind}: {error}"
    return printable(text, _LONGEST)


def unusable(reasons: Iterable[str]) -> str:
    """Return why the entries of a set are unusable, with counts, the most frequent reason first."""
    counted = Counter(reasons)
    common = [f"{many}: {printable(why, _LONGEST)}" for why, many in counted.most_common()]
    left = len(common) - _MOST_KINDS
    return "; ".join(common[:_MOST_KINDS]) + (f"; {left} more reasons" if left > 0 else "")


def value(text: object) -> str:
    """Return a document's member for messages."""
    if not isinstance(text, str):
        return "none" if text is None else f"a {type(text).__name__}"
    return f"'{printable(text, _LONGEST)}'"
