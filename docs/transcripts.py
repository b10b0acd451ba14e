"""Run the commands shown on ``command.md``, and write their output into the page.

    python docs/transcripts.py          # update the page
    python docs/transcripts.py --check  # exit 1 if it is out of date

A ``console`` block of the page is a transcript: each line that begins with ``$`` is run, and the
lines after it are its output. Commands run in this process against a fake provider on loopback,
shown as ``http://127.0.0.1:8400``. A comment ``<!-- stage: … -->`` before a block puts the provider
into one of the states of `STAGES` for that block. Keys and times differ in each run, so thumbprints
and times are replaced by fixed values, and responses take no time.
"""  # noqa: INP001 (a script, not a package)

from __future__ import annotations

import base64
import json
import re
import shlex
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest import mock

from click.testing import CliRunner

from jwks_client.cli._app import commands
from jwks_client.cli._probe import prober
from jwks_client.testing import FakeProvider

PAGE = Path(__file__).with_name("command.md")
SHOWN = "http://127.0.0.1:8400"
_BLOCK = re.compile(
    r"(?:<!-- stage: (?P<stage>.+?) -->\n)?```console\n(?P<text>.*?)```\n", re.DOTALL
)
# Values that differ in each run, each with a replacement of the same width, to keep tables aligned.
_MASKS = (
    (
        re.compile(r"(?<![A-Za-z0-9_-])[A-Za-z0-9_-]{43}(?![A-Za-z0-9_-])"),
        "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs",
    ),
    (re.compile(r"\b20\d\d-\d\d-\d\d \d\d:\d\d:\d\d UTC"), "2030-01-01 00:01:00 UTC"),
    (re.compile(r'(?<="iat": )\d{10}'), "1893456000"),
    (re.compile(r'(?<="exp": )\d{10}'), "1893456060"),
    (re.compile(r"(?<=expected exp after )\d{10}"), "1893456030"),
    (re.compile(r"(?<=\(now )\d{10}"), "1893456060"),
    (re.compile(r"(?<=found exp )\d{10}"), "1893452400"),
)


def _faulty(idp: FakeProvider) -> None:
    good = idp.jwks()["keys"][0]
    number = (2**1023 + 1).to_bytes(128, "big")
    weak = base64.urlsafe_b64encode(number).decode().rstrip("=")
    keys = [
        {key: value for key, value in good.items() if key != "alg"},
        {"kty": "RSA", "kid": "old", "use": "sig", "alg": "RS256", "n": weak, "e": "AQAB"},
        {**good, "kid": "enc-1", "use": "enc", "alg": "RSA-OAEP"},
    ]
    body = json.dumps({"keys": keys}).encode()
    idp.fail(body, headers={"Cache-Control": "no-store"}, only="jwks.json")


STAGES: dict[str | None, Callable[[FakeProvider], None]] = {
    None: FakeProvider.recover,
    "a faulty key set": _faulty,
    "a web page": lambda idp: idp.fail("html"),
    "a redirect": lambda idp: idp.fail(301, headers={"Location": "https://idp.example.com/keys"}),
}


def render(page: str) -> str:
    """Return the page with every transcript run again."""
    idp = FakeProvider(issuer=None, algorithm="RS256")
    idp.answer_headers = {"Cache-Control": "max-age=900"}
    idp.rotate()
    with idp.serve() as base_url:

        def run_again(block: re.Match[str]) -> str:
            STAGES[block["stage"]](idp)
            stage = f"<!-- stage: {block['stage']} -->\n" if block["stage"] else ""
            return f"{stage}```console\n{''.join(_transcript(block['text'], idp, base_url))}```\n"

        return _BLOCK.sub(run_again, page)


def _transcript(text: str, idp: FakeProvider, base_url: str) -> Iterator[str]:
    for line in text.splitlines():
        if line.startswith("$ "):
            yield f"{line}\n"
            yield _output(line.removeprefix("$ ").replace(SHOWN, base_url), idp, base_url)


def _output(command: str, idp: FakeProvider, base_url: str) -> str:
    """Return what a command prints to both outputs, and its exit status if that is not 0."""
    words = shlex.split(command)
    token = idp.issue(scope="orders:read")
    now = int(idp.clock.time())
    expired = idp.issue(iat=now - 7200, exp=now - 3600)
    stdin = ""
    if "<" in words:
        name = words[words.index("<") + 1]
        endless = idp.issue(exp=None, headers={"typ": "secevent+jwt"})
        stdin = {"token.txt": token, "expired.txt": expired, "endless.txt": endless}[name]
        words = words[: words.index("<")]
    if words[0] != "jwks-client":
        raise ValueError(f"not a jwks-client command: {command}")
    with mock.patch.object(prober, "monotonic", return_value=0.0):  # no response is ever slow
        result = CliRunner().invoke(commands, words[1:], input=stdin, prog_name="jwks-client")
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    output = result.output.replace(base_url, SHOWN)
    for pattern, value in _MASKS:
        output = pattern.sub(value, output)
    status = f"(exit status {result.exit_code})\n" if result.exit_code else ""
    return output + status


def main() -> None:
    """Update the page, or check that it is up to date."""
    before = PAGE.read_text(encoding="utf-8")
    after = render(before)
    if "--check" in sys.argv[1:]:
        sys.exit(before != after)
    PAGE.write_text(after, encoding="utf-8")


if __name__ == "__main__":
    main()
