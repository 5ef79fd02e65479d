"""What is known of a Python source without running it."""

from __future__ import annotations

import ast
import runpy
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitstore.checks.python_source import (
    STAR,
    SyntaxFault,
    Wanted,
    facts_of,
    parse_code,
    python3_only,
    top_level_names,
)
from tests.support.depth import examples


def parse(source: str) -> ast.Module:
    module = parse_code(source, "code.py")
    assert isinstance(module, ast.Module)
    return module


FAULTS = [
    ("def\n", 1),
    ("x = 1\nclass\n", 2),
    ("print 'x'\n", 1),
    ("if a:\nb\n", 2),
    ("x = (\n", 1),
    ("x = 1\n\ny = '\n", 3),
    ("x = 1\n\0\n", 2),
    ("x = " + "(" * 1000, 1),
    ("x = 1\n" + "-" * 100_000 + "1\n", None),
    ("# coding: nonsense\nx = 1\n \x0c (\n", 3),
    ("\ud800\n", None),
    ("x = 0x\n", 1),
    ("x = " + "9" * 5000, 1),
    ("x = 1\nreturn\n", 2),
    ("class A:\n    break\n", 2),
    ("def f(a, a): pass\n", 1),
    ("x = 1\nfrom __future__ import division\n", 2),
]


@pytest.mark.parametrize(("source", "line"), FAULTS, ids=range(len(FAULTS)))
def test_a_source_that_is_no_python_has_a_fault_with_its_line(source, line):
    fault = parse_code(source, "code.py")

    assert isinstance(fault, SyntaxFault)
    assert fault.message
    assert fault.line == line


DECLARED = [
    (b"# coding: nonsense\nx = 1\n", 1),
    (b"#!/usr/bin/python\n# -*- coding: rot13 -*-\nx = 1\n", 2),
    ("# coding: latin-1\nx = 'ä'\n".encode(), 1),
    (b"# coding: utf-7\nx = '+AOQ-'\n", 1),
]


@pytest.mark.parametrize(("data", "line"), DECLARED, ids=range(len(DECLARED)))
def test_an_encoding_that_python_would_read_it_by_otherwise_is_a_fault(tmp_path, data, line):
    fault = facts_of(data, Wanted()).fault
    (tmp_path / "code.py").write_bytes(data)

    assert fault
    assert fault.message.startswith("it declares ")
    assert fault.line == line
    assert _run(tmp_path / "code.py") != data.decode().rpartition("x = ")[2].strip()


def _run(path: Path) -> str:
    """What x is after running the file at *path*; empty if that can't be run."""
    try:
        return repr(runpy.run_path(str(path))["x"])
    except SyntaxError:
        return ""


@pytest.mark.parametrize(
    "source", ["# coding: latin-1\nx = 'a'\n", "# coding: UTF8\nx = 'ä'\n", "\n\n# coding: no\n"]
)
def test_an_encoding_that_changes_nothing_is_no_fault(source):
    assert facts_of(source.encode(), Wanted()).fault is None


@pytest.mark.parametrize("source", [r"x = '\d'", "1 is 1", "assert (1, 'x')", "x = 1or 1"])
def test_what_python_only_warns_of_is_parsed_without_a_word(source):
    assert isinstance(parse_code(source, "code.py"), ast.Module)


