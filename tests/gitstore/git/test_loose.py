"""Loose objects: what git would write, and on disk when it is said to be."""

from __future__ import annotations

import errno
import os
import re
import resource
import shutil
import stat
import subprocess
import threading
from contextlib import suppress
from pathlib import Path

import pytest

from gitstore.errors import Damaged
from gitstore.git.commits import Signature
from gitstore.git.loose_objects import LooseObjects
from gitstore.git.repository import Repository
from gitstore.git.tree_edit import Graft
from gitstore.git.trees import Entry, object_id, with_header
from tests.support.branches import TD, Branch, jobtype
from tests.support.git import git
from tests.support.strace import attached, fault

CALL = re.compile(
    r"(\d+) +(?:(rename|fsync)\((?:\d+<)?\"?([^>\"]*)|<\.\.\. (?:rename|fsync) resumed)"
)


@pytest.fixture
def objects(branch: Branch) -> LooseObjects:
    return LooseObjects(branch.path / "objects")


def some(*contents: bytes) -> dict[str, bytes]:
    """Blobs of *contents* by id, as they are written."""
    return {object_id("blob", data): with_header("blob", data) for data in contents}


def test_objects_are_what_git_writes(objects, branch, tmp_path):
    contents = (b"", b"x\n", b"\0" * 100_000, os.urandom(50_000))
    git(tmp_path, "init", "--quiet", "--bare", "theirs.git")

    made = objects.write(some(*contents))

    assert len(made) == len(contents)
    for id, data in zip(some(*contents), contents, strict=True):
        command = ["git", "hash-object", "-w", "--stdin"]
        theirs = tmp_path / "theirs.git"
        said = subprocess.run(command, cwd=theirs, input=data, capture_output=True, check=True)
        assert said.stdout.decode().strip() == id
        ours = Path(objects.path(id))
        other = theirs / "objects" / id[:2] / id[2:]
        assert stat.S_IMODE(ours.stat().st_mode) == stat.S_IMODE(other.stat().st_mode)
        assert ours.parent.stat().st_mode == other.parent.stat().st_mode
    git(branch.path, "fsck", "--strict")


def test_trees_and_commits_are_what_git_writes(branch):
    repository = branch.repository
    author = Signature("  Zoë ", "zoe@studio.example", TD.when)
    first = branch.commit(jobtype("B") | {"jobtypes/a.b/x": "1", "jobtypes/a/x": "2"})
    base = repository.commit(first).tree
    tree = repository.write_tree(base, {"jobtypes/B/code.py": b"new", "jobtypes/a/x": None})
    commit = repository.write_commit(tree, (first,), "Größer\n\nbody\n", author, TD)

    git(branch.path, "fsck", "--strict", commit)
    listing = git(branch.path, "ls-tree", f"{tree}:jobtypes")
    command = ["git", "mktree"]
    theirs = subprocess.run(
        command, cwd=branch.path, input=listing, text=True, capture_output=True, check=True
    )
    assert theirs.stdout.strip() == repository.entries(tree)["jobtypes"].id
    assert [line.split("\t")[1] for line in listing.splitlines()] == ["B", "a.b"]
    shown = git(branch.path, "log", "-1", "--format=%an|%ae|%cn|%B", commit)
    assert shown.strip() == "Zoë|zoe@studio.example|Test TD|Größer\n\nbody"


def test_what_is_there_is_made_young_and_left_as_it_is(objects):
    (id,) = objects.write(some(b"kept"))
    path = Path(objects.path(id))
    os.utime(path, (1, 1))
    before = path.stat()

    assert objects.write(some(b"kept", b"new")) == set(some(b"new"))

    assert path.stat().st_ino == before.st_ino
    assert path.stat().st_mtime > before.st_mtime


def test_more_objects_than_a_process_may_open_files_are_written(objects, branch):
    contents = [b"%d" % n for n in range(300)]
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    used = len(os.listdir("/proc/self/fd"))
    resource.setrlimit(resource.RLIMIT_NOFILE, (used + 50, hard))
    try:
        assert len(objects.write(some(*contents))) == 300
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))

    git(branch.path, "fsck", "--strict")


def ended(trace: Path) -> list[tuple[str, str]]:
    """The calls of strace's output in the order that they ended in: which, and of which path."""
    begun: dict[str, tuple[str, str]] = {}
    calls = []
    for line in trace.read_text().splitlines():
        found = CALL.match(line)
        if found and found[2]:
            begun[found[1]] = (found[2], found[3])
        if found and not line.endswith("<unfinished ...>"):
            calls.append(begun.pop(found[1]))
    return calls


