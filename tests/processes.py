"""The processes of a service, and how to end them all."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path


def children(pid: int) -> list[int]:
    """The processes that *pid* started, and those that they did."""
    found = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(OSError):
            for child in map(int, task.read_text().split()):
                found += [child, *children(child)]
    return found


def workers(pid: int) -> list[int]:
    """The workers among the processes that service *pid* started."""
    return list(filter(is_python, children(pid)))


def is_python(pid: int) -> bool:
    """Whether it lives and is no Git process, which may go on for a while."""
    try:
        return b"python" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False
