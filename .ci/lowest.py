"""Print the lowest versions that pyproject.toml allows, as constraints for pip."""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path
from typing import Any

LOWER_BOUND = re.compile(r"(?P<name>[A-Za-z0-9._-]+)(\[[^]]*\])?>=(?P<version>[0-9][0-9.]*)")


def lowest(project: dict[str, Any]) -> list[str]:
    """Return ``name==version`` for each requirement of the package and of its extras."""
    extras = project["optional-dependencies"]
    wanted = list(project["dependencies"])
    for extra in extras.values():
        wanted += extra
    pins = []
    for requirement in wanted:
        if requirement.startswith(f"{project['name']}["):
            continue  # an extra that combines other extras, each of which is in the list
        bound = LOWER_BOUND.fullmatch(requirement)
        if bound is None:
            sys.exit(f"pyproject.toml: {requirement!r} must name a lowest version (name>=version)")
        pins.append(f"{bound['name']}=={bound['version']}")
    return sorted(pins)


if __name__ == "__main__":
    pyproject = Path(__file__).parents[1] / "pyproject.toml"
    print("\n".join(lowest(tomllib.loads(pyproject.read_text())["project"])))
