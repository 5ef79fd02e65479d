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
"""Age from which what is half done belongs to nobody: no push may take as long."""

_LEFTOVERS = (
    "objects/tmp_objdir-incoming-*",  # the quarantine of a push
    "objects/tmp_object_git2_*",
    "objects/??/tmp_obj*",
    "objects/pack/tmp_*",
    "objects/pack/.tmp-*",
    "jobtypes/.index-*",
)


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
    """Remove what writers that died over *age_s* ago left half done; how much there was."""
    removed = 0
    for path in (path for pattern in _LEFTOVERS for path in git_dir.glob(pattern)):
        try:
            if time.time() - path.stat().st_mtime > age_s:
                shutil.rmtree(path) if path.is_dir() else path.unlink()
                removed += 1
                _LOG.warning("removed %s, which a dead writer left behind", path.name)
        except FileNotFoundError:
            pass
        except OSError as error:
            _LOG.warning("%s can't be removed: %s", path, error)
    return removed
