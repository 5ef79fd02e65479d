"""The strict subset of YAML: what is read, and what is refused with its line."""

from __future__ import annotations

import datetime
import gc
import threading

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from yaml.nodes import ScalarNode

from gitstore.format.yaml_reader import DEPTH_LIMIT, YamlFault, parse_yaml
from tests.support.depth import examples

LIMIT = 1000

READ = [
    ("", None),
    ("# a comment alone\n", None),
    ("---\n", None),
    ("a: 1\n", {"a": 1}),
    ("---\na: 1\n...\n", {"a": 1}),
    ("%YAML 1.1\n---\na: 1\n", {"a": 1}),
    ("\ufeffa: 1\n", {"a": 1}),
    ("a: 1\r\nb: 2\r\n", {"a": 1, "b": 2}),
    ("a: text\n", {"a": "text"}),
    ("a: 'it''s'\n", {"a": "it's"}),
    ('a: "\\u00e9\\n"\n', {"a": "é\n"}),
    ("a: |\n  x\n  y\n", {"a": "x\ny\n"}),
    ("a: >-\n  x\n  y\n", {"a": "x y"}),
    ("a: ~\nb: null\nc:\n", {"a": None, "b": None, "c": None}),
    ("a: true\nb: no\nc: On\n", {"a": True, "b": False, "c": True}),
    ("a: 2.70\n", {"a": 2.7}),
    ("a: '2.70'\n", {"a": "2.70"}),
    ("a: 0x10\nb: 010\nc: 1_000\nd: 1:30\n", {"a": 16, "b": 8, "c": 1000, "d": 90}),
    ("a: 2001-02-03\n", {"a": datetime.date(2001, 2, 3)}),
    ("a: 18446744073709551615\n", {"a": 2**64 - 1}),
    ("a: []\nb: {}\n", {"a": [], "b": {}}),
    ("- 1\n- [2, {a: 3}]\n", [1, [2, {"a": 3}]]),
    ("'1': a\n'true': b\n", {"1": "a", "true": "b"}),
    ("just text\n", "just text"),
]


@pytest.mark.parametrize(("text", "value"), READ)
def test_what_the_subset_holds_is_read_as_yaml_means_it(text, value):
    assert parse_yaml(text.encode(), LIMIT).value == value


@pytest.mark.parametrize(("text", "value"), READ)
def test_pyyaml_reads_the_same(text, value):
    assert yaml.safe_load(text) == value


BOMB = "a: &a [x, x]\n" + "".join(
    f"{new}: &{new} [*{old}, *{old}]\n" for old, new in zip("abcdefgh", "bcdefghi", strict=True)
)

