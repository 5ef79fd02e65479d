"""Editing a person's YAML: what was written stays, and what is wanted is what is read."""

from __future__ import annotations

from collections.abc import Iterator
from textwrap import dedent

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gitstore.format.schema import JobtypeMeta, parse_meta
from gitstore.format.yaml_editor import Plain, edit_yaml
from gitstore.format.yaml_reader import YamlFault, parse_yaml
from tests.support.depth import examples

LIMIT = 10**7

META = """\
# Renders with Blender.

classname: Blender   # the class in code.py
max_batch: 10
# Frames of one batch are neighbours.
batch_contiguous: true
description: 'Renders "blend" files'
requirements:
  # Older ones crash.
  - software: blender
    min_version: "2.69"   # quoted, it is no number
  - software: /bin/touch  # for the log
fail_body: |
  It failed.

  Look at the log.
"""
VALUE: dict[str, Plain] = {
    "classname": "Blender",
    "max_batch": 10,
    "batch_contiguous": True,
    "description": 'Renders "blend" files',
    "requirements": [
        {"software": "blender", "min_version": "2.69"},
        {"software": "/bin/touch"},
    ],
    "fail_body": "It failed.\n\nLook at the log.\n",
}
REQUIREMENTS = VALUE["requirements"]
BLENDER, TOUCH = ({"software": "blender", "min_version": "2.69"}, {"software": "/bin/touch"})

EDITS = [
    ("nothing", {}, []),
    ("a number", {"max_batch": 20}, [("max_batch: 10", "max_batch: 20")]),
    ("a number to null", {"max_batch": None}, [("max_batch: 10", "max_batch: null")]),
    ("a truth value", {"batch_contiguous": False}, [("contiguous: true", "contiguous: false")]),
    ("true to the number 1", {"batch_contiguous": 1}, [("contiguous: true", "contiguous: 1")]),
    (
        "a string",
        {"description": "Other"},
        [("description: 'Renders \"blend\" files'", "description: 'Other'")],
    ),
    (
        "a bound of a requirement",
        {"requirements": [{**BLENDER, "min_version": "2.70"}, TOUCH]},
        [('"2.69"', '"2.70"')],
    ),
    (
        "one requirement more",
        {"requirements": [BLENDER, TOUCH, {"software": "ffmpeg"}]},
        [("# for the log\n", "# for the log\n  - software: ffmpeg\n")],
    ),
    (
        "a block of text",
        {"fail_body": "It failed.\n\nSee the log.\n"},
        [("Look at the log", "See the log")],
    ),
]  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "replaced"), [row[1:] for row in EDITS], ids=[row[0] for row in EDITS]
)
def test_an_edit_changes_the_lines_of_what_changed_and_no_others(changes, replaced):
    wanted = META
    for old, new in replaced:
        assert old in wanted
        wanted = wanted.replace(old, new)

    assert edit_yaml(META.encode(), {**VALUE, **changes}).decode() == wanted


def test_a_new_key_is_added_at_the_end():
    edited = edit_yaml(META.encode(), {**VALUE, "supports_tiling": True}).decode()

    assert edited == META + "supports_tiling: true\n"


def test_a_key_that_is_not_wanted_any_more_goes_and_the_others_keep_their_order():
    value = {key: VALUE[key] for key in VALUE if key != "max_batch"}

    edited = edit_yaml(META.encode(), value).decode()

    assert "max_batch" not in edited
    assert list(parse_yaml(edited.encode(), LIMIT).value) == list(value)
    assert "# the class in code.py" in edited
    assert "# Older ones crash." in edited


def test_requirements_in_another_order_take_their_own_lines_along():
    edited = edit_yaml(META.encode(), {**VALUE, "requirements": [TOUCH, BLENDER]})

    assert parse_yaml(edited, LIMIT).value == {**VALUE, "requirements": [TOUCH, BLENDER]}
    assert b"# the class in code.py" in edited
    assert b'min_version: "2.69"   # quoted, it is no number' in edited


def test_the_order_of_the_keys_asked_for_does_not_matter():
    edited = edit_yaml(META.encode(), dict(reversed(VALUE.items())))

    assert edited.decode() == META


