"""What runs: the release, and the versions of what it stands on."""

from __future__ import annotations

import platform
from functools import cache
from importlib.metadata import PackageNotFoundError, version

from gitstore.git.command import git_version
from gitstore.git.handle import LIBGIT2

PACKAGE = "jobtype-repository"


@cache
def build() -> dict[str, str]:
    """The versions by name: ours as ``release``, and python, git, libgit2, granian."""
    return {
        "release": _version(PACKAGE),
        "python": platform.python_version(),
        "git": ".".join(map(str, git_version())),
        "libgit2": LIBGIT2,
        "granian": _version("granian"),
    }


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:  # It runs from a folder that nobody installed.
        return "unknown"
