"""How long a thread computes while others wait: less, as long as there is more than reads."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import suppress

import pytest

from api import pace
from api.config import Config
from api.places import Places, Work
from gitstore import Busy


@pytest.fixture
def places(tmp_path) -> Iterator[Places]:
    """Places for one write, in a process whose pace is its own again at the end."""
    calm_s = sys.getswitchinterval()
    yield Places.of(Config(tmp_path, write_places=1))
    assert sys.getswitchinterval() == calm_s


def is_hurried() -> bool:
    return sys.getswitchinterval() == pytest.approx(pace.HURRIED_S)


def test_whoever_has_a_place_has_reads_wait_less_long(places):
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
    with suppress(ZeroDivisionError), pace.other_work():
        assert is_hurried()
        raise ZeroDivisionError
    assert not is_hurried()
