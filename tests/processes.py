"""The processes of a service, how to end them all, and what they leave behind."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest


def children(pid: int) -> list[int]:
    """The processes that *pid* started, and those that they did."""
    return [found for child in _own(pid) for found in (child, *children(child))]


def command(pid: int) -> bytes:
    """The words of its command, with NUL between; empty where it has ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def strays(repo: Path) -> list[str]:
    """What somebody who died at his work leaves: Git's locks, quarantines, temporary files.

    Those of a service that was started with ``own_tmp`` are looked at, too.
    """
    objects, tmp = repo / "objects", repo.parent / "tmp"
    found = [*repo.glob("*.lock"), *(repo / "refs").rglob("*.lock")]
    found += [*objects.glob("tmp_*"), *objects.glob("??/tmp_*"), *objects.glob("pack/*tmp*")]
    if tmp.is_dir():
        found += [path for path in tmp.iterdir() if "metrics" not in path.name]
    return [str(path) for path in found]


@contextmanager
def own_tmp(repo: Path) -> Iterator[None]:
    """A folder for temporary files beside *repo*, for the service that is started meanwhile."""
    tmp = repo.parent / "tmp"
    tmp.mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TMPDIR", str(tmp))
        yield


def workers(pid: int) -> list[int]:
    """The workers among the processes that service *pid* started."""
    return [child for child in _own(pid) if is_python(child, but=b"resource_tracker")]


def _own(pid: int) -> list[int]:
    found: list[int] = []
    with suppress(OSError):  # It has ended.
        for task in Path(f"/proc/{pid}/task").iterdir():
            with suppress(OSError):
                found += map(int, (task / "children").read_text().split())
    return found


def is_python(pid: int, but: bytes = b"\0\0") -> bool:
    """Whether it lives and is no Git process, which may go on for a while.

    *but* is a word that its command does not have.
    """
    said = command(pid)
    return b"python" in said and but not in said
