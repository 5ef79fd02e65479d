"""The short form of ``make torture``."""

from __future__ import annotations

from torture import kills, tidying


def test_nothing_is_lost_or_torn_when_the_service_is_killed_under_load(tmp_path):
    figures = kills(tmp_path, 6)

    assert figures.is_clean, figures
    assert figures.faults == 6
    assert figures.operations > 10


def test_another_process_may_tidy_up_under_load(tmp_path):
    figures = tidying(tmp_path, 3)

    assert figures.is_clean, figures
    assert figures.faults >= 5
    assert figures.operations > 10
