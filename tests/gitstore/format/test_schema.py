"""The models of the files: every refusal names the field, the line and what to do."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitstore.format.schema import (
    JobtypeMeta,
    SoftwareFile,
    parse_meta,
    parse_software,
    parse_withdrawn,
)
from tests.support.depth import examples

FULL = """\
classname: Blender
description: Renders .blend
max_batch: 10
batch_contiguous: false
no_automatic_start_time: true
supports_tiling: true
success_subject: a
success_body: "b\\nc"
fail_subject: d
fail_body: null
requirements:
  - software: blender
    min_version: "2.69"
    max_version: null
  - software: /bin/touch
"""


def test_a_meta_has_all_its_fields():
    meta = parse_meta(FULL.encode()).value

    assert meta is not None
    assert meta.model_dump() == {
        "classname": "Blender",
        "description": "Renders .blend",
        "max_batch": 10,
        "batch_contiguous": False,
        "no_automatic_start_time": True,
        "supports_tiling": True,
        "success_subject": "a",
        "success_body": "b\nc",
        "fail_subject": "d",
        "fail_body": None,
        "requirements": (
            {"software": "blender", "min_version": "2.69", "max_version": None},
            {"software": "/bin/touch", "min_version": None, "max_version": None},
        ),
    }


@pytest.mark.parametrize("text", ["", "{}\n", "# nothing\n", "---\n"])
def test_an_empty_meta_has_the_defaults(text):
    meta = parse_meta(text.encode()).value

    assert meta == JobtypeMeta()
    assert meta.model_dump() == {
        "classname": None,
        "description": None,
        "max_batch": 1,
        "batch_contiguous": True,
        "no_automatic_start_time": False,
        "supports_tiling": False,
        "success_subject": None,
        "success_body": None,
        "fail_subject": None,
        "fail_body": None,
        "requirements": (),
    }


@pytest.mark.parametrize("text", ["max_batch: null\n", "max_batch:\n"])
def test_max_batch_null_means_no_limit(text):
    meta = parse_meta(text.encode()).value

    assert meta is not None
    assert meta.max_batch is None


META_FAULTS = [
    ("colour: red\n", 1, "colour is no known field; remove it or fix its spelling"),
    ("max_batch: ten\n", 1, "max_batch must be an integer, not 'ten'"),
    ("\nmax_batch: '10'\n", 2, "max_batch must be an integer, not '10'"),
    ("max_batch: 1.0\n", 1, "max_batch must be an integer, not 1.0"),
    ("max_batch: true\n", 1, "max_batch must be an integer, not true"),
    ("max_batch: [1]\n", 1, "max_batch must be an integer, not a list"),
    ("max_batch: 0\n", 1, "max_batch is 0; at least 1 is wanted"),
    ("max_batch: 2147483648\n", 1, "max_batch is 2147483648; at most 2147483647 is allowed"),
    ("batch_contiguous: 1\n", 1, "batch_contiguous must be true or false, not 1"),
    ("supports_tiling: 'yes'\n", 1, "supports_tiling must be true or false, not 'yes'"),
    ("supports_tiling: null\n", 1, "supports_tiling must be true or false, not null"),
    ("classname: 3\n", 1, 'classname is the number 3; write it in quotes: "3"'),
    ("classname: 1_000\n", 1, 'classname is the number 1_000; write it in quotes: "1_000"'),
    ("classname: on\n", 1, 'classname is the truth value on; write it in quotes: "on"'),
    (
        "classname: 2001-02-03\n",
        1,
        'classname is not a string but 2001-02-03; write it in quotes: "2001-02-03"',
    ),
    ("classname: {a: 1}\n", 1, "classname must be a string, not a mapping"),
    ("description: [a]\n", 1, "description must be a string, not a list"),
    (f"classname: {'a' * 65}\n", 1, "classname is too long; 64 characters is the limit"),
    ('classname: "a\\nb"\n', 1, "classname holds a control character; remove it"),
    ('description: "a\\0b"\n', 1, "description holds the character U+0000, which is no text"),
    ("requirements: blender\n", 1, "requirements must be a list, not 'blender'"),
    ("requirements: {software: a}\n", 1, "requirements must be a list, not a mapping"),
    ("requirements: null\n", 1, "requirements must be a list, not null"),
    ("requirements: [blender]\n", 1, "requirements.0 must be a mapping, not 'blender'"),
    ("requirements:\n  - min_version: a\n", 2, "requirements.0.software is missing"),
    ("requirements:\n  - software: 3\n", 2, 'software is the number 3; write it in quotes: "3"'),
    (
        "requirements:\n  - software: a\n    min_version: 2.70\n",
        3,
        'min_version is the number 2.70; write it in quotes: "2.70"',
    ),
    (
        "requirements:\n  - software: a\n    max_version: 3\n",
        3,
        'max_version is the number 3; write it in quotes: "3"',
    ),
    (
        "requirements:\n  - software: a\n    min_version: ''\n",
        3,
        "requirements.0.min_version is empty; give it 1 to 64 characters",
    ),
    (
        "requirements:\n  - software: a\n    version: '1'\n",
        3,
        "requirements.0.version is no known field",
    ),
    (
        "requirements:\n  - software: a\n  - software: a\n",
        1,
        "requirements lists the software a twice; keep one",
    ),
    ("- a\n", 1, "the file must be a mapping, not a list"),
    ("text\n", 1, "the file must be a mapping, not 'text'"),
    ("a: 1\na: 2\n", 2, "a stands here a second time; keep one"),
    (f"description: {'x' * 300_000}\n", 1, "the file has 300014 bytes; 262144 is the limit"),
]


@pytest.mark.parametrize(("text", "line", "says"), META_FAULTS)
def test_a_wrong_meta_is_refused_with_field_and_line(text, line, says):
    parsed = parse_meta(text.encode())

    assert parsed.value is None
    assert [fault.line for fault in parsed.faults] == [line]
    assert says in parsed.faults[0].message


def test_a_metas_faults_are_all_told_each_with_its_place():
    parsed = parse_meta(b"max_batch: ten\nclassname: 1\nrequirements:\n  - {software: 1, x: 2}\n")

    assert {(fault.place, fault.line) for fault in parsed.faults} == {
        (("max_batch",), 1),
        (("classname",), 2),
        (("requirements", 0, "software"), 4),
        (("requirements", 0, "x"), 4),
    }


SOFTWARE = """\
versions:
  - version: "2.70"
    rank: 200
    default: true
    discovery_code: |
      def found():
          return True
    discovery_function_name: found
  - {version: "2.69", rank: -100}
