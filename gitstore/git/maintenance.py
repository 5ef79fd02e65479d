"""Keeping a repository fast and tidy while it is read and written."""

from __future__ import annotations

import logging
import shutil
import time
from pathlib import Path

from gitstore.git.command import GitFailed, GitTimeout, run_git
from gitstore.git.locks import try_file_lock

_LOG = logging.getLogger(__name__)

LEFTOVER_S = 6 * 3600
"""The age from which half-written files are leftovers: no push may take that long."""

NICENESS = 10
LIMIT_S = 3600
"""The time limit of Git's housekeeping. If it is killed, only temporary files remain."""

_SETTINGS = (
    # Detached, Git would run on after the lock is released, and leave a log of what failed
    # that stops its housekeeping for a day.
    ("gc.autoDetach", "false"),
    ("maintenance.autoDetach", "false"),
)

_CLOCK = time.time() - time.monotonic()
"""The difference between the wall clock and the monotonic one when this process began."""
_CLOCK_OFF_S = 24 * 3600

_LEFTOVERS = (
    "objects/tmp_objdir-incoming-*",  # the quarantine of a push
    "objects/tmp_object_git2_*",
    "objects/tmp_obj_*",
    "objects/??/tmp_obj*",
    "objects/pack/tmp_*",
    "objects/pack/.tmp-*",
    "jobtypes/.index-*",
)


def maintain(git_dir: Path) -> bool:
    """Let Git do what housekeeping is due, and remove the leftovers of dead pushes.

    False where another process is at it.
    """
    with try_file_lock(git_dir / "jobtypes" / "maintenance.lock") as held:
        if held is None:
            return False
        if not _clock_was_set():
            remove_leftovers(git_dir, LEFTOVER_S)
        _remove_log(git_dir / "gc.log")
        try:
            _run(git_dir, held)
        except (GitFailed, GitTimeout) as error:
            _LOG.warning("%s", error)
    return True


def _run(git_dir: Path, lock: int) -> None:
    args = ["maintenance", "run", "--auto", "--quiet"]
    # Git inherits the lock. So if this process is killed, nobody takes the lock while Git runs.
    # Objects of a running write would look old enough to be pruned.
    kept = (("gc.pruneExpire", "never"),) if _clock_was_set() else ()
    run_git(
        git_dir, args, settings=(*_SETTINGS, *kept), limit_s=LIMIT_S, niceness=NICENESS, held=[lock]
    )


def _clock_was_set() -> bool:
    """Whether the wall clock jumped since this process began, so that ages are unknown."""
    return abs(time.time() - time.monotonic() - _CLOCK) > _CLOCK_OFF_S


def _remove_log(path: Path) -> None:
    """Remove the log of another user's Git, because it would stop ours."""
    try:
        text = path.read_text(errors="replace").strip()
        path.unlink()
    except OSError:
        return
    _LOG.warning("removed %s, which says: %s", path.name, text)


def remove_leftovers(git_dir: Path, age_s: float) -> int:
    """Remove the half-written files of writers that died over *age_s* ago; return their number."""
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
