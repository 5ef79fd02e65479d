"""Values that are computed once for all threads that ask at the same time, and then cached."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from typing import Generic, TypeVar

KeyT = TypeVar("KeyT", bound=Hashable)
T = TypeVar("T")


class Once(Generic[KeyT, T]):
    """What was made for a key; what was asked for last is kept, up to *limit* together.

    *size* is what each counts for; without it, all count for 1. Nothing larger than the
    limit is kept.
    """

    def __init__(self, limit: int, size: Callable[[T], int] = lambda made: 1) -> None:
        self._limit = limit
        self._size = size
        self._futures: OrderedDict[KeyT, Future[T]] = OrderedDict()
        self._sizes: dict[KeyT, int] = {}
        self._total = 0
        self._lock = threading.Lock()

    def at_hand(self, key: KeyT) -> bool:
        """Whether a caller gets the value for *key* without waiting."""
        future = self._futures.get(key)
        return future is not None and future.done()

    def get(self, key: KeyT, make: Callable[[], T]) -> T:
        """What was made for *key*: by the first caller, or now by *make*.

        Raises what making it raises, to all who wait; the next call makes it again.
        """
        with self._lock:
            future = self._futures.get(key)
            is_first = future is None
            if future is None:
                future = self._futures[key] = Future()
            else:
                self._futures.move_to_end(key)
        if is_first:
            self._fill(key, future, make)
        return future.result()

    def _fill(self, key: KeyT, future: Future[T], make: Callable[[], T]) -> None:
        try:
            made = make()
        except BaseException as error:
            with self._lock:
                del self._futures[key]
            future.set_exception(error)
            return
        future.set_result(made)
        size = self._size(made)
        with self._lock:
            if size > self._limit:
                del self._futures[key]
                return
            self._sizes[key] = size
            self._total += size
            while self._total > self._limit:
                # What is still being made has no size yet, and stays.
                oldest = next(old for old in self._futures if old in self._sizes)
                del self._futures[oldest]
                self._total -= self._sizes.pop(oldest)
