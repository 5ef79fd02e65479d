"""`make pictures`: takes the pictures of docs/pictures, of the demo, with a real Chromium.

Nothing compares them. Take them again when the pages have changed.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.support.chromium import Visitor, chromium, visitor
from tests.support.demo import make_demo
from tests.support.project import ROOT
from tests.support.server import Server

PICTURES = ROOT / "docs" / "pictures"

WIDE, PHONE = (1280, 720), (390, 700)


@dataclass(frozen=True)
class Scene:
    """A picture: the page at *path*, after *act*, in a window of *size*."""

    name: str
    path: str
    size: tuple[int, int] = WIDE
    scheme: str = "light"
    act: Callable[[Visitor], object] = lambda visit: None


def type_ten(visit: Visitor) -> None:
    """Ask for ``ten`` frames of one assignment, and let the page check it."""
    field = visit.page.locator("#max_batch")
    field.fill("ten")
    visit.press("Check")
    visit.page.locator("#max_batch").scroll_into_view_if_needed()


def paste_traceback(visit: Visitor) -> None:
    """Ask whose line it was that failed."""
    text = 'File "/var/cache/Blender_Blender_v3.py", line 157, in <module>'
    visit.page.get_by_label("Traceback").fill(text)
    visit.press("Find out")


def show_files(visit: Visitor) -> None:
    visit.page.locator("#f1").scroll_into_view_if_needed()
    visit.page.evaluate("document.querySelector('#f1').scrollIntoView()")


RENAME = """port => {
    for (const line of document.querySelectorAll("[data-copy]"))
        line.textContent = line.textContent.replace(`:${port}`, ":8080");
}"""
"""Puts the port that people know in the place of the one that was free."""

SCENES = (
    Scene("overview", "/"),
    Scene("jobtype", "/jobtypes/Blender", scheme="dark"),
    Scene("compare", "/jobtypes/Blender/compare?from=1&to=3&view=split"),
    Scene("change", "/changes/td/blender-ten", act=show_files),
    Scene("edit-on-a-phone", "/jobtypes/Blender/edit", PHONE, act=type_ten),
    Scene("whose", "/whose", act=paste_traceback),
)


def main() -> None:
    """Take every picture."""
    PICTURES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, chromium() as browser:
        path = Path(folder) / "jobtypes.git"
        make_demo(path)
        server = Server(path, "--workers", "1")
        try:
            for scene in SCENES:
                with visitor(browser, server.url) as visit:
                    visit.look(scene.size, scene.scheme)
                    visit.open(scene.path)
                    scene.act(visit)
                    visit.page.evaluate(RENAME, server.port)
                    visit.page.screenshot(path=PICTURES / f"{scene.name}.png")
                    visit.faults.clear()  # A page with faults has a status of its own.
        finally:
            server.stop()


if __name__ == "__main__":
    main()
