"""Code and Markdown as HTML."""

from __future__ import annotations

import re
from html import unescape

import pytest

from api.pages.code import HIGHLIGHTED_BYTES, LINE_LIMIT, highlighted
from api.pages.markdown import RENDERED_CHARACTERS, rendered

TEXTS = (
    "class Job:\n    pass\n",
    "no = 'line end'",
    "",
    "\n",
    "\n\n\n",
    "a = 1\r\nb = 2\r\n",
    "a = 1\rb = 2\n",
    'text = """one\ntwo\n',
    "a = 1\n \n\t\n\nb = 2\n\n",
    "a = '\t<b>'  # \u2028 \x0c \ufeff\n",
    "def broken(:\n\x00\n",
    "key: [value, {}]\n# <b>\n",
    "#" * (HIGHLIGHTED_BYTES + 1) + "\nx\n",
)


@pytest.mark.parametrize("path", ["code.py", "meta.yaml", "notes.txt"])
@pytest.mark.parametrize("text", TEXTS, ids=lambda text: repr(text[:20]))
def test_lines_are_those_that_git_counts_and_hold_all_of_the_text(text, path):
    lines = [unescape(re.sub(r"<[^>]*>", "", line)) for line in highlighted(text, path)]

    assert lines == (text.removesuffix("\n").split("\n"))


def test_long_lines_have_no_colours_and_the_others_keep_theirs():
    long = f"text = '{'x' * LINE_LIMIT}'"

    lines = highlighted(f"import a\n{long}\n\nimport b\n", "code.py")

    assert [line.count("<span") for line in lines] == [1, 0, 0, 1]


def test_long_markdown_is_shown_as_it_is():
    assert rendered("*x*" * RENDERED_CHARACTERS).startswith("<pre>*x*")
    assert rendered("*x*") == "<p><em>x</em></p>\n"


@pytest.mark.parametrize(
    ("text", "levels"),
    [("# a\n## b\n", "34"), ("#### a\n# b\n###### c\n", "334"), ("# a\n" * 3, "333")],
)
def test_headings_go_below_those_of_the_page_and_skip_no_level(text, levels):
    assert "".join(re.findall(r"<h(\d)>", rendered(text))) == levels
