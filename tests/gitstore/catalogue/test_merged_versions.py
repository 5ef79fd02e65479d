"""What a merge is to versions: one step, compared with its first parent."""

from __future__ import annotations

from tests.support.branches import Branch
from tests.support.versions import files, forced, ids, versions


def test_a_merge_is_one_step_however_many_commits_it_brings(branch):
    branch.commit(files({"A": "1"}))
    side = branch.side(files({"A": "2"}))
    side = branch.side(files({"A": "3", "B": "1"}), onto=side)
    merge = branch.commit(files({"A": "3", "B": "1"}), "merge\n", merged=(side,))

    history = branch.history()

    assert versions(branch, history) == {"A": {1: "1", 2: "3"}, "B": {1: "1"}}
    assert history.jobtypes["A"].versions[-1].commit == merge
    assert history.counters.steps == 2


def test_a_merge_numbers_like_a_squash_of_it(branch, tmp_path):
    squashed = Branch(tmp_path / "squashed.git")
    for each in (branch, squashed):
        each.commit(files({"A": "1", "B": "1"}))
    side = branch.side(files({"A": None, "C": "1"}))
    branch.commit(files({"A": None, "C": "1"}), merged=(side,))
    squashed.commit(files({"A": None, "C": "1"}))

    merged_history, squashed_history = branch.history(), squashed.history()

    assert versions(branch, merged_history) == versions(squashed, squashed_history)
    assert ids(merged_history) == ids(squashed_history) == {"B": 2, "C": 1}


def test_trailers_of_merged_commits_do_not_count_but_the_merges_own_does(branch):
    branch.commit(files({"A": "1"}))
    side = branch.side(files({"A": "2"}), forced(50, "A"))
    branch.commit(files({"A": "2"}), forced(5, "A"), merged=(side,))

    assert versions(branch, branch.history()) == {"A": {1: "1", 5: "2"}}


def test_a_merge_that_changes_nothing_against_its_first_parent_is_no_version(branch):
    branch.commit(files({"A": "1"}))
    side = branch.side(files({"A": "2"}))
    branch.commit({}, "merge with strategy ours\n", merged=(side,))

    assert versions(branch, branch.history()) == {"A": {1: "1"}}


def test_versions_of_a_side_branch_that_a_merge_discards_use_up_no_number(branch):
    branch.commit(files({"A": "1"}))
    side = branch.side(files({"B": "1"}))
    branch.commit({}, "ours\n", merged=(side,))
    branch.commit(files({"C": "1"}))

    assert ids(branch.history()) == {"A": 1, "C": 2}
