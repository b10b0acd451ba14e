"""``jwks-client serve``: its options and warnings."""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

import click
from click.core import ParameterSource

from ..._core.addresses import is_loopback, split_url
from ...errors import ConfigurationError
from .._options import as_json_option, provider_option
from .._output import note
from .._presets import PresetCall, call_of

if TYPE_CHECKING:
    import socket

    from .provider import DevelopmentProvider

__all__ = ["serve"]

_DEFAULT: Final = ParameterSource.DEFAULT


@click.command()
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8400,
    show_default=True,
    help="Port to listen on; 0 is any free port.",
)
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    help="Address to listen on; one that other machines can reach needs --allow-non-loopback.",
)
@click.option(
    "--base-url",
    help="The URL for clients, if it differs from the address, such as http://idp:8400 between "
    "containers; needs --allow-non-loopback too.",
)
@click.option(
    "--allow-non-loopback",
    is_flag=True,
    help="Allow other machines to reach it; any of them can then obtain any token.",
)
@provider_option
@click.option("--issuer", help="The iss of its tokens.  [default: the base URL]")
@click.option(
    "--audience",
    "audiences",
    multiple=True,
    default=("api",),
    show_default=True,
    help="The aud of its tokens; may be repeated.",
)
@click.option(
    "--algorithm",
    default="RS256",
    show_default=True,
    help="The algorithm of its keys: RS256, ES256, EdDSA, ML-DSA-65 …",
)
@click.option(
    "--expires-in",
    type=click.IntRange(1),
    default=3600,
    show_default=True,
    metavar="SECONDS",
    help="The lifetime of its tokens, unless a request asks for another.",
)
@click.option(
    "--until-stdin-ends",
    is_flag=True,
    help="Also end when standard input ends, for a program that starts this one.",
)
@as_json_option
@click.pass_context
def serve(
    context: click.Context,
    /,
    *,
    port: int,
    host: str,
    base_url: str | None,
    allow_non_loopback: bool,
    until_stdin_ends: bool,
    as_json: bool,
    **identity: Any,
) -> None:
    """Run a provider for development: it signs any token you ask for.

    It listens on 127.0.0.1 only, publishes a key set and discovery metadata, and prints its base
    URL as its first line (with --json a one-line object that contains it). Ctrl-C ends it.

    Open that URL in a browser to issue tokens, rotate or withdraw keys, and simulate failures.

    With --provider (such as stytch:project-test-0a1b), its tokens, key set and paths look like that
    provider's; your app only changes the URL of the keys.

    \b
    A token with any claims (null omits one); Accept: text/plain returns the token alone:
      curl -H 'Content-Type: application/json' \\
           -d '{"sub": "u1", "scope": "orders:read"}' http://127.0.0.1:8400/dev/token

    \b
    A token from the token endpoint; any client ID and secret are accepted:
      curl -u app:secret -d grant_type=client_credentials http://127.0.0.1:8400/token

    \b
    Rotate or withdraw a key; begin a failure (500, hang, empty, html) and end it:
      curl -X POST -H 'Content-Type: application/json' http://127.0.0.1:8400/dev/rotate
      curl -X POST -H 'Content-Type: application/json' http://127.0.0.1:8400/dev/revoke/key-1
      curl -X POST -H 'Content-Type: application/json' http://127.0.0.1:8400/dev/fail/500
      curl -X POST -H 'Content-Type: application/json' http://127.0.0.1:8400/dev/recover

    \b
    Its keys, and how often they have been fetched:
      curl http://127.0.0.1:8400/dev/state
    """  # noqa: D301 (click wants the character behind \\b)
    from .app import development_app
    from .server import base_url_of, run

    address = _checked_host(host, allowed=allow_non_loopback)
    place = None if base_url is None else _checked_base_url(base_url, allowed=allow_non_loopback)
    make = _provider_maker(context, **identity)
    with _listening(port, address) as listener:
        idp = make(place or base_url_of(listener))
        app = development_app(idp, beyond_loopback=allow_non_loopback)
        run(
            app,
            listener,
            announce=lambda: _announce(idp, address, as_json=as_json),
            until_stdin_ends=until_stdin_ends,
            at_end=idp.mend,
        )


