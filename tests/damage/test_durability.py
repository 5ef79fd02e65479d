"""A power cut right after an acknowledgement, replayed from what strace saw; see power.py."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from gitstore.branch.setup import create_repository, sample_path
from gitstore.branch.store import Store
from tests.damage.power import Disk, Traced, traced
from tests.support.git import Worktree, git
from tests.support.rest import Rest, body, code
from tests.support.server import Server

pytestmark = pytest.mark.skipif(not shutil.which("strace"), reason="needs strace")


@pytest.fixture
def farm(tmp_path) -> Iterator[Traced]:
    repo = tmp_path / "farm.git"
    create_repository(repo, "main", sample_path())
    server = Server(repo, "--workers", "1", "--housekeeping-s", "3600")
    with traced(server, tmp_path) as farm:
        yield farm
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


def survives(farm: Traced, folder: Path, *needed: str) -> None:
    """Cut the power now: nothing that was acknowledged is missing, and writing goes on.

    *needed* are files that must have been flushed by now, or the trace saw nothing.
    """
    before = versions(farm.server.repo)
    copy, lost = farm.cut(folder)

    assert not [name for name in lost if name in needed]
    assert versions(copy) == before
    # Tags come after the fact, and are made again.
    git(copy, "fsck", "--strict", "--no-dangling", "refs/heads/main")
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


def test_a_ref_whose_move_nobody_flushed_is_where_it_was_in_the_model(tmp_path):
    repo, old, new = tmp_path / "farm.git", "1" * 40, "2" * 40
    disk = Disk(repo, refs={f"{repo}/main": old})
    repo.mkdir()
    (repo / "main").write_text(f"{new}\n")
    disk.feed(f'1 write(3<{repo}/main.lock>, "{new}\\n", 41) = 41\n')
    disk.feed(f"1 fsync(3<{repo}/main.lock>) = 0\n")
    disk.feed(f'1 rename("{repo}/main.lock", "{repo}/main") = 0\n')

    disk.copy_cut(tmp_path / "before")
    disk.feed(f"1 fsync(4<{repo}/other>) = 0\n")
    disk.copy_cut(tmp_path / "after")

    assert (tmp_path / "before" / "main").read_text() == f"{old}\n"
    assert (tmp_path / "before" / "main.lock").exists()
    assert (tmp_path / "after" / "main").read_text() == f"{new}\n"
    assert not (tmp_path / "after" / "main.lock").exists()
