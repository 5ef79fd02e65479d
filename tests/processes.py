"""The processes of a service, and how to end them all."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path


def children(pid: int) -> list[int]:
    """The processes that *pid* started, and those that they did."""
    return [found for child in _own(pid) for found in (child, *children(child))]


def workers(pid: int) -> list[int]:
    """The workers among the processes that service *pid* started."""
    return [child for child in _own(pid) if is_python(child, but=b"resource_tracker")]


def _own(pid: int) -> list[int]:
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(OSError):
            found += map(int, task.read_text().split())
    return found


def is_python(pid: int, but: bytes = b"\0\0") -> bool:
    """Whether it lives and is no Git process, which may go on for a while.

    *but* is a word that its command does not have.
    """
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False
    return b"python" in command and but not in command
