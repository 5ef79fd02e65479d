"""Every page with odd paths, queries and fields: an answer in words, and no fault of ours."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, urlencode

import pytest
from flask import Flask

import api.pages
from api.app import create_app
from api.config import Config
from api.pages.routes import FILES, FORMS, PAGES, Page
from gitstore.branch.access import Role
from gitstore.branch.tokens import Tokens
from tests.support.branches import Branch
from tests.support.demo import make_demo
from tests.support.git import git
from tests.support.plain_browser import FORM, PlainBrowser, listening

ODD = (
    *(b"\0", b"a\0b", b"\xff", b"\xed\xa0\x80", b"\xef\xbf\xbe", b"\n", b"//[", b"["),
    *(b"..", b"-1", b"9" * 18, b"9" * 5000, b"x" * 3000, b"refs/heads/main", b"\xd9\xa1"),
)
"""Values that a page may not foresee, as bytes: NUL, no UTF-8, lone surrogates, long ones."""

KEYWORDS = ("endpoint", "_method", "_external", "_anchor", "_scheme", "self", "values")
"""Names that mean something to functions that a query could reach."""

GOOD = {
    "jobtype": "Blender",
    "number:number": "1",
    "slashed:branch": "td/blender-quiet",
    "slashed:name": "blender",
    "name": "style.css",
    "digest": "x",
}
"""What fits into the parts of paths."""

_PART = re.compile("<([^>]*)>")


@pytest.fixture
def demo(tmp_path) -> Branch:
    return make_demo(tmp_path / "demo.git")


def filled(page: Page, given: dict[str, str]) -> str:
    return _PART.sub(lambda part: given[part[1]], page.path)


def names_read(page: Page) -> list[str]:
    """The parameters that the module of *page* reads."""
    module = page.view.partition(":")[0]
    source = (Path(api.pages.__path__[0]) / f"{module}.py").read_text()
    found = re.findall(r'(?:args\.get|place)\(\s*"(\w+)"', source)
    return [*found, *(["view"] if "view_of_query" in source else [])]


def queries(page: Page) -> Iterator[str]:
    for name in names_read(page):
        yield from (f"{name}={quote(value)}" for value in ODD)
        yield f"{name}=1&{name}=2&{name}"
    yield from (urlencode({name: "x"}) for name in KEYWORDS)
    yield "%00=%00&%ff=%ed%a0%80&" + "x" * 3000


def test_no_page_has_a_fault_of_ours_for_an_answer(demo):
    # With tokens, pages have a link that leads to the login and back.
    Tokens(demo.path).create("Di", Role.READ, "di@studio.example", ())
    app = create_app(Config(demo.path))
    before = git(demo.path, "for-each-ref")
    good = {**GOOD, "commit": str(demo.tip)}
    for page in (*PAGES, *FORMS, *FILES):
        if "GET" in page.methods:
            path = filled(page, good)
            for query in queries(page):
                check(app, path, query)
        for part in _PART.findall(page.path):
            for value in ODD:
                check(app, filled(page, {**good, part: quote(value, safe="")}), "")
    assert git(demo.path, "for-each-ref") == before


def check(app: Flask, path: str, query: str) -> None:
    answer = app.test_client().get(path, query_string=query, headers={"Accept": "text/html"})
    assert answer.status_code < 500, (path, query)


@pytest.mark.farm
def test_no_field_has_a_fault_of_ours_for_an_answer(demo):
    with listening(create_app(Config(demo.path))) as port:
        browser = PlainBrowser(port)
        for page in FORMS:
            path = filled(page, {**GOOD, "commit": str(demo.tip)})
            for form in browser.open(path).forms():
                button = form.buttons[-1:]
                for name in form.fields:
                    for value in ODD:
                        fields: dict[str, str | bytes] = {**form.fields, name: value}
                        body = urlencode([*fields.items(), *button]).encode()
                        own = {"Content-Type": FORM, "Origin": f"http://127.0.0.1:{port}"}
                        answer = browser.request("POST", form.action, body, **own)
                        assert answer.status < 500, (path, name, value)
    git(demo.path, "fsck", "--strict")
