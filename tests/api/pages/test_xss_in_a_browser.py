"""What a hostile push brings runs nothing in a real Chromium, and loads nothing from elsewhere."""

from __future__ import annotations

from urllib.parse import quote

import pytest

from tests.support.chromium import chromium, visitor
from tests.support.scripts import BRANCH, CORPUS, SOFTWARE, make_repository
from tests.support.server import Server

pytestmark = pytest.mark.browser

PAGES = (
    "/",
    f"/?q={quote(CORPUS[1])}&in=code",
    "/jobtypes/Evil",
    "/jobtypes/Evil/2",
    "/jobtypes/Evil/compare?from=1&to=2&view=split",
    "/software/",
    f"/software/{quote(SOFTWARE)}",
    "/changes/",
    "/changes/nobody",
    f"/changes/{quote(BRANCH)}",
    "/jobtypes/Evil/2/blame",
    "/jobtypes/Evil/edit",
)


def test_hostile_texts_run_nothing(tmp_path):
    path = tmp_path / "evil.git"
    make_repository(path)
    server = Server(path, "--workers", "1")
    try:
        # The visitor hears of dialogs, of requests to elsewhere, and of what the policy refuses.
        with chromium() as browser, visitor(browser, server.url) as visit:
            for page in PAGES:
                assert visit.open(page) == 200, page
                assert visit.page.locator("img, iframe, object, base, style").count() == 0
    finally:
        server.stop()
