"""The heap that the threads of a worker share."""

from __future__ import annotations

import ctypes
import subprocess
import sys

import pytest

_COUNT = """
import ctypes, sys, threading
from api.worker.memory import share_one_arena
if sys.argv[1] == "one":
    share_one_arena()
together = threading.Barrier(3)
def allocate():
    kept = [bytes(1000 + n) for n in range(100)]
    together.wait()
    together.wait()
threads = [threading.Thread(target=allocate) for _ in range(2)]
for thread in threads:
    thread.start()
together.wait()
libc = ctypes.CDLL(None)
libc.fdopen.restype = ctypes.c_void_p
out = ctypes.c_void_p(libc.fdopen(1, b"w"))
libc.malloc_info(0, out)
libc.fflush(out)
together.wait()
"""


@pytest.mark.skipif(
    not hasattr(ctypes.CDLL(None), "malloc_info"), reason="only the GNU C library has arenas"
)
def test_threads_share_one_arena():
    arenas = {}
    for setting in ("one", "default"):
        command = [sys.executable, "-c", _COUNT, setting]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        arenas[setting] = done.stdout.count("<heap nr=")

    assert arenas["one"] == 1
    assert arenas["default"] > 1
