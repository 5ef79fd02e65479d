"""A command as a line that a shell takes: environment, folder, program and arguments."""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Mapping

from gitstore.desk.process import Command


def shell_line(command: Command, environment: Mapping[str, str]) -> str:
    """*command* for a shell that has *environment*; on Windows, for cmd."""
    write = _windows if os.name == "nt" else _posix
    return write(command, changes(command, environment))


def changes(command: Command, environment: Mapping[str, str]) -> dict[str, str | None]:
    """What *command* sets in *environment*, by name; None for what it takes away."""
    there = {name: value for name, value in command.env.items() if environment.get(name) != value}
    gone = dict.fromkeys(name for name in environment if name not in command.env)
    return {**dict(sorted(there.items())), **gone}


def _posix(command: Command, changed: Mapping[str, str | None]) -> str:
    there = [f"{name}={value}" for name, value in changed.items() if value is not None]
    gone = [word for name, value in changed.items() if value is None for word in ("-u", name)]
    everything = [f"{name}={value}" for name, value in sorted(command.env.items())]
    words = [command.command, *command.arguments]
    if gone:
        short = (
            [*gone, *there] if len(gone) + len(there) <= len(everything) else ["-i", *everything]
        )
        words = ["env", *short, *words]
    elif there:
        words = ["env", *there, *words]
    line = shlex.join(words)
    return f"(cd {shlex.quote(command.cwd)} && {line})" if command.cwd else line


def _windows(command: Command, changed: Mapping[str, str | None]) -> str:
    steps = [f'set "{name}={value or ""}"' for name, value in changed.items()]
    if command.cwd:
        steps.insert(0, f"cd /d {subprocess.list2cmdline([command.cwd])}")
    steps.append(subprocess.list2cmdline([command.command, *command.arguments]))
    return " && ".join(steps)
