"""How many inputs are made up for a test: few in ``make test``, many in ``make deep``."""

from __future__ import annotations

import os

DEPTH = int(os.environ.get("TEST_DEPTH", "1"))


def examples(count: int) -> int:
    """*count* examples, or as many times more as are asked for."""
    return count * DEPTH