COMMENTED = """\
requirements:
  # blender: old ones crash
  - software: blender
  # nuke: for the slate
  - software: nuke  # any

  # What follows is of the farm.

  # ffmpeg: for the film
  - software: ffmpeg
    min_version: "6"  # has av1
# As many as there are frames.
max_batch: 1
"""
NUKE, FFMPEG = {"software": "nuke"}, {"software": "ffmpeg", "min_version": "6"}
BLENDER_LINES = "  # blender: old ones crash\n  - software: blender\n"
NUKE_LINES = "  # nuke: for the slate\n  - software: nuke  # any\n"
FARM = "\n  # What follows is of the farm.\n\n"
FFMPEG_LINES = '  # ffmpeg: for the film\n  - software: ffmpeg\n    min_version: "6"  # has av1\n'
LISTS = {
    "the first goes": ([NUKE, FFMPEG], NUKE_LINES + FARM + FFMPEG_LINES),
    "the last goes": ([{"software": "blender"}, NUKE], BLENDER_LINES + NUKE_LINES + FARM),
    "one comes in between": (
        [{"software": "blender"}, {"software": "x"}, NUKE, FFMPEG],
        BLENDER_LINES + "  - software: x\n" + NUKE_LINES + FARM + FFMPEG_LINES,
    ),
    "another order": ([NUKE, {"software": "blender"}], NUKE_LINES + BLENDER_LINES + FARM),
    "a field more": (
        [{**NUKE, "min_version": "13"}, FFMPEG],
        NUKE_LINES + '    min_version: "13"\n' + FARM + FFMPEG_LINES,
    ),
}


@pytest.mark.parametrize(("items", "lines"), LISTS.values(), ids=LISTS)
def test_a_comment_goes_and_moves_with_the_item_that_it_stands_above_or_next_to(items, lines):
    edited = edit_yaml(COMMENTED.encode(), {"requirements": items, "max_batch": 1}).decode()

    assert edited == f"requirements:\n{lines}# As many as there are frames.\nmax_batch: 1\n"


KEPT = [
    ("a: 1\n# only one\nr:\n  # of x\n  - software: x\nb: yes  # b\n",
     {"a": 1, "r": [], "b": True},
     "a: 1\n# only one\nr: []\nb: yes  # b\n"),
    ("r: []  # none yet\n", {"r": [{"software": "x"}]}, "r:  # none yet\n  - software: x\n"),
    ("A:\n  - 2 #x\n  - 4 #y\n", {"A": [1, 2, 4]}, "A:\n  - 1\n  - 2 #x\n  - 4 #y\n"),
    ("A: [1]  # why\nC: [2]\n", {"B": [1], "C": [2]}, "B: [1]  # why\nC: [2]\n"),
    ("# why\nA: [1]\nC: [2]\n", {"C": [2]}, "C: [2]\n"),
    ("# of all\n\n# why\nA: [1]\nC: [2]\n", {"C": [2]}, "# of all\n\nC: [2]\n"),
    ("a: |  # text\n  x\n# b\nb: 1\n", {"a": None, "b": 1}, "a: null  # text\n# b\nb: 1\n"),
    ("a: x  # text\n# b\nb: 1\n", {"a": "x\ny\n", "b": 1},
     "a: |  # text\n  x\n  y\n# b\nb: 1\n"),
    ("# nothing yet\n", {"a": 1}, "# nothing yet\na: 1\n"),
    ("v:\n- version: '1'  # one\n- version: '2'  # two\n", {"v": [{"version": "2"}]},
     "v:\n- version: '2'  # two\n"),
    ("# of a\na: 1  # a\nb: |\n  x", {"a": 2, "b": "x"}, "# of a\na: 2  # a\nb: |-\n  x\n"),
    ("# of a\na: 1  # a\nb: >\n  x", {"a": 1, "b": "y"}, "# of a\na: 1  # a\nb: y\n"),
    ("\ufeff# of a\na: 1  # a\nb: 2\n", {"a": 2, "b": 2}, "# of a\na: 2  # a\nb: 2\n"),
    ("\ufeffa: 1  # a\nb: |\n  x", {"a": 2, "b": "x"}, "a: 2  # a\nb: |-\n  x\n"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "value", "wanted"), KEPT)
