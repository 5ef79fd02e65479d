"""One assignment, run as the agent runs it: started, fed with output, ended."""

from __future__ import annotations

import types
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Self, TypeVar

from gitstore.desk.loading import CodeFault, Source, explain, load
from gitstore.desk.recording import Data
from gitstore.desk.standin import (
    CommandData,
    Desk,
    Event,
    JobType,
    Logged,
    Misuse,
    Progress,
    State,
    Task,
)

ResultT = TypeVar("ResultT")


class ProcessDone(Exception):
    """A process that ended with exit code 0; Twisted's has this name."""


class ProcessTerminated(Exception):
    """A process that ended otherwise; Twisted's has this name."""


@dataclass(frozen=True)
class Reason:
    """How a process ended, as the agent says it: an exit code, or None after a signal."""

    exit_code: int | None

    @property
    def type(self) -> type[Exception]:
        """The kind of end."""
        return ProcessDone if self.exit_code == 0 else ProcessTerminated

    @property
    def value(self) -> types.SimpleNamespace:
        """The end's own exception, as far as jobtypes look at it."""
        return types.SimpleNamespace(exitCode=self.exit_code, signal=None, status=self.exit_code)


class Protocol:
    """What stands for the agent's connection to a process."""

    def __init__(self) -> None:
        self.uuid = uuid.uuid4()
        self.id: object = None
        self.pid: int | None = None


class Assignment:
    """An assignment of the jobtype in *source*.

    *commands* are the processes that the agent would start, none before ``start``. *events* are
    what the jobtype said, in order.
    """

    def __init__(
        self,
        source: Source,
        assignment: Mapping[str, object],
        desk: Desk,
        base: type[JobType] = JobType,
    ) -> None:
        self.events: list[Event] = []
        self._source = source
        self._report = desk.report
        self.environment = dict(desk.environment)
        self.data = Data(_data(assignment))
        self._assignment = {**assignment, "job": {**_job(assignment), "data": self.data}}
        self.tasks: list[Task] = _tasks(assignment)
        self._desk = replace(desk, report=self._note)
        self._base = base
        self.jobtype: JobType
        self.commands: list[CommandData] = []
        self._protocols: list[Protocol] = []
        self._begun: set[int] = set()

    def start(self) -> Self:
        """Load the jobtype, and ask it for its commands; this assignment.

        Raises:
            CodeFault: the jobtype can't be loaded, or has an error.
        """
        made = load(self._source, self._desk, self._base)
        self.jobtype = self._guarded(made, self._assignment)
        self.commands = self._guarded(self._start)
        self._protocols = [Protocol() for _ in self.commands]
        return self

    def _note(self, event: Event) -> None:
        self.events.append(event)
        self._report(event)

    def _guarded(self, call: Callable[..., ResultT], *args: object) -> ResultT:
        """What *call* gives; its errors as one sentence.

        Raises:
            CodeFault: it raised an error.
        """
        try:
            return call(*args)
        except CodeFault:
            raise
        except Exception as error:
            raise CodeFault(explain(error, self._source.path)) from error

    def _start(self) -> list[CommandData]:
        """The commands, in the order in which the agent asks for them."""
        self.jobtype.before_start()
        environment = self.jobtype.get_environment()
        found = self.jobtype.get_command_data()
        kind = self.jobtype.COMMAND_DATA
        commands = [found] if isinstance(found, kind) else found
        if not isinstance(commands, list | tuple):
            raise CodeFault(
                f"{self._source.path}: get_command_data returned {found!r}; return"
                " self.COMMAND_DATA(...), or a list of them"
            )
        for command in commands:
            if not isinstance(command, kind):
                raise CodeFault(
                    f"{self._source.path}: get_command_data returned a list with {command!r};"
                    " each must be self.COMMAND_DATA(...)"
                )
            command.validate()
            command.set_default_environment(environment)
        return list(commands)

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
        """The calls that an agent refuses in its own log alone."""
        return [event.message for event in self.events if isinstance(event, Misuse)]

    def begins(self, index: int = 0, pid: int | None = None) -> None:
        """Say that the process of command *index* has started: all tasks run."""
        self._begun.add(index)
        protocol = self._protocols[index]
        protocol.pid = pid
        self._guarded(self.jobtype.before_spawn_process, self.commands[index], protocol)
        self._guarded(self.jobtype.process_started, protocol)

    def prints(self, text: str, index: int = 0) -> None:
        """Give the jobtype *text* as standard output of the process, line by line."""
        self._has_begun(index)
        for line in text.splitlines():
            self._guarded(self.jobtype.handle_stdout_line, self._protocols[index], line)

    def complains(self, text: str, index: int = 0) -> None:
        """Give the jobtype *text* as standard error of the process, line by line."""
        self._has_begun(index)
        for line in text.splitlines():
            self._guarded(self.jobtype.handle_stderr_line, self._protocols[index], line)

    def exits(self, code: int | None = 0, index: int = 0) -> list[str | None]:
        """End the process of command *index* with *code*, None for a signal; the states then."""
        self._has_begun(index)
        return self.ends(Reason(code), index)

    def _has_begun(self, index: int) -> None:
        """Begin the process of command *index*, if it has not begun: it prints, or ends."""
        if index not in self._begun:
            self.begins(index)

    def ends(self, reason: object, index: int = 0) -> list[str | None]:
        """End the process of command *index* for *reason*; the states of the tasks then."""
        protocol = self._protocols[index]
        try:
            is_good = self.jobtype.is_successful(protocol, reason)
        except Exception as error:  # As the agent: the task failed, and the log says why.
            self._note(Misuse(f"is_successful: {explain(error, self._source.path)}"))
            is_good = False
        if not is_good:
            self.jobtype.failed_processes.add((protocol, reason))
        try:
            self.jobtype.process_stopped(protocol, reason)
        except Exception as error:
            self._note(Misuse(f"process_stopped: {explain(error, self._source.path)}"))
        return self.states


def _job(assignment: Mapping[str, object]) -> dict[str, object]:
    job = assignment["job"]
    assert isinstance(job, dict)
    return job


def _data(assignment: Mapping[str, object]) -> dict[str, object]:
    data = _job(assignment).get("data") or {}
    assert isinstance(data, dict)
    return data


def _tasks(assignment: Mapping[str, object]) -> list[Task]:
    tasks = assignment["tasks"]
    assert isinstance(tasks, list)
    return tasks
