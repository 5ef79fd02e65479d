"""What tells a would-be version apart in an agent: its number and its class."""

from __future__ import annotations

import pytest

from gitstore.branch.reviews import Reviews
from gitstore.branch.store import Store
from gitstore.catalogue.catalogue import Catalogue
from gitstore.catalogue.contents import Contents
from gitstore.catalogue.preview import (
    PREVIEW_FIRST,
    is_preview,
    preview_classname,
    preview_code,
    preview_fault,
    preview_number,
)
from tests.support.branches import jobtype

TREE = "5c" * 20
CLASS = f"Job_{TREE}"
OWN = "class Job(object):\n    pass\n"


def test_numbers_fit_32_bits_and_lie_above_the_released():
    numbers = [preview_number(tree) for tree in ("0" * 40, TREE, "f" * 40)]

    assert all(is_preview(number) and number < 2**31 for number in numbers)
    assert numbers[0] == PREVIEW_FIRST == 1_000_000_000
    assert not is_preview(PREVIEW_FIRST - 1)
    assert {len(str(number)) for number in numbers} == {10}, "no number goes on in another"


ENDS = {
    "as it should": "",
    "no line end": "x = 1",
    "a comment": "# the end",
    "a comment with a backslash": "# the end \\",
    "a continued line": "x = 1 \\\n",
    "a continued line without its end": "x = 1 \\",
    "a continued line of Windows": "x = 1 \\\r\n",
    "a continued line of old Macs": "x = 1 \\\r",
    "line ends of Windows": "x = 1\r\ny = 2\r\n",
    "line ends of old Macs": "x = 1\r",
    "a form feed": "x = 1\n\f",
    "an indented line": "if True:\n    x = 1",
    "blanks": "if True:\n    x = 1\n    \t ",
    "a semicolon": "x = 1;",
    "a long string": '"""\nthe end\n"""',
}


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
def test_code_of_any_end_defines_the_class_of_a_preview(end):
    code = OWN + end

    shown = preview_code(code, "Name", "Job", TREE)

    space: dict[str, object] = {}
    exec(compile(shown, "code.py", "exec"), space)
    assert space[CLASS] is space["Job"]
    assert shown.startswith(code)
    assert shown.endswith(f"\n{CLASS} = Job\n")


def test_code_in_order_gets_one_line_more():
    future = f"from __future__ import annotations\n{OWN}"

    assert preview_code(future, "Name", "Job", TREE) == f"{future}{CLASS} = Job\n"


def test_without_a_classname_the_class_bears_the_name_of_the_jobtype():
    code = "class Name(object):\n    pass\n"

    assert preview_classname("Name", None, TREE) == f"Name_{TREE}"
    assert preview_code(code, "Name", None, TREE) == f"{code}Name_{TREE} = Name\n"


@pytest.mark.parametrize("classname", ["Outer.Inner", "no class", "9", "", "None", "x=1;y"])
def test_a_class_that_no_agent_could_load_leaves_the_code_alone(classname):
    assert preview_code(OWN, "Name", classname, TREE) == OWN
    assert preview_classname("Name", classname, TREE) == f"{classname}_{TREE}"


def test_the_longest_cache_file_fits_every_file_system():
    name = "N" * 64
    file = f"{name}_{preview_classname(name, 'C' * 64, TREE)}_v{preview_number('f' * 40)}.py"

    assert len(f"{file}c") <= 255


def module(name: str, classname: str, number: int) -> str:
    return f"{classname}{name}{number}"


OTHER = TREE[:8] + "3d" * 16
"""Another tree with the same number."""
FORGED = {
    "the name holds the tree": (f"_{TREE}Maya12", "Job", 34567890),
    "the class and the name hold it": (f"{TREE[1:]}Maya12", "Job_5", 34567890),
    "the class holds it": ("Maya12", CLASS, 34567890),
}


@pytest.mark.parametrize(("name", "classname", "number"), FORGED.values(), ids=FORGED)
def test_no_released_version_can_have_the_module_of_a_preview(name, classname, number):
    previewed = module("Maya", CLASS, 1234567890)

    assert module(name, classname, number) == previewed, "such names would do it"
    assert preview_fault(name, classname)


def test_no_preview_can_have_the_module_of_another_tree():
    number = preview_number(TREE)
    assert number == preview_number(OTHER)
    name, classname = f"Q_{OTHER}F", f"Job_{TREE}Q"

    one = module(name, preview_classname(name, "Job", TREE), number)
    other = module("F", preview_classname("F", classname, OTHER), number)

    assert one == other, "such names would do it"
    assert preview_fault(name, "Job")
    assert preview_fault("F", classname)


@pytest.mark.parametrize("name", ["Maya", "Maya_2", "_" + "f" * 39, "_" + "F" * 40])
def test_other_names_are_free(name):
    assert preview_fault(name, "Job") is None
    assert preview_fault(name, None) is None


def test_a_jobtype_that_passes_for_a_preview_is_broken_in_previews_and_kept_in_history(branch):

    odd = {"jobtypes/Odd/meta.yaml": f"classname: {CLASS}\n", "jobtypes/Odd/code.py": OWN}
    branch.commit(jobtype("Blender") | odd)
    released = Catalogue(branch.history(), Contents(branch.repository)).newest("Odd")
    change = branch.side({"jobtypes/Odd/code.py": OWN + "x = 1\n"})

    preview = Reviews(Store(branch.path)).preview(change)

    assert (released.version.number, released.meta.classname) == (1, CLASS)
    assert preview.newest("Odd").version.number == 1
    (_, would_be) = preview.jobtype("Odd").versions
    assert "which marks previews" in str(preview.fault(preview.jobtype("Odd"), would_be))
