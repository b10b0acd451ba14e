"""``jwks-client decode``: print a token's header and claims without verifying them.

Header and claims are parsed as strictly as by `verify`, to show why a token is refused, but any alg
is accepted. The signature is never printed, so that the output cannot be used as a token.
"""

from __future__ import annotations

from typing import Any, Final

import click

from .._options import as_json_option, read_token, token_argument

__all__ = ["decode"]

_WARNING: Final = (
    "NOT VERIFIED: anyone can write such a token. Do not trust any of this; see verify."
)


@click.command()
@token_argument
@as_json_option
def decode(*, words: tuple[str, ...], as_json: bool) -> None:
    """Print the header and claims of TOKEN, without verifying them.

    If TOKEN is - or omitted, it is read from standard input and stays out of the shell's history.
    Its signature is not printed.

    \b
      pbpaste | jwks-client decode
      jwks-client decode - --json < token.txt

    Exit status: 0 decoded, 1 malformed, 2 wrong usage.
    """  # noqa: D301 (click wants the character behind \\b)
    from .._output import note, say, say_json

    header, claims = _read(read_token(words))
    if as_json:
        note(_WARNING, "bold red")
        say_json({"verified": False, "header": header, "claims": claims})
        return
    say((_WARNING, "bold red"))
    say(("header (not verified)", "bold"))
    say_json(header)
    say(("claims (not verified)", "bold"))
    say_json(claims)


def _read(token: bytes) -> tuple[dict[str, Any], dict[str, Any]]:
    from ... import FetchPolicy
    from ..._core.encoding import decode_segment, strict_object
    from ..._core.tokens.unverified import text_of
    from ...errors import TokenError
    from .._errors import Refused

    try:
        text = text_of(token, FetchPolicy().max_token)
    except TokenError as error:
        raise Refused(error.code, error.message) from None
    segments = text.encode("ascii", "replace").split(b".")
    if len(segments) == 5:
        why = "a token of five segments is encrypted; only its recipient can read the claims"
        raise Refused("encrypted_token", why)
    if len(segments) != 3:
        raise Refused("malformed_token", "a signed token has three segments")
    read: list[dict[str, Any]] = []
    for name, segment in zip(("header", "payload"), segments, strict=False):
        octets = decode_segment(segment)
        members = None if octets is None else strict_object(octets)
        if members is None:
            raise Refused("malformed_token", f"the {name} is not base64url of one JSON object")
        read.append(members)
    return read[0], read[1]
