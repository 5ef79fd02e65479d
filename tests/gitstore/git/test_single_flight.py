"""What is made once, however many ask for it at the same time."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from gitstore.git.single_flight import Once


def test_callers_at_the_same_time_share_the_first_result():
    made: list[int] = []
    go_on = threading.Event()

    def make(key: int) -> list[int]:
        made.append(key)
        go_on.wait(120)
        return [key]

    once = Once[int, list[int]](4)
    with ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(once.get, 7, lambda: make(7)) for _ in range(8)]
        assert not once.at_hand(7)
        go_on.set()
        got = [answer.result() for answer in asked]

    assert made == [7]
    assert all(answer is got[0] for answer in got)
    assert once.at_hand(7)


def test_what_could_not_be_made_is_tried_again():
    outcomes = iter([ValueError("first"), None])

    def make(key: str) -> str:
        error = next(outcomes)
        if error is not None:
            raise error
        return key

    once = Once[str, str](4)
    with pytest.raises(ValueError, match="first"):
        once.get("a", lambda: make("a"))

    assert once.get("a", lambda: make("a")) == "a"


def test_only_the_newest_are_kept():
    once = Once[int, str](2)
    for key in (1, 2, 3):
        once.get(key, lambda: "")

    assert [once.at_hand(key) for key in (1, 2, 3)] == [False, True, True]


def test_what_was_asked_for_last_is_kept_as_long_as_all_together_fit():
    once = Once[int, str](10, len)
    for key, made in ((1, "four"), (2, "four"), (1, "four"), (3, "six666"), (4, "eleven66666")):
        once.get(key, lambda made=made: made)

    assert [once.at_hand(key) for key in (1, 2, 3, 4)] == [True, False, True, False]
