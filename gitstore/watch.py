"""Whether a ref may have moved since it was read, for less than reading it again."""

from __future__ import annotations

import ctypes
import os
import sys
import time
from pathlib import Path

SETTLED_S = 2.1
"""How long ago a change must be for the next one to look different: file systems count time
in steps of two seconds at most."""

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


class Watch:
    """Looks at the file that *ref* of the repository at *git_dir* lies in.

    Whoever moves a ref puts a new file in the place of the old one; or a first one into a
    folder, where the ref was packed. Git and libgit2 also make a lock in that folder before
    they change or delete a packed ref. So as long as stat(2) says the same of the file, or
    of the folder while there is no file, the ref is where it was. Only what happens within one
    tick of the disk's clock can't be told apart: Git has the same trouble with its index, and
    the same way out, not to rely on what is that young.
    """

    def __init__(self, git_dir: Path, ref: str) -> None:
        self._file = git_dir / ref
        self._said = ctypes.create_string_buffer(_STAT_BYTES)
        self._address = ctypes.addressof(self._said)
        self._stat = _stat() if _is_local(git_dir) else None

    def stamp(self, path: bytes) -> bytes | None:
        """How *path* looks now; None where that can't be relied on.

        Threads may get each other's answer here, which is none of before they asked.
        """
        if self._stat is None or self._stat(path, self._address) != 0:
            return None
        return self._said.raw

    def choose(self) -> tuple[bytes, bytes | None]:
        """What to watch, and the stamp to compare with, to be taken before the ref is read."""
        watched = self._file if self._file.exists() else self._file.parent
        path = os.fsencode(watched)
        stamp = self.stamp(path)
        return path, stamp if _is_settled(watched) else None


def _is_settled(path: Path) -> bool:
    try:
        status = path.stat()
    except OSError:
        return False
    # A time that is still to come is that of a clock which was set back since.
    return max(status.st_mtime, status.st_ctime) < time.time() - SETTLED_S


def _stat() -> ctypes._NamedFuncPointer | None:
    """stat(2), called while the interpreter's lock is held; None where it can't be had so.

    os.stat lets go of the lock, and where many threads wait for it, that costs several times
    what the call itself does.
    """
    function = getattr(ctypes.PyDLL(None), "stat", None)
    if function is not None:
        function.argtypes = [ctypes.c_char_p, ctypes.c_void_p]
    return function


def _is_local(path: Path) -> bool:
    """Whether *path* lies on a file system that is known to be this machine's alone."""
    if not sys.platform.startswith("linux"):
        return False
    said = ctypes.create_string_buffer(_STAT_BYTES)
    if ctypes.CDLL(None).statfs(os.fsencode(path), said) != 0:
        return False
    return ctypes.c_ulong.from_buffer(said).value in _LOCAL
