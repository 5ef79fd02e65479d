"""Whose line it was: from an agent's traceback to versions and authors."""

from __future__ import annotations

import pytest

from gitstore.branch.store import Store
from gitstore.branch.whose import FRAMES_LIMIT, Frame, find_frames, find_origins
from gitstore.git.commits import Signature
from tests.support.branches import Branch

ADA, BO = Signature("Ada", "ada@studio.example"), Signature("Bo", "bo@studio.example")

NAMES = {
    "Blender": "BlenderJob",
    "My Job_2": "Job",
    "Maya": "Batch_Job",
    "Maya_Batch": "Job",
    "Nuke": "N\u00fcke",
}


def files(name: str, body: str) -> dict[str, str]:
    classname = NAMES[name]
    return {
        f"jobtypes/{name}/code.py": f"class {classname}:\n{body}",
        f"jobtypes/{name}/meta.yaml": f"classname: {classname}\n",
    }


@pytest.fixture(scope="module")
def farm(tmp_path_factory) -> Store:
    branch = Branch(tmp_path_factory.mktemp("whose") / "farm.git")
    first = {path: text for name in NAMES for path, text in files(name, "    a = 1\n").items()}
    branch.commit(first, "All of them\n", author=ADA)
    branch.commit(files("Blender", "    a = 1\n    b = 2\n"), "Two\n", author=BO)
    branch.commit(files("Blender", "    # new\n    a = 1\n    b = 3\n"), "Three\n", author=ADA)
    return Store(branch.path)


@pytest.mark.parametrize(
    ("text", "frames"),
    [
        ('  File "/var/cache/Blender_BlenderJob_v2.py", line 3, in x', [("Blender", 2, 3)]),
        ('Blender_BlenderJob_v2.py", line 3', [("Blender", 2, 3)]),
        ("at Blender_BlenderJob_v2.py:3: boom", [("Blender", 2, 3)]),
        (r"File 'C:\cache\Blender_BlenderJob_v1.pyc', line 1", [("Blender", 1, 1)]),
        ('File "/c/My Job_2_Job_v1.py", line 2', [("My Job_2", 1, 2)]),
        ("it was My Job_2_Job_v1.py:2", [("My Job_2", 1, 2)]),
        ("Maya_Batch_Job_v1.py:1", [("Maya", 1, 1)]),
        ("Blender_Renamed_v1.py:2", [("Blender", 1, 2)]),
        ("Nuke_N\u00fcke_v1.py:1", [("Nuke", 1, 1)]),
        (
            "Blender_BlenderJob_v1.py:1 Blender_BlenderJob_v2.py:1",
            [("Blender", 1, 1), ("Blender", 2, 1)],
        ),
        ("Blender_BlenderJob_v9.py:1", []),
        ("Blender_BlenderJob_v1.py:0", []),
        ("Blender_BlenderJob_v1.py", []),
        ("None_Job_v1.py:1", []),
        ("_v1.py:1 __v1.py:1", []),
        ("Blender_BlenderJob_v" + "9" * 50 + ".py:1", []),
        ("", []),
    ],
)
def test_a_traceback_names_lines_of_versions(farm, text, frames):
    assert find_frames(farm.catalogue(), text) == [Frame(*frame) for frame in frames]


def test_each_place_counts_once_and_there_is_a_limit(farm):
    text = "\n".join(f"Blender_BlenderJob_v1.py:{n}" for n in [1, 1, *range(1, 100)])

    assert [f.line for f in find_frames(farm.catalogue(), text)] == [*range(1, FRAMES_LIMIT + 1)]


def test_a_hostile_text_is_read_once(farm):
    text = "_ " * 2000 + "a_v1.py:1" + "\n" + "_v1.py:1" * 20_000 + "\n" + " _" * 90_000

    assert find_frames(farm.catalogue(), text) == []


def test_the_author_and_the_change_since_are_told(farm):
    (old,) = find_origins(farm, "Blender_BlenderJob_v2.py:3")
    (kept,) = find_origins(farm, "Blender_BlenderJob_v2.py:2")

    assert old.lines
    assert old.story
    assert old.changed
    assert (old.text, old.lines.commit.author.name, old.lines.came_in) == ("    b = 2", "Bo", 2)
    assert (old.story.number, old.changed.number) == (2, 3)
    assert [p.name for p in old.changed.credit.authors] == ["Ada"]
    assert kept.lines
    assert (kept.lines.came_in, kept.changed) == (1, None)


def test_a_line_that_the_version_has_not_is_said(farm):
    (origin,) = find_origins(farm, "Blender_BlenderJob_v1.py:99")

    assert "99" in origin.fault
