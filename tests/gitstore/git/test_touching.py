"""Which commits of a merge changed a path: the ones that ``git log`` names."""

from __future__ import annotations

from itertools import pairwise
from random import Random

import pytest

from gitstore.git import lineage as lineage_module
from gitstore.git import touching as touching_module
from gitstore.git.lineage import Lineage
from gitstore.git.touching import Touching
from gitstore.git.tree_edit import Graft
from tests.support.branches import Branch
from tests.support.depth import DEPTH
from tests.support.git import git

PATHS = [f"jobtypes/{name}" for name in ("A", "B", "C d", "Ünï")]


def touching(branch: Branch, lineage: Lineage, step: str, path: str) -> list[str]:
    """The commits that we find, oldest first."""
    lineage.grow(branch.tip)
    own = lineage.step_on_chain(step)
    search = Touching(branch.repository, lambda id: lineage.step_of(id) == own, path)
    return [commit.id for commit in search.commits(branch.repository.commit(step))]


def logged(branch: Branch, step: str, path: str) -> list[str]:
    """The commits that Git lists, newest first."""
    parents = branch.repository.commit(step).parents
    span = f"{parents[0]}..{step}" if parents else step
    command = ("log", "--no-merges", "--format=%H", span, "--", f":(literal){path}")
    return git(branch.path, *command).split()


class Growing:
    """A branch that grows by commits and merges of every kind, made up from *random*."""

    def __init__(self, branch: Branch, random: Random) -> None:
        self.branch = branch
        self._random = random
        self._count = 0
        branch.commit({f"{path}/code.py": "" for path in PATHS[:3]})
        self._sides = [branch.tip]

    def _changes(self) -> dict[str, str | None]:
        self._count += 1
        pick = self._random.choice
        kinds: list[dict[str, str | None]] = [
            {f"{pick(PATHS)}/code.py": f"{self._random.randint(0, 3)}\n"},
            {f"{pick(PATHS)}/code.py": f"{self._count}\n", "README": f"{self._count}\n"},
            {"README": f"{self._count}\n"},
            {f"{pick(PATHS)}/code.py": None},
            {},
        ]
        return pick(kinds)

    def grow(self) -> None:
        """Add a commit somewhere, or a merge to the branch or to a side."""
        random, branch = self._random, self.branch
        others = random.sample(self._sides, min(len(self._sides), random.randint(1, 3)))
        merged = tuple(dict.fromkeys(o for o in others if o))
        kind = random.random()
        if kind < 0.5:
            self._sides.append(branch.side(self._changes(), onto=random.choice(self._sides)))
        elif kind < 0.65:
            onto = random.choice(self._sides)
            others = tuple(o for o in merged if o != onto)
            self._sides.append(branch.side(self._changes(), onto=onto, merged=others))
        elif kind < 0.75:
            branch.commit(self._changes())
            self._sides.append(branch.tip)
        else:
            # A merge of theirs, of ours, or of something in between.
            took = {p: None for p in random.sample(PATHS, random.randint(0, 2))}
            theirs = branch.repository.commit(merged[0]).tree
            entries = branch.repository.entries(theirs).get("jobtypes")
            there = branch.repository.entries(entries.id) if entries else {}
            changes: dict[str, Graft | None] = {}
            for path in took:
                directory = there.get(path.split("/")[1])
                files = branch.repository.entries(directory.id) if directory else {}
                changes[f"{path}/code.py"] = Graft(files["code.py"]) if files else None
            branch.commit(changes | self._changes(), merged=merged)
            self._sides.append(branch.tip)


@pytest.mark.parametrize("seed", range(DEPTH))
def test_commits_that_touched_a_path_are_those_that_git_log_lists(tmp_path, seed):
    branch = Branch(tmp_path / "grown.git")
    random = Random(seed)
    growing, lineage = Growing(branch, random), Lineage(branch.repository)
    for _ in range(60):
        growing.grow()
    lineage.grow(branch.tip)
    for _ in range(60):
        growing.grow()
    steps = git(branch.path, "rev-list", "--first-parent", "main").split()
    merges = [step for step in steps if len(branch.repository.commit(step).parents) > 1]

    for step in [*random.sample(merges, min(len(merges), 8)), steps[-1]]:
        for path in PATHS:
            found, wanted = touching(branch, lineage, step, path), logged(branch, step, path)
            assert sorted(found) == sorted(wanted), (step, path)
            for older, newer in pairwise(found):
                assert not branch.repository.is_ancestor(newer, older)


def test_a_step_brought_what_no_step_before_it_did(branch):
    branch.commit({"a": "1"})
    one = branch.side({"b": "1"})
    two = branch.side({"c": "1"}, onto=one)
    branch.commit({}, merged=(one,))
    branch.commit({}, merged=(two,))
    lineage = Lineage(branch.repository)

    lineage.grow(branch.tip)

    assert [lineage.step_of(id) for id in (one, two, branch.tip)] == [2, 3, 3]
    assert lineage.step_on_chain(one) is None
    assert lineage.step_of("0" * 40) is None


def test_a_branch_that_was_rewritten_is_read_again(branch):
    first = branch.commit({"a": "1"})
    branch.commit({"a": "2"})
    lineage = Lineage(branch.repository)
    lineage.grow(branch.tip)
    other = branch.side({"a": "3"}, onto=first)

    lineage.grow(other)

    assert lineage.step_on_chain(other) == 2
    assert lineage.step_of(branch.tip) is None


def test_a_merge_of_very_many_commits_is_looked_at_up_to_a_limit(branch, monkeypatch):
    monkeypatch.setattr(lineage_module, "SIDE_LIMIT", 40)
    monkeypatch.setattr(touching_module, "SEARCHED_LIMIT", 10)
    branch.commit({"a": "1"})
    lines, count = [], 60
    for number in range(count):
        parent = f"from {branch.tip}\n" if number == 0 else ""
        lines.append(
            f"commit refs/heads/side\nmark :{number + 1}\ncommitter A <a@x> {number} +0000\n"
            f"data 1\nx\n{parent}M 100644 inline jobtypes/A/code.py\ndata {len(str(number))}\n"
            f"{number}\n"
        )
    git(branch.path, "fast-import", "--quiet", input="".join(lines))
    side = git(branch.path, "rev-parse", "side").strip()
    merge = branch.commit({"jobtypes/A/code.py": str(count - 1)}, merged=(side,))
    lineage = Lineage(branch.repository)
    lineage.grow(merge)
    search = Touching(branch.repository, lambda id: lineage.step_of(id) == 2, "jobtypes/A")

    found = search.commits(branch.repository.commit(merge))

    assert len(found) == 9
    assert search.is_cut
    assert found[-1].id == side
    known = git(branch.path, "rev-list", side).split()
    assert [lineage.step_of(id) for id in known] == [2] * 40 + [None] * 20 + [1]