REFUSED = [
    ("an alias", "a: 1\nb: *a\n", 2, "aliases are not allowed; write the value out"),
    ("an anchor", "a: 1\nb: &x 1\n", 2, "anchors are not allowed; remove &x"),
    ("an anchor at a list", "a: &x [1]\n", 1, "remove &x"),
    ("an anchor at a mapping", "a: &x {b: 1}\n", 1, "remove &x"),
    ("an anchor at a key", "&x a: 1\n", 1, "remove &x"),
    ("a bomb", BOMB, 1, "anchors are not allowed; remove &a"),
    ("a tag", "a: 1\nb: !!python/object:os.system x\n", 2, "tags are not allowed; remove"),
    ("a tag of YAML's own", "b: !!str 1\n", 1, "remove tag:yaml.org,2002:str"),
    ("a tag at a list", "a: !x [1]\n", 1, "tags are not allowed; remove !x"),
    ("a tag at a mapping", "!x\na: 1\n", 1, "tags are not allowed; remove !x"),
    ("a merge key", "a: 1\n<<: {b: 1}\n", 2, "<< can't be read; quote it"),
    ("a merge key with an alias", "a: {b: 1}\nc:\n  <<: *a\n", 3, "can't be read; quote it"),
    ("the key =", "=: 1\n", 1, "= can't be read; quote it"),
    ("a duplicate key", "a: 1\nb: 2\na: 3\n", 3, "a stands here a second time; keep one"),
    ("a duplicate key below", "a:\n  - b: 1\n    b: 1\n", 3, "b stands here a second time"),
    ("a duplicate that is quoted", "a: 1\n'a': 2\n", 2, "a stands here a second time"),
    ("a number as a key", "a: 1\n1: 2\n", 2, 'the key 1 is no string; write "1"'),
    ("a truth value as a key", "yes: 2\n", 1, 'the key yes is no string; write "yes"'),
    ("null as a key", "~: 2\n", 1, 'the key ~ is no string; write "~"'),
    ("a list as a key", "? [a]\n: 1\n", 1, "a key is a list or a mapping; write a word"),
    ("a mapping as a key", "{a: 1}: 1\n", 1, "a key is a list or a mapping"),
    ("a second document", "a: 1\n---\nb: 2\n", 2, "a second document begins; keep one"),
    ("an end too early", "a: [1,\n", 2, "no valid YAML"),
    ("no YAML", "a: 1\n b: 2\n", 2, "no valid YAML"),
    ("a tab", "a:\n\tb: 1\n", 2, "no valid YAML: found character that cannot start any token"),
    ("an undefined escape", 'a: "\\q"\n', 1, "no valid YAML"),
    ("a control character", "a: \x00\n", 1, "no valid YAML"),
    ("a date that is none", "a: 1\nb: 2001-99-99\n", 2, "2001-99-99 can't be read; quote it"),
    ("an endless integer", f"a: 0x{'F' * 500}\n", 1, "can't be read; quote it"),
    ("an endless integer below zero", f"a: -0x{'F' * 500}\n", 1, "can't be read; quote it"),
    ("an endless integer as a key", f"? {'9' * 500}\n: 1\n", 1, "can't be read; quote it"),
    ("an unknown directive", "%FOO\n---\na: 1\n", 1, "no valid YAML"),
    ("another version of YAML", "# c\n%YAML 9.9\n---\na: 1\n", 2, "no valid YAML"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "line", "says"), [r[1:] for r in REFUSED], ids=[r[0] for r in REFUSED]
)
def test_what_the_subset_leaves_out_is_refused_with_its_line(text, line, says):
    with pytest.raises(YamlFault) as caught:
        parse_yaml(text.encode(), LIMIT)

    assert caught.value.line == line
    assert says in caught.value.message
    assert "\n" not in caught.value.message


@pytest.mark.parametrize("text", ["9" * 900_000, f"0x{'F' * 900_000}", "1:" * 300_000 + "1"])
def test_an_integer_of_any_length_is_refused(text):
    with pytest.raises(YamlFault, match="can't be read; quote it"):
        parse_yaml(f"a: {text}\n".encode(), 10**6)


def test_a_file_that_is_no_utf8_is_refused_with_its_line():
    with pytest.raises(YamlFault, match="no UTF-8") as caught:
        parse_yaml(b"a: 1\nb: caf\xe9\n", LIMIT)

    assert caught.value.line == 2


def test_a_file_of_the_limit_is_read_and_one_byte_more_refused():
    assert parse_yaml(b"a" * LIMIT, LIMIT).value == "a" * LIMIT
    with pytest.raises(YamlFault, match=r"has 1001 bytes; 1000 is the limit"):
        parse_yaml(b"a" * (LIMIT + 1), LIMIT)


@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ("{a: ", "}")])
def test_nesting_has_a_limit(opening, closing):
    def nested(depth: int) -> bytes:
        return (opening * depth + "1" + closing * depth).encode()

    assert parse_yaml(nested(DEPTH_LIMIT), LIMIT).value
    with pytest.raises(YamlFault, match=f"nested more than {DEPTH_LIMIT} levels deep"):
        parse_yaml(nested(DEPTH_LIMIT + 1), LIMIT)


@pytest.mark.parametrize("text", ["[" * 100_000, "- " * 100_000, "{a: " * 50_000, "? " * 100_000])
def test_bottomless_nesting_is_refused_and_not_followed(text):
    with pytest.raises(YamlFault):
        parse_yaml(text.encode(), 10**6)


