"""Whether a repository has the whole history, and whether its branch is checked out somewhere.

Numbers are counted from the history. A repository that lacks a part of it has other numbers, so
nothing is counted there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

_PARTIAL = re.compile(r"^\s*(promisor\s*=\s*(true|yes|on|1)|partialclone\w*\s*=)", re.I | re.M)
"""Git's settings by which a repository may lack objects."""

_SHALLOW = (
    "is shallow: it has only the last commits, and version numbers are counted from all of them."
    " Run git fetch --unshallow in it"
)
_LACKING = (
    "is a partial clone: it lacks files or folders of the history, from which version numbers are"
    " counted. Clone it again without --filter"
)
_GRAFTED = (
    "has grafts, which give commits other parents, and version numbers are counted along the"
    " parents. Delete the file info/grafts in it"
)


def common_dir(git_dir: Path) -> Path:
    """Where the objects are: *git_dir*, or the repository's that a worktree's belongs to."""
    try:
        return git_dir / (git_dir / "commondir").read_text().strip()
    except FileNotFoundError:
        return git_dir


def is_shallow(git_dir: Path) -> bool:
    """Whether the history of the repository was cut off, as by ``git clone --depth 1``."""
    return bool(_text(common_dir(git_dir) / "shallow").strip())


def history_fault(git_dir: Path) -> str | None:
    """Why the history can't be counted, as the end of a sentence; None if it is whole."""
    if is_shallow(git_dir):
        return _SHALLOW
    common = common_dir(git_dir)
    if _PARTIAL.search(_text(common / "config")) or any(
        (common / "objects" / "pack").glob("*.promisor")
    ):
        return _LACKING
    grafts = _text(common / "info" / "grafts").splitlines()
    return _GRAFTED if any(line.strip() and not line.startswith("#") for line in grafts) else None


def working_copies(git_dir: Path, ref: str) -> Iterator[Path]:
    """Yield the folders of the worktrees added to a bare repository in which *ref* is checked out.

    A commit there would undo what others wrote to the branch meanwhile.
    """
    folder = git_dir / "worktrees"
    for worktree in sorted(folder.iterdir()) if folder.is_dir() else ():
        copy = Path(_text(worktree / "gitdir").strip())
        if _text(worktree / "HEAD").strip() == f"ref: {ref}" and copy.exists():
            yield copy.parent


def _text(path: Path) -> str:
    """The text of the file at *path*, empty if there is none."""
    with suppress(FileNotFoundError, NotADirectoryError):
        return path.read_text(errors="replace")
    return ""
