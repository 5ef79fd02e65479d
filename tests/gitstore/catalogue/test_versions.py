"""What is a version: section 2 of docs/format.md, row by row and paragraph by paragraph."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from gitstore.catalogue.history import History
from gitstore.catalogue.trailers import parse_trailers
from tests.support.versions import Step, forced, ids, tell, versions, with_id, withdrawn


@dataclass(frozen=True)
class Story:
    title: str
    steps: list[Step]
    versions: dict[str, dict[int, str]]
    ids: dict[str, int]


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


def test_an_empty_history_has_nothing_and_a_first_step_without_jobtypes_counts(branch):
    assert branch.history() == History()

    branch.commit({"README.md": "x"})

    assert branch.history().counters.steps == 1
    assert branch.history().tip == branch.tip