@pytest.mark.skipif(not shutil.which("strace"), reason="needs strace")
def test_files_are_flushed_before_they_are_named_and_folders_after(objects, tmp_path):
    trace = tmp_path / "trace"
    here = ("-f", "-p", str(os.getpid()))
    with attached("-y", "-e", "trace=rename,fsync", "-o", str(trace), *here):
        made = objects.write(some(*(b"%d" % n for n in range(9))))

    calls = ended(trace)
    kinds = [kind for kind, _ in calls]
    first, last = kinds.index("rename"), len(kinds) - 1 - kinds[::-1].index("rename")
    temporary = {path for kind, path in calls if kind == "rename"}
    assert {path for kind, path in calls[:first] if kind == "fsync"} == temporary
    folders = {path for kind, path in calls[last:] if kind == "fsync"}
    assert folders == {os.path.dirname(objects.path(id)) for id in made} | {objects.folder}


@pytest.mark.skipif(not shutil.which("strace"), reason="needs strace")
@pytest.mark.parametrize("calls", ["fsync", "openat"])
def test_what_another_thread_could_not_flush_is_an_error(objects, calls):
    contents = [b"%d" % n for n in range(9)]
    objects.write(some(*contents))
    flushers = [t.native_id for t in threading.enumerate() if t.name.startswith("flush")]
    assert flushers

    with (
        fault(calls, "EIO", "1+", *(part for id in flushers for part in ("-p", str(id)))),
        pytest.raises(OSError, match=os.strerror(errno.EIO)),
    ):
        objects.write(some(*(b"more%b" % data for data in contents)))

    assert not list(Path(objects.folder).glob("tmp_*"))


def test_a_write_that_fails_leaves_nothing_half_done(objects):
    (id,) = some(b"1")
    Path(objects.path(id)).parent.write_text("in the way")

    with pytest.raises(OSError, match="directory"):
        objects.write(some(b"1", b"2"))

    assert not list(Path(objects.folder).glob("tmp_*"))


def test_a_file_that_fails_to_close_leaves_the_others_closed(objects, monkeypatch):
    closed = []
    close = os.close

    def fail(handle: int) -> None:
        closed.append(handle)
        close(handle)
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with monkeypatch.context() as patched:
        patched.setattr(os, "close", fail)
        with pytest.raises(OSError, match=os.strerror(errno.EIO)):
            objects.write(some(b"1", b"2", b"3"))

    assert len(closed) == 3
    assert not list(Path(objects.folder).glob("tmp_*"))


def test_objects_of_a_worktree_go_to_its_repository(worktree):
    worktree.write("x", "x")
    worktree.commit()
    worktree.git("worktree", "add", "--quiet", "../linked")
    linked = Repository(worktree.path.parent / "linked")

    tree = linked.write_tree(None, {"a": b"here"})

    assert worktree.git("cat-file", "-p", f"{tree}:a") == "here"


# What is written together


def test_what_is_held_back_can_be_read_and_is_written_at_the_end(branch):
    repository = branch.repository
    with repository.together():
        tree = repository.write_tree(None, {"a/b": b"x"})
        entry = repository.entries(repository.entries(tree)["a"].id)["b"]
        commit = repository.write_commit(tree, (), "x\n", TD, TD)

        assert repository.read_blob(entry.id) == b"x"
        assert repository.has(tree)
        assert not Repository(branch.path).has(tree)

    assert Repository(branch.path).has(commit)
    git(branch.path, "fsck", "--strict", commit)


def test_what_is_held_back_is_dropped_after_an_exception(branch):
    repository = branch.repository

    with suppress(ZeroDivisionError), repository.together():
        tree = repository.write_tree(None, {"a": b"x"})
        raise ZeroDivisionError

    assert not repository.has(tree)
    assert repository.write_tree(None, {"a": b"x"}) == tree
    assert git(branch.path, "cat-file", "-p", f"{tree}:a") == "x"


def test_a_graft_of_what_is_not_there_is_damage(branch):
    graft = Graft(Entry(0o040000, "1" * 40))

    with pytest.raises(Damaged, match="1" * 40):
        branch.repository.write_tree(None, {"a": graft})


@pytest.mark.parametrize("content", [b"", b"rubbish"])
def test_an_object_that_is_there_but_damaged_is_not_taken_for_written(branch, content):
    repository = branch.repository
    tree = repository.write_tree(None, {"a": b"x"})
    path = branch.path / "objects" / tree[:2] / tree[2:]
    path.chmod(0o644)
    path.write_bytes(content)

    with pytest.raises(Damaged, match=tree):
        repository.write_tree(None, {"a": b"x"})


def test_what_stands_there_is_written_again_only_where_it_was_lost(branch):
    repository = branch.repository
    tree = repository.write_tree(None, {"a": b"x"})
    blob = repository.entries(tree)["a"].id
    path = branch.path / "objects" / blob[:2] / blob[2:]
    before = path.stat().st_mtime_ns
    assert repository.write_tree(tree, {"a": b"x"}) == tree
    assert path.stat().st_mtime_ns == before

    path.unlink()
    assert repository.write_tree(tree, {"a": b"x"}) == tree

    assert git(branch.path, "cat-file", "-p", blob) == "x"
