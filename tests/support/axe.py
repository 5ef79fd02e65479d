"""Whether a page is for everybody: by axe, and on a phone."""

from __future__ import annotations

from collections.abc import Mapping

from tests.support.chromium import NARROW, WIDE, Visitor

COLOURS = {"runOnly": ["color-contrast"]}
"""The only rule that another colour scheme can break."""


def hold_against_axe(visit: Visitor, options: Mapping[str, object] | None = None) -> None:
    """Assert that axe finds nothing on the page that *visit* shows."""
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(visit.page, options=dict(options or {}))
    assert found.violations_count == 0, found.generate_report()


def hold_for_everybody(visit: Visitor, name: str) -> None:
    """Hold the open page against axe and the width of a phone, and take pictures of it."""
    for size, width in ((WIDE, "wide"), (NARROW, "narrow")):
        for scheme in ("light", "dark"):
            visit.look(size, scheme)
            assert visit.overflow() <= 0, (name, width)
            hold_against_axe(visit, COLOURS if scheme == "dark" else None)
            if (width, scheme) in (("wide", "light"), ("narrow", "dark")):
                visit.shoot(f"{name}-{width}-{scheme}")
