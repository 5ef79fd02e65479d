"""A power cut right after an acknowledgement, replayed from what strace saw.

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
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from conftest import Server, Worktree, git
from rest import Rest, body, code

from gitstore import Store
from gitstore.setup import create_repository, sample_path

pytestmark = pytest.mark.skipif(not shutil.which("strace"), reason="needs strace")

CALLS = (
    "openat,write,pwrite64,fsync,fdatasync,rename,renameat,renameat2,link,linkat,unlink,unlinkat"
)
LINE = re.compile(r"^(\w+)\((.*)\) += (-?\d+)")
QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"')
OF_HANDLE = re.compile(r"^\d+<([^>]*)>")


@dataclass
class Disk:
    """What of a repository is on disk, as far as a trace tells.

    *unsure* are the names that changed since the last flush of anything, *dirty* the files
    whose own bytes were not flushed since they were written.
    """

    repo: Path
    unsure: set[str] = field(default_factory=set)
    dirty: set[str] = field(default_factory=set)
    flushes: int = 0
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
            if self._is_ours(handle[1]):
                self.dirty.add(handle[1])
        elif call in ("fsync", "fdatasync") and handle:
            if self._is_ours(handle[1]):
                self.dirty.discard(handle[1])
                self.unsure.clear()
                self.flushes += 1
        elif call in ("rename", "renameat", "renameat2", "link", "linkat"):
            old, new = names
            if self._is_ours(new):
                self.unsure.add(new)
                # A folder's files go with it: the quarantine of a push.
                for path in [p for p in self.dirty if p == old or p.startswith(f"{old}/")]:
                    self.dirty.add(new + path.removeprefix(old))
                    if "link" not in call:
                        self.dirty.discard(path)
        elif call in ("unlink", "unlinkat"):
            self.dirty -= set(names)
        elif call == "openat" and "O_CREAT" in args and names and self._is_ours(names[0]):
            self.unsure.add(names[0])

    def _name(self, text: str) -> str:
        return os.path.normpath(os.path.join(self.repo, text))

    def _is_ours(self, path: str) -> bool:
        return path.startswith(f"{self.repo}/")

    def lost(self) -> set[Path]:
        """The files that a cut now would take, or take bytes of."""
        return {Path(path) for path in self.unsure | self.dirty if Path(path).is_file()}


@dataclass
class Farm:
    """A service under strace."""

    server: Server
    trace: Path
    disk: Disk
    read: int = 0

    def settle(self) -> None:
        """Take in what was traced until now."""
        text = self.trace.read_text(errors="replace")
        whole = text[: text.rfind("\n") + 1]
        self.disk.feed(whole[self.read :])
        self.read = len(whole)

    def cut(self, to: Path) -> tuple[Path, set[str]]:
        """The repository as a power cut now leaves it, and what was lost."""
        self.settle()
        lost = self.disk.lost()
        copy = to / "after.git"
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(self.server.repo, copy, ignore=shutil.ignore_patterns("*.lock"))
        for path in lost:
            (copy / path.relative_to(self.server.repo)).unlink(missing_ok=True)
        return copy, {str(path.relative_to(self.server.repo)) for path in lost}


@pytest.fixture
def farm(tmp_path) -> Iterator[Farm]:
    repo = tmp_path / "farm.git"
    create_repository(repo, "main", sample_path())
    server = Server(repo, "--workers", "1", "--housekeeping-s", "3600")
    trace = tmp_path / "trace"
    command = ["strace", "-f", "-y", "-s", "300", "-e", f"trace={CALLS}", "-o", str(trace)]
    pids = subprocess.run(
        ["pgrep", "-P", str(server.process.pid)], capture_output=True, text=True, check=True
    ).stdout.split()
    strace = subprocess.Popen(
        [*command, *(arg for pid in pids for arg in ("-p", pid))], stderr=subprocess.PIPE, text=True
    )
    assert strace.stderr is not None
    if "not permitted" in strace.stderr.readline():
        pytest.skip("strace may not trace here")
    yield Farm(server, trace, Disk(repo))
    strace.send_signal(signal.SIGINT)
    strace.communicate(timeout=30)
    server.stop()


def versions(repo: Path) -> dict[str, list[str]]:
    """The code of every version in service, as a service that starts there reads it."""
    catalogue = Store(repo).catalogue()
    return {
        jobtype.name: [
            catalogue.code(catalogue.release(jobtype.name, version.number))
            for version in catalogue.versions(jobtype)
        ]
        for jobtype in catalogue.jobtypes()
    }


def survives(farm: Farm, folder: Path, *needed: str) -> None:
    """Cut the power now: nothing that was acknowledged is missing, and writing goes on.

    *needed* are files that must have been flushed by now, or the trace saw nothing.
    """
    before = versions(farm.server.repo)
    copy, lost = farm.cut(folder)

    assert not [name for name in lost if name in needed]
    assert versions(copy) == before
    git(copy, "fsck", "--strict", "--no-dangling")
    again = Rest(Server(copy, "--workers", "1"))
    try:
        assert again("PUT", "/jobtypes/Afterwards", body("Afterwards")).status == 201
    finally:
        again.server.stop()


def test_what_rest_acknowledged_outlives_a_power_cut(farm, tmp_path):
    rest = Rest(farm.server)
    for n in range(5):
        rest.jobtype("Kept", code=code(n))
    assert rest("DELETE", "/jobtypes/Maya").status == 204
    assert rest("DELETE", "/jobtypes/Nuke/versions/1").status == 204

    survives(farm, tmp_path, "refs/heads/main")

    assert farm.disk.flushes > 20


def test_what_a_push_acknowledged_outlives_a_power_cut(farm, tmp_path, clone):
    worktree: Worktree = clone(f"{farm.server.url}/jobtypes.git")
    for n in range(3):
        worktree.write("jobtypes/Maya/code.py", f"class Maya:\n    n = {n}\n")
        worktree.write("jobtypes/Maya/meta.yaml", "classname: Maya\n")
        assert worktree.push().returncode == 0

        survives(farm, tmp_path, "refs/heads/main")


def test_a_merge_that_was_acknowledged_outlives_a_power_cut(farm, tmp_path, clone):
    worktree: Worktree = clone(f"{farm.server.url}/jobtypes.git")
    worktree.write("jobtypes/Maya/notes.txt", "x\n")
    worktree.commit()
    assert worktree.push_head("origin", "HEAD:refs/heads/change").returncode == 0
    Rest(farm.server).jobtype("Meanwhile")

    assert Rest(farm.server)("POST", "/changes/change/merge", {}).status == 200

    survives(farm, tmp_path, "refs/heads/main")


def test_a_file_that_nobody_flushed_is_lost_in_the_model(tmp_path):
    """So that the others can fail."""
    disk = Disk(tmp_path)
    (tmp_path / "ref").write_text("x")
    disk.feed(f'1 write(3<{tmp_path}/ref.lock>, "x", 1) = 1\n')
    disk.feed(f'1 rename("{tmp_path}/ref.lock", "{tmp_path}/ref") = 0\n')
    assert disk.lost() == {tmp_path / "ref"}

    disk.feed(f"1 fsync(4<{tmp_path}/other>) = 0\n")
    assert disk.lost() == {tmp_path / "ref"}
    disk.feed(f"1 fsync(4<{tmp_path}/ref>) = 0\n")
    assert disk.lost() == set()
