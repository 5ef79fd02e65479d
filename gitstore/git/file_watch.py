"""Whether a ref, or another file, may have changed since it was read, for less than reading it."""

from __future__ import annotations

import os
import re
import stat
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Generic, TypeVar

T = TypeVar("T")

SETTLED_S = 2.1
"""How long ago a folder's change must be for the next one to look different: file systems count
time in steps of two seconds at most."""

RENEWED_S = 0.2
"""How often the path of a file is checked: another file may have taken its place."""

_LOCAL = frozenset(("ext2", "ext3", "ext4", "xfs", "btrfs", "zfs", "f2fs", "tmpfs"))
"""File systems which no other machine changes, so that stat tells the present. On a network's
file system it may be some seconds behind."""

_MOUNTS = Path("/proc/self/mounts")

Stamp = tuple[int, int, int, int]
"""Links, size, and the times of content and of status, in nanoseconds."""


class Mark:
    """How a file, or folder, looked. It stays open, so no other file gets its inode."""

    __slots__ = ("handle", "path", "stamp", "until")

    def __init__(self, path: Path) -> None:
        self.path = path
        self.handle = os.open(path, os.O_PATH | os.O_NOFOLLOW)
        self.stamp = _stamp(self.handle)
        self.until = 0.0

    def __del__(self) -> None:
        # Without a handle it could not be opened. A disk that fails now takes nothing away.
        with suppress(AttributeError, OSError):
            os.close(self.handle)

    def is_reliable(self) -> bool:
        """Whether the next change will show, however soon it comes."""
        status = os.fstat(self.handle)
        if stat.S_ISREG(status.st_mode):
            return True
        # A time in the future comes from a clock that was set back since.
        is_young = max(status.st_mtime, status.st_ctime) >= time.time() - SETTLED_S
        return stat.S_ISDIR(status.st_mode) and not is_young

    def is_at_its_path(self) -> bool:
        """Whether *path* still leads to it."""
        try:
            return os.path.samestat(os.fstat(self.handle), os.lstat(self.path))
        except OSError:
            return False


class Watch:
    """Looks at the file, of the repository at *git_dir*, that *ref* is in.

    Git and libgit2 move a ref by a new file in place of the old one, which then has no name any
    more; or a first one into a folder, where the ref was packed. They also make a lock in that
    folder before they change or delete a packed ref. So as long as fstat(2) says the same of the
    file, or of the folder while there is no file, the ref is where it was. Changes of a folder
    within one tick of the disk's clock can't be told apart. So a young folder isn't relied on:
    Git treats its index in the same way.
    """

    def __init__(self, git_dir: Path, ref: str) -> None:
        self._file = git_dir / ref
        self._is_local = _is_local(git_dir)

    def mark(self) -> Mark | None:
        """How the ref looks, to be taken before it is read; None where that isn't reliable."""
        if self._is_local:
            with suppress(OSError):
                mark = Mark(self._file if self._file.exists() else self._file.parent)
                return mark if mark.is_reliable() else None
        return None

    def holds(self, mark: Mark) -> bool:
        """Whether the ref looks as it did when *mark* was taken.

        Another folder in the repository's place is noticed within RENEWED_S.
        """
        try:
            if _stamp(mark.handle) != mark.stamp:
                return False
        except OSError:
            return False
        now = time.monotonic()
        if now > mark.until:
            if not mark.is_at_its_path():
                return False
            mark.until = now + RENEWED_S
        return True


class Watched(Generic[T]):
    """What *read* gives for a file. It is called only if *watch* says that the file may differ."""

    def __init__(self, watch: Watch, read: Callable[..., T]) -> None:
        self._watch = watch
        self._holds = watch.holds
        self._read = read
        self._seen: tuple[Mark, T] | None = None

    def get(self, *args: object) -> T:
        """What the file says as of now; *args* are for *read*."""
        seen = self._seen
        if seen is not None and self._holds(seen[0]):
            return seen[1]
        mark = self._watch.mark()
        value = self._read(*args)
        self._seen = (mark, value) if mark is not None and self._holds(mark) else None
        return value

    def forget(self) -> None:
        """Read the next time, whatever the file looks like."""
        self._seen = None


def _stamp(handle: int) -> Stamp:
    status = os.fstat(handle)
    return status.st_nlink, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def _is_local(path: Path) -> bool:
    """Whether *path* is on a file system that is known to be this machine's alone."""
    if not hasattr(os, "O_PATH"):  # Another system than Linux.
        return False
    try:
        lines = os.fsdecode(_MOUNTS.read_bytes()).split("\n")[:-1]
        place = path.resolve()
    except OSError:
        return False
    mounts = (line.split(" ")[1:3] for line in lines)
    kinds = {_unescaped(folder): kind for folder, kind in mounts}
    kind = next((kinds[str(p)] for p in (place, *place.parents) if str(p) in kinds), "")
    return kind in _LOCAL


def _unescaped(folder: str) -> str:
    """*folder* without the escapes of /proc/self/mounts, such as ``\\040`` for a space."""
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), folder)
