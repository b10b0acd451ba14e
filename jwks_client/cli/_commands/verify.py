"""``jwks-client verify``: verify a token, and explain why it is refused.

The token is verified by a `JWKSClient`, by the same rules as in an application.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from .._options import (
    as_json_option,
    ca_option,
    provider_option,
    read_token,
    timeout_option,
    token_argument,
)

if TYPE_CHECKING:
    from ... import JWKSClient, Provider, VerifiedToken
    from ...errors import JWKSError

__all__ = ["verify"]


def _not_empty(_context: click.Context, _option: click.Parameter, value: Any) -> Any:
    """Reject a blank value: an unset variable must not disable a check."""
    given = value if isinstance(value, tuple) else (value,)
    if any(isinstance(one, str) and not one.strip() for one in given):
        raise click.BadParameter("must not be blank")
    return value


@click.command()
@token_argument
@click.option(
    "--issuer",
    metavar="URL",
    callback=_not_empty,
    help="The accepted iss, exactly as it appears in tokens.",
)
@click.option(
    "--audience",
    "audiences",
    multiple=True,
    callback=_not_empty,
    help="An accepted aud; may be repeated.",
)
@click.option("--any-audience", is_flag=True, help="Do not check aud.")
@click.option(
    "--jwks-url",
    metavar="URL",
    help="The URL of the key set.  [default: from the issuer's metadata]",
)
@provider_option
@click.option(
    "--algorithm",
    "algorithms",
    multiple=True,
    metavar="ALG",
    help="An accepted alg, such as RS256; may be repeated.",
)
@click.option(
    "--leeway", type=float, metavar="SECONDS", help="The allowed clock difference.  [default: 30]"
)
@click.option("--explain", is_flag=True, help="Print each key considered and each check.")
@ca_option
@timeout_option
@as_json_option
def verify(
    *,
    words: tuple[str, ...],
    ca_file: str | None,
    timeout: float,
    explain: bool,
    as_json: bool,
    **settings: Any,
) -> None:
    """Verify the signature, lifetime, issuer and audience of TOKEN.

    If TOKEN is - or omitted, it is read from standard input and stays out of the shell's history.
    Name the provider with --issuer and --audience (and --jwks-url, if the issuer publishes no
    metadata), or with --provider.

    \b
      pbpaste | jwks-client verify --issuer https://idp.example.com --audience api
      jwks-client verify - --explain --issuer https://idp.example.com --audience api < token.txt
      jwks-client verify --provider stytch:project-live-0a1b < token.txt
      jwks-client verify --provider auth0:acme.eu.auth0.com --audience https://api.example.com

    Exit status: 0 verified, 1 refused, 2 wrong usage, 3 keys unavailable.
    """  # noqa: D301 (click wants the character behind \\b)
    from contextlib import suppress
    from dataclasses import asdict

    from ... import JWKSClient, VerifiedToken
    from ...errors import JWKSError, KeysUnavailableError
    from .._errors import KeysUnavailable, Refused
    from .._output import say_json
    from .._probe.prober import Prober
    from .._probe.recorder import Recorder
    from .._probe.target import url_of
    from .verdict import show_explanation, show_token, token_as_json

    provider = _provider(**settings)
    token = read_token(words)
    with Prober(timeout, url_of(provider), ca_file) as prober:
        recorder = Recorder(prober)
        with JWKSClient(provider, http=recorder, fetch=prober.policy) as client:
            if explain:
                # An expired token is refused without a fetch; the explanation needs the keys.
                with suppress(KeysUnavailableError):
                    client.keys()
            outcome = _outcome(client, token)
            explanation = client.explain(token) if explain else None
    more = {} if explanation is None else {"explanation": asdict(explanation)}
    if isinstance(outcome, VerifiedToken):
        if as_json:
            say_json({**token_as_json(outcome), **more})
        else:
            show_token(outcome)
    if explanation is not None and not as_json:
        show_explanation(explanation)
    if isinstance(outcome, KeysUnavailableError):
        raise KeysUnavailable(outcome.code, recorder.describe(outcome), more=more)
    if isinstance(outcome, JWKSError):
        # Include the claim and the expected value: they come from the options.
        message = str(outcome).removeprefix(f"{outcome.code}: ")
        raise Refused(outcome.code, message, more=more)


def _outcome(client: JWKSClient, token: bytes) -> VerifiedToken | JWKSError:
    from ...errors import JWKSError

    try:
        return client.verify(token)
    except JWKSError as error:
        return error


def _provider(
    *,
    issuer: str | None,
    audiences: tuple[str, ...],
    any_audience: bool,
    jwks_url: str | None,
    preset: str | None,
    algorithms: tuple[str, ...],
    leeway: float | None,
) -> Provider:
    from .._presets import provider_of

    if audiences and any_audience:
        raise click.UsageError("--audience and --any-audience must not be combined")
    given: dict[str, list[str]] = {}
    if issuer is not None:
        given["issuer"] = [issuer]
    if audiences or any_audience:
        given["audience"] = list(audiences) or ["UNCHECKED"]
    if jwks_url is not None:
        given["jwks_url"] = [jwks_url]
    if algorithms:
        given["algorithms"] = list(algorithms)
    if leeway is not None:
        given["leeway"] = [str(leeway)]
    if preset is not None:
        return provider_of(preset, given)
    if issuer is None:
        raise click.UsageError("the issuer is missing; give --issuer or --provider")
    if "audience" not in given:
        raise click.UsageError("the audience is missing; give --audience or --any-audience")
    return provider_of("oidc" if jwks_url is None else "generic", given)
