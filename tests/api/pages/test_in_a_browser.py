"""Every page in a real Chromium: light and dark, wide and narrow, with JavaScript and without."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.axe import hold_for_everybody
from tests.support.chromium import NARROW, Visitor, chromium, visitor
from tests.support.demo import make_demo
from tests.support.server import Server

pytestmark = pytest.mark.browser

PAGES = {
    "overview": "/",
    "found": "/?q=blen&in=code&sort=date",
    "jobtype": "/jobtypes/Blender",
    "broken": "/jobtypes/FFmpeg",
    "version": "/jobtypes/Blender/2",
    "blame": "/jobtypes/Blender/3/blame",
    "compare": "/jobtypes/Blender/compare?from=1&to=3",
    "compare-split": "/jobtypes/Blender/compare?from=1&to=td/blender-quiet&view=split",
    "api": "/api/v1/",
    "all-software": "/software/",
    "software": "/software/blender",
    "changes": "/changes/",
    "merged": "/changes/?list=merged",
    "change": "/changes/td/blender-quiet",
    "change-with-errors": "/changes/td/blender-ten",
    "conflict": "/changes/td/ffmpeg",
}
ERRORS = {"not-found": "/jobtypes/Blendr"}


@pytest.fixture(scope="module")
def served(tmp_path_factory) -> Iterator[Server]:
    """A service with the demo."""
    path = tmp_path_factory.mktemp("browser") / "demo.git"
    make_demo(path)
    server = Server(path, "--workers", "1")
    yield server
    server.stop()


@pytest.fixture(scope="module")
def browser():
    with chromium() as started:
        yield started


@pytest.fixture(scope="module")
def visit(browser, served) -> Iterator[Visitor]:
    """A window with JavaScript, which meets no fault in all of these tests."""
    with visitor(browser, served.url) as made:
        yield made


@pytest.fixture(scope="module")
def plain(browser, served) -> Iterator[Visitor]:
    """A window without JavaScript."""
    with visitor(browser, served.url, scripts=False) as made:
        yield made


SHORTENED = """() => {
    for (const [kind, first, last] of [["main > *", 30, -20], [".code .l", 60, undefined]])
        [...document.querySelectorAll(kind)].slice(first, last).forEach(e => e.remove());
}"""
"""Leaves a part of what a page has hundreds of, of one kind, for axe to look at."""


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_for_everybody(visit, name):
    assert visit.open(PAGES[name]) == 200

    visit.page.evaluate(SHORTENED)
    hold_for_everybody(visit, name)


def test_the_page_of_an_error_is_for_everybody(browser, served):
    context = visitor(browser, served.url)
    with context as made:
        assert made.open(ERRORS["not-found"]) == 404
        hold_for_everybody(made, "not-found")
        # Chromium counts the status of the page as an error of its own.
        made.faults = [fault for fault in made.faults if "404" not in fault]


@pytest.mark.parametrize("name", PAGES)
def test_a_page_needs_no_script(plain, name):
    assert plain.open(PAGES[name]) == 200

    plain.look(NARROW, "light")
    assert plain.overflow() <= 0
    assert plain.page.locator("h1").count() == 1
    assert plain.page.locator("button:has-text('Copy')").count() == 0


def test_a_newcomer_finds_code_and_what_changed(visit):
    visit.look(NARROW, "light")
    visit.open("/")
    visit.page.get_by_label("Find a jobtype").fill("blen")
    assert visit.page.locator("#jobtypes tbody tr:visible").count() == 1
    with visit.page.expect_navigation():
        visit.page.keyboard.press("Enter")
    visit.follow("Blender")
    visit.follow("Compare")

    assert visit.page.get_by_text("max_batch 10 -> 5").count() == 1
    assert "TILE_SIZE = 512" in visit.page.locator("ins").all_inner_texts()


def test_a_page_is_walked_by_keyboard_and_shows_where_one_is(visit):
    visit.open("/")

    visit.page.keyboard.press("Tab")
    assert visit.page.locator(":focus").inner_text() == "Skip to the content"
    assert visit.page.locator(":focus").bounding_box()["y"] >= 0
    visit.page.keyboard.press("Enter")
    visit.page.keyboard.press("Tab")
    within = "document.querySelector('main').contains(document.activeElement)"
    assert visit.page.evaluate(within)


def test_the_script_says_times_in_words_and_copies(visit):
    visit.open("/jobtypes/Blender")

    times = visit.page.locator("time").all_inner_texts()
    assert "5 days ago" in times
    visit.open("/")
    assert visit.page.get_by_role("button", name="Copy").count() == 1


def test_print_leaves_out_what_paper_has_no_use_for(visit):
    visit.open("/jobtypes/Blender")
    visit.page.emulate_media(media="print")
    try:
        assert not visit.page.locator("header.top").is_visible()
        assert visit.page.locator("#L1").is_visible()
    finally:
        visit.page.emulate_media(media="screen")
