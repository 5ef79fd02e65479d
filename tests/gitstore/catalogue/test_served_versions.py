"""Broken and withdrawn versions, as the catalogue has them."""

from __future__ import annotations

import pytest

from gitstore.catalogue.steps import read_steps
from gitstore.errors import NotFound
from tests.support.branches import Link, jobtype
from tests.support.versions import catalogue, files, forced, ids, withdrawn


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
    branch.commit(files({"A": "1"}) | {"jobtypes/B": Link("A")})

    assert ids(branch.history()) == {"A": 1}
