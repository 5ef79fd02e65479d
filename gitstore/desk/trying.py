"""The cases of a jobtype, tried in this process, as its tests do."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gitstore.desk.cases import ENVIRONMENT, Case, Outcome, assignments, expected
from gitstore.desk.child import described
from gitstore.desk.jobs import Job
from gitstore.desk.loading import CodeFault
from gitstore.desk.observed import Observed
from gitstore.desk.process import Command
from gitstore.desk.runner import Runner
from gitstore.desk.running import Assignment
from gitstore.desk.sources import Tried
from gitstore.desk.standin import Desk


def try_case(tried: Tried, case: Case, run: Runner = Assignment) -> Outcome:
    """What the farm would run for *case*.

    Raises:
        BadRequest: the case names no frames, or its tiles can't be rendered.
    """
    with temporary() as folder:
        try:
            commands = [
                expected(Command.model_validate(described(command)), folder)
                for started in start(tried, case.job(), folder, run)
                for command in started.commands
            ]
        except CodeFault as fault:
            return Outcome(error=str(fault))
    return Outcome(tuple(commands))


def start(tried: Tried, job: Job, folder: Path, run: Runner = Assignment) -> list[Observed]:
    """The started assignments of *job*, with temporary files below *folder*.

    Raises:
        BadRequest: the jobtype renders no tiles.
        CodeFault: the jobtype has an error.
    """
    desk = Desk(ENVIRONMENT, folder)
    return [run(tried.source, row, desk).start() for row in assignments(tried, job)]


@contextmanager
def temporary() -> Iterator[Path]:
    """A folder for temporary files, which is also the working folder meanwhile."""
    before = Path.cwd()
    with tempfile.TemporaryDirectory(prefix="jobtypes-test-") as folder:
        path = Path(folder).resolve()
        os.chdir(path)
        try:
            yield path
        finally:
            os.chdir(before)
