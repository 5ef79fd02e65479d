"""The commands of an assignment, run on this machine, with their output given to the jobtype."""

from __future__ import annotations

import os
import queue
import subprocess
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import IO

from gitstore.desk.command_data import CommandData
from gitstore.desk.observed import Observed

BLOCK_BYTES = 65536
WAIT_S = 0.5


class _Process(subprocess.Popen[bytes]):
    """A process that ends with those that it has started, as on the agent."""

    def send_signal(self, sig: int) -> None:
        """Send a signal to all of them."""
        if os.name != "posix":
            super().send_signal(sig)
        elif self.returncode is None:
            with suppress(ProcessLookupError):
                os.killpg(self.pid, sig)


_RUNNING: set[_Process] = set()
"""The processes that have not ended."""


def kill_all() -> None:
    """Kill what runs, so that ``execute`` comes to its end."""
    for process in tuple(_RUNNING):
        process.kill()


@dataclass(frozen=True, slots=True)
class _Part:
    """Some output of the process of command *index*; None at its end."""

    index: int
    is_error: bool
    data: bytes | None


Tell = Callable[[str], None]


def execute(assignment: Observed, show: Tell, complain: Tell) -> None:
    """Run the commands of *assignment*, all at once as the agent does.

    *show* gets each line that they print, *complain* what goes wrong at the desk.
    """
    parts: queue.Queue[_Part] = queue.Queue(1000)
    running: dict[int, _Process] = {}
    try:
        for index, command in enumerate(assignment.commands):
            process = _started(command, complain)
            if process is None:
                assignment.exits(1, index)
                continue
            _RUNNING.add(process)
            running[index] = process
            assignment.begins(index, process)
            for is_error, pipe in ((False, process.stdout), (True, process.stderr)):
                assert pipe
                reader = threading.Thread(target=_read, args=(index, is_error, pipe, parts))
                reader.daemon = True
                reader.start()
        _follow(assignment, running, parts, show)
    finally:
        kill_all()
        for process in tuple(_RUNNING):
            process.wait()
            _RUNNING.discard(process)


def _started(command: CommandData, complain: Tell) -> _Process | None:
    """The process of *command*, None if it can't be started."""
    env, cwd = command.env, command.cwd
    assert isinstance(env, dict)
    assert cwd is None or isinstance(cwd, str)
    if command.group is not None:
        complain("this runs as you: the group is the agent's to change")
    try:
        return _Process(
            [command.command, *command.arguments],
            env=env,
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        # It names the folder where that is what can't be used.
        where = f" in {cwd}" if cwd and isinstance(error, OSError) and error.filename == cwd else ""
        complain(f"{command.command} can't be started{where}: {why}")
        return None


def _follow(
    assignment: Observed,
    running: dict[int, _Process],
    parts: queue.Queue[_Part],
    show: Tell,
) -> None:
    """Give the jobtype what the processes print, and the ends of those whose pipes closed."""
    kept = {(index, is_error): b"" for index in running for is_error in (False, True)}
    left = dict.fromkeys(running, 2)
    while running:
        part = _next(parts)
        key = part.index, part.is_error
        *lines, kept[key] = (kept[key] + (part.data or b"")).split(b"\n")
        if part.data is None and kept[key]:
            # The agent's class never gets a last line that has no end.
            show(_text(kept[key]))
        for line in lines:
            show(_text(line))
            assignment.receives(f"{_decoded(line)}\n", part.index, part.is_error)
        left[part.index] -= part.data is None
        if not left[part.index]:
            process = running.pop(part.index)
            code = process.wait()
            _RUNNING.discard(process)
            del left[part.index]
            # Windows has no signals: its numbers are exit codes.
            assignment.exits(code if os.name == "posix" else abs(code), part.index)


def _next(parts: queue.Queue[_Part]) -> _Part:
    """The next part. A signal that comes just before a wait doesn't end it: no wait is long."""
    while True:
        with suppress(queue.Empty):
            return parts.get(timeout=WAIT_S)


def _read(index: int, is_error: bool, pipe: IO[bytes], parts: queue.Queue[_Part]) -> None:
    with pipe:
        while data := os.read(pipe.fileno(), BLOCK_BYTES):
            parts.put(_Part(index, is_error, data))
    parts.put(_Part(index, is_error, None))


def _decoded(line: bytes) -> str:
    return line.decode(errors="replace")


def _text(line: bytes) -> str:
    return _decoded(line).rstrip("\r")