"""


def test_a_software_file_has_its_versions_in_its_own_order():
    file = parse_software(SOFTWARE.encode()).value

    assert file is not None
    assert [v.version for v in file.versions] == ["2.70", "2.69"]
    assert [v.version for v in file.by_rank()] == ["2.69", "2.70"]
    assert file.versions[0].model_dump() == {
        "version": "2.70",
        "rank": 200,
        "default": True,
        "discovery_code": "def found():\n    return True\n",
        "discovery_function_name": "found",
    }
    assert file.find("2.69") is file.versions[1]
    assert file.versions[1].default is False
    assert file.find("2.7") is None


@pytest.mark.parametrize("text", ["", "{}\n", "versions: []\n"])
def test_an_empty_software_file_has_no_versions(text):
    assert parse_software(text.encode()).value == SoftwareFile()


SOFTWARE_FAULTS = [
    ("versions: 1\n", 1, "versions must be a list, not 1"),
    ("version: []\n", 1, "version is no known field"),
    ("versions:\n  - rank: 1\n", 2, "versions.0.version is missing; it is required"),
    ("versions:\n  - version: '1'\n", 2, "versions.0.rank is missing; it is required"),
    (
        "versions:\n  - version: 2.70\n    rank: 1\n",
        2,
        'version is the number 2.70; write it in quotes: "2.70"',
    ),
    ("versions:\n  - {version: '', rank: 1}\n", 2, "versions.0.version is empty"),
    (f"versions:\n  - {{version: {'v' * 65}, rank: 1}}\n", 2, "64 characters is the limit"),
    ("versions:\n  - {version: v, rank: 1.5}\n", 2, "rank must be an integer, not 1.5"),
    ("versions:\n  - {version: v, rank: 4294967296}\n", 2, "at most 2147483647 is allowed"),
    ("versions:\n  - {version: v, rank: -4294967296}\n", 2, "at least -2147483647 is wanted"),
    ("versions:\n  - {version: v, rank: 1, default: 1}\n", 2, "default must be true or false"),
    (
        "versions:\n  - {version: v, rank: 1}\n  - {version: v, rank: 2}\n",
        1,
        "versions lists the version v twice; keep one",
    ),
    (
        "versions:\n  - {version: v, rank: 1}\n  - {version: w, rank: 1}\n",
        1,
        "versions lists the rank 1 twice; keep one",
    ),
    (
        "versions:\n  - {version: v, rank: 1, discovery_code: 1}\n",
        2,
        'discovery_code is the number 1; write it in quotes: "1"',
    ),
]


@pytest.mark.parametrize(("text", "line", "says"), SOFTWARE_FAULTS)
def test_a_wrong_software_file_is_refused_with_field_and_line(text, line, says):
    parsed = parse_software(text.encode())

    assert parsed.value is None
    assert [fault.line for fault in parsed.faults] == [line]
    assert says in parsed.faults[0].message


WITHDRAWN_FAULTS = [
    ("Blender: 3\n", 1, "Blender must be a list, not 3"),
    ("A: [1]\nBlender: [three]\n", 2, "must be an integer, not 'three'"),
    ("A:\n  - 1\n  - 0\n", 3, "is 0; at least 1 is wanted"),
    ("A: [true]\n", 1, "must be an integer, not true"),
    ("A: null\n", 1, "A must be a list, not null"),
    ("A: {1: 2}\n", 1, 'the key 1 is no string; write "1"'),
    ("[1]\n", 1, "the file must be a mapping, not a list"),
    (f"A: [0x{'F' * 5000}]\n", 1, "can't be read; quote it"),
]


@pytest.mark.parametrize(("text", "line", "says"), WITHDRAWN_FAULTS)
def test_a_wrong_withdrawn_list_is_refused_with_its_line(text, line, says):
    parsed = parse_withdrawn(text.encode())

    assert parsed.value is None
    assert [fault.line for fault in parsed.faults] == [line]
    assert says in parsed.faults[0].message


def test_a_withdrawn_list_is_a_set_for_each_name():
    value = parse_withdrawn(b"Blender: [3, 4, 3]\nA: []\n").value

    assert value is not None
    assert value.root == {"Blender": frozenset({3, 4}), "A": frozenset()}


scalars = st.sampled_from(
    ["1", "-1", "0", "2.70", "true", "null", "", "'x'", "x", '"\\0"', "2001-01-01", ".nan", "[]",
     "{}", "[[1]]", "{a: 1}", "0x" + "F" * 5000, "9" * 5000, "1e400", "'\\ud800'", '"\\ud800"']
)  # fmt: skip
keys = st.sampled_from(
    ["classname", "max_batch", "supports_tiling", "description", "requirements", "versions",
     "version", "rank", "default", "software", "min_version", "discovery_code", "x", "1"]
)  # fmt: skip
below = st.dictionaries(keys, scalars, max_size=4).map(
    lambda d: "{" + ", ".join(f"{k}: {v or '~'}" for k, v in d.items()) + "}"
)
lists = st.lists(scalars | below, max_size=3).map(lambda v: f"[{', '.join(x or '~' for x in v)}]")
files = st.dictionaries(keys, scalars | below | lists, max_size=5).map(
    lambda d: "".join(f"{k}: {v}\n" for k, v in d.items()).encode()
)


@settings(max_examples=examples(125))
@given(files | st.binary() | st.text().map(lambda t: t.encode(errors="replace")))
@pytest.mark.parametrize("parse", [parse_meta, parse_software, parse_withdrawn])
def test_any_bytes_make_a_value_or_faults_that_can_be_shown(parse, data):
    parsed = parse(data)

    assert (parsed.value is None) == bool(parsed.faults)
    for fault in parsed.faults:
        assert fault.line is None or fault.line >= 1
        assert 0 < len(fault.message) < 600
        fault.message.encode()