def test_comments_stay_with_what_stays(old, value, wanted):
    assert edit_yaml(old.encode(), value).decode() == wanted


STYLES = [
    ("A: [1, 2]\nB: [3]\n", {"A": [1, 2, 4], "B": [3]}, "A: [1, 2, 4]\nB: [3]\n"),
    ("A: [1, 2]  # why\n", {"A": [1]}, "A: [1]  # why\n"),
    ("A:\n  - 1\n  - 2\n", {"A": [1, 2, 4]}, "A:\n  - 1\n  - 2\n  - 4\n"),
    ("A: {b: 1}\n", {"A": {"b": 2}}, "A: {b: 2}\n"),
    ("a: 'x'\nb: y\n", {"a": "x", "b": "z"}, "a: 'x'\nb: z\n"),
    ("a: yes\nb: 1\n", {"a": True, "b": 2}, None),
    ("a: 010\nb: 1\n", {"a": 8, "b": 2}, None),
]


@pytest.mark.parametrize(("old", "value", "wanted"), STYLES)
def test_the_style_stays_where_it_says_what_is_wanted(old, value, wanted):
    edited = edit_yaml(old.encode(), value)

    assert parse_yaml(edited, LIMIT).value == value
    assert wanted is None or edited.decode() == wanted


UNREADABLE = [
    b"a: [\n",
    b"caf\xe9: 1\n",
    b"- a\n",
    b"text\n",
    b"",
    b"# a comment alone\n",
    b"[" * 100_000,
    b"a: &x 1\nb: *x\n",
    b"a: !!binary x\n",
    b"<<: {a: 1}\n",
    b"a: 1\n---\nb: 2\n",
    b"? [a]\n: 1\n",
    b"a: 1\na: 1\n",
    b"2001-99-99: 1\n",
    b"a: 0x\n",
    b"a: !!timestamp x\n",
    b"%YAML 1.2\n---\na: 1\n",
    b"a: 1:60:60\n",
    b"a: 1e5.\n",
]


@pytest.mark.parametrize("old", UNREADABLE)
def test_a_file_that_cannot_be_edited_is_replaced(old):
    value: dict[str, Plain] = {"classname": "Job", "requirements": [{"software": "a"}]}

    assert parse_yaml(edit_yaml(old, value), LIMIT).value == value


PLAIN = [
    ("text", True), ("2.69", False), ("2.69.1", True), ("yes", False), ("Off", False),
    ("null", False), ("~", False), ("", False), ("1_0", False), ("0x1F", False),
    ("2001-01-01", False), ("<<", False), ("=", False), ("1e3", True), ("v1", True),
    ("a: b", False), ("a #b", False), (" a", False), ("- a", False), ("*a", False),
]  # fmt: skip


@pytest.mark.parametrize(("text", "plain"), PLAIN)
def test_a_string_stands_in_quotes_where_it_needs_them(text, plain):
    wanted = text if plain else f'"{text}"'

    assert edit_yaml(None, {"a": text}).decode() == f"a: {wanted}\n"
    assert edit_yaml(None, {"a": [text]}).decode() == f"a: [{wanted}]\n"


NEW = [
    ({}, "{}\n"),
    ({"a": None, "b": True, "c": -1}, "a: null\nb: true\nc: -1\n"),
    ({"a": "text", "b": ""}, 'a: text\nb: ""\n'),
    ({"a": "2.69", "b": "yes", "c": "null"}, 'a: "2.69"\nb: "yes"\nc: "null"\n'),
    ({"a": "x\ny\n"}, "a: |\n  x\n  y\n"),
    ({"a": [1, 2]}, "a: [1, 2]\n"),
    ({"r": [{"software": "x", "min_version": "1"}]}, None),
    ({"12": [1], "true": [2]}, '"12": [1]\n"true": [2]\n'),
    ({"My Job": [1], "é": [2]}, "My Job: [1]\né: [2]\n"),
]


@pytest.mark.parametrize(("value", "wanted"), NEW)
def test_a_new_file_is_written_as_a_person_would(value, wanted):
    written = edit_yaml(None, value)

    assert parse_yaml(written, LIMIT).value == value
    assert wanted is None or written.decode() == wanted


