"""The processes of a service, how to end them all, and what they leave behind."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.support.waiting import wait_for


def children(pid: int) -> list[int]:
    """The processes that *pid* started, and those that they did."""
    parents = _parents()
    found = [pid]
    for parent in found:
        found += [child for child in parents if parents[child] == parent]
    return found[1:]


def own_children() -> set[int]:
    """The processes that this one started and has not waited for; some may be left out."""
    pids: set[int] = set()
    for thread in os.listdir("/proc/self/task"):
        with suppress(OSError):  # A thread that has ended meanwhile has none.
            text = Path(f"/proc/self/task/{thread}/children").read_text()
            pids |= {int(pid) for pid in text.split()}
    return pids


def running() -> list[int]:
    """All processes of this machine."""
    return [int(name) for name in os.listdir("/proc") if name.isdecimal()]


def command(pid: int) -> bytes:
    """The words of its command, with NUL between; empty where it has ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def strays(repo: Path) -> list[str]:
    """What a process that died at work leaves: Git's locks, quarantines, temporary files.

    Those of a service that was started with ``own_tmp`` are looked at, too.
    """
    objects, tmp = repo / "objects", repo.parent / "tmp"
    found = [*repo.glob("*.lock"), *(repo / "refs").rglob("*.lock")]
    found += [*objects.glob("tmp_*"), *objects.glob("??/tmp_*"), *objects.glob("pack/*tmp*")]
    if tmp.is_dir():
        found += [path for path in tmp.iterdir() if "metrics" not in path.name]
    return [str(path) for path in found]


def require_tidy(repo: Path) -> None:
    """Fail if *repo* stays untidy: a service's writer of tags has temporary files for a moment."""
    wait_for(lambda: strays(repo) == [], f"nothing to be left over in {repo}")


@contextmanager
def own_tmp(repo: Path) -> Iterator[None]:
    """A folder for temporary files next to *repo*, for the service that is started meanwhile."""
    tmp = repo.parent / "tmp"
    tmp.mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TMPDIR", str(tmp))
        yield


def workers(pid: int) -> list[int]:
    """The workers among the processes that service *pid* started."""
    own = [child for child, parent in _parents().items() if parent == pid]
    return [child for child in own if is_python(child, but=b"resource_tracker")]


def _parents() -> dict[int, int]:
    """Which process started which, of all that there are now."""
    # A thread's list of its children, which Linux has too, leaves some out while others end.
    parents = {}
    for pid in running():
        with suppress(OSError):  # It has ended.
            # The command, which stands before it in brackets, may have some itself.
            fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
            parents[pid] = int(fields[1])
    return parents


def is_python(pid: int, but: bytes = b"\0\0") -> bool:
    """Whether it lives and is no Git process, which may go on for a while.

    *but* is a word that its command does not have.
    """
    said = command(pid)
    return b"python" in said and but not in said