NAMES = [
    ("class A: pass", {"A"}),
    ("def f(): pass\nasync def g(): pass", {"f", "g"}),
    ("A = B = type('A', (), {})", {"A", "B"}),
    ("A, (B, *C) = x", {"A", "B", "C"}),
    ("A: type = x", {"A"}),
    ("A: type", set()),
    ("import a, b.c, d as e", {"a", "b", "e"}),
    ("from a import b, c as d", {"b", "d"}),
    ("from a import *", {STAR}),
    ("if x:\n    class A: pass\nelif y:\n    B = 1\nelse:\n    C = 1", {"A", "B", "C"}),
    (
        "try:\n    import a\nexcept E:\n    b = 1\nelse:\n    c = 1\nfinally:\n    d = 1",
        {"a", "b", "c", "d"},
    ),
    ("with x:\n    A = 1\nfor i in y:\n    B = 1\nwhile z:\n    C = 1", {"A", "B", "C"}),
    ("match x:\n    case 1:\n        A = 1", {"A"}),
    ("class A:\n    B = 1\n    class C: pass", {"A"}),
    ("def f():\n    global A\n    class B: pass\n    C = 1", {"f"}),
    ("A.b = 1\nC[0] = 1", set()),
    ("# class A: pass\n'class B: pass'", set()),
    ("", set()),
]


@pytest.mark.parametrize(("source", "names"), NAMES)
def test_names_at_the_top_level_are_found_and_no_others(source, names):
    assert top_level_names(parse(source)) == names


@pytest.mark.parametrize("length", [100, 900, 1500])
def test_a_long_chain_of_elif_is_followed_to_its_end(length):
    module = parse("if a: pass\n" + "elif b: pass\n" * length + "else: A = 1\n")

    assert top_level_names(module) == {"A"}


PYTHON_3 = [
    ("x = f'{y}'", "an f-string"),
    ("x: int = 1", "a variable annotation"),
    ("def f():\n    x = 1\n    def g():\n        nonlocal x", "nonlocal"),
    ("async def f(): pass", "async def"),
    ("async def f():\n    await x", "await"),
    ("def f():\n    yield from x", "yield from"),
    ("if (x := 1): pass", "the operator :="),
    ("x = a @ b", "the operator @"),
    ("x @= a", "the operator @"),
    ("match x:\n    case 1: pass", "a match statement"),
    ("a, *b = c", "* unpacking"),
    ("x = [*a]", "* unpacking"),
    ("f(*a, *b)", "* unpacking"),
    ("def f(*, a): pass", "a keyword-only argument"),
    ("def f(a, /): pass", "a positional-only argument"),
    ("lambda *, a: 1", "a keyword-only argument"),
    ("lambda a, /: 1", "a positional-only argument"),
    ("def f(a: int): pass", "an annotation"),
    ("def f() -> int: pass", "an annotation"),
    ("raise A from b", "raise ... from"),
    ("class A(metaclass=B): pass", "a keyword among the base classes"),
]


@pytest.mark.parametrize(("source", "what"), PYTHON_3)
def test_syntax_that_python_2_does_not_have_is_named_with_its_line(source, what):
    found = [(line, name) for line, name in python3_only(parse(f"\n\n{source}\n")) if name == what]

    assert found
    assert all(3 <= line <= 2 + len(source.splitlines()) for line, _ in found)


@pytest.mark.parametrize(
    "source",
    [
        "class A(B):\n    def f(self, a, b=1, *args, **kwargs):\n        yield 1",
        "f(*args)\nf(a, *args, **kwargs)",
        "print('x')",
        "lambda x, *y: x",
        "try:\n    raise A('x')\nexcept (A, B) as error:\n    raise",
        "x = u'\\u00e9'\nwith a as b, c as d: pass",
        "x = {a: b for a, b in c}\ny = {1, 2}\nz = [i for i in j if k]",
    ],
)
def test_syntax_that_python_2_has_is_not_named(source):
    assert list(python3_only(parse(source))) == []


@settings(max_examples=examples(75))
@given(st.text() | st.text("()[]{}:=,.*@ \n\t'\"\\#abcdef0123\0", max_size=40))
def test_any_text_is_parsed_or_has_a_fault(source):
    found = parse_code(source, "code.py")

    if isinstance(found, SyntaxFault):
        assert found.message
        assert found.line is None or found.line >= 1
    else:
        assert isinstance(top_level_names(found), set)
        assert all(line >= 1 for line, _ in python3_only(found))
