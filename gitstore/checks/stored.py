"""A working copy as Git would store it: converted line ends, filters, nothing that is ignored."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from gitstore.errors import Refused
from gitstore.git.command import GitFailed, run_git
from gitstore.git.repository import Repository, init_repository

_USERS = ("GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM")
"""The variables that lead to the settings of the working copy's user."""


@contextmanager
def stored(root: Path, names: Sequence[str]) -> Iterator[tuple[Repository, str]]:
    """A repository, while it is in use, with the tree that ``git add`` would make of *names*.

    *names* are files and folders in *root*, a working copy. That repository borrows the
    objects of the working copy's own, of which nothing changes.

    Raises:
        Refused: Git can't read the working copy; the message has its words.
    """
    with TemporaryDirectory(prefix="jobtypes-") as temporary:
        try:
            yield _store(root, names, Path(temporary))
        except GitFailed as error:
            message = f"Git can't read the working copy {root}: {error.stderr.strip()}"
            raise Refused(message) from None


def _store(root: Path, names: Sequence[str], temporary: Path) -> tuple[Repository, str]:
    asked = ["rev-parse", "--git-path", "objects", "--git-path", "index"]
    paths = os.fsdecode(run_git(root, asked)).splitlines()
    objects, index = (Path(root, path).resolve() for path in paths)
    git_dir = init_repository(temporary / "stored.git", "main").git_dir
    borrowed = git_dir / "objects" / "info" / "alternates"
    borrowed.parent.mkdir(exist_ok=True)
    borrowed.write_bytes(os.fsencode(objects) + b"\n")
    # With the existing index, Git reads only files that changed since.
    if index.exists():
        shutil.copyfile(index, temporary / "index")
    more = {
        "GIT_INDEX_FILE": str(temporary / "index"),
        "GIT_OBJECT_DIRECTORY": str(git_dir / "objects"),
    }

    def git(*args: str) -> bytes:
        return run_git(root, args, variables=_USERS, more=more)

    there = [name for name in names if os.path.lexists(root / name)]
    gone = [name for name in names if name not in there]
    if gone:
        git("rm", "-r", "--cached", "--quiet", "--ignore-unmatch", "--", *gone)
    if there:
        git("add", "--all", "--", *there)
    tree = git("write-tree").decode().strip()
    return Repository(git_dir), tree
