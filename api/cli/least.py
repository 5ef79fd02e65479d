"""The least Python that this runs on. An older one reads this module, and no other."""

from __future__ import annotations

import re
import sys
from pathlib import Path

PYPROJECT = Path(__file__).parents[2] / "pyproject.toml"
EXIT_OURS = 3


def least_python() -> tuple[int, ...]:
    """The version that pyproject.toml requires, such as (3, 11); empty if nothing says it."""
    if PYPROJECT.exists():
        said = re.search(r'^requires-python = "(.*)"', PYPROJECT.read_text(), re.MULTILINE)
        required = said.group(1) if said else ""
    else:
        from importlib.metadata import metadata  # An old Python has no such module.

        required = metadata("jobtype-repository")["Requires-Python"]
    least = re.match(r">=([0-9.]+)", required)
    return tuple(map(int, least.group(1).split("."))) if least else ()


def refuse_old_python() -> None:
    """End with a sentence if this Python is older than that."""
    least, found = least_python(), sys.version_info[:3]
    if found < least:
        texts = (".".join(map(str, version)) for version in (found, least))
        sys.stderr.write("jobtypes: Python {} is too old; install {} or newer\n".format(*texts))
        sys.exit(EXIT_OURS)
