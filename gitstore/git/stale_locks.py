"""Lock files of Git's that a dead process left behind, which would stop the next write.

Git and libgit2 lock a file by creating ``<file>.lock``. Killed, they leave it. A lock is stale
once it has been seen unchanged for a while, on a clock that nobody sets, and no process has it
open.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from glob import iglob
from pathlib import Path

from gitstore.git.locks import try_file_lock

_LOG = logging.getLogger(__name__)

AGE_S = 10.0
"""How long a lock must have been seen unchanged. Git holds a lock that it has closed for
milliseconds, and a write waits for up to 30 s."""

UNKNOWN_AGE_S = 600.0
"""The same where open files can't be seen: another user's, or no /proc."""

_PROC = Path("/proc")

Identity = tuple[int, int]
"""What tells a file from another at its path: its inode and its time in nanoseconds."""


class StaleLocks:
    """The lock files of the repository at *git_dir*, watched until they are stale."""

    def __init__(self, git_dir: Path, age_s: float = AGE_S) -> None:
        self._git_dir = git_dir
        self._age_s = age_s
        self._seen: dict[Path, tuple[Identity, float]] = {}
        self._turn = threading.Lock()

    def remove(self, *refs: str) -> int:
        """Remove the stale locks on *refs*, or of the whole repository; return their number.

        The first call that sees a lock never removes it.
        """
        paths = [self._git_dir / f"{ref}.lock" for ref in refs] if refs else list(self._locks())
        with self._turn:
            if not refs:
                self._seen = {path: self._seen[path] for path in paths if path in self._seen}
            return sum(self._remove_stale(path) for path in paths)

    def _locks(self) -> Iterator[Path]:
        """Yield Git's lock files. Those in jobtypes/ are ours, and end with their process."""
        yield from self._git_dir.glob("*.lock")
        for folder in ("refs", "objects/info"):
            yield from (self._git_dir / folder).rglob("*.lock")
        for folder in ("objects", "objects/pack"):
            yield from (self._git_dir / folder).glob("*.lock")

    def _remove_stale(self, path: Path) -> bool:
        """Remove the lock at *path* if it is stale. True if it was removed."""
        identity = _identity(path)
        if identity is None:
            self._seen.pop(path, None)
            return False
        seen = self._seen.get(path)
        if seen is None or seen[0] != identity:
            self._seen[path] = identity, time.monotonic()
            return False
        if not self._is_stale(path, time.monotonic() - seen[1]):
            return False
        # Other workers remove stale locks, too. Only one may, so that no new lock goes.
        with try_file_lock(self._git_dir / "jobtypes" / "stale.lock") as held:
            if held is not None and _identity(path) == identity:
                with suppress(FileNotFoundError):
                    path.unlink()
                    del self._seen[path]
                    _LOG.warning("removed %s, which a dead process left behind", path)
                    return True
        return False

    def _is_stale(self, path: Path, age_s: float) -> bool:
        if age_s < self._age_s:
            return False
        if not _can_see_owner(path):
            return age_s >= UNKNOWN_AGE_S
        return not _is_open(path)


def _identity(path: Path) -> Identity | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns


def _can_see_owner(path: Path) -> bool:
    """Whether /proc shows the open files of the process that made the file."""
    try:
        return _PROC.joinpath("self/fd").exists() and os.geteuid() in (0, path.stat().st_uid)
    except OSError:
        return False


def _is_open(path: Path) -> bool:
    """Whether a process, among those that we may look at, has the file open."""
    wanted = str(path.resolve())
    # pathlib's glob raises an error where a process ends meanwhile.
    for link in iglob(f"{_PROC}/[0-9]*/fd/*"):
        with suppress(OSError):
            if os.readlink(link) == wanted:
                return True
    return False
