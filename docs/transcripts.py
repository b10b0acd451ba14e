"""Runs the commands that ``command.md`` shows, and writes what they said into the page.

    python docs/transcripts.py          # bring the page up to date
    python docs/transcripts.py --check  # exit 1 if it is not

A ``console`` block of the page is a transcript: each line that begins with ``$`` is run, the lines
after it are what came. Commands run against a fake provider on loopback, shown as
``http://127.0.0.1:8400``. A comment ``<!-- stage: … -->`` before a block puts the provider into one
of the states of `STAGES`, for that block alone. Keys are made anew for each run, so what depends on
them is shown as one fixed value: thumbprints, times.
"""  # noqa: INP001 (a script, no package)

from __future__ import annotations

import base64
import json
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from jwks_client.testing import FakeProvider

PAGE = Path(__file__).with_name("command.md")
SHOWN = "http://127.0.0.1:8400"
_BLOCK = re.compile(
    r"(?:<!-- stage: (?P<stage>.+?) -->\n)?```console\n(?P<text>.*?)```\n", re.DOTALL
)
# Values that are others in each run, and what stands for them; of one width, so that tables hold.
_MASKS = (
    (
        re.compile(r"(?<![A-Za-z0-9_-])[A-Za-z0-9_-]{43}(?![A-Za-z0-9_-])"),
        "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs",
    ),
    (re.compile(r"\b20\d\d-\d\d-\d\d \d\d:\d\d:\d\d UTC"), "2030-01-01 00:01:00 UTC"),
    (re.compile(r'(?<="iat": )\d{10}'), "1893456000"),
    (re.compile(r'(?<="exp": )\d{10}'), "1893456060"),
)


def _ill(idp: FakeProvider) -> None:
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
    "an ill provider": _ill,
    "a web page": lambda idp: idp.fail("html"),
    "a redirect": lambda idp: idp.fail(301, headers={"Location": "https://idp.example.com/keys"}),
}


def render(page: str) -> str:
    """The page with every transcript made anew."""
    idp = FakeProvider(issuer=None, algorithm="RS256")
    idp.answer_headers = {"Cache-Control": "max-age=900"}
    idp.rotate()
    with idp.serve() as base_url:

        def again(block: re.Match[str]) -> str:
            STAGES[block["stage"]](idp)
            stage = f"<!-- stage: {block['stage']} -->\n" if block["stage"] else ""
            return f"{stage}```console\n{''.join(_played(block['text'], idp, base_url))}```\n"

        return _BLOCK.sub(again, page)


def _played(text: str, idp: FakeProvider, base_url: str) -> Iterator[str]:
    for line in text.splitlines():
        if line.startswith("$ "):
            yield f"{line}\n"
            yield _said(line.removeprefix("$ ").replace(SHOWN, base_url), idp, base_url)


def _said(command: str, idp: FakeProvider, base_url: str) -> str:
    """What a command said, on both its outputs, and its exit status where that is not 0."""
    words = shlex.split(command)
    token = idp.issue(scope="orders:read")
    now = int(idp.clock.time())
    expired = idp.issue(iat=now - 7200, exp=now - 3600)
    given = ""
    if "<" in words:
        name = words[words.index("<") + 1]
        given = {"token.txt": token, "expired.txt": expired}[name]
        words = words[: words.index("<")]
    if words[0] != "jwks-client":
        raise ValueError(f"not a command of ours: {command}")
    ended = subprocess.run(  # noqa: S603 (our own command)
        [sys.executable, "-m", "jwks_client.cli", *words[1:]],
        input=given,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        check=False,
    )
    said = ended.stdout.replace(base_url, SHOWN)
    for pattern, value in _MASKS:
        said = pattern.sub(value, said)
    status = f"(exit status {ended.returncode})\n" if ended.returncode else ""
    return said + status


def main() -> None:
    """Bring the page up to date, or say whether it is."""
    before = PAGE.read_text(encoding="utf-8")
    after = render(before)
    if "--check" in sys.argv[1:]:
        sys.exit(before != after)
    PAGE.write_text(after, encoding="utf-8")


if __name__ == "__main__":
    main()
