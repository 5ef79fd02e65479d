"""What is made once, however many ask for it at the same time, and then kept for a while."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from typing import Generic, TypeVar

KeyT = TypeVar("KeyT", bound=Hashable)
T = TypeVar("T")


class Once(Generic[KeyT, T]):
    """What *make* gives for a key; the *limit* that were made last are kept."""

    def __init__(self, make: Callable[[KeyT], T], limit: int) -> None:
        self._make = make
        self._limit = limit
        self._futures: OrderedDict[KeyT, Future[T]] = OrderedDict()
        self._lock = threading.Lock()

    def at_hand(self, key: KeyT) -> bool:
        """Whether nobody who asks for *key* has to wait."""
        future = self._futures.get(key)
        return future is not None and future.done()

    def get(self, key: KeyT) -> T:
        """What was made for *key*: before, by whoever asked first, or now.

        Raises whatever making it raises, to all who wait; it is made anew for the next.
        """
        with self._lock:
            future = self._futures.get(key)
            is_first = future is None
            if future is None:
                future = self._futures[key] = Future()
        if is_first:
            self._fill(key, future)
        return future.result()

    def _fill(self, key: KeyT, future: Future[T]) -> None:
        try:
            future.set_result(self._make(key))
        except BaseException as error:
            with self._lock:
                self._futures.pop(key, None)
            future.set_exception(error)
        with self._lock:
            while len(self._futures) > self._limit:
                self._futures.popitem(last=False)
