"""The validator asked about a change: it looks at what differs, and at what that needs."""

from __future__ import annotations

from collections.abc import Mapping

from gitstore.checks.settings import Checks
from gitstore.checks.tree import check_tree
from gitstore.git.trees import Entry, Header
from tests.support.branches import jobtype
from tests.support.validated import (
    BLENDER,
    USES,
    catalogue,
    check,
    requires,
    software,
)

BETWEEN = f'{USES}    max_version: "2.70"\n'
SWAPPED = BLENDER.replace("100", "300")

# Only what differs


BAD = jobtype("Bad", "def\n", "max_batch: ten\n") | {
    "jobtypes/con/code.py": "x",
    "software/bad.yaml": "versions: many\n",
    "withdrawn.yaml": "A: [1]\nB: many\n",
}


def test_what_was_wrong_before_is_not_looked_at_again(based):
    based.commit(BAD)

    assert check(based, {}) == []
    assert check(based, jobtype("A")) == []


def test_with_everything_all_of_it_is_looked_at(based):
    based.commit(BAD)

    assert {p.rule for p in check(based, {}, everything=True)} == {
        "code-syntax", "meta-field", "name-invalid", "software-field", "withdrawn-yaml",
    }  # fmt: skip


def test_a_change_to_what_was_wrong_is_looked_at_whole(based):
    based.commit(BAD)

    rules = {p.rule for p in check(based, {"jobtypes/Bad/README.md": "x"})}

    assert rules == {"code-syntax", "meta-field"}


def test_of_a_thousand_jobtypes_only_the_changed_one_is_read(based):
    many = {p: c for n in range(300) for p, c in jobtype(f"J{n:03}x").items()}
    based.commit(many)
    tree = based.repository.commit(based.side(jobtype("J007x", "# new\n"))).tree
    read: list[str] = []

    class Watched:
        """The repository, telling which blobs are read from it."""

        def read_blob(self, id: str) -> bytes:
            read.append(id)
            return based.repository.read_blob(id)

        def header(self, id: str) -> Header | None:
            return based.repository.header(id)

        def entries(self, tree: str) -> Mapping[str, Entry]:
            return based.repository.entries(tree)

    checked = Checks(ignored=frozenset({"agent-module"}))
    assert check_tree(Watched(), tree, catalogue(based), checked) == []
    assert len(set(read)) <= 2


def test_a_case_twin_is_reported_at_the_one_that_is_new(based):
    problems = check(based, jobtype("OLD", meta=USES))

    assert [(p.rule, p.path) for p in problems] == [("name-case", "jobtypes/OLD")]


def test_two_new_case_twins_are_both_told(based):
    problems = check(based, jobtype("New") | jobtype("nEW"))

    assert [p.path for p in problems] == ["jobtypes/New", "jobtypes/nEW"]


# Requirements and software


def test_a_requirement_is_checked_against_the_software_of_the_same_change(based):
    changes = requires('software: blender\n    min_version: "3"') | software(
        BLENDER + '  - {version: "3", rank: 300}\n', "blender"
    )

    assert check(based, changes) == []


def test_a_software_that_goes_is_unknown_to_what_is_changed_to_require_it(based):
    changes = {"software/blender.yaml": None} | jobtype("Old", "# new\n", USES)

    assert [p.rule for p in check(based, changes)] == ["requirement-software"]


def test_an_unreadable_software_file_is_one_problem_and_what_it_said_still_counts(based):
    problems = check(based, software("versions: many\n", "blender") | requires("software: blender"))

    assert [p.rule for p in problems] == ["software-field"]


def test_a_software_without_any_other_says_that_the_catalogue_has_none(branch):
    problems = check(branch, requires("software: blender"))

    assert [p.message for p in problems] == [
        "the software blender is not in the catalogue; the catalogue has none; add it there first"
    ]


def test_what_only_a_withdrawn_or_old_version_requires_can_go(based):
    based.commit(jobtype("Old"))

    assert check(based, {"software/blender.yaml": None}) == []


def test_ranks_that_turn_a_requirement_are_refused_where_nobody_changes_it(based):
    based.commit(jobtype("A", meta=BETWEEN) | jobtype("B", meta=BETWEEN))
    turned = software(SWAPPED, "blender")

    problems = check(based, turned)

    assert [(p.rule, p.path) for p in problems] == [("software-required", "software/blender.yaml")]
    assert problems[0].message.startswith(
        "the order of blender 2.69 and 2.70 is required by A, B; change"
    )
    free = jobtype("A", meta=USES) | jobtype("B", meta=USES)
    assert check(based, turned | free) == []
    more = BLENDER.replace("100", "150") + '  - {version: "2.71", rank: 170}\n'
    assert check(based, software(more, "blender")) == []


def test_a_requirement_that_was_turned_before_keeps_nobody_from_other_ranks(based):
    based.commit(jobtype("A", meta=BETWEEN) | software(SWAPPED, "blender"))

    assert check(based, software(SWAPPED.replace("300", "400"), "blender")) == []


def test_everybody_who_requires_a_software_is_named(based):
    based.commit(jobtype("Other", meta=USES))

    problems = check(based, {"software/blender.yaml": None})

    assert [p.message for p in problems] == [
        "blender is required by Old, Other; change what requires it first"
    ]


# Withdrawn versions


def test_a_rename_without_its_list_is_warned_of(based):
    based.commit({"withdrawn.yaml": "Old: [1]\n"})
    tree = {"jobtypes/Old": None, **jobtype("New", meta=USES)}

    problems = check(based, tree)

    assert [(p.rule, p.line) for p in problems] == [("withdrawn-unknown", 1)]
    assert "if it was renamed, rename it here too" in problems[0].message


def test_a_rename_with_its_list_is_in_order(based):
    based.commit({"withdrawn.yaml": "Old: [1]\n"})
    changes = {"jobtypes/Old": None, **jobtype("New", meta=USES), "withdrawn.yaml": "New: [1]\n"}

    rules = {p.rule for p in check(based, changes)}

    assert rules <= {"withdrawn-unknown"}


def test_a_list_that_was_wrong_before_is_not_told_again(based):
    based.commit({"withdrawn.yaml": "A: [1]\nOld: [7]\n"})

    assert check(based, jobtype("New")) == []
