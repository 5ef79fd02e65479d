"""Hooks put in place by ``jobtypes hooks install``."""

from __future__ import annotations

from pathlib import Path

from tests.support.commands import Done, jobtypes


def install(where: Path, *options: str) -> Done:
    """What the command did in the repository or clone at *where*."""
    return jobtypes("hooks", "install", "--repo", where, *options)


def hooks_in(folder: Path) -> list[str]:
    """The names of the hooks in *folder*, without Git's samples."""
    return sorted(p.name for p in folder.iterdir() if not p.name.endswith(".sample"))
