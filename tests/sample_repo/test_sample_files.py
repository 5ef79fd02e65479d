"""The files of the sample: their names, fields, syntax and characters."""

from __future__ import annotations

import re

import pytest

from tests.sample_repo.sample import JOBTYPES, SAMPLE, SOFTWARE, meta_of, syntax_of_python_3

META_FIELDS = {
    "classname",
    "description",
    "max_batch",
    "batch_contiguous",
    "no_automatic_start_time",
    "supports_tiling",
    "success_subject",
    "success_body",
    "fail_subject",
    "fail_body",
    "requirements",
}
FILES = [
    path
    for pattern in ("*.*", "jobtypes/*/*.*", "software/*.yaml")
    for path in sorted(SAMPLE.glob(pattern))
    if path.is_file()
]


def test_the_sample_has_the_six_jobtypes():
    assert JOBTYPES == ["Blender", "Command", "FFmpeg", "Houdini", "Maya", "Nuke"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SAMPLE)))
def test_every_file_is_ascii(path):
    assert path.read_bytes().isascii()


@pytest.mark.parametrize(
    "code",
    [
        "f'{x}'",
        "x: int = 1",
        "def f(x: int): pass",
        "def f() -> int: pass",
        "def f(*, x): pass",
        "def f(x, /): pass",
        "def f():\n    nonlocal x",
        "raise x from y",
        "class C(metaclass=M): pass",
        "[*x]",
        "super().f()",
        "(x := 1)",
    ],
)
def test_the_check_for_python_27_sees_what_is_new_in_3(code):
    assert syntax_of_python_3(code)


@pytest.mark.parametrize("name", JOBTYPES)
def test_a_jobtype_compiles_and_keeps_to_the_syntax_of_python_27(name):
    code = (SAMPLE / "jobtypes" / name / "code.py").read_text("ascii")

    assert syntax_of_python_3(code) == []


@pytest.mark.parametrize("name", JOBTYPES)
def test_a_meta_yaml_has_known_fields_and_names_the_class(name):
    meta = meta_of(name)

    assert set(meta) <= META_FIELDS
    assert meta["classname"] == name


@pytest.mark.parametrize("name", JOBTYPES)
def test_what_a_jobtype_requires_is_in_the_catalogue(name):
    for requirement in meta_of(name)["requirements"]:
        versions = [v["version"] for v in SOFTWARE[requirement["software"]]["versions"]]
        assert requirement["min_version"] in versions
        assert requirement.get("max_version") in [None, *versions]


@pytest.mark.parametrize("software", SOFTWARE)
def test_a_software_has_distinct_versions_in_order_and_one_default(software):
    versions = SOFTWARE[software]["versions"]
    ranks = [version["rank"] for version in versions]

    assert all(isinstance(version["version"], str) for version in versions)
    assert len({version["version"] for version in versions}) == len(versions)
    assert ranks == sorted(set(ranks))
    assert sum(version.get("default", False) for version in versions) <= 1


@pytest.mark.parametrize("field", sorted(META_FIELDS))
def test_the_readme_explains_every_field_of_meta_yaml(field):
    rows = re.findall(r"^\| (`.*?) \|", (SAMPLE / "README.md").read_text("ascii"), re.MULTILINE)

    assert f"`{field}`" in ", ".join(rows).split(", ")
