"""Locks between processes, which end with the process that holds them, and turns at writing."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from gitstore.errors import StorageFailed

try:
    import fcntl
except ImportError:  # Windows has none. What only reads takes no lock.
    fcntl = None  # type: ignore[assignment]

PATIENCE_S = 3.0
"""How long a process waits for its turn. After that, it assumes that the holder hangs."""

_PAUSES_S = (0.0002, 0.0005, 0.001)
"""Pauses between two attempts to take a lock: flock() itself has no time limit."""


def _lock(handle: int, waits: bool) -> None:
    """Lock the open file *handle*.

    Raises:
        BlockingIOError: somebody else holds it, and it is not to be waited for.
        StorageFailed: this system has no such locks.
    """
    if fcntl is None:
        raise StorageFailed(
            "this system has no locks between processes, as Linux and macOS have them; run there"
            " what writes into a served repository"
        )
    fcntl.flock(handle, fcntl.LOCK_EX | (0 if waits else fcntl.LOCK_NB))


@contextmanager
def file_lock(path: Path) -> Iterator[None]:
    """Hold the lock that *path* stands for, after waiting for it."""
    path.parent.mkdir(exist_ok=True)
    with path.open("a") as file:
        _lock(file.fileno(), waits=True)
        yield


@contextmanager
def try_file_lock(path: Path) -> Iterator[int | None]:
    """Hold the lock that *path* stands for if it is free; None if another process holds it.

    Gives its descriptor: each process that has it open holds the lock as long.
    """
    path.parent.mkdir(exist_ok=True)
    with path.open("a") as file:
        try:
            _lock(file.fileno(), waits=False)
        except BlockingIOError:
            yield None
        else:
            yield file.fileno()


class Turns:
    """Turns at one thing, which the threads of all processes take one after the other.

    They save lost races where races are safe. So who can't have the locks in *folder*, or
    waits too long for a process that holds them, goes on without.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._threads = threading.Lock()

    @contextmanager
    def turn(self, limit_s: float) -> Iterator[bool]:
        """Have the turn, after waiting for it; False if it has not come after *limit_s*."""
        if not self._threads.acquire(timeout=limit_s):
            yield False
            return
        try:
            with ExitStack() as held:
                end = time.monotonic() + min(limit_s, PATIENCE_S)
                # The next process holds a lock of its own until it has the first one, or a
                # process with many writers would have it again and again.
                with suppress(OSError), self._held("next.lock", end):
                    held.enter_context(self._held("write.lock", end))
                yield True
        finally:
            self._threads.release()

    @contextmanager
    def _held(self, name: str, end: float) -> Iterator[None]:
        """Hold the lock of that name, or nothing if it is still taken at *end*."""
        handle = self._open(self._folder / name)
        try:
            for pause_s in _pauses_s():
                with suppress(BlockingIOError):
                    _lock(handle, waits=False)
                    break
                if time.monotonic() > end:
                    break
                time.sleep(pause_s)
            yield
        finally:
            os.close(handle)

    def _open(self, path: Path) -> int:
        flags = os.O_RDWR | os.O_CREAT
        try:
            return os.open(path, flags, 0o666)
        except FileNotFoundError:
            self._folder.mkdir(exist_ok=True)
            return os.open(path, flags, 0o666)


def _pauses_s() -> Iterator[float]:
    yield from _PAUSES_S
    while True:
        yield _PAUSES_S[-1]
