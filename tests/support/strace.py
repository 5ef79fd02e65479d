"""System calls, by strace: which of them some work makes, and letting them fail."""

from __future__ import annotations

import re
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

_CALL = re.compile(r"^(?:\d+ +)?(\w+)\(", re.MULTILINE)


@contextmanager
def attached(*options: str) -> Iterator[None]:
    """Have strace at its targets, which are among its *options*, until the end of the block."""
    strace = subprocess.Popen(["strace", *options], stderr=subprocess.PIPE, text=True)
    assert strace.stderr is not None
    try:
        for _ in range(options.count("-p")):
            said = strace.stderr.readline()
            if "not permitted" in said:
                pytest.skip("strace may not trace here")
            assert "attached" in said, said
        yield
    finally:
        strace.terminate()
        try:
            strace.communicate(timeout=5)
        except subprocess.TimeoutExpired:
            # It may wait for ever for a thread that forked just now; killed, it lets go, too.
            strace.kill()
            strace.communicate(timeout=30)


@contextmanager
def fault(calls: str, error: str, when: str, *targets: str) -> Iterator[None]:
    """Let those calls of *targets* (strace's options) fail until the end of the block.

    *when* is strace's: ``3`` the third of each thread's, ``3+`` from the third on.
    """
    inject = f"inject={calls}:error={error}:when={when}"
    with attached("-e", f"trace={calls}", "-e", inject, "-o", "/dev/null", *targets):
        yield


def calls_of(work: Callable[[], object], file: Path, *targets: str) -> Counter[str]:
    """How often *work* has *targets* make each system call; *file* is for the trace."""
    with attached("-o", str(file), *targets):
        work()
    return Counter(_CALL.findall(file.read_text()))
