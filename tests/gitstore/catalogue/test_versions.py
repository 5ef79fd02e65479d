"""What is a version: section 2 of docs/format.md, row by row and paragraph by paragraph."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pytest

from gitstore.catalogue.catalogue import Catalogue
from gitstore.catalogue.contents import Contents
from gitstore.catalogue.history import History
from gitstore.catalogue.steps import read_steps
from gitstore.catalogue.trailers import parse_trailers
from gitstore.errors import NotFound
from tests.support.branches import Branch, Link, jobtype

Step = Mapping[str, str | None] | tuple[Mapping[str, str | None], str]
"""What a step changes, and its message. A key without a slash is a jobtype, whose value
is the content of its code.py; one that begins with ``!`` leaves it without a code.py."""


@dataclass(frozen=True)
class Story:
    title: str
    steps: list[Step]
    versions: dict[str, dict[int, str]]
    ids: dict[str, int]


def tell(branch: Branch, steps: list[Step]) -> History:
    for step in steps:
        changes, message = step if isinstance(step, tuple) else (step, "change\n")
        branch.commit(_files(changes), message)
    return branch.history()


def _files(changes: Mapping[str, str | None]) -> dict[str, str | None]:
    files: dict[str, str | None] = {}
    for name, content in changes.items():
        if "/" in name or name == "withdrawn.yaml":
            files[name] = content
        elif content is None:
            files[f"jobtypes/{name}"] = None
        else:
            broken = content.startswith("!")
            files[f"jobtypes/{name}/code.py"] = None if broken else content
            files[f"jobtypes/{name}/meta.yaml"] = f"# {content}\n" if broken else "{}\n"
    return files


def versions(branch: Branch, history: History) -> dict[str, dict[int, str]]:
    return {
        name: {v.number: _content(branch, v.tree) for v in jobtype.versions}
        for name, jobtype in history.jobtypes.items()
    }


def _content(branch: Branch, tree: str) -> str:
    entries = branch.repository.entries(tree)
    if "code.py" in entries:
        return branch.repository.read_blob(entries["code.py"].id).decode()
    return branch.repository.read_blob(entries["meta.yaml"].id).decode()[2:-1]


def ids(history: History) -> dict[str, int]:
    return {name: jobtype.id for name, jobtype in history.jobtypes.items()}


def catalogue(branch: Branch) -> Catalogue:
    return Catalogue(branch.history(), Contents(branch.repository))


def withdrawn(text: str) -> dict[str, str]:
    return {"withdrawn.yaml": text}


def forced(number: int, name: str) -> str:
    return f"subject\n\nJobtype-Version: {number} {name}\n"


def with_id(id: int, name: str) -> str:
    return f"subject\n\nJobtype-Id: {id} {name}\n"


ROWS = [
    Story("a directory that appears is a jobtype", [{"A": "1"}], {"A": {1: "1"}}, {"A": 1}),
    Story(
        "a directory that changes is a new version",
        [{"A": "1"}, {"A": "2"}],
        {"A": {1: "1", 2: "2"}},
        {"A": 1},
    ),
    Story(
        "any file of a directory counts",
        [{"A": "1"}, {"jobtypes/A/docs/README.md": "x"}],
        {"A": {1: "1", 2: "1"}},
        {"A": 1},
    ),
    Story(
        "what changes elsewhere is no version",
        [{"A": "1"}, {"README.md/x": "x"}, {"software/A.yaml": "versions: []\n"}],
        {"A": {1: "1"}},
        {"A": 1},
    ),
    Story("a directory that goes ends the jobtype", [{"A": "1"}, {"A": None}], {}, {}),
    Story(
        "an identical directory under a new name is a rename",
        [{"A": "1"}, {"A": "2"}, {"A": None, "B": "2"}],
        {"B": {1: "1", 2: "2"}},
        {"B": 1},
    ),
    Story(
        "numbers go on after a rename",
        [{"A": "1"}, {"A": None, "B": "1"}, {"B": "2"}],
        {"B": {1: "1", 2: "2"}},
        {"B": 1},
    ),
    Story(
        "a directory that goes back to the newest that is not withdrawn is nothing new",
        [{"A": "1"}, {"A": "2"}, {"A": "1", **withdrawn("A: [2]\n")}],
        {"A": {1: "1", 2: "2"}},
        {"A": 1},
    ),
    Story(
        "it is nothing new although that version is broken",
        [{"A": "1"}, {"A": "!2"}, {"A": "3"}, {"A": "!2", **withdrawn("A: [3]\n")}],
        {"A": {1: "1", 2: "!2", 3: "3"}},
        {"A": 1},
    ),
]

RENAMES = [
    Story(
        "a rename with a change is an end and a beginning",
        [{"A": "1"}, {"A": None, "B": "2"}],
        {"B": {1: "2"}},
        {"B": 2},
    ),
    Story(
        "several renames are paired in byte order of old and new names",
        [{"a": "1", "B": "1"}, {"a": None, "B": None, "c": "1", "D": "1"}],
        {"D": {1: "1"}, "c": {1: "1"}},
        {"D": 1, "c": 2},
    ),
    Story(
        "byte order puts letters outside ASCII last",
        [{"é": "1", "z": "1"}, {"é": None, "z": None, "Ä": "1", "y": "1"}],
        {"y": {1: "1"}, "Ä": {1: "1"}},
        {"y": 1, "Ä": 2},
    ),
    Story(
        "renames are paired by content first",
        [{"A": "1"}, {"B": "2"}, {"A": None, "B": None, "C": "2", "D": "1"}],
        {"C": {1: "2"}, "D": {1: "1"}},
        {"C": 2, "D": 1},
    ),
    Story(
        "of two that appear for one that goes the second is new",
        [{"A": "1"}, {"A": "2"}, {"A": None, "C": "2", "B": "2"}],
        {"B": {1: "1", 2: "2"}, "C": {1: "2"}},
        {"B": 1, "C": 2},
    ),
    Story(
        "of two that go for one that appears the second ends",
        [{"A": "1", "B": "1"}, {"A": None, "B": None, "C": "1"}],
        {"C": {1: "1"}},
        {"C": 1},
    ),
    Story(
        "a name used before takes no rename, and its numbering goes on",
        [{"A": "1"}, {"B": "2"}, {"B": None}, {"A": None, "B": "1"}],
        {"B": {2: "1"}},
        {"B": 3},
    ),
    Story(
        "a rename and back again is no rename the second time",
        [{"A": "1"}, {"A": None, "B": "1"}, {"B": None, "A": "1"}],
        {"A": {2: "1"}},
        {"A": 2},
    ),
    Story(
        "a name left by a rename was used up to the last number it had",
        [{"A": "1"}, {"A": "2"}, {"A": None, "B": "2"}, {"B": "3"}, {"A": "4"}],
        {"A": {3: "4"}, "B": {1: "1", 2: "2", 3: "3"}},
        {"A": 2, "B": 1},
    ),
    Story(
        "what counts for a rename is the directory, not the newest version",
        [
            {"A": "1"},
            {"A": "2"},
            {"A": "1", **withdrawn("A: [2]\n")},
            {"A": None, "B": "1", **withdrawn("B: [2]\n")},
        ],
        {"B": {1: "1", 2: "2"}},
        {"B": 1},
    ),
    Story(
        "a broken directory can be renamed",
        [{"A": "!1"}, {"A": None, "B": "!1"}],
        {"B": {1: "!1"}},
        {"B": 1},
    ),
    Story(
        "a copy is a new jobtype",
        [{"A": "1"}, {"B": "1"}],
        {"A": {1: "1"}, "B": {1: "1"}},
        {"A": 1, "B": 2},
    ),
    Story(
        "names that are exchanged are two changes",
        [{"A": "1", "B": "2"}, {"A": "2", "B": "1"}],
        {"A": {1: "1", 2: "2"}, "B": {1: "2", 2: "1"}},
        {"A": 1, "B": 2},
    ),
]

NUMBERS = [
    Story(
        "ids count in byte order of the names that appear in one step",
        [{"é": "1", "b": "1", "A": "1"}],
        {"A": {1: "1"}, "b": {1: "1"}, "é": {1: "1"}},
        {"A": 1, "b": 2, "é": 3},
    ),
    Story(
        "a deleted name that comes back has a new id and goes on counting",
        [{"A": "1"}, {"A": "2"}, {"A": None}, {"A": "1"}],
        {"A": {3: "1"}},
        {"A": 2},
    ),
    Story(
        "the id of a deleted jobtype is not used again",
        [{"A": "1"}, {"A": None}, {"B": "2"}],
        {"B": {1: "2"}},
        {"B": 2},
    ),
    Story(
        "going back to an older content is a new version",
        [{"A": "1"}, {"A": "2"}, {"A": "1"}],
        {"A": {1: "1", 2: "2", 3: "1"}},
        {"A": 1},
    ),
    Story(
        "a broken step uses up its number",
        [{"A": "1"}, {"A": "!2"}, {"A": "3"}],
        {"A": {1: "1", 2: "!2", 3: "3"}},
        {"A": 1},
    ),
    Story(
        "what a broken step is taken back to is a new version",
        [{"A": "1"}, {"A": "!2"}, {"A": "1"}],
        {"A": {1: "1", 2: "!2", 3: "1"}},
        {"A": 1},
    ),
    Story(
        "an invalid name uses up its id",
        [{"con": "1"}, {"A": "1"}],
        {"con": {1: "1"}, "A": {1: "1"}},
        {"con": 1, "A": 2},
    ),
    Story(
        "files directly below jobtypes/ are no jobtypes",
        [{"jobtypes/README.md": "x", "A": "1"}],
        {"A": {1: "1"}},
        {"A": 1},
    ),
    Story(
        "a file in a directory's place ends the jobtype",
        [{"A": "1"}, {"A": None, "B": "2"}, {"jobtypes/A": "1"}, {"B": "3"}],
        {"B": {1: "2", 2: "3"}},
        {"B": 2},
    ),
    Story(
        "every jobtype ends when jobtypes/ goes",
        [{"A": "1", "B": "2", "README/x": "x"}, {"jobtypes/A": None, "jobtypes/B": None}],
        {},
        {},
    ),
]

WITHDRAWALS = [
    Story(
        "the list may come first",
        [{"A": "1"}, {"A": "2"}, withdrawn("A: [2]\n"), {"A": "1"}],
        {"A": {1: "1", 2: "2"}},
        {"A": 1},
    ),
    Story(
        "the list of a later step comes too late",
        [{"A": "1"}, {"A": "2"}, {"A": "1"}, withdrawn("A: [2]\n")],
        {"A": {1: "1", 2: "2", 3: "1"}},
        {"A": 1},
    ),
    Story(
        "the list of the step before does not count where this step takes it away",
        [
            {"A": "1"},
            {"A": "2"},
            withdrawn("A: [2]\n"),
            {"A": "1", "withdrawn.yaml": None},
        ],
        {"A": {1: "1", 2: "2", 3: "1"}},
        {"A": 1},
    ),
    Story(
        "going back further than the newest that is left is a new version",
        [{"A": "1"}, {"A": "2"}, {"A": "3"}, {"A": "1", **withdrawn("A: [3]\n")}],
        {"A": {1: "1", 2: "2", 3: "3", 4: "1"}},
        {"A": 1},
    ),
    Story(
        "the withdrawn number is not used again",
        [{"A": "1"}, {"A": "2"}, {"A": "1", **withdrawn("A: [2]\n")}, {"A": "4"}],
        {"A": {1: "1", 2: "2", 3: "4"}},
        {"A": 1},
    ),
    Story(
        "with every version withdrawn the next change is a new version",
        [{"A": "1"}, withdrawn("A: [1]\n"), {"A": "2"}],
        {"A": {1: "1", 2: "2"}},
        {"A": 1},
    ),
    Story(
        "the list is read by the names of its own step, so a rename takes no list along",
        [
            {"A": "1"},
            {"A": "2"},
            {"A": "1", **withdrawn("A: [2]\n")},
            {"A": None, "B": "1"},
            {"B": "2"},
            {"B": "1"},
        ],
        {"B": {1: "1", 2: "2", 3: "1"}},
        {"B": 1},
    ),
    Story(
        "an unreadable list leaves the last one in force",
        [{"A": "1"}, {"A": "2"}, withdrawn("A: [2]\n"), {"A": "1", **withdrawn("A: two\n")}],
        {"A": {1: "1", 2: "2"}},
        {"A": 1},
    ),
]

TRAILERS = [
    Story(
        "a trailer forces a number",
        [{"A": "1"}, ({"A": "2"}, forced(7, "A")), {"A": "3"}],
        {"A": {1: "1", 7: "2", 8: "3"}},
        {"A": 1},
    ),
    Story(
        "a trailer forces a version of what did not change",
        [{"A": "1"}, ({}, forced(2, "A"))],
        {"A": {1: "1", 2: "1"}},
        {"A": 1},
    ),
    Story(
        "a trailer forces a first version's number",
        [({"A": "1"}, forced(5, "A"))],
        {"A": {5: "1"}},
        {"A": 1},
    ),
    Story(
        "a trailer with a number already used is ignored",
        [{"A": "1"}, ({"A": "2"}, forced(1, "A")), ({}, forced(2, "A"))],
        {"A": {1: "1", 2: "2"}},
        {"A": 1},
    ),
    Story(
        "a number used under a deleted name can't be forced",
        [({"A": "1"}, forced(5, "A")), {"A": None}, ({"A": "2"}, forced(5, "A"))],
        {"A": {6: "2"}},
        {"A": 2},
    ),
    Story(
        "a trailer for a name that is not there is ignored",
        [({"A": "1"}, forced(7, "B"))],
        {"A": {1: "1"}},
        {"A": 1},
    ),
    Story(
        "a trailer for a name that goes is ignored",
        [{"A": "1"}, ({"A": None}, forced(7, "A")), {"A": "2"}],
        {"A": {2: "2"}},
        {"A": 2},
    ),
    Story(
        "a name may have spaces",
        [{"My Job": "1"}, ({}, forced(3, "My Job"))],
        {"My Job": {1: "1", 3: "1"}},
        {"My Job": 1},
    ),
    Story(
        "several jobtypes have a trailer each",
        [({"A": "1", "B": "2"}, "s\n\nJobtype-Version: 3 B\nJobtype-Version: 4 A\n")],
        {"A": {4: "1"}, "B": {3: "2"}},
        {"A": 1, "B": 2},
    ),
    Story(
        "a renamed jobtype's version is forced under its new name",
        [{"A": "1"}, ({"A": None, "B": "1"}, forced(4, "B"))],
        {"B": {1: "1", 4: "1"}},
        {"B": 1},
    ),
    Story(
        "a number that a renamed jobtype has already is not forced again",
        [{"A": "1"}, ({"A": None, "B": "1"}, forced(1, "B"))],
        {"B": {1: "1"}},
        {"B": 1},
    ),
    Story(
        "a trailer forces a version of what withdrawing put back",
        [{"A": "1"}, {"A": "2"}, ({"A": "1", **withdrawn("A: [2]\n")}, forced(3, "A"))],
        {"A": {1: "1", 2: "2", 3: "1"}},
        {"A": 1},
    ),
    Story(
        "a trailer forces a version of a broken directory",
        [{"A": "1"}, ({"A": "!2"}, forced(5, "A"))],
        {"A": {1: "1", 5: "!2"}},
        {"A": 1},
    ),
    Story(
        "a trailer can't jump above its limit",
        [({"A": "1"}, forced(100_000_000, "A")), ({}, forced(999_999_999, "A"))],
        {"A": {1: "1"}},
        {"A": 1},
    ),
    Story(
        "a trailer goes on above its limit one by one, as writes do",
        [({"A": "1"}, forced(99_999_999, "A")), ({}, forced(100_000_001, "A")),
         ({}, forced(100_000_000, "A")), ({"A": "2"}, forced(100_000_001, "A"))],
        {"A": {99_999_999: "1", 100_000_000: "1", 100_000_001: "2"}},
        {"A": 1},
    ),
    Story(
        "above its limit a trailer passes over what is withdrawn ahead, as writes do",
        [({"A": "1"}, forced(99_999_999, "A")), withdrawn("A: [100000000]\n"),
         ({}, forced(100_000_001, "A"))],
        {"A": {99_999_999: "1", 100_000_001: "1"}},
        {"A": 1},
    ),
    Story(
        "a trailer with an id above the limit is ignored",
        [({"A": "1"}, with_id(100_000_000, "A")), ({"B": "1"}, with_id(99_999_999, "B"))],
        {"A": {1: "1"}, "B": {1: "1"}},
        {"A": 1, "B": 99_999_999},
    ),
    Story(
        "a trailer gives a new jobtype's id",
        [({"A": "1"}, with_id(10, "A")), {"B": "1"}],
        {"A": {1: "1"}, "B": {1: "1"}},
        {"A": 10, "B": 11},
    ),
    Story(
        "an id that is not above every id used is ignored",
        [({"A": "1"}, with_id(5, "A")), ({"B": "2"}, with_id(5, "B")), ({"A": None}, "x\n"),
         ({"C": "3"}, with_id(1, "C"))],
        {"B": {1: "2"}, "C": {1: "3"}},
        {"B": 6, "C": 7},
    ),
    Story(
        "an id for a jobtype that is there already is ignored",
        [{"A": "1"}, ({"A": "2"}, with_id(9, "A")), {"B": "3"}],
        {"A": {1: "1", 2: "2"}, "B": {1: "3"}},
        {"A": 1, "B": 2},
    ),
    Story(
        "an id for a renamed jobtype is ignored",
        [{"A": "1"}, ({"A": None, "B": "1"}, with_id(9, "B"))],
        {"B": {1: "1"}},
        {"B": 1},
    ),
    Story(
        "a name that comes back may bring its id and number",
        [{"A": "1"}, {"A": None}, ({"A": "2"}, "s\n\nJobtype-Id: 8 A\nJobtype-Version: 9 A\n")],
        {"A": {9: "2"}},
        {"A": 8},
    ),
]  # fmt: skip

STORIES = [*ROWS, *RENAMES, *NUMBERS, *WITHDRAWALS, *TRAILERS]


@pytest.mark.parametrize("story", STORIES, ids=lambda s: s.title.replace(" ", "-"))
def test_numbers_and_ids_are_as_the_format_has_them(branch, story):
    history = tell(branch, story.steps)

    assert versions(branch, history) == story.versions
    assert ids(history) == story.ids


@pytest.mark.parametrize("story", STORIES, ids=lambda s: s.title.replace(" ", "-"))
def test_each_version_is_of_the_step_that_made_it(branch, story):
    made = {}
    seen: set[tuple[int, int]] = set()
    for number, step in enumerate(story.steps, 1):
        history = tell(branch, [step])
        for jobtype_ in history.jobtypes.values():
            for version in jobtype_.versions:
                if (jobtype_.id, version.number) not in seen:
                    seen.add((jobtype_.id, version.number))
                    made[jobtype_.id, version.number] = (branch.tip, number)

    for jobtype_ in history.jobtypes.values():
        for version in jobtype_.versions:
            assert (version.commit, version.step) == made[jobtype_.id, version.number]


MESSAGES = [
    ("s\n\nJobtype-Version: 3 A\n", [("Jobtype-Version", 3, "A")]),
    ("s\n\nJobtype-Version: 3 A", [("Jobtype-Version", 3, "A")]),
    ("s\n\nbody\n\nJobtype-Version: 3 A\n\n\n", [("Jobtype-Version", 3, "A")]),
    ("s\n\nJobtype-Id: 3 A\nSigned-off-by: A <a@b>\n", [("Jobtype-Id", 3, "A")]),
    ("s\r\n\r\nJobtype-Version: 3 A\r\n", [("Jobtype-Version", 3, "A")]),
    ("s\n \nJobtype-Version:3 A  \n", [("Jobtype-Version", 3, "A")]),
    ("s\n\nJobtype-Version: 3 A b\n", [("Jobtype-Version", 3, "A b")]),
    (
        "s\n\nJobtype-Version: 3 A\nJobtype-Version: 4 A\n",
        [("Jobtype-Version", 3, "A"), ("Jobtype-Version", 4, "A")],
    ),
    ("s\n\nJobtype-Version: 999999999 A\n", [("Jobtype-Version", 999_999_999, "A")]),
    ("Jobtype-Version: 3 A\n", []),
    ("s\nJobtype-Version: 3 A\n", []),
    ("\n\nJobtype-Version: 3 A\n", []),
    ("s\n\nJobtype-Version: 3 A\n\nmore\n", []),
    ("s\n\n Jobtype-Version: 3 A\n", []),
    ("s\n\n> Jobtype-Version: 3 A\n", []),
    ("s\n\nJobtype-Version: 3\n", []),
    ("s\n\nJobtype-Version: A 3\n", []),
    ("s\n\nJobtype-Version: -3 A\n", []),
    ("s\n\nJobtype-Version: 3.0 A\n", []),
    ("s\n\nJobtype-Version: \u0663 A\n", []),
    ("s\n\nJobtype-Version: 1000000000 A\n", []),
    ("s\n\nJobtype-Versions: 3 A\n", []),
    ("", []),
]


@pytest.mark.parametrize(("message", "trailers"), MESSAGES)
def test_trailers_stand_in_the_last_paragraph_that_is_not_the_first(message, trailers):
    assert list(parse_trailers(message)) == trailers


def test_a_trailer_in_the_first_paragraph_forces_nothing(branch):
    history = tell(branch, [({"A": "1"}, "subject\nJobtype-Version: 7 A\n")])

    assert versions(branch, history) == {"A": {1: "1"}}


def test_git_itself_finds_the_trailers_that_count(worktree):
    worktree.write("jobtypes/A/code.py", "1")
    worktree.git("add", "-A")
    worktree.git("commit", "--quiet", "-m", "s", "--trailer", "Jobtype-Version=7 A")

    message = worktree.git("log", "-1", "--format=%B")

    assert list(parse_trailers(message)) == [("Jobtype-Version", 7, "A")]


# Merges


def test_a_merge_is_one_step_however_many_commits_it_brings(branch):
    branch.commit(_files({"A": "1"}))
    side = branch.side(_files({"A": "2"}))
    side = branch.side(_files({"A": "3", "B": "1"}), onto=side)
    merge = branch.commit(_files({"A": "3", "B": "1"}), "merge\n", merged=(side,))

    history = branch.history()

    assert versions(branch, history) == {"A": {1: "1", 2: "3"}, "B": {1: "1"}}
    assert history.jobtypes["A"].versions[-1].commit == merge
    assert history.counters.steps == 2


def test_a_merge_numbers_like_a_squash_of_it(branch, tmp_path):
    squashed = Branch(tmp_path / "squashed.git")
    for each in (branch, squashed):
        each.commit(_files({"A": "1", "B": "1"}))
    side = branch.side(_files({"A": None, "C": "1"}))
    branch.commit(_files({"A": None, "C": "1"}), merged=(side,))
    squashed.commit(_files({"A": None, "C": "1"}))

    merged_history, squashed_history = branch.history(), squashed.history()

    assert versions(branch, merged_history) == versions(squashed, squashed_history)
    assert ids(merged_history) == ids(squashed_history) == {"B": 2, "C": 1}


def test_trailers_of_merged_commits_do_not_count_but_the_merges_own_does(branch):
    branch.commit(_files({"A": "1"}))
    side = branch.side(_files({"A": "2"}), forced(50, "A"))
    branch.commit(_files({"A": "2"}), forced(5, "A"), merged=(side,))

    assert versions(branch, branch.history()) == {"A": {1: "1", 5: "2"}}


def test_a_merge_that_changes_nothing_against_its_first_parent_is_no_version(branch):
    branch.commit(_files({"A": "1"}))
    side = branch.side(_files({"A": "2"}))
    branch.commit({}, "merge with strategy ours\n", merged=(side,))

    assert versions(branch, branch.history()) == {"A": {1: "1"}}


def test_versions_of_a_side_branch_that_a_merge_discards_use_up_no_number(branch):
    branch.commit(_files({"A": "1"}))
    side = branch.side(_files({"B": "1"}))
    branch.commit({}, "ours\n", merged=(side,))
    branch.commit(_files({"C": "1"}))

    assert ids(branch.history()) == {"A": 1, "C": 2}


# Broken and withdrawn versions, as the catalogue tells them


def test_a_broken_version_is_not_listed_and_its_number_says_why(branch):
    branch.commit(jobtype("A"))
    branch.commit({"jobtypes/A/meta.yaml": "max_batch: ten\n"})

    now = catalogue(branch)

    assert [v.number for v in now.versions(now.jobtype("A"))] == [1]
    assert now.newest("A").version.number == 1
    with pytest.raises(NotFound, match=r"version 2 of A is broken: jobtypes/A/meta.yaml:1: .*ten"):
        now.release("A", 2)


BROKEN = [
    ({"code.py": None}, "code.py: error: is missing"),
    ({"meta.yaml": None}, "meta.yaml: error: is missing"),
    ({"code.py": b"caf\xe9"}, "code.py:1: error: this line is no UTF-8"),
    ({"meta.yaml": "a: [\n"}, "meta.yaml:2: error: no valid YAML"),
    ({"meta.yaml": "colour: red\n"}, "meta.yaml:1: error: colour is no known field"),
    ({"code.py": None, "code.py/x": "1"}, "code.py: error: is a directory"),
]


@pytest.mark.parametrize(("changes", "says"), BROKEN, ids=[row[1] for row in BROKEN])
def test_what_cannot_be_served_is_broken(branch, changes, says):
    files = {path: content for path, content in changes.items() if content is not None}
    kept = {"code.py": "class Job: pass\n", "meta.yaml": "classname: Job\n"}
    files |= {path: text for path, text in kept.items() if path not in changes}
    branch.commit({f"jobtypes/A/{path}": content for path, content in files.items()})

    now = catalogue(branch)

    assert now.versions(now.jobtype("A")) == []
    with pytest.raises(NotFound) as caught:
        now.newest("A")
    assert "version 1 of A is broken" in str(caught.value)
    assert says in str(caught.value)


UNFIT = {
    "invalid Python": jobtype("A", "def\n"),
    "another class": jobtype("A", meta="") | {"jobtypes/A/meta.yaml": "classname: Other\n"},
    "an unknown requirement": jobtype("A", meta="requirements: [{software: nothing}]\n"),
}


@pytest.mark.parametrize("files", UNFIT.values(), ids=UNFIT)
def test_what_only_the_validator_refuses_is_served_all_the_same(branch, files):
    branch.commit(files)

    now = catalogue(branch)

    assert now.newest("A").version.number == 1


def test_an_invalid_name_is_not_served(branch):
    branch.commit(jobtype("con") | jobtype("A"))

    now = catalogue(branch)

    assert [j.name for j in now.jobtypes()] == ["A"]
    assert now.find_jobtype("con") is None
    assert now.find_jobtype(str(now.history.jobtypes["con"].id)) is None


def test_withdrawn_versions_are_out_of_service_until_they_are_taken_off_the_list(branch):
    branch.commit(jobtype("A", "# 1\n"))
    branch.commit(jobtype("A", "# 2\n"))
    branch.commit(jobtype("A", "# 1\n") | withdrawn("A: [2]\n"))
    before = catalogue(branch)
    branch.commit({"withdrawn.yaml": None})
    after = catalogue(branch)

    assert before.newest("A").version.number == 1
    with pytest.raises(NotFound, match="version 2 of A was withdrawn"):
        before.release("A", 2)
    assert after.newest("A").version.number == 2
    assert after.code(after.release("A", 2)).endswith("# 2\n")


def test_with_every_version_withdrawn_the_jobtype_remains_without_versions(branch):
    branch.commit(jobtype("A"))
    branch.commit(withdrawn("A: [1]\n"))

    now = catalogue(branch)

    assert now.jobtype("A").id == 1
    assert now.versions(now.jobtype("A")) == []
    with pytest.raises(NotFound, match="no version of A is in service: version 1 of A was with"):
        now.newest("A")


def test_a_renamed_jobtypes_old_name_is_gone_and_the_list_is_read_by_the_new_one(branch):
    branch.commit(jobtype("A", "# 1\n"))
    branch.commit(jobtype("A", "# 2\n"))
    branch.commit({"jobtypes/A": None, **jobtype("B", "# 2\n"), **withdrawn("A: [1]\n")})

    now = catalogue(branch)

    assert now.find_jobtype("A") is None
    assert [v.number for v in now.versions(now.jobtype("B"))] == [1, 2]
    assert now.jobtype("1").name == "B"


def test_a_version_is_found_by_its_number_whatever_numbers_are_left_out(branch):
    for number in (1, 5, 6, 40):
        branch.commit(jobtype("A", f"# {number}\n"), forced(number, "A"))

    now = catalogue(branch)

    for number in (1, 5, 6, 40):
        assert now.code(now.release("A", number)).endswith(f"# {number}\n")
    for number in (0, 2, 4, 7, 39, 41):
        with pytest.raises(NotFound, match=f"A has no version {number}"):
            now.release("A", number)


def test_an_id_means_in_each_catalogue_what_it_meant_there(branch):
    branch.commit(jobtype("A"))
    first = catalogue(branch)
    assert first.jobtype("1").name == "A"
    branch.commit({"jobtypes/A": None, **jobtype("B")})
    renamed = first.extend(read_steps(branch.repository, first.history.tip, branch.tip))
    branch.commit({"jobtypes/B": None, **jobtype("C", "# another\n")})
    ended = renamed.extend(read_steps(branch.repository, renamed.history.tip, branch.tip))

    assert renamed.jobtype("1").name == "B"
    assert ended.find_jobtype("1") is None
    assert ended.jobtype("2").name == "C"
    assert first.jobtype("1").name == "A"


WITHDRAWN_LISTS = [
    ("A: [2]\nB: [1, 3]\n", {"A": {2}, "B": {1, 3}}),
    ("", {}),
    ("{}\n", {}),
    (None, {}),
    ("A: 2\n", {"X": {1}}),
    ("A: [zwei]\n", {"X": {1}}),
    ("A: [0]\n", {"X": {1}}),
    ("- A\n", {"X": {1}}),
    ("A: [\n", {"X": {1}}),
]


@pytest.mark.parametrize(("text", "expected"), WITHDRAWN_LISTS)
def test_the_withdrawn_list_is_the_tips_or_the_last_that_was_readable(branch, text, expected):
    branch.commit(withdrawn("X: [1]\n"))
    branch.commit({"withdrawn.yaml": text})

    assert branch.history().withdrawn == expected


def test_a_link_in_the_lists_place_leaves_the_last_one_in_force(branch):
    branch.commit(withdrawn("X: [1]\n"))
    branch.commit({"withdrawn.yaml": Link("other.yaml")})

    assert branch.history().withdrawn == {"X": {1}}


def test_a_link_among_the_jobtypes_is_none(branch):
    branch.commit(_files({"A": "1"}) | {"jobtypes/B": Link("A")})

    assert ids(branch.history()) == {"A": 1}


# Software


def software(*versions: str) -> str:
    rows = (f'  - {{version: "{v}", rank: {n}}}\n' for n, v in enumerate(versions))
    return "versions:\n" + "".join(rows) if versions else "versions: []\n"


@dataclass(frozen=True)
class SoftwareStory:
    title: str
    steps: list[dict[str, str | None]]
    entries: dict[str, tuple[int, dict[str, int]]]


UNREADABLE = "versions: many\n"

SOFTWARE = [
    SoftwareStory(
        "software and versions count in order of appearance",
        [{"a.yaml": software("1", "2")}, {"b.yaml": software("1"), "a.yaml": software("1", "3")}],
        {"a": (1, {"1": 1, "3": 3}), "b": (2, {"1": 4})},
    ),
    SoftwareStory(
        "within a step it is the byte order of the path that counts, not of the name",
        [{"&x.yaml": software("1"), "%2Fx.yaml": software("1")}],
        {"/x": (1, {"1": 1}), "&x": (2, {"1": 2})},
    ),
    SoftwareStory(
        "versions keep the file's order and their ids",
        [{"a.yaml": software("1", "2")}, {"a.yaml": software("3", "2", "1")}],
        {"a": (1, {"3": 3, "2": 2, "1": 1})},
    ),
    SoftwareStory(
        "a version that comes back has a new id",
        [{"a.yaml": software("1", "2")}, {"a.yaml": software("1")}, {"a.yaml": software("2")}],
        {"a": (1, {"2": 3})},
    ),
    SoftwareStory(
        "a software that comes back has new ids",
        [{"a.yaml": software("1")}, {"a.yaml": None}, {"a.yaml": software("1")}],
        {"a": (2, {"1": 2})},
    ),
    SoftwareStory(
        "an identical file under a new name keeps its ids",
        [{"a.yaml": software("1", "2")}, {"a.yaml": None, "b.yaml": software("1", "2")}],
        {"b": (1, {"1": 1, "2": 2})},
    ),
    SoftwareStory(
        "several renames are paired in byte order of the paths",
        [
            {"&x.yaml": software("1"), "%2Fx.yaml": software("1")},
            {"&x.yaml": None, "%2Fx.yaml": None, "b.yaml": software("1"), "B.yaml": software("1")},
        ],
        {"B": (1, {"1": 1}), "b": (2, {"1": 2})},
    ),
    SoftwareStory(
        "a name used before takes no rename",
        [
            {"a.yaml": software("1"), "b.yaml": software("2")},
            {"b.yaml": None},
            {"a.yaml": None, "b.yaml": software("1")},
        ],
        {"b": (3, {"1": 3})},
    ),
    SoftwareStory(
        "a rename with a change is an end and a beginning",
        [{"a.yaml": software("1")}, {"a.yaml": None, "b.yaml": software("1", "2")}],
        {"b": (2, {"1": 2, "2": 3})},
    ),
    SoftwareStory(
        "an unreadable file leaves the entry as it was",
        [{"a.yaml": software("1")}, {"a.yaml": UNREADABLE}],
        {"a": (1, {"1": 1})},
    ),
    SoftwareStory(
        "a fixed file goes on from the entry as it was",
        [{"a.yaml": software("1")}, {"a.yaml": UNREADABLE}, {"a.yaml": software("1", "2")}],
        {"a": (1, {"1": 1, "2": 2})},
    ),
    SoftwareStory(
        "an unreadable file under a new name keeps the entry",
        [{"a.yaml": software("1")}, {"a.yaml": UNREADABLE}, {"a.yaml": None, "b.yaml": UNREADABLE}],
        {"b": (1, {"1": 1})},
    ),
    SoftwareStory(
        "a file that was never readable is no entry and uses up no id",
        [{"a.yaml": UNREADABLE}, {"b.yaml": software("1")}, {"a.yaml": software("1")}],
        {"a": (2, {"1": 2}), "b": (1, {"1": 1})},
    ),
    SoftwareStory(
        "a file that goes while it is unreadable ends the entry",
        [{"a.yaml": software("1")}, {"a.yaml": UNREADABLE}, {"a.yaml": None}],
        {},
    ),
    SoftwareStory("an empty file is a software without versions", [{"a.yaml": ""}], {"a": (1, {})}),
    SoftwareStory(
        "files of other names are no software",
        [
            {
                "con.yaml": software(),
                "a.yml": software(),
                "README.md": "x",
                "schema.yaml": software(),
                "12.yaml": software(),
                "%2fx.yaml": software(),
                "below/a.yaml": software(),
            }
        ],
        {},
    ),
]  # fmt: skip


@pytest.mark.parametrize("story", SOFTWARE, ids=lambda s: s.title.replace(" ", "-"))
def test_software_ids_are_as_the_format_has_them(branch, story):
    for step in story.steps:
        branch.commit({f"software/{path}": content for path, content in step.items()})

    found = branch.history().software

    assert {s.name: (s.id, dict(s.versions)) for s in found.values()} == story.entries
    for name, (_, expected) in story.entries.items():
        assert [text for text, _ in found[name].versions] == list(expected)


def test_an_unreadable_software_file_still_says_what_it_said(branch):
    branch.commit({"software/a.yaml": software("1")})
    branch.commit({"software/a.yaml": UNREADABLE})

    now = catalogue(branch)

    assert [v.version for v in now.software_file(now.software_entry("a")).versions] == ["1"]


def test_a_link_in_a_software_files_place_leaves_the_entry_as_it_was(branch):
    branch.commit({"software/a.yaml": software("1")})
    branch.commit({"software/a.yaml": Link("b.yaml")})

    assert branch.history().software["a"].id == 1


def test_requirements_of_an_old_version_keep_the_ids_of_their_time(branch):
    meta = 'requirements: [{software: a, min_version: "1"}]\n'
    branch.commit({"software/a.yaml": software("1")})
    branch.commit(jobtype("A", meta=meta))
    branch.commit({"software/a.yaml": None})
    branch.commit({"software/a.yaml": software("1")})
    branch.commit(jobtype("A", "# 2\n", meta))

    now = catalogue(branch)
    found = [
        now.requirement_ids(v, now.release("A", v.number).meta.requirements[0])
        for v in now.jobtype("A").versions
    ]

    assert [(ids.software, ids.min_version, ids.max_version) for ids in found] == [
        (1, 1, None),
        (2, 2, None),
    ]


def test_an_empty_history_has_nothing_and_a_first_step_without_jobtypes_counts(branch):
    assert branch.history() == History()

    branch.commit({"README.md": "x"})

    assert branch.history().counters.steps == 1
    assert branch.history().tip == branch.tip
