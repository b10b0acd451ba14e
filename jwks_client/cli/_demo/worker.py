"""A worker of the demo: verifies a token per line, with keys that it shares through a directory.

``python -m jwks_client.cli._demo.worker ISSUER DIRECTORY`` prints ``ready``. For each token on
standard input, it then prints the outcome and how many fetches it has made. It stops at the end of
its input.
"""

from __future__ import annotations

import sys

from ... import JWKSClient, JWKSError, providers
from ...stores import FileStore
from . import AUDIENCE


def main() -> None:
    """Verify until the input ends."""
    issuer, directory = sys.argv[1:]
    provider = providers.oidc(issuer, audience=AUDIENCE)
    with JWKSClient(provider, store=FileStore(directory)) as client:
        _say("ready")
        for line in sys.stdin:
            try:
                client.verify(line.strip())
            except JWKSError as error:
                outcome = error.code
            else:
                outcome = "verified"
            _say(f"{outcome} {client.health()[provider.name].fetches}")


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
