"""Integrations whose framework is not installed."""

from __future__ import annotations

import subprocess
import sys

FRAMEWORKS = {
    "aiohttp": "aiohttp",
    "django": "asgiref",
    "drf": "rest_framework",
    "fastapi": "fastapi",
    "grpc": "grpc",
    "litestar": "litestar",
    "mcp": "mcp",
    "starlette": "starlette",
}
CODE = f"""
import importlib, sys
frameworks = {FRAMEWORKS}
sys.modules.update(dict.fromkeys(frameworks.values()))
for name in frameworks:
    try:
        importlib.import_module(f"jwks_client.integrations.{{name}}")
    except ImportError as error:
        print(error)
"""


def test_each_integration_names_its_extra():
    """Importing an integration without its framework raises an error that says what to install."""
    ended = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True)
    advice = [line.partition(": ")[2] for line in ended.stdout.splitlines()]
    assert advice == [f'pip install "jwks-client-sdk[{extra}]"' for extra in FRAMEWORKS]
