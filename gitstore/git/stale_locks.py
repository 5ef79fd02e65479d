"""Lock files of Git's that a dead process left behind, which would stop the next write.

Git and libgit2 lock a file by making ``<file>.lock`` next to it. Killed, they leave it. Such
a lock is judged by age and by owner: by how long it was seen to stand unchanged, on a clock
that nobody sets, and by whether a living process can be its owner.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from gitstore.git.locks import try_file_lock

_LOG = logging.getLogger(__name__)

AGE_S = 3.0
"""For how long a lock without an owner must have been seen: Git holds one that it has closed
for milliseconds."""
UNKNOWN_AGE_S = 600.0
"""The same where it can't be told who its owner is: another user's, or no /proc."""

_PROC = Path("/proc")
_HOLDS_NO_REF = frozenset(
    f"{prefix}{name}".encode()
    for prefix in ("", "git-")
    for name in ("upload-pack", "pack-objects", "repack", "gc", "maintenance", "prune", "fsck")
)
"""Git's programs that take long and change no ref: one of them is no lock's owner unless it
has it open."""

Process = tuple[int, str]
"""A process's number and when it began, which together never come again."""


@dataclass(frozen=True, slots=True)
class _Sight:
    """A lock as it was first seen, and which processes might have been its owner then."""

    identity: tuple[int, int]
    since: float
    suspects: frozenset[Process]


class StaleLocks:
    """The lock files of the repository at *git_dir*, watched until they are stale."""

    def __init__(self, git_dir: Path, age_s: float = AGE_S) -> None:
        self._git_dir = git_dir
        self._age_s = age_s
        self._seen: dict[Path, _Sight] = {}
        self._turn = threading.Lock()

    def remove(self, *refs: str) -> int:
        """Remove the stale locks on *refs*, of the whole repository without; how many there were.

        A lock is stale no sooner than it was seen by a call before this one.
        """
        paths = [self._git_dir / f"{ref}.lock" for ref in refs] if refs else list(self._locks())
        with self._turn:
            if not refs:
                self._seen = {path: self._seen[path] for path in paths if path in self._seen}
            return sum(self._judge(path) for path in paths)

    def _locks(self) -> Iterator[Path]:
        """Yield Git's lock files. Those in jobtypes/ are ours, and end with their process."""
        yield from self._git_dir.glob("*.lock")
        for folder in ("refs", "objects/info"):
            yield from (self._git_dir / folder).rglob("*.lock")
        for folder in ("objects", "objects/pack"):
            yield from (self._git_dir / folder).glob("*.lock")

    def _judge(self, path: Path) -> bool:
        """Remove the lock at *path* if it is stale."""
        found = _identity(path)
        seen = self._seen.get(path)
        if found is None:
            self._seen.pop(path, None)
            return False
        if seen is None or seen.identity != found:
            self._seen[path] = _Sight(found, time.monotonic(), self._suspects())
            return False
        if not self._is_stale(path, seen):
            return False
        # Other workers judge it, too; theirs is not to hit the lock that comes after.
        with try_file_lock(self._git_dir / "jobtypes" / "stale.lock") as held:
            if held is not None and _identity(path) == found:
                with suppress(FileNotFoundError):
                    path.unlink()
                    del self._seen[path]
                    _LOG.warning("removed %s, which a dead process left behind", path)
                    return True
        return False

    def _is_stale(self, path: Path, seen: _Sight) -> bool:
        age_s = time.monotonic() - seen.since
        if age_s < self._age_s:
            return False
        if not _owner_is_visible(path):
            return age_s >= UNKNOWN_AGE_S
        return not any(map(_lives, seen.suspects)) and not _is_open(path)

    def _suspects(self) -> frozenset[Process]:
        """Git's processes in this repository that may hold a lock which they have closed."""
        return frozenset(p for p in _processes() if self._may_hold(p[0]))

    def _may_hold(self, pid: int) -> bool:
        try:
            words = (_PROC / str(pid) / "cmdline").read_bytes().split(b"\0")
            if not os.path.basename(words[0]).startswith(b"git"):
                return False
            here = Path(os.readlink(_PROC / str(pid) / "cwd"))
        except OSError:
            return False
        names = {words[0].rsplit(b"/", 1)[-1], *words[1:]}
        return here.is_relative_to(self._git_dir.resolve()) and not names & _HOLDS_NO_REF


def _identity(path: Path) -> tuple[int, int] | None:
    """What tells the file at *path* from one that takes its place."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns


def _owner_is_visible(path: Path) -> bool:
    """Whether the process that made the file would be seen with its open files."""
    try:
        return _PROC.joinpath("self/fd").exists() and os.geteuid() in (0, path.stat().st_uid)
    except (OSError, AttributeError):
        return False


def _processes() -> Iterator[Process]:
    """Yield the processes of this machine."""
    if _PROC.is_dir():
        for name in os.listdir(_PROC):
            if name.isdecimal():
                began = _began(int(name))
                if began is not None:
                    yield int(name), began


def _began(pid: int) -> str | None:
    """When process *pid* began, in the kernel's count; None if it has ended."""
    try:
        fields = (_PROC / str(pid) / "stat").read_text().rsplit(")", 1)[1].split()
    except (OSError, IndexError):
        return None
    return None if fields[0] in "ZX" else fields[19]


def _lives(process: Process) -> bool:
    return _began(process[0]) == process[1]


def _is_open(path: Path) -> bool:
    """Whether a process that we may look at has the file open."""
    wanted = str(path.resolve())
    return any(wanted in _open_files(pid) for pid, _ in _processes())


def _open_files(pid: int) -> Iterator[str]:
    folder = _PROC / str(pid) / "fd"
    with suppress(OSError):
        for name in os.listdir(folder):
            with suppress(OSError):
                yield os.readlink(folder / name)
