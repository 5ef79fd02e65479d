"""How much the cache of responses holds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from api.cache.memory import CachedResponse, ResponseCache
from gitstore.branch.store import Store
from gitstore.catalogue.catalogue import Catalogue
from tests.support.branches import Branch, jobtype
from tests.support.hot_pair import JOB, OTHER, make_pair

# Bounds


@dataclass
class Filling:
    """A cache, and what puts responses there."""

    cache: ResponseCache
    catalogue: Catalogue

    def keep(self, number: int, bytes: int = 1000) -> None:
        """Put a response of that many bytes there."""
        path = f"{JOB}/versions/{number}"
        self.cache.keep(path, "", [("ETag", '"x"')], b"x" * bytes, self.catalogue)

    def find(self, number: int) -> CachedResponse | None:
        """The response of that number."""
        path = f"{JOB}/versions/{number}"
        return self.cache.find("GET", path, "")


@pytest.fixture
def filled(tmp_path) -> Callable[[int, int], Filling]:
    """Makes caches: of how many bytes, after how many responses were put there."""
    branch = Branch(tmp_path / "filled.git")
    branch.commit(jobtype("Job"))
    store = Store(branch.path)

    def fill(limit_bytes: int, count: int) -> Filling:
        filling = Filling(ResponseCache(store, limit_bytes), store.catalogue())
        for number in range(count):
            filling.keep(number)
        return filling

    return fill


def test_a_cache_holds_no_more_than_it_may(filled):
    filling = filled(100_000, 1000)

    kept = [found for n in range(1000) if (found := filling.find(n))]

    assert 30 < len(kept) == len(filling.cache) < 100
    assert sum(len(found.body) for found in kept) <= 100_000


def test_what_requests_ask_for_stays_in_the_cache(filled):
    filling = filled(100_000, 1)
    for number in range(1, 1000):
        filling.keep(number)
        assert filling.find(0) is not None


def test_an_answer_put_in_the_place_of_another_takes_no_room_twice(filled):
    filling = filled(100_000, 10)
    for _ in range(1000):
        filling.keep(0)
    assert all(filling.find(n) for n in range(10))


def test_a_response_larger_than_the_cache_is_not_kept_and_drives_none_out(filled):
    filling = filled(100_000, 10)
    filling.keep(10, 100_000)
    assert filling.find(10) is None
    assert all(filling.find(n) for n in range(10))


def test_answers_are_right_where_memory_holds_hardly_any(tmp_path):
    pair = make_pair(tmp_path / "pair.git", limit_bytes=6000)
    hot = 0
    for _ in range(3):
        for path in (JOB, OTHER, f"{JOB}/versions/1", f"{JOB}/versions/1/code", JOB):
            assert pair.get(path).status_code == 200
            hot += pair.was_hot
    assert 0 < hot < 15
