"""Merges in memory, next to what Git itself makes of the same commits."""

from __future__ import annotations

from pathlib import Path

import pytest

from gitstore.errors import MergeConflict, OutOfBounds
from gitstore.git import merging
from tests.support.branches import REF, TD, Branch
from tests.support.git import Worktree, git

MAPS = Path("/proc/self/maps")


def lines(**changed: str) -> dict[str, str]:
    """A file of ten lines, of which some are *changed*."""
    return {"code.py": "".join(f"{changed.get(f'l{n}', n)}\n" for n in range(10))}


@pytest.fixture
def branch(tmp_path) -> Branch:
    made = Branch(tmp_path / "farm.git")
    made.commit(lines())
    return made


def criss_crossed(branch: Branch, times: int) -> tuple[str, str]:
    """Two commits whose branches each merged the other one's last commit, *times* times."""
    assert branch.tip
    ours = theirs = branch.tip
    one: dict[str, str] = {}
    for number in range(times):
        mine = branch.side(lines(**{**one, "l0": f"mine {number}"}), onto=ours)
        yours = branch.side(lines(**{**one, "l9": f"yours {number}"}), onto=theirs)
        one = {"l0": f"mine {number}", "l9": f"yours {number}"}
        ours = branch.side(lines(**one), onto=mine, merged=(yours,))
        theirs = branch.side(lines(**one), onto=yours, merged=(mine,))
    return ours, theirs


def merged_by_git(branch: Branch, ours: str, theirs: str) -> str:
    """The tree that a real ``git merge`` makes."""
    folder = branch.path.parent / "work"
    git(branch.path, "worktree", "add", "--quiet", "--detach", str(folder), ours)
    Worktree(folder).git("merge", "--quiet", "--no-edit", theirs)
    return git(folder, "rev-parse", "HEAD^{tree}").strip()


@pytest.mark.parametrize("times", [1, 2, 5])
def test_what_was_reverted_stays_so_where_branches_merged_each_other(branch, times):
    ours, theirs = criss_crossed(branch, times)
    reverted = branch.side(lines(), "Revert both\n", onto=ours)
    goes_on = branch.side(
        lines(l0=f"mine {times - 1}", l9=f"yours {times - 1}", l5="more"), onto=theirs
    )
    bases = git(branch.path, "merge-base", "--all", reverted, goes_on).split()
    assert len(bases) == 2

    merge = branch.repository.merge(reverted, goes_on)

    branch.repository.write_merge(merge, branch.repository.commit(reverted).tree)
    assert git(branch.path, "show", f"{merge.tree}:code.py") == lines(l5="more")["code.py"]
    assert merge.tree == merged_by_git(branch, reverted, goes_on)


def test_merge_bases_that_conflict_with_each_other_are_no_conflict(branch):
    mine, yours = (branch.side(lines(l5=who), onto=branch.tip) for who in ("mine", "yours"))
    both = lines(l5="both")
    ours = branch.side(both, onto=mine, merged=(yours,))
    theirs = branch.side(both | {"other.py": "1\n"}, onto=yours, merged=(mine,))
    one = branch.side(lines(l5="both", l0="new"), onto=ours)

    merge = branch.repository.merge(one, theirs)

    branch.repository.write_merge(merge, branch.repository.commit(one).tree)
    assert merge.tree == merged_by_git(branch, one, theirs)


def test_a_conflict_is_one_where_branches_merged_each_other(branch):
    ours, theirs = criss_crossed(branch, 1)
    one, two = (branch.side(lines(l5=who), onto=on) for who, on in (("a", ours), ("b", theirs)))
    with pytest.raises(MergeConflict, match=r"code\.py"):
        branch.repository.merge(one, two)


def test_a_merge_of_many_merge_bases_says_how_to_make_it_one_of_few(branch, monkeypatch):
    monkeypatch.setattr(merging, "_STEPS", 5)
    ours, theirs = criss_crossed(branch, 5)
    with pytest.raises(OutOfBounds, match=f"the history of {theirs} .* merge that one into it"):
        branch.repository.merge(ours, theirs)
    tree = branch.repository.commit(theirs).tree
    again = branch.side(lines(l5="more"), onto=theirs, merged=(ours,))

    merge = branch.repository.merge(ours, again)

    assert merge.tree == branch.repository.commit(again).tree != tree


def test_a_commit_without_an_author_is_merged_all_the_same(branch):
    ours, theirs = criss_crossed(branch, 1)
    tree = branch.repository.write_tree(branch.repository.commit(theirs).tree, {"other.py": b"1\n"})
    odd = branch.write_raw("commit", f"tree {tree}\nparent {theirs}\n\n".encode())

    merge = branch.repository.merge(ours, odd)

    assert merge.tree == tree


@pytest.mark.skipif(not MAPS.exists(), reason="needs /proc")
def test_merges_and_moves_keep_no_pack_open_that_git_replaces(branch):
    ours, theirs = criss_crossed(branch, 1)
    branch.move(branch.side(lines(l5="more"), onto=ours))
    git(branch.path, "update-ref", "refs/heads/theirs", theirs)
    git(branch.path, "repack", "-a", "-d", "--quiet")

    branch.repository.merge(branch.tip, theirs)
    branch.repository.move(REF, branch.tip, branch.tip, TD, "test")
    branch.repository.release()

    packs = str(branch.path / "objects" / "pack")
    assert not [line for line in MAPS.read_text().splitlines() if packs in line]
