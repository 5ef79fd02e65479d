"""How long one of a worker's threads computes while others wait for the interpreter.

While all of them answer reads, Python's own 5 ms: a read takes a fraction of one, and to change
from thread to thread within it costs much of what it takes itself. While anything else computes
here, a read should not wait for that ten times as long as it takes.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

HURRIED_S = 0.0005

_CALM_S = sys.getswitchinterval()
_lock = threading.Lock()
_others = 0


def count_others(more: int) -> None:
    """Count *more* as beginning work that is no read; negative for work that ends."""
    global _others
    with _lock:
        _others += more
        sys.setswitchinterval(HURRIED_S if _others else _CALM_S)


@contextmanager
def other_work() -> Iterator[None]:
    """Work that is no read, as long as the block lasts."""
    count_others(1)
    try:
        yield
    finally:
        count_others(-1)
