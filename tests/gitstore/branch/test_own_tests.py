"""A token for some jobtypes may change the tests of those, and no others."""

from __future__ import annotations

import pytest

from gitstore.branch.access import Access, Role
from gitstore.branch.store import Store
from gitstore.catalogue.difference import difference

NUKIST = Access("nukist", "n@studio.example", Role.WRITE, ("Nuke*",))


@pytest.mark.parametrize(
    ("path", "others"),
    [
        ("tests/Nuke/cases.yaml", ""),
        ("tests/NukeX/deep/er/test_it.py", ""),
        ("tests/Maya/cases.yaml", "tests/Maya/"),
        ("tests/Nuke.py", "tests/Nuke.py"),
        ("tests", "tests"),
        ("other/Nuke/x", "other"),
    ],
)
def test_the_tests_of_a_jobtype_belong_to_those_who_may_change_it(branch, path, others):
    branch.commit({"README.md": b"x"})
    before = Store(branch.path).catalogue()
    branch.commit({path: b"- name: x\n"})

    made = difference(before, Store(branch.path).catalogue())

    said = list(NUKIST.refusals(made))
    assert said == ([f"nukist may only change Nuke*; this changes {others}"] if others else [])


def test_a_folder_that_takes_the_place_of_a_file_is_no_folder_of_tests(branch):
    branch.commit({"tests/Nuke": b"x"})
    before = Store(branch.path).catalogue()
    branch.commit({"tests/Nuke": None})
    branch.commit({"tests/Nuke/cases.yaml": b"- name: x\n"})

    made = difference(before, Store(branch.path).catalogue())

    assert list(NUKIST.refusals(made))
