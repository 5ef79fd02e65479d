"""A jobtype's code run in a process of its own: the order that it gets, the messages it sends."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

import gitstore
from gitstore.desk.loading import Source
from gitstore.errors import BadRequest, StoreError

ENDING_S = 10
"""How long the process may take to end the commands that it runs."""


class Command(BaseModel):
    """A process that the agent would start, with its whole environment."""

    model_config = ConfigDict(frozen=True)

    command: str
    arguments: tuple[str, ...]
    env: dict[str, str]
    cwd: str | None = None
    user: str | None = None
    group: str | None = None


class Message(BaseModel):
    """One thing that the process says; each kind has its own fields.

    *assignment* counts from 0. *line* is the line of the output that led to it, from 1.
    """

    model_config = ConfigDict(frozen=True)

    kind: Literal[
        "commands", "data", "error", "misuse", "output", "progress", "refused", "state", "verdict"
    ]
    assignment: int
    line: int | None = None
    commands: tuple[Command, ...] = ()
    read: tuple[str, ...] = ()
    missed: tuple[str, ...] = ()
    text: str = ""
    frame: int | None = None
    tile: int | None = None
    fraction: float = 0
    state: str = ""
    states: tuple[str | None, ...] = ()


class CodeDied(StoreError):
    """The process that ran a jobtype's code ended before it was done."""


@dataclass(frozen=True, slots=True)
class Order:
    """What the process is to do: run *assignments* of *source*.

    With *output*, the jobtype reads those lines; with *execute*, its commands run here. *python*
    is an agent's interpreter, whose class is used then; None is for the stand-in.
    """

    source: Source
    assignments: Sequence[Mapping[str, object]]
    environment: Mapping[str, str]
    folder: Path
    output: Sequence[str] | None = None
    execute: bool = False
    cwd: Path | None = None
    python: str | None = None


def run(order: Order) -> Iterator[Message]:
    """Yield what the process says, as it comes.

    Raises:
        BadRequest: the agent's interpreter can't be used.
        CodeDied: it ended early, which only the jobtype's code can have brought about.
    """
    root = str(Path(gitstore.__file__).parents[1])
    program = f"import sys; sys.path.insert(0, {root!r}); import gitstore.desk.child as c; c.main()"
    with subprocess.Popen(
        [sys.executable, "-P", "-c", program],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=order.cwd,
    ) as child:
        assert child.stdin
        assert child.stdout
        ended = 0
        try:
            with suppress(BrokenPipeError):  # It has ended; its status says so below.
                # The pipe stays open: when it closes, the child ends, and what it runs.
                child.stdin.write(json.dumps(asdict(order), default=str).encode() + b"\n")
                child.stdin.flush()
            for line in child.stdout:
                message = Message.model_validate_json(line)
                if message.kind == "refused":
                    raise BadRequest(message.text)
                ended += message.kind == "data"  # The last message of each assignment.
                yield message
            status = child.wait()
        finally:
            _end(child)
    if status or ended < len(order.assignments):
        raise CodeDied(f"{order.source.path} ended its own process (status {status})")


def _end(child: subprocess.Popen[bytes]) -> None:
    """End *child*, which ends the commands that it runs, if it gets the time."""
    child.terminate()
    try:
        child.wait(ENDING_S)
    except subprocess.TimeoutExpired:
        child.kill()
