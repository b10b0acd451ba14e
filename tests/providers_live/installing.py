"""Install third-party providers outside the repository, once per machine and version.

They go to ``$JWKS_PROVIDERS_HOME``, or ``~/.cache/jwks-client-sdk/providers``.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

NODE = {"oidc-provider": "oidc-provider@9"}
PYTHON = {
    "canaille": ("canaille[oidc]>=0.3",),
    "django-oauth-toolkit": ("django-oauth-toolkit>=3", "django>=5"),
}


def home() -> Path:
    """Return the folder of the installations."""
    cache = os.environ.get("JWKS_PROVIDERS_HOME")
    return Path(cache) if cache else Path.home() / ".cache" / "jwks-client-sdk" / "providers"


def installed(name: str) -> Path:
    """Install a provider if it is missing; return the folder. Skip the test where npm is missing."""
    home().mkdir(parents=True, exist_ok=True)
    # Tests in two processes may need the same provider at once.
    with (home() / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return _install(name)


def _install(name: str) -> Path:
    folder = home() / name
    wanted = NODE.get(name) or "\n".join(PYTHON[name])
    stamp = folder / ".installed"
    if stamp.exists() and stamp.read_text() == wanted:
        return folder
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    if name in NODE:
        if shutil.which("npm") is None:
            pytest.skip("npm is not installed: oidc-provider is not tested")
        _run("npm", "install", "--no-audit", "--no-fund", "--prefix", str(folder), wanted)
    else:
        _run(sys.executable, "-m", "venv", str(folder / "venv"))
        pip = str(folder / "venv" / "bin" / "pip")
        _run(pip, "install", "--quiet", "--disable-pip-version-check", *PYTHON[name])
    stamp.write_text(wanted)
    return folder


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
