"""An admin's ``git gc --prune=now``: it removes objects that are written while it runs."""

from __future__ import annotations

import time
from pathlib import Path

_LIMIT_S = 30
"""How long a write waits for the end of a prune."""


def wait_for_prune(git_dir: Path) -> bool:
    """Wait for the end of the ``git gc --prune=...`` that runs now. True if one ran.

    It has already decided which objects are needed, and may remove the newest. One that
    begins later sees the ref that leads to them. Only on Linux can it be seen at all.
    """
    running = began = _pruning(git_dir)
    end = time.monotonic() + _LIMIT_S
    while running is not None and running == began and time.monotonic() < end:
        time.sleep(0.01)
        running = _pruning(git_dir)
    return began is not None


def _pruning(git_dir: Path) -> int | None:
    """The process that runs such a command, by the lock of Git's housekeeping; None if none."""
    try:
        pid = int((git_dir / "gc.pid").read_text().split()[0])
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except (OSError, ValueError, IndexError):
        return None
    return pid if b"--prune" in command else None
