"""Refs that move while something is done to them."""

from __future__ import annotations

from collections.abc import Callable

import pygit2
import pytest

from gitstore.errors import Moved
from gitstore.git.handle import Handle
from tests.support.branches import jobtype, propose
from tests.support.git import git, tip


@pytest.fixture
def between(monkeypatch) -> Callable[[Callable[[], object]], None]:
    """Has something done once a ref was looked up, before that is used."""
    real = Handle.repo.fget
    assert real is not None

    def install(act: Callable[[], object]) -> None:
        class Late:
            def __init__(self, repo: pygit2.Repository) -> None:
                self.repo = repo

            def __getattr__(self, name: str) -> object:
                return getattr(self.repo, name)

            def lookup_reference(self, ref: str) -> pygit2.Reference:
                found = self.repo.lookup_reference(ref)
                act()
                return found

        monkeypatch.setattr(Handle, "repo", property(lambda handle: Late(real(handle))))

    return install


@pytest.mark.parametrize("is_packed", [False, True])
def test_a_branch_that_moves_while_it_is_deleted_stays(branch, between, is_packed):
    branch.commit(jobtype("A"))
    seen = propose(branch, "topic", jobtype("B"))
    newer = branch.side(jobtype("C"), onto=seen)
    if is_packed:
        git(branch.path, "pack-refs", "--all")
    between(lambda: git(branch.path, "update-ref", "refs/heads/topic", newer))

    with pytest.raises(Moved):
        branch.repository.delete_ref("refs/heads/topic", seen)

    assert tip(branch.path, "topic") == newer


def test_another_name_of_a_branch_is_deleted_without_the_branch(branch):
    branch.commit(jobtype("A"))
    git(branch.path, "symbolic-ref", "refs/heads/alias", "refs/heads/main")

    branch.repository.delete_ref("refs/heads/alias", branch.tip)

    assert git(branch.path, "for-each-ref", "--format=%(refname)") == "refs/heads/main\n"
