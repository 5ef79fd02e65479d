"""What a power cut leaves of a repository, told from what strace saw.

The model is a journaled file system, such as ext4 or XFS: a file's bytes are there once
that file was flushed, and names (made, linked, renamed, removed) are there, in their
order, once anything at all was flushed after them. All else is lost.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.support.processes import children
from tests.support.server import Server

CALLS = (
    "openat,write,pwrite64,fsync,fdatasync,rename,renameat,renameat2,link,linkat,unlink,unlinkat"
)
LINE = re.compile(r"^(\w+)\((.*)\) += (-?\d+)")
QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"')
OF_HANDLE = re.compile(r"^\d+<([^>]*)>")
OF_REF = re.compile(r'"([0-9a-f]{40})\\n"')


@dataclass
class Disk:
    """What of a repository is on disk, as far as a trace tells.

    *unsure* are the names that changed since the last flush of anything, *dirty* the files
    whose own bytes were not flushed since they were written. *refs* has what is on disk of
    each ref that was written, None for nothing, and *written* what its lock holds.
    """

    repo: Path
    unsure: set[str] = field(default_factory=set)
    dirty: set[str] = field(default_factory=set)
    flushes: int = 0
    refs: dict[str, str | None] = field(default_factory=dict)
    written: dict[str, str] = field(default_factory=dict)
    moved: dict[str, str] = field(default_factory=dict)
    """What each ref was moved to since the last flush."""
    halves: dict[str, str] = field(default_factory=dict)
    """The beginnings of calls that other threads' calls came in between, by thread."""

    def feed(self, trace: str) -> None:
        """Go on with the lines of *trace*."""
        for line in trace.splitlines():
            thread, _, rest = line.partition(" ")
            rest = rest.strip()
            if rest.endswith(" <unfinished ...>"):
                self.halves[thread] = rest.removesuffix(" <unfinished ...>")
                continue
            if rest.startswith("<... "):
                rest = self.halves.pop(thread, "") + rest.partition(" resumed>")[2]
            found = LINE.match(rest)
            if found and int(found[3]) >= 0:
                self._take(found[1], found[2])

    def _take(self, call: str, args: str) -> None:
        handle = OF_HANDLE.match(args)
        names = [self._name(text) for text in QUOTED.findall(args)]
        if call in ("write", "pwrite64") and handle:
            self._write(handle[1], args)
        elif call in ("fsync", "fdatasync") and handle:
            if self._is_ours(handle[1]):
                self.dirty.discard(handle[1])
                self._flush()
        elif call in ("rename", "renameat", "renameat2", "link", "linkat"):
            old, new = names
            if self._is_ours(new):
                self._rename(old, new, keeps="link" in call)
        elif call in ("unlink", "unlinkat"):
            self.dirty -= set(names)
        elif call == "openat" and "O_CREAT" in args and names and self._is_ours(names[0]):
            self.unsure.add(names[0])

    def _write(self, path: str, args: str) -> None:
        if self._is_ours(path):
            self.dirty.add(path)
            id = OF_REF.search(args)
            if id and path.endswith(".lock"):
                self.written[path] = id[1]

    def _flush(self) -> None:
        self.unsure.clear()
        self.refs |= self.moved
        self.moved.clear()
        self.flushes += 1

    def _rename(self, old: str, new: str, keeps: bool) -> None:
        self.unsure.add(new)
        if old in self.written:
            self.refs.setdefault(new, None)
            self.moved[new] = self.written.pop(old)
        # A folder's files go with it: the quarantine of a push.
        for path in [p for p in self.dirty if p == old or p.startswith(f"{old}/")]:
            self.dirty.add(new + path.removeprefix(old))
            if not keeps:
                self.dirty.discard(path)

    def _name(self, text: str) -> str:
        return os.path.normpath(os.path.join(self.repo, text))

    def _is_ours(self, path: str) -> bool:
        return path.startswith(f"{self.repo}/")

    def lost(self) -> set[Path]:
        """The files that a cut now would take, or take bytes of."""
        return {Path(path) for path in self.unsure | self.dirty if Path(path).is_file()}

    def copy_cut(self, copy: Path) -> set[str]:
        """Make at *copy* the repository as a cut now leaves it; the names that were lost.

        A ref whose move was lost is where it was, and the lock that was to become it is there.
        """
        lost = {path.relative_to(self.repo) for path in self.lost()}
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(self.repo, copy, ignore=shutil.ignore_patterns("*.lock", "tmp_*"))
        for path in lost:
            (copy / path).unlink(missing_ok=True)
            before = self.refs.get(str(self.repo / path))
            if before is not None:
                (copy / path).write_text(f"{before}\n")
                (copy / f"{path}.lock").write_text("")
        return set(map(str, lost))


class Traced:
    """A service under strace, and what of its repository is on disk."""

    def __init__(self, server: Server, trace: Path) -> None:
        self.server = server
        self.disk = Disk(server.repo)
        tip = server.repo / "refs/heads/main"
        if tip.exists():
            self.disk.refs[str(tip)] = tip.read_text().strip()
        self._trace = trace
        self._read = 0

    def settle(self) -> None:
        """Take in what was traced until now."""
        text = self._trace.read_text(errors="replace")
        whole = text[: text.rfind("\n") + 1]
        self.disk.feed(whole[self._read :])
        self._read = len(whole)

    def cut(self, to: Path) -> tuple[Path, set[str]]:
        """The repository as a power cut now leaves it, in folder *to*, and what was lost."""
        self.settle()
        copy = to / "after.git"
        return copy, self.disk.copy_cut(copy)

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Have the service and Git's processes stand still, and go on whatever happens."""
        try:
            self._send(signal.SIGSTOP)
            yield
        finally:
            self._send(signal.SIGCONT)

    def _send(self, what: signal.Signals) -> None:
        sent: set[int] = set()
        # Git's processes come and go meanwhile.
        while new := {self.server.process.pid, *children(self.server.process.pid)} - sent:
            for pid in new:
                with suppress(ProcessLookupError):
                    os.kill(pid, what)
            sent |= new


@contextmanager
def traced(server: Server, folder: Path) -> Iterator[Traced]:
    """The service *server* under strace, whose trace lies in *folder*."""
    trace = folder / "trace"
    command = ["strace", "-f", "-y", "-s", "300", "-e", f"trace={CALLS}", "-o", str(trace)]
    pids = children(server.process.pid)
    strace = subprocess.Popen(
        [*command, *(arg for pid in pids for arg in ("-p", str(pid)))],
        stderr=subprocess.PIPE,
        text=True,
    )
    assert strace.stderr is not None
    if "not permitted" in strace.stderr.readline():
        pytest.skip("strace may not trace here")
    try:
        yield Traced(server, trace)
    finally:
        # Asked to end, it would first wait for each process that it traces.
        strace.kill()
        strace.communicate()
