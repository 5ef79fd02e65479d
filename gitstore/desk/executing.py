"""A command of an assignment, run on this machine, with its output given to the jobtype."""

from __future__ import annotations

import os
import queue
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import IO

from gitstore.desk.loading import CodeFault
from gitstore.desk.running import Assignment


def execute(assignment: Assignment, index: int, show: Callable[[str], None]) -> None:
    """Run command *index* of *assignment*, and *show* each line that it prints.

    Raises:
        CodeFault: the command can't be started, or the jobtype has an error in its output.
    """
    command = assignment.commands[index]
    env, cwd = command.env, command.cwd
    assert isinstance(env, dict)
    assert cwd is None or isinstance(cwd, str)
    if command.user is not None or command.group is not None:
        show("this runs as you: user and group are the agent's to change")
    try:
        process = subprocess.Popen(
            [command.command, *command.arguments],
            env=env,
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
    except OSError as error:
        raise CodeFault(f"{command.command} can't be started: {error.strerror}") from None
    try:
        assignment.begins(index, process.pid)
        for is_error, line in _lines(process):
            show(line)
            (assignment.complains if is_error else assignment.prints)(line, index)
        code = process.wait()
    finally:
        with suppress(OSError):
            process.kill()
        process.wait()
    # As Twisted says it: a process that a signal ended has no exit code.
    assignment.exits(None if code < 0 and os.name == "posix" else code, index)


Line = tuple[bool, str]
"""Whether a line is of standard error, and its text."""


def _lines(process: subprocess.Popen[bytes]) -> Iterator[Line]:
    """Yield the lines of both pipes as they come."""
    assert process.stdout
    assert process.stderr
    lines: queue.Queue[Line | None] = queue.Queue(1000)

    def read(is_error: bool, pipe: IO[bytes]) -> None:
        for line in pipe:
            lines.put((is_error, line.decode(errors="replace").rstrip("\r\n")))
        lines.put(None)

    pipes = ((False, process.stdout), (True, process.stderr))
    for is_error, pipe in pipes:
        threading.Thread(target=read, args=(is_error, pipe), daemon=True).start()
    left = len(pipes)
    while left:
        line = lines.get()
        if line is None:
            left -= 1
        else:
            yield line