def test_each_value_has_its_line_and_text():
    document = parse_yaml(b"a: 1\nb:\n  - c: 2.70\n    d:\n      x\n  - yes\n", LIMIT)

    assert document.lines[("b", 0, "c")] == 3
    assert document.line(("b", 0, "d")) == 4
    assert document.line(("b", 1)) == 6
    assert document.texts[("b", 0, "c")] == "2.70"
    assert document.texts[("b", 1)] == "yes"


def test_the_line_of_what_is_not_there_is_that_of_what_is_around_it():
    document = parse_yaml(b"a: 1\nb:\n  - c: 2\n", LIMIT)

    assert document.line(("b", 0, "missing")) == 3
    assert document.line(("missing",)) == 1
    assert parse_yaml(b"", LIMIT).line(("missing",)) is None


def test_reading_keeps_nothing_in_memory():
    def nodes() -> int:
        gc.collect()
        return sum(isinstance(thing, ScalarNode) for thing in gc.get_objects())

    parse_yaml(b"a: 1\n", LIMIT)
    before = nodes()
    for _ in range(50):
        parse_yaml(b"a: 1\nb: true\n", LIMIT)
        with pytest.raises(YamlFault):
            parse_yaml(b"a: 2001-99-99\n", LIMIT)

    assert nodes() <= before


def test_threads_read_side_by_side():
    found: list[object] = []

    def read(number: int) -> None:
        for _ in range(100):
            found.append(parse_yaml(f"a: {number}\nb: true\n".encode(), LIMIT).value)

    threads = [threading.Thread(target=read, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(map(str, found)) == sorted(
        str({"a": n, "b": True}) for n in range(4) for _ in range(100)
    )


yaml_like = st.text("ab:-?[]{}&*!|>'\"%@`#,\n \t019.+~=<_xé\x85\u2028\ufeff", max_size=40)
words = st.sampled_from(
    ["a", "<<", "=", "~", "1", "0x_", "0b_", "1:60", ".", ".5", "1e5", "+.inf", ".nan", "0o7",
     "2001-01-01", "2001-01-01T25:61:61Z", "2001-13-01 00:00:00", "&a", "*a", "!!int", "!", "? ",
     ": ", "- ", "\n", "\n  ", "[", "]", "{", "}", ", ", "#", "|\n", ">", "---\n", "...\n", "%TAG",
     "'", '"', "-", "_", "0_", "+", "-0"]
)  # fmt: skip


@settings(max_examples=examples(150))
@given(
    yaml_like.map(str.encode)
    | st.lists(words, max_size=12).map(lambda w: "".join(w).encode())
    | st.text().map(lambda t: t.encode(errors="replace"))
    | st.binary()
)
def test_any_bytes_are_read_or_refused_with_a_line(data):
    try:
        found: object = parse_yaml(data, LIMIT).value
    except YamlFault as fault:
        found = fault

    if isinstance(found, YamlFault):
        assert 1 <= found.line <= data.count(b"\n") + data.count(b"\r") + 2 + _breaks(data)
        assert found.message
    else:
        assert _is_plain(found)


def _breaks(data: bytes) -> int:
    """The other line breaks that YAML 1.1 knows."""
    return sum(data.count(c.encode()) for c in "\x85\u2028\u2029")


def _is_plain(value: object) -> bool:
    if isinstance(value, dict):
        return all(isinstance(key, str) and _is_plain(below) for key, below in value.items())
    if isinstance(value, list):
        return all(map(_is_plain, value))
    return value is None or isinstance(value, str | int | float | bool | datetime.date)


@settings(max_examples=examples(75))
@given(yaml_like | st.lists(words, max_size=12).map("".join))
def test_what_is_read_pyyaml_reads_the_same(text):
    try:
        value = parse_yaml(text.encode(), LIMIT).value
    except YamlFault:
        return

    assert repr(yaml.load(text, yaml.CSafeLoader)) == repr(value)
