"""How pytest runs these tests: how many at a time, in which order, and what it prints."""

from __future__ import annotations

import gc
import os
import random
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings

from tests.damage.book import HEAD

settings.register_profile("tests", deadline=None)
settings.load_profile("tests")


MEMORY = Path("/dev/shm")
ROOM_BYTES = 4 << 30
"""What all tests together write is about a fourth of this."""


def pytest_configure() -> None:
    """Write into memory where there is room: tests wait for disks as long as they compute."""
    if "TMPDIR" not in os.environ and _is_fit(MEMORY):
        os.environ["TMPDIR"] = str(MEMORY)
        tempfile.tempdir = None  # Python looked already.


def _is_fit(folder: Path) -> bool:
    """Whether tests can write into *folder* and run programs there."""
    if not os.access(folder, os.W_OK | os.X_OK) or os.statvfs(folder).f_flag & os.ST_NOEXEC:
        return False
    return shutil.disk_usage(folder).free > ROOM_BYTES


def pytest_xdist_auto_num_workers() -> int:
    """How many tests run at a time: two more than processors, as many wait for servers."""
    return (os.cpu_count() or 1) + 2


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the tests that take longest, so that none runs alone at the end.

    With TEST_ORDER, a number, the tests of each file come in the random order of that number.
    """
    if seed := os.environ.get("TEST_ORDER"):
        order = random.Random(seed)
        items.sort(key=lambda item: (str(item.path), order.random()))
    items.sort(key=lambda item: item.path.name != "test_torture.py")


def pytest_collection_finish() -> None:
    """Spare the garbage collector the thousands of tests, which stay until the end."""
    gc.freeze()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the figures of test_torture.py."""
    reports = (
        report
        for kind in ("passed", "failed")
        for report in terminalreporter.stats.get(kind, ())
        if report.when == "call"
    )
    rows = sorted(
        text for report in reports for key, text in report.user_properties if key == "torture"
    )
    if rows:
        terminalreporter.section("what the damage came to")
        terminalreporter.write_line(HEAD)
        for row in rows:
            terminalreporter.write_line(row)
