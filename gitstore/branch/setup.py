"""Making a new repository of jobtypes, empty or from a folder."""

from __future__ import annotations

import os
from fnmatch import fnmatchcase
from pathlib import Path

from gitstore.branch.writing import SERVICE
from gitstore.checks.extras import JUNK
from gitstore.errors import Exists
from gitstore.format.json_schema import editor_files
from gitstore.git.repository import init_repository
from gitstore.git.tree_edit import Changes

_ATTRIBUTES = b"""\
# Line ends in the repository are LF, whatever the machine that edits.
* text=auto
*.py text eol=lf
*.yaml text eol=lf
*.md text eol=lf
"""
_IGNORE = "\n".join(("# What tools, systems and editors leave behind.", *JUNK, "")).encode()
FOR_CLONES = {".gitattributes": _ATTRIBUTES, ".gitignore": _IGNORE, **editor_files()}
"""Files for Git and editors in the clones, with which each new repository of jobtypes begins."""
_NOT_CARRIED = ("__*", ".git", "*_cache", ".hypothesis", ".venv")
"""Patterns of folders that are no part of a sample, because tools leave them behind."""
_README = b"""\
# Jobtypes

Each folder under `jobtypes/` is a jobtype: `code.py` and `meta.yaml`. The programs they
need are listed under `software/`. Change them, commit and push; every commit that
changes a jobtype makes its next version.
"""

BEGINNING = {**FOR_CLONES, "README.md": _README}
"""The files of a new repository without jobtypes."""


def sample_path() -> Path:
    """The folder with the sample jobtypes, which is installed next to the packages."""
    return Path(__file__).resolve().parents[2] / "sample_repo"


def create_repository(path: Path, branch: str, source: Path | None) -> str:
    """Make a bare repository at *path*, with one commit on *branch*; the commit's id.

    The commit holds the files of folder *source*, or a README.md alone.

    Raises:
        Exists: something is at *path* already.
        StorageFailed: it can't be made there.
    """
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise Exists(f"{path} exists and is not empty; name a new path")
    repository = init_repository(path, branch)
    files: Changes = BEGINNING
    if source is not None:
        files = {**files, **_files(source)}
    tree = repository.write_tree(None, files)
    commit = repository.write_commit(tree, (), "Begin the repository\n", SERVICE, SERVICE)
    repository.move(f"refs/heads/{branch}", None, commit, SERVICE, "init")
    return commit


def _files(source: Path) -> dict[str, bytes]:
    """The files below *source* by relative path, without the caches of tools."""
    files = {}
    for folder, folders, names in os.walk(source):
        folders[:] = [n for n in folders if not any(fnmatchcase(n, p) for p in _NOT_CARRIED)]
        for name in names:
            path = Path(folder, name)
            files[path.relative_to(source).as_posix()] = path.read_bytes()
    return files
