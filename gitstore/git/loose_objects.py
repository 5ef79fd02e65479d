"""Loose objects: written as Git has them, several together, and on disk when that is done.

An object's file is ``<first two digits of its id>/<the others>``, read-only, and holds
``<kind> <length>\\0<content>``, deflated (gitformat-loose).
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import ExitStack, suppress
from functools import cache
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")

_TEMPORARY = "tmp_obj_"
"""The beginning of an unfinished file's name. Git removes such files."""

HEADER_BYTES = 64
"""Enough to hold any object's header."""

_AT_ONCE = 32
"""Files that are open at the same time. A process may have about a thousand open."""

_FLUSHERS = 4
"""Files or folders that are flushed at the same time. A disk combines such flushes."""

_TRIES = 20
"""Attempts to put an object into a folder that Git's housekeeping removes."""


class LooseObjects:
    """The loose objects below *folder*, a repository's ``objects``."""

    def __init__(self, folder: Path) -> None:
        self.folder = str(folder)

    def path(self, id: str) -> str:
        """The path of object *id* if it is in no pack."""
        return f"{self.folder}/{id[:2]}/{id[2:]}"

    def begin(self, id: str) -> bytes | None:
        """The first HEADER_BYTES of object *id*, header and content; None if it has no file."""
        try:
            with open(self.path(id), "rb") as file:
                packed = file.read(4 * HEADER_BYTES)
        except OSError:
            return None
        try:
            return zlib.decompressobj().decompress(packed, HEADER_BYTES)
        except zlib.error:
            return b""

    def write(self, objects: Mapping[str, bytes]) -> set[str]:
        """Have *objects*, header and content by id, on disk with their names.

        Returns those that were not there. What was there is made as young as if it were
        new, so that it isn't pruned.

        Raises:
            OSError: the disk fails. Nothing half written is left.
        """
        made = {id: self._temporary() for id in objects if not self._freshen(id)}
        try:
            for some in _batches(list(made), _AT_ONCE):
                _fill({made[id]: objects[id] for id in some})
            grown = [self._name(path, id) for id, path in made.items()]
        except BaseException:
            for path in made.values():
                with suppress(OSError):
                    os.unlink(path)
            raise
        _side_by_side(flush, list({os.path.dirname(self.path(id)) for id in made}))
        if any(grown):
            flush(self.folder)
        return set(made)

    def _temporary(self) -> str:
        return f"{self.folder}/{_TEMPORARY}{os.urandom(8).hex()}"

    def _freshen(self, id: str) -> bool:
        """Make object *id* young, if it is there. Its writer may not have flushed it.

        False, too, where it is not ours to touch, or Git packs it just now.
        """
        path = self.path(id)
        try:
            os.utime(path)
            flush(path)
            flush(os.path.dirname(path))
        except (FileNotFoundError, PermissionError):
            return False
        return True

    def _name(self, temporary: str, id: str) -> bool:
        """Give the file *temporary* its name as object *id*; whether a folder was made for it."""
        path = self.path(id)
        for tried in range(_TRIES):
            try:
                os.rename(temporary, path)
                return tried > 0
            except FileNotFoundError:
                with suppress(FileExistsError):
                    os.mkdir(os.path.dirname(path))
        os.rename(temporary, path)
        return True


def _fill(files: Mapping[str, bytes]) -> None:
    """Make *files*, content by path, and have what they hold on disk."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    handles: list[int] = []
    with ExitStack() as at_the_end:
        for path, data in files.items():
            handle = os.open(path, flags, 0o444)
            at_the_end.callback(os.close, handle)
            handles.append(handle)
            rest = memoryview(zlib.compress(data, _level(data)))
            while rest:
                rest = rest[os.write(handle, rest) :]
        _side_by_side(os.fsync, handles)


def _level(data: bytes) -> int:
    """The zlib level for *data*. A tree is mostly ids, which don't compress."""
    return zlib.Z_NO_COMPRESSION if data.startswith(b"tree ") else zlib.Z_BEST_SPEED


@cache
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(_FLUSHERS - 1, "flush")


def _side_by_side(flush: Callable[[T], None], items: Sequence[T]) -> None:
    """Call *flush* for each of *items*, several at a time.

    All are done, or have failed, when it returns or raises what came of one.
    """
    first, *others = (items[start::_FLUSHERS] for start in range(_FLUSHERS))

    def do(part: Sequence[T]) -> None:
        for item in part:
            flush(item)

    futures = [_threads().submit(do, part) for part in others if part]
    try:
        do(first)
    finally:
        wait(futures)
    for future in futures:
        future.result()


def _batches(ids: list[str], size: int) -> Iterator[list[str]]:
    return (ids[start : start + size] for start in range(0, len(ids), size))


def flush(path: str | Path) -> None:
    """Have on disk what *path*, a file or a folder, holds, where the system can do so."""
    if not hasattr(os, "O_DIRECTORY"):
        return  # Windows opens no folders, and flushes nothing that is open for reading.
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
