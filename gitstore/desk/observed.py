"""An assignment that runs at the desk, and what is seen of it, whichever class runs it."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Self

from gitstore.desk.command_data import CommandData
from gitstore.desk.protocol import Running
from gitstore.desk.recording import Data
from gitstore.desk.standin import Broke, Desk, Event, Logged, Misuse, Progress, State, Task

_PARTS = re.compile(r"[^\n]*\n|[^\n]+")


class Observed(ABC):
    """An assignment.

    *commands* are the processes that the agent would start, none before ``start``. *events* are
    what the jobtype said, in order.
    """

    def __init__(self, assignment: Mapping[str, object], desk: Desk) -> None:
        self.events: list[Event] = []
        self.data = Data(_data(assignment))
        self.tasks: list[Task] = _tasks(assignment)
        self.commands: list[CommandData] = []
        self._report = desk.report
        self._begun: set[int] = set()

    def _note(self, event: Event) -> None:
        self.events.append(event)
        self._report(event)

    @abstractmethod
    def start(self) -> Self:
        """Load the jobtype, and have it start its processes; this assignment.

        Raises:
            CodeFault: the jobtype can't be loaded, or has an error. All tasks have failed.
        """

    @abstractmethod
    def begins(self, index: int = 0, process: Running | None = None) -> None:
        """Say that the process of command *index* has started: all tasks run."""

    @abstractmethod
    def _receive(self, text: str, index: int, is_error: bool) -> None:
        """Give the jobtype *text*, which has no end of a line but at its end."""

    def receives(self, text: str, index: int = 0, is_error: bool = False) -> None:
        """Give the jobtype *text* as output of the process, as it came."""
        self._has_begun(index)
        # An error of the jobtype costs the rest of what came at once: of one line, here.
        for part in _PARTS.findall(text):
            self._receive(part, index, is_error)

    def _has_begun(self, index: int) -> None:
        """Begin the process of command *index*, if it has not begun: it prints, or ends."""
        if index not in self._begun:
            self.begins(index)

    @abstractmethod
    def exits(self, code: int | None = 0, index: int = 0) -> list[str | None]:
        """End the process of command *index*; the states of the tasks then.

        A negative *code* is the number of the signal that ended it; None stands for SIGKILL.
        """

    def prints(self, text: str, index: int = 0) -> None:
        """Give the jobtype *text* as lines of standard output of the process."""
        self.receives(_whole(text), index)

    def complains(self, text: str, index: int = 0) -> None:
        """Give the jobtype *text* as lines of standard error of the process."""
        self.receives(_whole(text), index, True)

    @property
    def command(self) -> CommandData:
        """The first command."""
        return self.commands[0]

    @property
    def line(self) -> str:
        """The words of the first command, with spaces between."""
        return " ".join([self.command.command, *self.command.arguments])

    @property
    def states(self) -> list[str | None]:
        """The last state of each task, in the order of the tasks."""
        last = {e.task["id"]: e.state for e in self.events if isinstance(e, State)}
        return [last.get(task["id"]) for task in self.tasks]

    @property
    def progress(self) -> list[tuple[object, float]]:
        """The frame and the fraction of each report of progress."""
        reports = [e for e in self.events if isinstance(e, Progress)]
        return [(report.task["frame"], round(report.fraction, 2)) for report in reports]

    @property
    def log(self) -> list[str]:
        """The lines that the jobtype logged."""
        return [event.text for event in self.events if isinstance(event, Logged)]

    @property
    def misuses(self) -> list[str]:
        """The calls and the errors that an agent notes in its own log alone."""
        return [e.message for e in self.events if isinstance(e, Misuse | Broke)]


def _whole(text: str) -> str:
    return text if text.endswith("\n") else f"{text}\n"


def _data(assignment: Mapping[str, object]) -> dict[str, object]:
    data = job_of(assignment).get("data") or {}
    assert isinstance(data, dict)
    return data


def _tasks(assignment: Mapping[str, object]) -> list[Task]:
    tasks = assignment["tasks"]
    assert isinstance(tasks, list)
    return tasks


def job_of(assignment: Mapping[str, object]) -> dict[str, object]:
    """The job of *assignment*."""
    job = assignment["job"]
    assert isinstance(job, dict)
    return job
