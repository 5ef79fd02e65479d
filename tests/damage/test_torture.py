"""The short form of ``make torture``: each kind of damage, less of it.

What came of each is printed at the end of the tests' output.
"""

from __future__ import annotations

import pytest

from tests.damage.book import Figures
from tests.damage.torture import PLAN, Amount, missing

SHORT = Amount(
    kills=10,
    cuts=2,
    every=24,
    push_faults=2,
    clock_s=0.5,
    tidying_s=4,
    damages=3,
    long_s=0,
)


@pytest.fixture
def torture(tmp_path, record_property):
    """Does damage of a kind, and keeps what came of it for the end of the output."""

    def work(kind: str) -> Figures:
        program = missing(kind)
        if program:
            pytest.skip(f"needs {program}")
        name, do = PLAN[kind]
        figures = do(tmp_path, SHORT, lambda text: None)
        record_property("torture", f"{name:<24}{figures.row}")
        assert figures.is_clean, figures
        return figures

    return work


def test_nothing_is_lost_or_torn_when_the_service_is_killed_under_load(torture):
    figures = torture("kill")

    assert figures.faults == SHORT.kills
    assert figures.operations > SHORT.kills


@pytest.mark.farm
def test_what_was_acknowledged_outlives_power_cuts_at_any_moment(torture):
    figures = torture("power")

    assert figures.faults == SHORT.cuts
    assert figures.operations > SHORT.cuts


def test_whichever_system_call_of_a_put_fails_nothing_is_half_done(torture):
    figures = torture("faults")

    assert figures.faults > 15
    assert figures.faults <= figures.operations < 2 * figures.faults + 10


def test_whichever_system_call_of_a_push_fails_nothing_is_half_done(torture):
    figures = torture("push")

    assert figures.faults == 10
    assert figures.operations >= 2


@pytest.mark.farm
def test_nothing_depends_on_the_clock(torture):
    assert torture("clock").operations > 7


@pytest.mark.farm
def test_another_process_may_tidy_up_under_load(torture):
    figures = torture("tidying")

    assert figures.faults >= 2
    assert figures.operations > 2


def test_damage_concerns_nothing_but_what_is_damaged(torture):
    assert torture("damage").faults == SHORT.damages
