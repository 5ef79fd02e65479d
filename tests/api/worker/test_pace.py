"""How long a thread computes while others wait: less, as long as there is more than reads."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import suppress

import pytest

from api.config import Config
from api.worker import switch_interval
from api.worker.limits import Places, Work
from gitstore.errors import Busy

CALM_S = 0.005
"""Python's own."""


@pytest.fixture
def places(tmp_path, monkeypatch) -> Iterator[Places]:
    """Places for one write, in a process that does nothing else, whatever other tests left."""
    before_s = sys.getswitchinterval()
    monkeypatch.setattr(switch_interval, "_others", 0)
    sys.setswitchinterval(CALM_S)
    yield Places.of(Config(tmp_path, write_places=1))
    assert sys.getswitchinterval() == pytest.approx(CALM_S)
    sys.setswitchinterval(before_s)


def is_hurried() -> bool:
    return sys.getswitchinterval() == pytest.approx(switch_interval.HURRIED_S)


def test_a_holder_of_a_place_makes_reads_wait_less_long(places):
    assert not is_hurried()
    places.take(Work.WRITE)
    assert is_hurried()
    with places.held(Work.REVIEW):
        places.give(Work.WRITE)
        assert is_hurried()


def test_who_got_no_place_changes_nothing(places):
    places.take(Work.WRITE)
    with pytest.raises(Busy):
        places.take(Work.WRITE)
    places.give(Work.WRITE)

    assert not is_hurried()


def test_work_in_the_background_that_fails_ends_as_any_other(places):
    with suppress(ZeroDivisionError), switch_interval.other_work():
        assert is_hurried()
        raise ZeroDivisionError
    assert not is_hurried()
