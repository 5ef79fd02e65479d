"""The ids of software and its versions: section 2 of docs/format.md, row by row."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from tests.support.branches import Link, jobtype
from tests.support.versions import catalogue


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
