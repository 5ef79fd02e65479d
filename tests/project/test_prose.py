"""The project's English: no banned words, and no long sentences in the documentation."""

from __future__ import annotations

import io
import re
import subprocess
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = next(path for path in Path(__file__).parents if (path / "pyproject.toml").exists())

WORDS_LIMIT = 30
"""Words in a sentence of the documentation. CONTRIBUTING.md asks for about 20."""

COLUMNS_LIMIT = 100
"""Columns in a line of the documentation. Tables, links and code may be wider."""

BANNED = {
    "afresh": "again",
    "anew": "again",
    "beside": "next to",
    "besides": "also",
    "goner": "the thing's name",
    "he": "they",
    "him": "them",
    "his": "their",
    "is told": "gets",
    "made anew": "rebuilt",
    "mend": "fix",
    "mended": "fixed",
    "mending": "fixing",
    "mends": "fixes",
    "what there is": "what exists",
    "whoever": "the user, the client, everyone who",
    "whom": "a relative clause with who, or the noun",
}
"""Words that stop an international reader, and what to write instead."""

_BANNED = re.compile(rf"\b({'|'.join(sorted(BANNED, key=len, reverse=True))})\b", re.IGNORECASE)

_EXEMPT = {"CHANGELOG.md", "LICENSE", "tests/project/test_prose.py"}
"""Files that quote, or that record what was."""

_NO_TEXT = (".png",)

_PLAIN = {"Makefile", "run", "Dockerfile"}
_PLAIN_SUFFIXES = {".html", ".conf", ".service", ".yml", ".yaml", ".toml"}

_STRINGS = {tokenize.COMMENT, tokenize.STRING, getattr(tokenize, "FSTRING_MIDDLE", -1)}

Line = tuple[int, str]
"""A line's number, from 1, and text for people that stands in it."""


def tracked() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    names = [name for name in listed.stdout.split("\0") if name and name not in _EXEMPT]
    paths = [ROOT / name for name in names if not name.endswith(_NO_TEXT)]
    return [path for path in paths if path.is_file()]


def of_python(text: str) -> Iterator[Line]:
    """Comments and strings of a Python file."""
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type in _STRINGS:
            for offset, line in enumerate(token.string.splitlines()):
                yield token.start[0] + offset, line


def of_markdown(text: str) -> Iterator[Line]:
    """The lines of a Markdown file outside of code, with code spans as one word each."""
    is_code = False
    for number, line in enumerate(text.splitlines(), 1):
        if line.lstrip().startswith("```"):
            is_code = not is_code
        elif not is_code and not line.startswith("    "):
            yield number, re.sub(r"`+[^`]*`+", "code", line)


def prose(path: Path) -> Iterator[Line]:
    if path.suffix == ".png":
        return
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".py":
        yield from of_python(text)
    elif path.suffix == ".md":
        yield from of_markdown(text)
    elif path.name in _PLAIN or path.suffix in _PLAIN_SUFFIXES:
        yield from enumerate(text.splitlines(), 1)


def sentences(lines: Iterator[Line]) -> Iterator[Line]:
    """Sentences of Markdown, each with the number of the line where its paragraph begins."""
    paragraph: list[Line] = []
    for number, line in [*lines, (0, "")]:
        is_table = line.lstrip().startswith("|")
        is_start = re.match(r"\s*([-*]|\d+\.|#+|>)\s", line) is not None
        if (not line.strip() or is_start or is_table) and paragraph:
            yield from _split(paragraph)
            paragraph = []
        if is_table:
            for cell in line.split("|"):
                yield from _split([(number, cell)])
        elif line.strip():
            paragraph.append((number, line))


def _split(paragraph: list[Line]) -> Iterator[Line]:
    text = " ".join(line for _, line in paragraph)
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", text)
    for sentence in re.split(r"(?<=[.!?:;])\s+(?=[A-Z`*\[(\d\"]|code)", text):
        yield paragraph[0][0], sentence


def long_sentences(path: Path) -> list[str]:
    found = []
    for number, sentence in sentences(of_markdown(path.read_text(encoding="utf-8"))):
        count = len(re.findall(r"[\w'./*-]*\w[\w'./*-]*", sentence))
        if count > WORDS_LIMIT:
            where = f"{path.relative_to(ROOT)}:{number}"
            found.append(f"{where}: {count} words: {' '.join(sentence.split())[:70]}...")
    return found


def wide_lines(path: Path) -> list[str]:
    found, is_code = [], False
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if line.lstrip().startswith("```"):
            is_code = not is_code
        is_exempt = is_code or line.startswith("    ") or "|" in line or "](" in line
        if len(line) > COLUMNS_LIMIT and not is_exempt:
            found.append(f"{path.relative_to(ROOT)}:{number}: {len(line)} columns")
    return found


def documentation() -> list[Path]:
    return [path for path in tracked() if path.suffix == ".md"]


def test_no_banned_word_stands_in_the_project():
    found = [
        f"{path.relative_to(ROOT)}:{number}: {match[0]!r}; write {BANNED[match[0].lower()]!r}"
        for path in tracked()
        for number, line in prose(path)
        for match in _BANNED.finditer(line)
    ]

    assert not found, "\n".join(found)


def test_no_sentence_of_the_documentation_is_long():
    found = [fault for path in documentation() for fault in long_sentences(path)]

    assert not found, "\n".join(found)


def test_the_documentation_is_wrapped():
    found = [fault for path in documentation() for fault in wide_lines(path)]

    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("whoever may", ["whoever"]),
        ("`whoever` is code", []),
        ("```\nwhoever\n```", []),
        ("He fixes it", ["He"]),
        ("the helper", []),
    ],
)
def test_banned_words_are_found_in_prose_and_not_in_code(text, words):
    assert [m[0] for _, line in of_markdown(text) for m in _BANNED.finditer(line)] == words


def test_strings_and_comments_of_python_are_prose():
    text = 'whoever = 1  # mend it\nsays = "his"\n'

    assert [line for _, line in of_python(text)] == ["# mend it", '"his"']