def _listening(port: int, address: str) -> socket.socket:
    from .server import listen

    try:
        return listen(port, address)
    except OSError as error:
        raise click.ClickException(
            f"port {port} of {address} is not available ({error.strerror}); "
            "--port 0 uses any free port"
        ) from None


def _provider_maker(
    context: click.Context,
    *,
    preset: str | None,
    issuer: str | None,
    audiences: tuple[str, ...],
    algorithm: str,
    expires_in: int,
) -> Callable[[str], DevelopmentProvider]:
    """Check the options that define the provider; return a function that makes it at a base URL."""
    from .provider import DevelopmentProvider

    if preset is None:
        audience = audiences[0] if len(audiences) == 1 else audiences
        settings: dict[str, Any] = {"issuer": issuer, "audience": audience}
    else:
        call, algorithm = _preset_call(context, preset, issuer, audiences, algorithm)
        settings = {"preset": call.make(), "preset_code": call.code()}

    def make(base_url: str) -> DevelopmentProvider:
        try:
            return DevelopmentProvider(
                base_url, algorithm=algorithm, expires_in=expires_in, **settings
            )
        except ConfigurationError as error:
            raise click.UsageError(error.message) from None
        except ValueError as error:
            raise click.BadParameter(str(error), param_hint="--algorithm") from None

    return make


def _preset_call(
    context: click.Context,
    preset: str,
    issuer: str | None,
    audiences: tuple[str, ...],
    algorithm: str,
) -> tuple[PresetCall, str]:
    """Return the preset's factory call, and the algorithm of its keys."""
    from ...testing._shapes.known import algorithm_of

    if issuer is not None:
        raise click.UsageError("--issuer must not be combined with --provider, which names it")
    given = {name for name in context.params if context.get_parameter_source(name) is not _DEFAULT}
    call = call_of(preset, {"audience": list(audiences)} if "audiences" in given else {})
    allowed = call.make().algorithms
    if "algorithm" not in given:
        known = algorithm_of(call.factory)
        return call, known if known in allowed else next(iter(allowed))
    if algorithm not in allowed:
        raise click.BadParameter(
            f"{call.factory} allows {', '.join(allowed)}", param_hint="--algorithm"
        )
    return call, algorithm


def _checked_host(host: str, *, allowed: bool) -> str:
    """Return the address to listen on. Names are rejected, because their address can change."""
    address = "127.0.0.1" if host == "localhost" else host.strip("[]")
    try:
        is_here = ipaddress.ip_address(address).is_loopback
    except ValueError:
        raise click.BadParameter("must be an IP address", param_hint="--host") from None
    if not (is_here or allowed):
        raise click.BadParameter(
            f"other machines can reach {host}, and could obtain any token. Never do that "
            "in production; for a container on your own machine add --allow-non-loopback.",
            param_hint="--host",
        )
    return address


def _checked_base_url(base_url: str, *, allowed: bool) -> str:
    place = split_url(base_url)
    if place is None or place.port == 0 or place.path.strip("/") or place.query:
        raise click.BadParameter(
            "must be scheme, host and port, such as http://idp:8400", param_hint="--base-url"
        )
    if not (is_loopback(place.hostname or "") or allowed):
        raise click.BadParameter(
            "other machines can reach that URL; add --allow-non-loopback to allow it",
            param_hint="--base-url",
        )
    return f"{place.scheme}://{place.netloc.lower()}"


def _announce(idp: DevelopmentProvider, address: str, *, as_json: bool) -> None:
    place = {"base_url": idp.base_url, "issuer": idp.issuer}
    click.echo(json.dumps(place) if as_json else idp.base_url)
    note(
        "For development only: it signs any token for anyone who reaches this port. "
        "Never use it in production.",
        "bold red",
    )
    if not ipaddress.ip_address(address).is_loopback:
        note(f"It listens on {address}; other machines can reach it.", "bold red")
    note(f"In a browser: {idp.base_url}/", "dim")
    note(f"Discovery: {idp.discovery_url}", "dim")
    note("Tokens and keys: jwks-client serve --help", "dim")
