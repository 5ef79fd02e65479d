"""Facts about sources, within limits of time and memory, and kept by the id of their blob.

Python's parser holds the interpreter's lock for as long as it takes, up to seconds for a file of
a megabyte. So what is larger than a few kilobytes is parsed in a process of its own, which gives
way to others and can be ended. All ways in ask here, so that they say the same.
"""

from __future__ import annotations

import atexit
import subprocess
import sys
import threading
import time
from collections.abc import Callable

from gitstore.checks import python_source
from gitstore.checks.python_source import CPU_LIMIT_S, Facts, Wanted, asked, facts_of, read_facts
from gitstore.git.single_flight import Once

SMALL_BYTES = 8 * 1024
"""Bytes up to which a source is parsed in this process: the worst takes some 40 ms."""

_COSTLY = b"finally"
"""What Python compiles again for each way out, so that a few nested ones take seconds."""

TOGETHER_BYTES = 8 * SMALL_BYTES
"""Bytes that one check parses in this process. Further sources go to another process."""

WAIT_LIMIT_S = 60
"""Seconds that one check may wait for other processes to parse, in all."""

CHECK_LIMIT_S = 30
"""Seconds of processor time that one check may use here in addition."""

_AT_ONCE = 2
_KEPT_BYTES = 8 * 1024 * 1024

_BEYOND = (
    f"takes more than {CPU_LIMIT_S} s of a processor, or"
    f" {python_source.MEMORY_LIMIT_BYTES // 1024 // 1024} MB, to be parsed;"
    " move what is long, data for example, into a file of its own"
)

Read = Callable[[], bytes]


class Late(Exception):
    """A check has used up its time."""


class Sources:
    """The facts about the sources that one check looks at, of which *wanted* is asked.

    It also keeps the check's time, which begins now.
    """

    def __init__(self, wanted: Wanted) -> None:
        self._wanted = wanted
        self._left_s: float = WAIT_LIMIT_S
        self._left_bytes = TOGETHER_BYTES
        self._end_s = time.thread_time() + CHECK_LIMIT_S

    def check_time(self) -> None:
        """Raise Late if no time is left.

        Raises:
            Late: there is not. How busy the machine is makes little difference to that.
        """
        if self._left_s <= 0 or time.thread_time() > self._end_s:
            raise Late

    def facts(self, id: str, read: Read) -> Facts:
        """The facts about blob *id*; *read* gives its content if it is not known yet.

        Raises:
            Late: there was no time for it.
        """
        return _KNOWN.get((id, self._wanted), lambda: self._parse(read()))

    def _parse(self, data: bytes) -> Facts:
        if not self._wanted.parsed or len(data) > self._wanted.limit_bytes:
            return facts_of(data, self._wanted)
        self.check_time()
        if len(data) <= min(SMALL_BYTES, self._left_bytes) and _COSTLY not in data:
            self._left_bytes -= len(data)
            return facts_of(data, self._wanted)
        began = time.monotonic()
        try:
            return _PARSERS.facts(data, self._wanted, self._left_s)
        finally:
            self._left_s -= time.monotonic() - began


class _Parser:
    """A process that parses."""

    def __init__(self) -> None:
        # No limit is set between fork and exec: Python's own code must not run there while
        # there are other threads. The program limits itself before it reads anything.
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", python_source.__file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )

    def ask(self, data: bytes, wanted: Wanted, limit_s: float) -> tuple[Facts, bool] | None:
        """The facts, and whether it goes on; None if it ended instead.

        Raises:
            Late: it got no answer in *limit_s*. On a busy machine, that says nothing of the source.
        """
        process = self._process
        assert process.stdin
        assert process.stdout
        is_late = threading.Event()

        def end() -> None:
            is_late.set()
            process.kill()

        timer = threading.Timer(limit_s, end)
        timer.daemon = True
        timer.start()
        try:
            process.stdin.write(asked(data, wanted))
            process.stdin.flush()
            return read_facts(process.stdout)  # type: ignore[arg-type]  # IO[bytes] is one
        except (EOFError, OSError):
            if is_late.is_set():
                raise Late from None
            return None
        finally:
            timer.cancel()

    def end(self) -> None:
        """End it."""
        self._process.kill()
        self._process.communicate()


class _Parsers:
    """A few processes that parse, for all threads. They are kept until they have grown."""

    def __init__(self) -> None:
        self._places = threading.BoundedSemaphore(_AT_ONCE)
        self._idle: list[_Parser] = []

    def facts(self, data: bytes, wanted: Wanted, limit_s: float) -> Facts:
        """The facts about the source in *data*; takes at most *limit_s*.

        Raises:
            Late: no process was free, or it got no answer.
        """
        give_up = time.monotonic() + limit_s
        if not self._places.acquire(timeout=limit_s):
            raise Late
        try:
            return self._ask(data, wanted, give_up)
        finally:
            self._places.release()

    def end(self) -> None:
        """End the idle processes."""
        while self._idle:
            self._idle.pop().end()

    def _ask(self, data: bytes, wanted: Wanted, give_up: float) -> Facts:
        while True:
            is_new = not self._idle
            parser = _Parser() if is_new else self._idle.pop()
            goes_on = False
            try:
                answer = parser.ask(data, wanted, give_up - time.monotonic())
                if answer is not None:
                    facts, goes_on = answer
                    return facts
            finally:
                if goes_on:
                    self._idle.append(parser)
                else:
                    parser.end()
            if is_new:
                return Facts(beyond=_BEYOND)
            # An idle process may have ended for another reason, so a new one gets the source.


_PARSERS = _Parsers()
atexit.register(_PARSERS.end)
_KNOWN: Once[tuple[str, Wanted], Facts] = Once(_KEPT_BYTES, lambda facts: facts.memory_bytes)
