"""cases.yaml: which commands the farm runs for some jobs (docs/format.md, section 7)."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

from pydantic import Field, RootModel

from gitstore.desk.jobs import Job, batches, parse_frames, parse_tiles
from gitstore.desk.jobs import assignment as make_assignment
from gitstore.desk.process import Command
from gitstore.desk.shell import changes
from gitstore.desk.sources import Tried
from gitstore.format.layout import YAML_LIMIT_BYTES
from gitstore.format.schema import INTEGER_LIMIT, Fault, Model, Parsed, parse_as
from gitstore.format.yaml_editor import Plain, edit_yaml
from gitstore.format.yaml_reader import parse_yaml

FILE = "cases.yaml"

ENVIRONMENT = {"HOME": "/var/render", "PATH": "/usr/bin:/bin", "USER": "render"}
"""The environment of the agent in tests: the same on every machine."""

TEMPORARY = "$TEMPDIR"
"""What stands in a case for a temporary folder of the jobtype's."""


class Expected(Model):
    """A process that the farm starts. *environment* has what differs; null is taken away."""

    command: str
    arguments: Annotated[tuple[str, ...], Field(strict=False)] = ()
    environment: dict[str, str | None] = {}
    cwd: str | None = None


class Case(Model):
    """A job, and the processes that the farm starts for it, in the order of the assignments."""

    name: str
    frames: int | str
    tiles: int | str | None = None
    batch: Annotated[int, Field(ge=1, le=INTEGER_LIMIT)] | None = None
    data: dict[str, object] = {}
    expect: Annotated[tuple[Expected, ...], Field(strict=False)] | None = None

    def job(self) -> Job:
        """The job.

        Raises:
            BadRequest: its frames or tiles are none.
        """
        tiles = parse_tiles(str(self.tiles)) if self.tiles is not None else 0
        return Job(parse_frames(str(self.frames)), tiles, self.batch, self.data)


class Cases(RootModel[Annotated[tuple[Case, ...], Field(strict=False)]]):
    """A cases.yaml."""


def parse_cases(data: bytes) -> Parsed[Cases]:
    """The cases in *data*."""
    parsed = parse_as(Cases, data)
    return replace(parsed, faults=tuple(map(_counted, parsed.faults)))


def _counted(fault: Fault) -> Fault:
    """*fault* with the number of its case, as people count."""
    number, dot, rest = fault.message.partition(".")
    if not (dot and number.isdecimal()):
        return fault
    return replace(fault, message=f"case {int(number) + 1}: {rest}")


def assignments(tried: Tried, job: Job) -> list[dict[str, object]]:
    """The assignments of *job* as the farm makes them.

    Raises:
        BadRequest: the jobtype renders no tiles.
    """
    source = tried.source
    return [
        make_assignment(job, source.name, source.version, tasks, number)
        for number, tasks in enumerate(batches(job, tried.meta), 1)
    ]


def expected(command: Command, folder: Path) -> Expected:
    """*command* as a case has it, with temporary files below *folder*."""
    own = re.compile(re.escape(str(folder)) + r"(?:[\\/]\w+)?")

    def same(text: str) -> str:
        return own.sub(lambda match: TEMPORARY, text)

    changed = changes(command, ENVIRONMENT)
    return Expected(
        command=same(command.command),
        arguments=tuple(map(same, command.arguments)),
        environment={name: value and same(value) for name, value in changed.items()},
        cwd=command.cwd and same(command.cwd),
    )


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a case: commands, or the jobtype's own error."""

    commands: tuple[Expected, ...] = ()
    error: str = ""

    def lines(self) -> list[str]:
        """It as lines of text, to be compared."""
        if self.error:
            return [f"error: {self.error}"]
        return [line for command in self.commands for line in _lines(command)]


def expectation(case: Case) -> Outcome:
    """What *case* expects."""
    return Outcome(case.expect or ())


def _lines(command: Expected) -> list[str]:
    rows = [*([f"cd {command.cwd}"] if command.cwd else ())]
    for name, value in sorted(command.environment.items()):
        rows.append(f"unset {name}" if value is None else f"{name}={value}")
    return [*rows, " ".join([command.command, *command.arguments])]


def update(data: bytes, outcomes: Mapping[int, Outcome]) -> bytes:
    """The cases.yaml *data*, with the commands of *outcomes*, by place, as what is expected.

    Comments and all other values stay as they are.
    """
    rows = parse_yaml(data, YAML_LIMIT_BYTES).value
    assert isinstance(rows, list)
    for place, outcome in outcomes.items():
        rows[place]["expect"] = [_plain(command) for command in outcome.commands]
    key = "cases:\n"
    # The list is edited as the value of a key; YAML lets it stand where it stands.
    edited = edit_yaml(key.encode() + data, {"cases": rows}).decode()
    body = edited.removeprefix(key)
    return (body if body.lstrip("#\n")[:1] == "-" else textwrap.dedent(body)).encode()


def _plain(command: Expected) -> dict[str, Plain]:
    whole: dict[str, Plain] = command.model_dump(exclude_defaults=True, mode="json")
    return whole
