"""Commands in a terminal of a given width: a real pseudo-terminal, read to its end."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import struct
import subprocess
import sys
import termios
from collections.abc import Mapping, Sequence
from pathlib import Path
from unicodedata import east_asian_width

_END = "\x1e"

_RUN = f"""
import json, sys
from api.cli.main import main
for command in json.loads(sys.argv[1]):
    try:
        main(command, prog_name="jobtypes")
    except SystemExit:
        pass
    print(end={_END!r}, flush=True)
"""


def in_terminal(
    columns: int, commands: Sequence[Sequence[object]], env: Mapping[str, str] | None = None
) -> list[str]:
    """What each of *commands*, given without ``jobtypes``, prints in a terminal so wide.

    They run one after another in one process, whose imports are most of what they cost.
    """
    words = [[str(word) for word in command] for command in commands]
    said = shown_in_terminal(columns, [sys.executable, "-c", _RUN, json.dumps(words)], env)
    return said.split(_END)[:-1]


def shown_in_terminal(
    columns: int,
    command: Sequence[str],
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    typed: bytes = b"",
) -> str:
    """What a terminal of so many columns gets from *command* while *typed* is typed."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    variables = {k: v for k, v in os.environ.items() if k not in ("COLUMNS", "NO_COLOR")}
    process = subprocess.Popen(
        command,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        cwd=cwd,
        env=variables | {"TERM": "xterm"} | dict(env or {}),
        start_new_session=True,
    )
    os.close(theirs)
    if typed:
        os.write(ours, typed)
    said = b"".join(iter(lambda: _read(ours), b""))
    os.close(ours)
    process.wait(120)
    return said.decode().replace("\r\n", "\n")


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:
        return b""  # So Linux ends a terminal that no process has open any more.


def columns(text: str) -> int:
    """How many columns of a terminal *text* takes."""
    return sum(2 if east_asian_width(character) in "WF" else 1 for character in text)
