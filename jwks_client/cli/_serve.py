"""``jwks-client serve``: a provider for development on this machine.

Owns: the options and what is printed. May not know: how the provider answers (`_development`) or
runs (`_loopback`).
"""

from __future__ import annotations

import json

import click

from ._options import as_json_option

__all__ = ["serve"]


@click.command()
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8400,
    show_default=True,
    help="Port on 127.0.0.1; 0 is any free one.",
)
@click.option("--issuer", help="The iss of its tokens.  [default: the base URL]")
@click.option(
    "--audience",
    "audiences",
    multiple=True,
    default=("api",),
    show_default=True,
    help="The aud of its tokens; may be given several times.",
)
@click.option(
    "--algorithm",
    default="RS256",
    show_default=True,
    help="What its keys sign with: RS256, ES256, EdDSA, ML-DSA-65 …",
)
@click.option(
    "--until-stdin-ends",
    is_flag=True,
    help="End with standard input too: for a program that starts this one.",
)
@as_json_option
def serve(
    *,
    port: int,
    issuer: str | None,
    audiences: tuple[str, ...],
    algorithm: str,
    until_stdin_ends: bool,
    as_json: bool,
) -> None:
    """Run a provider for development: it signs whatever it is asked to.

    It listens on 127.0.0.1 only, publishes a key set and discovery metadata, and prints its base
    URL as its first line (with --json an object of one line that says it). Ctrl-C ends it.

    \b
    A token, with any claims (null leaves one out):
      curl -H 'Content-Type: application/json' \\
           -d '{"sub": "u1", "scope": "orders:read"}' http://127.0.0.1:8400/dev/token

    \b
    A new key, or one withdrawn:
      curl -X POST -H 'Content-Type: application/json' http://127.0.0.1:8400/dev/rotate
      curl -X POST -H 'Content-Type: application/json' http://127.0.0.1:8400/dev/revoke/key-1

    \b
    Its keys, and how often they were asked for:
      curl http://127.0.0.1:8400/dev/state
    """  # noqa: D301 (click wants the character behind \\b)
    from ._development import DevelopmentApp, DevelopmentProvider
    from ._loopback import base_url_of, listen, run

    try:
        listener = listen(port)
    except OSError as error:
        raise click.ClickException(
            f"port {port} cannot be had ({error.strerror}); --port 0 takes any free one"
        ) from None
    with listener:
        base_url = base_url_of(listener)
        try:
            idp = DevelopmentProvider(
                base_url,
                issuer=issuer,
                audience=audiences[0] if len(audiences) == 1 else audiences,
                algorithm=algorithm,
            )
        except ValueError as error:
            raise click.BadParameter(str(error), param_hint="--algorithm") from None
        click.echo(
            json.dumps({"base_url": base_url, "issuer": idp.issuer}) if as_json else base_url
        )
        _warn(base_url)
        run(DevelopmentApp(idp), listener, until_stdin_ends=until_stdin_ends)


def _warn(base_url: str) -> None:
    from rich.console import Console
    from rich.text import Text

    console = Console(stderr=True, highlight=False, soft_wrap=True)
    warning = "For development only: whoever reaches this port gets any token. Never in production."
    console.print(Text(warning, style="bold red"))
    console.print(Text(f"Discovery: {base_url}/.well-known/openid-configuration", style="dim"))
    console.print(Text("Tokens and keys: jwks-client serve --help", style="dim"))
