"""Whether a ref, or another file, may have changed since it was read, for less than reading it."""

from __future__ import annotations

import ctypes
import os
import stat
import sys
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
"""How often it is asked whether a file is still where it was."""

_LOCAL = {
    0xEF53: "ext2, ext3, ext4",
    0x58465342: "xfs",
    0x9123683E: "btrfs",
    0x2FC12FC1: "zfs",
    0xF2F52010: "f2fs",
    0x01021994: "tmpfs",
}
"""File systems by their f_type (statfs(2)) which no other machine changes, so that stat tells
what is. Of one on the network it may tell what was some seconds ago."""

_STAT_BYTES = 256
"""No machine's struct stat, nor its struct statfs, is larger."""


class Mark:
    """How a file looked: the open file, or folder, of *path*, and what fstat(2) said of it.

    A file that is open keeps its number, so no other is ever taken for it.
    """

    __slots__ = ("number", "path", "stamp", "until")

    def __init__(self, path: Path) -> None:
        self.path = path
        self.number = os.open(path, os.O_PATH | os.O_NOFOLLOW)
        self.stamp = b""
        self.until = 0.0

    def __del__(self) -> None:
        # Without a number it could not be opened. A disk that fails now takes nothing away:
        # nothing was written, and nobody is there to be told.
        with suppress(AttributeError, OSError):
            os.close(self.number)

    def is_reliable(self) -> bool:
        """Whether the next change will show, however soon it comes."""
        status = os.fstat(self.number)
        if stat.S_ISREG(status.st_mode):
            return True
        # A time that is still to come is that of a clock which was set back since.
        young = max(status.st_mtime, status.st_ctime) >= time.time() - SETTLED_S
        return stat.S_ISDIR(status.st_mode) and not young

    def is_at_its_path(self) -> bool:
        """Whether *path* still leads to it."""
        try:
            return os.path.samestat(os.fstat(self.number), os.lstat(self.path))
        except OSError:
            return False


class Watch:
    """Looks at the file of the repository at *git_dir* that *ref*, for example, lies in.

    Git and libgit2 move a ref by a new file in place of the old one, which then has no name any
    more; or a first one into a folder, where the ref was packed. Git and libgit2 also make a
    lock in that folder before they change or delete a packed ref. So as long as fstat(2) says the
    same of the file, or of the folder while there is no file, the ref is where it was. What
    happens to a folder within one tick of the disk's clock can't be told apart: Git has the
    same trouble with its index, and the same way out, not to rely on what is that young.
    """

    def __init__(self, git_dir: Path, ref: str) -> None:
        self._file = git_dir / ref
        self._said = bytearray(_STAT_BYTES)
        # A pointer that need not be made for each call.
        self._to_said = ctypes.byref((ctypes.c_char * _STAT_BYTES).from_buffer(self._said))
        self._fstat = _fstat() if _is_local(git_dir) else _fail

    def mark(self) -> Mark | None:
        """How the ref looks, to be taken before it is read; None where that can't be relied on."""
        if self._fstat is _fail:
            return None
        with suppress(OSError):
            mark = Mark(self._file if self._file.exists() else self._file.parent)
            if self._fstat(mark.number, self._to_said) == 0:
                mark.stamp = bytes(self._said)
                return mark if mark.is_reliable() else None
        return None

    def holds(self, mark: Mark) -> bool:
        """Whether the ref looks as it did when *mark* was taken.

        Threads share one buffer. So a thread may see another's result, but never one older
        than its own call. A new folder in the repository's place is noticed within RENEWED_S.
        """
        if self._fstat(mark.number, self._to_said) != 0 or self._said != mark.stamp:
            return False
        now = time.monotonic()
        if now > mark.until:
            if not mark.is_at_its_path():
                return False
            mark.until = now + RENEWED_S
        return True


class Watched(Generic[T]):
    """What *read* says of a file, asked only where *watch* finds that it may be news."""

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


def _fstat() -> Callable[..., int]:
    """fstat(2), called while the interpreter's lock is held; where it can't be had so, _fail.

    os.fstat lets go of the lock, and where many threads wait for it, that costs several times
    what the call itself does.
    """
    try:
        return getattr(ctypes.PyDLL(None), "fstat", _fail)
    except (TypeError, OSError):  # Windows has no such library.
        return _fail


def _fail(*_: object) -> int:
    """As fstat(2) of a file that does not exist."""
    return -1


def _is_local(path: Path) -> bool:
    """Whether *path* lies on a file system that is known to be this machine's alone."""
    if not (sys.platform.startswith("linux") and hasattr(os, "O_PATH")):
        return False
    said = ctypes.create_string_buffer(_STAT_BYTES)
    try:
        if ctypes.CDLL(None).statfs(os.fsencode(path), said) != 0:
            return False
    except (TypeError, OSError):
        return False
    return ctypes.c_ulong.from_buffer(said).value in _LOCAL
