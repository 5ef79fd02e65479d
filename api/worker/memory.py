"""The C library's heap. GNU's takes more memory than is asked of it, and gives little back.

Other C libraries have none of these functions, and none of the trouble.
"""

from __future__ import annotations

import ctypes

_LIBRARY = ctypes.CDLL(None)

_M_ARENA_MAX = -8
"""What mallopt(3) calls the number of heaps (malloc.h)."""


def share_one() -> None:
    """Have all threads take memory from one heap.

    GNU's has one for each, which keeps what its thread needed at the most. But these
    threads compute one after the other, as they wait for the interpreter's lock.
    """
    set_option = getattr(_LIBRARY, "mallopt", None)
    if set_option is not None:
        set_option(_M_ARENA_MAX, 1)


def trim() -> None:
    """Give back what is free between what is not."""
    give_back = getattr(_LIBRARY, "malloc_trim", None)
    if give_back is not None:
        give_back(0)
