"""Build the release, examine it, install it, and compare the public API with the last release.

Needs git, a package index, and the environment of `make check`; run by `make release-check`.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
# Runs against the installed package, without its sources and without extras.
PROBE = """
import importlib.metadata, pathlib
import jwks_client
from jwks_client import errors, events, providers

home = pathlib.Path(jwks_client.__file__).parent
assert home.parent.name == "site-packages", home
assert (home / "py.typed").is_file(), "py.typed is missing"
assert importlib.metadata.version("jwks-client-sdk") == jwks_client.__version__
jwks_client.JWKSClient(providers.generic("https://id.example/jwks", issuer="i", audience="a"))
print(jwks_client.__version__)
"""


def run(*command: str | Path, cwd: Path = ROOT) -> str:
    """Run a command and return its output; end with its output if it fails."""
    print("$", *command)
    done = subprocess.run(
        command, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    if done.returncode:
        sys.exit(f"{done.stdout}\nrelease-check: FAILED")
    return done.stdout.strip()


def install(artifact: Path, home: Path) -> str:
    """Install an artifact in a clean environment and return the version that it reports."""
    run(sys.executable, "-m", "venv", home)
    python = home / "bin" / "python"
    pip = (python, "-m", "pip", "--disable-pip-version-check")
    run(*pip, "install", "--quiet", artifact)
    version = run(python, "-W", "error", "-c", PROBE, cwd=home)
    run(*pip, "install", "--quiet", f"{artifact}[cli]")
    run(*pip, "check")
    if not run(home / "bin" / "jwks-client", "--version", cwd=home).endswith(version):
        sys.exit(f"release-check: the command reports another version than {version}")
    return version


def check_description(wheel: Path) -> None:
    """Fail if the long description has a link that leads nowhere on the page of the release."""
    with zipfile.ZipFile(wheel) as files:
        (name,) = (one for one in files.namelist() if one.endswith(".dist-info/METADATA"))
        description = files.read(name).decode().partition("\n\n")[2]
    relative = re.findall(r"\]\((?!https?:)[^)]+\)", description)
    if relative or not description:
        sys.exit(f"release-check: relative links in the long description: {relative}")


def compare_with_last_release() -> None:
    """Fail if a public name of the last release is gone or changed incompatibly."""
    tags = run("git", "tag", "--list", "v[0-9]*", "--sort=-version:refname", "--merged").split()
    if not tags:
        print("No release tag exists yet, so the API cannot be compared.")
        return
    print(run(sys.executable, "-m", "griffe", "check", "jwks_client", "--against", tags[0]))


def main() -> None:
    """Check a release from its build to its API."""
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        run(sys.executable, "-m", "build", "--outdir", work / "dist")
        artifacts = sorted((work / "dist").iterdir())
        run(sys.executable, "-m", "twine", "check", "--strict", *artifacts)
        check_description(next(one for one in artifacts if one.suffix == ".whl"))
        versions = {install(one, work / f"venv-{place}") for place, one in enumerate(artifacts)}
        if len(versions) != 1:
            sys.exit(f"release-check: the artifacts differ in version: {versions}")
        named = " and ".join(one.name for one in artifacts)
        print(f"{named} install and work.")
    compare_with_last_release()
    print("release-check: passed")


if __name__ == "__main__":
    main()
