"""The command without its extra."""

import subprocess
import sys

import pytest


def python(program: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", program], capture_output=True, encoding="utf-8", check=False
    )


@pytest.mark.parametrize("missing", ["click", "jinja2", "rich", "starlette", "uvicorn"])
def test_one_line_says_what_to_install(missing):
    """If one of its libraries is missing, the command prints how to install it and exits with 2."""
    ended = python(
        f"import sys; sys.modules[{missing!r}] = None; sys.argv[1:] = ['--version'];"
        "from jwks_client.cli import main; main()"
    )
    assert ended.returncode == 2
    assert ended.stdout == ""
    assert ended.stderr == (f'jwks-client needs {missing}: pip install "jwks-client-sdk[cli]"\n')


def test_import_hooks_that_refuse_are_understood():
    """A library that an import hook blocks counts as missing."""
    ended = python(
        "import sys\n"
        "class Refuse:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == 'click':\n"
        "            raise ModuleNotFoundError(name)\n"
        "sys.meta_path.insert(0, Refuse())\n"
        "from jwks_client.cli import main\n"
        "main()\n"
    )
    assert ended.returncode == 2
    assert 'pip install "jwks-client-sdk[cli]"' in ended.stderr
    assert "Traceback" not in ended.stderr


def test_nothing_of_the_extra_is_imported_before_it_runs():
    """Importing the entry point imports none of its libraries."""
    ended = python(
        "import sys, jwks_client.cli\n"
        "print(sorted({'click', 'jinja2', 'rich', 'starlette', 'uvicorn'} & sys.modules.keys()))"
    )
    assert ended.stdout.strip() == "[]"
