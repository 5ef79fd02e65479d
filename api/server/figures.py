"""The folder where the workers keep their figures for ``/metrics``."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gitstore.git.locks import try_file_lock

MEMORY = Path("/dev/shm")
PREFIX = "jobtypes-metrics-"
_LOCK = "lock"


@contextmanager
def metrics_folder() -> Iterator[None]:
    """Have an empty folder for the workers' figures, named to prometheus-client.

    The library writes into maps of sparse files. If their disk is full, that kills the process.
    So the folder is in memory where the system offers that, not on the repository's disk. A
    service that is killed leaves its folder, which the next one to start removes.
    """
    # The folder for all other temporary files is chosen now, for all workers: if its disk were
    # full, Python would choose another.
    temporary = Path(tempfile.gettempdir())
    parent = MEMORY if os.access(MEMORY, os.W_OK | os.X_OK) else temporary
    _remove_left(parent)
    folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=parent))
    try:
        # The workers, which are forked, hold the lock, too.
        with try_file_lock(folder / "fresh"):
            (folder / "fresh").rename(folder / _LOCK)
            os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(folder)
            yield
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _remove_left(parent: Path) -> None:
    """Remove the folders of this user's services that run no more."""
    for folder in parent.glob(f"{PREFIX}*"):
        lock = folder / _LOCK
        try:
            if folder.lstat().st_uid == os.getuid() and lock.is_file():
                with try_file_lock(lock) as held:
                    if held is not None:
                        shutil.rmtree(folder, ignore_errors=True)
        except OSError:
            continue  # Another service is removing it.