def test_code_is_written_as_a_block_that_can_be_read():
    code = "def found():\n    return True\n"
    written = edit_yaml(None, {"versions": [{"version": "1", "discovery_code": code}]})

    assert written.decode() == dedent(
        """\
        versions:
          - version: "1"
            discovery_code: |
              def found():
                  return True
        """
    )


def test_meta_files_that_people_wrote_survive_each_field_being_edited():
    meta = parse_meta(META.encode()).value
    assert meta is not None
    for name, value in (("description", "x"), ("max_batch", None), ("fail_subject", "2.0")):
        edited = edit_yaml(META.encode(), {**VALUE, name: value})

        assert parse_meta(edited).value == meta.model_copy(update={name: value})
    assert JobtypeMeta() != meta


# What the models let through: no control characters but white space, no surrogates.
characters = st.one_of(
    st.characters(exclude_categories=["Cc", "Cs"]),
    st.sampled_from(list("\t\n\r\f #:-|>'\"[]{}%&*!@`,?~\\\u2028\u2029\ufeff\ufffe\xa0é0")),
)
texts = st.one_of(
    st.text(characters),
    st.lists(st.sampled_from(["\n", " ", "  ", "a", "#", "\t", "- ", ": ", "\r\n", "x" * 90]))
    .map("".join),
    st.sampled_from(["2.70", "yes", "~", "---", "...", "<<", "=", "0x1", "1e5", "1_0", "null",
                     "2001-01-01", "012", "1:30", ".inf", "NaN", "a: b", "a #b", "*a", "&a"]),
)  # fmt: skip
scalars = st.one_of(
    texts,
    st.integers(-(2**31), 2**31),
    st.booleans(),
    st.none(),
)
names = st.sampled_from(["software", "version", "min_version", "rank"])
items = st.dictionaries(names, scalars, max_size=3)
values = st.dictionaries(
    texts | st.sampled_from(["classname", "max_batch", "requirements", "versions"]),
    scalars | st.lists(items, max_size=3) | st.lists(st.integers(1, 99), max_size=4),
    max_size=5,
)
broken = st.lists(
    st.sampled_from(
        ["a", "versions", "requirements", ": ", ":\n  ", "- ", "\n", "[", "]", "{", "}", ", ",
         "# c\n", " # c", "&x ", "*x", "<<: ", "!!set ", "!!omap ", "!t ", "|\n  t\n", ">-\n  t\n",
         "'", '"', "? ", "---\n", "...\n", "1", "0x", "010", "1e5", "1.", "yes", "~", "2001-01-01",
         "software: b\n", "%YAML 1.1\n", "\t", "1_0", "12:30:45", "=", ".5E+1", "2001-99-99"]
    ),
    max_size=14,
).map(lambda parts: "".join(parts).encode())  # fmt: skip


@settings(max_examples=examples(62))
@given(values)
def test_any_value_is_read_back_exactly_from_a_new_file(value):
    assert parse_yaml(edit_yaml(None, value), LIMIT).value == value


@settings(max_examples=examples(62))
@given(values, values)
def test_any_value_is_read_back_exactly_from_a_file_of_another(old, value):
    edited = edit_yaml(edit_yaml(None, old), value)

    assert _typed(parse_yaml(edited, LIMIT).value) == _typed(value)


def _typed(value: object) -> object:
    """*value* in a form in which true is not 1."""
    if isinstance(value, dict):
        return {key: _typed(below) for key, below in value.items()}
    return [_typed(below) for below in value] if isinstance(value, list) else repr(value)


@pytest.mark.parametrize("old", [b"? a\n", b"? a\n? b\n", b"- ? a\n", b"? |\n a\n: 1\n"])
def test_a_file_in_a_form_that_nobody_writes_is_replaced(old):
    assert parse_yaml(edit_yaml(old, {"a": "x"}), LIMIT).value == {"a": "x"}


