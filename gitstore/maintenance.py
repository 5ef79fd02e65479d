"""Keeping a repository fast and tidy while it is read and written."""

from __future__ import annotations

import logging
import shutil
import time
from pathlib import Path

from gitstore.git import GitFailed, run_git
from gitstore.locks import try_file_lock

_LOG = logging.getLogger(__name__)

LEFTOVER_S = 6 * 3600
"""Age from which a push's quarantine belongs to nobody: no push may take as long."""


def maintain(git_dir: Path) -> bool:
    """Let Git tidy up as far as it finds that due, and remove what dead pushes left.

    False where another process is at it.
    """
    with try_file_lock(git_dir / "jobtypes" / "maintenance.lock") as held:
        if held:
            remove_leftovers(git_dir, LEFTOVER_S)
            try:
                run_git(git_dir, ["maintenance", "run", "--auto", "--quiet"])
            except GitFailed as error:
                _LOG.warning("%s", error)
    return held


def remove_leftovers(git_dir: Path, age_s: float) -> int:
    """Remove the quarantines of pushes that died over *age_s* ago; how many there were."""
    removed = 0
    for folder in (git_dir / "objects").glob("tmp_objdir-incoming-*"):
        try:
            if time.time() - folder.stat().st_mtime > age_s:
                shutil.rmtree(folder)
                removed += 1
                _LOG.warning("removed %s, which a push left behind", folder.name)
        except OSError as error:
            _LOG.warning("%s can't be removed: %s", folder, error)
    return removed
