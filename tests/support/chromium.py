"""A real Chromium, which Playwright drives. Tests with it have the marker ``browser``."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.project import ROOT

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

SHOTS = ROOT / "build" / "browser"
"""Where the pictures of pages go, which CI keeps."""

WIDE, NARROW = (1400, 900), (390, 844)

NAMES = ("chromium", "chromium-browser", "google-chrome")

LIMIT_MS = 120_000
"""For how long a page may load, on a machine that is busy."""


@contextmanager
def chromium() -> Iterator[Browser]:
    """A browser without a window; the test is skipped where there is none."""
    program = next(filter(None, map(shutil.which, NAMES)), None)
    if program is None:
        pytest.skip("needs chromium")
    if find_spec("playwright") is None:
        pytest.skip("needs playwright: make browser installs it")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        # Without a sandbox, which root may not have: only our own pages are opened.
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield browser
        browser.close()


@dataclass
class Visitor:
    """A window of a browser at *url*, and what it met there that should not be."""

    page: Page
    url: str
    faults: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.set_default_timeout(LIMIT_MS)
        self.page.on("console", self._hear)
        self.page.on("pageerror", lambda error: self.faults.append(f"error: {error}"))
        self.page.on("request", self._see)
        self.page.on("dialog", self._refuse)

    def _hear(self, message: Any) -> None:
        if message.type in ("error", "warning"):
            self.faults.append(f"{message.type}: {message.text}")

    def _see(self, request: Any) -> None:
        if not request.url.startswith(f"{self.url}/"):
            self.faults.append(f"a request to {request.url}")

    def _refuse(self, dialog: Any) -> None:
        self.faults.append(f"a dialog: {dialog.message}")
        dialog.dismiss()

    def open(self, path: str) -> int:
        """Open the page at *path*; the status of the response."""
        response = self.page.goto(self.url + path)
        assert response is not None
        return int(response.status)

    def press(self, name: str) -> None:
        """Press the button of that name, and wait for the page that comes."""
        with self.page.expect_navigation():
            self.page.get_by_role("button", name=name, exact=True).click()

    def follow(self, name: str) -> None:
        """Follow the first link of that name, and wait for the page that comes."""
        with self.page.expect_navigation():
            self.page.get_by_role("link", name=name, exact=True).first.click()

    def look(self, size: tuple[int, int], scheme: Any) -> None:
        """Change the size of the window, and whether its user prefers light or dark."""
        self.page.set_viewport_size({"width": size[0], "height": size[1]})
        self.page.emulate_media(color_scheme=scheme)

    def overflow(self) -> int:
        """By how many pixels the page is wider than the window."""
        wider: int = self.page.evaluate(
            "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        )
        return wider

    def shoot(self, name: str) -> None:
        """Take a picture of the page into SHOTS."""
        SHOTS.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=SHOTS / f"{name}.png", full_page=True, animations="disabled")


@contextmanager
def visitor(browser: Browser, url: str, scripts: bool = True) -> Iterator[Visitor]:
    """A new window, with JavaScript or without; it must have met no fault at the end."""
    context = browser.new_context(java_script_enabled=scripts, reduced_motion="reduce")
    try:
        made = Visitor(context.new_page(), url)
        yield made
        assert made.faults == []
    finally:
        context.close()
