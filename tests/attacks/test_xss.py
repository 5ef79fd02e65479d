"""Nothing that can be pushed runs in a reader's browser, or loads anything from elsewhere."""

from __future__ import annotations

from html.parser import HTMLParser
from urllib.parse import quote

import pytest
from flask.testing import FlaskClient

from api.app import create_app
from api.config import Config
from tests.support.pages import BROWSER
from tests.support.scripts import BRANCH, CORPUS, SOFTWARE, make_repository

PAGES = [
    "/",
    "/jobtypes/Evil",
    "/jobtypes/Evil/2",
    "/jobtypes/Broken",
    "/jobtypes/Evil/compare?from=1&to=2",
    "/jobtypes/Evil/compare?from=1&to=2&view=split",
    f"/jobtypes/Evil/compare?from=1&to={quote(BRANCH)}",
    "/software/",
    f"/software/{quote(SOFTWARE)}",
    "/changes/",
    "/changes/nobody",
    f"/changes/{quote(BRANCH)}",
    f"/changes/{quote(BRANCH)}?view=split",
    *(f"/?q={quote(word)}" for word in CORPUS),
    *(f"/jobtypes/{quote(word, safe='')}" for word in CORPUS),
    *(f"/jobtypes/Evil/compare?from={quote(word)}&to=1" for word in CORPUS),
    *(f"/changes/{quote(word)}" for word in CORPUS),
    f"/changes/?start={quote(CORPUS[1])}&list={quote(CORPUS[1])}",
]

TAGS = """
html head meta title link script body a header nav main footer div span section aside h1 h2 h3
h4 h5 h6 p ul ol li dl dt dd table caption thead tbody tr th td colgroup col code pre b i em
strong blockquote hr br ins del time form input select option label button svg path
datalist textarea fieldset legend details summary
"""
ATTRIBUTES = """
lang charset name content rel href type src defer class id tabindex aria-label aria-current
aria-hidden aria-live aria-describedby aria-invalid role for value action autocomplete scope
colspan datetime title viewbox focusable d data-filter data-label data-copy data-sign hidden
selected start method maxlength required rows inputmode spellcheck list checked wrap autocapitalize
data-path open
"""
OWN = ("/", "#")
OUTSIDE = ("https://evil.example/?a=1&b=2", "https://good.example/")
"""Links that a README may have: they lead elsewhere only if somebody follows them."""


class Reader(HTMLParser):
    """Collects what in a page is not what our templates would write."""

    def __init__(self) -> None:
        super().__init__()
        self.odd: list[object] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in TAGS.split():
            self.odd.append(tag)
        for name, value in attrs:
            if name not in ATTRIBUTES.split():
                self.odd.append((tag, name, value))
            if name in ("href", "src", "action") and not self._leads_home(tag, value or ""):
                self.odd.append((tag, name, value))
        if tag == "script" and "src" not in dict(attrs):
            self.odd.append("a script in the page")

    def _leads_home(self, tag: str, url: str) -> bool:
        return (url.startswith(OWN) and not url.startswith("//")) or (tag == "a" and url in OUTSIDE)


@pytest.fixture(scope="module")
def client(tmp_path_factory) -> FlaskClient:
    branch = make_repository(tmp_path_factory.mktemp("xss") / "evil.git")
    return create_app(Config(branch.path)).test_client()


def test_pages_hold_only_what_our_templates_write(client):
    for path in PAGES:
        answer = client.get(path, headers=BROWSER)

        assert answer.status_code in (200, 404), answer.text
        assert answer.content_type == "text/html; charset=utf-8"
        assert "unsafe" not in answer.headers["Content-Security-Policy"]
        reader = Reader()
        reader.feed(answer.text)
        assert reader.odd == [], path


def test_the_texts_are_shown_and_not_swallowed(client):
    shown = client.get("/jobtypes/Evil/2", headers=BROWSER).text

    for word in CORPUS[:12]:
        escaped = word.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        assert escaped.split('"')[-1].split("'")[-1] in shown.replace("&#34;", '"'), word
    assert "{{ 7 * 7 }}" in shown


def test_a_reader_that_finds_nothing_would_find_something():
    for word in ("<script>x</script>", "<p onclick=x>", "<a href=javascript:x>", "<img src=x>"):
        reader = Reader()
        reader.feed(word)
        assert reader.odd, word