@settings(max_examples=examples(75))
@given(broken | st.binary() | values.map(lambda v: edit_yaml(None, v)), values)
@example(b"a: &x [1]\nb: *x\n", {"a": [1], "b": [2]})
@example(b"a: 1.\n", {"a": 1})
@example(b"a: [true, 1.0]\n", {"a": [1, 1]})
@example(b"versions: [[a], {b: c}, {version: [1]}]\n", {"versions": [{"version": "1"}]})
@example(b"versions: [{version: 2.70}]\n", {"versions": [{"version": "2.70"}]})
def test_any_value_is_read_back_exactly_from_any_old_file(old, value):
    edited = edit_yaml(old, value)

    assert _typed(parse_yaml(edited, LIMIT).value) == _typed(value)


@settings(max_examples=examples(50))
@given(broken)
def test_a_file_that_says_what_is_wanted_already_keeps_its_comments(old):
    try:
        value = parse_yaml(old, LIMIT).value
    except YamlFault:
        return
    if isinstance(value, dict) and _writable(value):
        edited = edit_yaml(old, value)

        assert parse_yaml(edited, LIMIT).value == value
        assert edit_yaml(edited, value) == edited


def _writable(value: object) -> bool:
    if isinstance(value, dict):
        return all(_writable(below) for below in value.values())
    if isinstance(value, list):
        return all(_writable(below) for below in value)
    return value is None or isinstance(value, str | int)


# Files in which each key and item has a comment above it and one on its line

fields = st.dictionaries(
    st.sampled_from(["min_version", "rank", "default", "discovery_code"]), scalars, max_size=3
)
listed = st.lists(
    st.tuples(st.sampled_from([f"s{n}" for n in range(6)]), fields), unique_by=lambda i: i[0]
).map(lambda rows: [{"software": name, **rest} for name, rest in rows])
numbers = st.lists(st.integers(1, 9), max_size=4, unique=True)
files = st.fixed_dictionaries(
    {"first": scalars, "requirements": listed, "numbers": numbers, "last": scalars},
    optional={"more": scalars},
)


@settings(max_examples=examples(100))
@given(files, files, st.booleans(), st.booleans(), st.booleans())
def test_each_comment_of_what_stays_is_still_above_or_next_to_it(old, new, blank, bom, ends):
    text = "\ufeff" * bom + "".join(_commented(old, "\n" if blank else ""))
    text = text if ends else text.removesuffix("\n")
    assert parse_yaml(text.encode(), LIMIT).value == old

    edited = edit_yaml(text.encode(), new)

    assert _typed(parse_yaml(edited, LIMIT).value) == _typed(new)
    lines = [line.strip() for line in edited.decode().removeprefix("\ufeff").split("\n")]
    for mark, begins in _staying(old, new):
        place = lines.index(f"# above {mark}")
        assert lines[place + 1].startswith(begins)
        assert lines[place + 1].endswith(f"# next to {mark}")


def _commented(value: dict[str, Plain], blank: str) -> Iterator[str]:
    for key, below in value.items():
        yield f"{blank}# above {key}\n"
        if not isinstance(below, list) or not below:
            yield f"{key}: {_inline(below)}  # next to {key}\n"
            continue
        yield f"{key}:  # next to {key}\n"
        for item in below:
            name = item["software"] if isinstance(item, dict) else item
            yield f"{blank}  # above {name}\n"
            first, *rest = item.items() if isinstance(item, dict) else [(None, item)]
            yield f"  - {f'{first[0]}: ' * bool(first[0])}{first[1]}  # next to {name}\n"
            yield from (f"    {k}: {_inline(v)}\n" for k, v in rest)


def _inline(value: Plain) -> str:
    """*value* in JSON, which is YAML but for what stands for itself there."""
    if value == "-":
        return '"-"'  # Which needs no quotes in a list in brackets, but does elsewhere.
    return edit_yaml(None, {"x": [value]}).decode()[4:-2] if value != [] else "[]"


def _staying(old: dict[str, Plain], new: dict[str, Plain]) -> Iterator[tuple[str, str]]:
    """Yield the mark of each thing that stays, and how its line begins."""
    yield from ((key, f"{key}:") for key in old if key in new)
    known = {item["software"] for item in old["requirements"]}
    kept = [item["software"] for item in new["requirements"]]
    yield from ((name, f"- software: {name}") for name in kept if name in known)
    yield from ((str(n), f"- {n}") for n in new["numbers"] if n in old["numbers"])
