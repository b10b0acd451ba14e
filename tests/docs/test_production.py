"""The claims of docs/production.md about a worker and its container, without a container."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from app_answers import ask, is_ready
from child_processes import child
from test_examples import PATIENCE, local_env, served, where_it_runs

ROOT = Path(__file__).resolve().parents[2]
DOCKERFILE = ROOT / "examples/container/Dockerfile"


def instructions() -> list[tuple[str, str]]:
    """Return the instructions of the Dockerfile, in order, each on one line."""
    lines = [line for line in DOCKERFILE.read_text("utf-8").splitlines() if line[:1] != "#"]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines))
    return [tuple(line.split(maxsplit=1)) for line in joined.splitlines() if line]


def last(name: str) -> str:
    """Return the arguments of the last instruction of a name."""
    return [text for one, text in instructions() if one == name][-1]


def commands() -> tuple[list[str], list[str]]:
    """Return the commands of the container and of its health check, both without a shell."""
    return json.loads(last("CMD")), json.loads(last("HEALTHCHECK").partition("CMD ")[2])


@pytest.mark.skipif(not (ROOT / "benchmarks").exists(), reason="the sdist has no benchmarks")
@pytest.mark.skipif(sys.platform != "linux", reason="reads the memory of a process from /proc")
def test_a_worker_needs_no_more_memory_than_the_page_says():
    """The measurement runs as the page names it, and remembered tokens cost little."""
    page = (ROOT / "docs/production.md").read_text("utf-8")
    module = re.search(r"^python -m (benchmarks\.\w+)$", page, re.MULTILINE)[1]
    command = [sys.executable, "-m", module]
    ended = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
    )
    empty, made, _, full = (float(line.split()[0]) for line in ended.stdout.splitlines())
    assert full - empty < 1.5 * int(re.search(r"adds about (\d+) MiB", page)[1])
    assert full - made < 4


def test_the_container_has_no_root_no_secret_and_a_fixed_base():
    """The image runs as a numeric user that is not root, which Kubernetes can check."""
    names = [name for name, _ in instructions()]
    known = {"FROM", "RUN", "COPY", "ENV", "WORKDIR", "USER", "EXPOSE", "HEALTHCHECK", "CMD"}
    assert set(names) == known
    assert names.index("USER") > max(at for at, name in enumerate(names) if name in {"RUN", "COPY"})
    assert int(last("USER").partition(":")[0]) > 0
    for base in (text for name, text in instructions() if name == "FROM"):
        assert re.match(r"python:3\.\d+-slim( AS \w+)?$", base)
    assert not re.search(r"(?i)secret|token|password", last("ENV"))


def test_the_container_installs_and_copies_existing_things():
    """Its extras are those of the project, and its files are in the context that the page names."""
    extras = re.search(r"jwks-client-sdk\[([\w,]+)\]", last("RUN"))[1].split(",")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert set(extras) <= set(project["optional-dependencies"])
    page = (ROOT / "docs/production.md").read_text("utf-8")
    file, context = re.search(r"^docker build .*-f (\S+) (\S+)$", page, re.MULTILINE).groups()
    assert ROOT / file == DOCKERFILE
    assert (ROOT / context / last("COPY").split()[0]).is_file()


@pytest.mark.parametrize("outage", [False, True])
def test_the_commands_of_the_container_run_and_write_nothing(tmp_path, outage):
    """The app serves and is healthy, during an outage too; its directory and home stay unchanged."""
    app, home = tmp_path / "app", tmp_path / "home"
    app.mkdir()
    shutil.copy(ROOT / "examples" / last("COPY").split()[0], app)
    serve, check = commands()
    serve = ["127.0.0.1" if one == "0.0.0.0" else "0" if one == "8000" else one for one in serve]
    settings = dict(re.findall(r"(PYTHON\w+)=(\w+)", last("ENV")))
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    with served() as idp:
        if outage:
            idp.fail(503)
        env = {**os.environ, **local_env("fastapi_app", idp), **settings}
        env |= {"PATH": path, "HOME": str(home), "TMPDIR": str(home)}
        with child(serve, cwd=app, env=env, stderr=subprocess.PIPE) as process:
            base_url = where_it_runs(process)
            port = base_url.rpartition(":")[2]
            check = [one.replace("8000", port) for one in check]
            healthy = subprocess.run(check, env=env, timeout=PATIENCE, check=False)
            assert healthy.returncode == 0
            assert ask(base_url, "/ready").status_code == 503 if outage else is_ready(base_url)
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=PATIENCE)
        gone = subprocess.run(check, env=env, timeout=PATIENCE, check=False, capture_output=True)
        assert gone.returncode == 1
    assert [one.name for one in tmp_path.iterdir()] == ["app"]
    assert [one.name for one in app.iterdir()] == ["fastapi_app.py"]
