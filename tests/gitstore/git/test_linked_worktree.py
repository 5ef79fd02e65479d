"""In a linked worktree, what all worktrees share is looked for where Git keeps it."""

from __future__ import annotations

import pytest

from gitstore.git import object_writer, refs
from gitstore.git.repository import Repository
from tests.support.branches import REF, TD, Branch, jobtype
from tests.support.git import git


@pytest.fixture
def branch(tmp_path) -> Branch:
    branch = Branch(tmp_path / "farm.git")
    branch.commit(jobtype("Job"))
    return branch


@pytest.fixture
def linked(branch, tmp_path) -> Repository:
    git(branch.path, "worktree", "add", "-q", "--detach", str(tmp_path / "copy"), "main")
    return Repository(tmp_path / "copy")


def test_flush_flushes_the_folders_that_hold_the_objects_and_the_ref(branch, linked, monkeypatch):
    git(branch.path, "gc", "--quiet")
    flushed = []
    monkeypatch.setattr(refs, "flush", lambda folder: flushed.append(folder.resolve()))

    linked.flush(REF)

    folders = ("objects/pack", "objects", "refs/heads", "refs", "")
    assert flushed == [(branch.path / folder).resolve() for folder in folders]


def test_the_reflog_of_a_branch_is_read(branch, linked):
    assert linked.last_logged(REF) == branch.tip


def test_objects_and_refs_that_are_written_are_those_of_the_repository(branch, linked):
    new = linked.write_tree(None, {"file": b"content"})
    commit = linked.write_commit(new, (), "a commit", TD, TD)
    linked.move("refs/heads/other", None, commit, TD, "test")

    assert branch.repository.commit(branch.repository.tip("refs/heads/other")).tree == new


def test_the_end_of_a_prune_is_waited_for(branch, linked, monkeypatch):
    waited = []
    monkeypatch.setattr(object_writer, "wait_for_prune", lambda folder: waited.append(folder))
    commit = linked.write_commit(branch.repository.commit(branch.tip).tree, (), "new", TD, TD)

    linked.move("refs/heads/other", None, commit, TD, "test")

    assert [folder.resolve() for folder in waited] == [branch.path.resolve()]
