"""Which commit wrote each line of a file: what ``git blame`` says. libgit2 follows no renames."""

from __future__ import annotations

import re
from pathlib import Path

from gitstore.errors import Busy, StorageFailed
from gitstore.git.command import GitFailed, GitTimeout, run_git

BLAME_LIMIT_S = 30.0

_LINE = re.compile(rb"^([0-9a-f]{40}) [0-9]+ ([0-9]+)(?: [0-9]+)?$", re.MULTILINE)
"""How the porcelain form begins each line. The content of a line has a tab in front of it."""

_SETTINGS = (("blame.ignoreRevsFile", ""),)
"""With --no-textconv, what makes the answer depend on the history alone."""


def count_lines(data: bytes) -> int:
    """How many lines *data* has, as Git counts them."""
    return data.count(b"\n") + (not data.endswith(b"\n") and bool(data))


def blame(repository: Path, commit: str, path: str, first: int, last: int) -> list[str]:
    """The commits that wrote the lines *first* to *last*, which exist, of *path* in *commit*.

    Raises:
        Busy: Git took too long.
        StorageFailed: Git failed.
    """
    args = ["blame", "--porcelain", "--no-textconv", f"-L{first},{last}", commit, "--", path]
    try:
        said = run_git(repository, args, settings=_SETTINGS, limit_s=BLAME_LIMIT_S, is_limited=True)
    except GitTimeout:
        raise Busy("git blame took too long; ask for fewer lines, or try again") from None
    except GitFailed as error:
        raise StorageFailed(f"git blame failed: {error.stderr.strip()}") from None
    return [match[1].decode() for match in _LINE.finditer(said)]
