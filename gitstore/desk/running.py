"""One assignment on the stand-in, run as the agent runs it: started, fed with output, ended."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Self, TypeVar

from gitstore.desk.command_data import CommandData
from gitstore.desk.loading import CodeFault, Source, explain, load
from gitstore.desk.observed import Observed, job_of
from gitstore.desk.protocol import ProcessProtocol, Running, reason_of
from gitstore.desk.standin import Broke, Desk, Event, JobType, Misuse, State

ResultT = TypeVar("ResultT")


class Assignment(Observed):
    """An assignment of the jobtype in *source*, on the stand-in for the agent's class."""

    def __init__(
        self,
        source: Source,
        assignment: Mapping[str, object],
        desk: Desk,
        base: type[JobType] = JobType,
    ) -> None:
        super().__init__(assignment, desk)
        self._source = source
        self._assignment = {**assignment, "job": {**job_of(assignment), "data": self.data}}
        self._desk = replace(desk, report=self._note, spawn=self._spawn)
        self._base = base
        self.jobtype: JobType
        self.protocols: list[ProcessProtocol] = []

    def _spawn(self, command: CommandData, protocol: ProcessProtocol) -> None:
        self.commands.append(command)
        self.protocols.append(protocol)

    def start(self) -> Self:
        """Load the jobtype, and have it start its processes; this assignment.

        Raises:
            CodeFault: the jobtype can't be loaded, or has an error. All tasks have failed.
        """
        try:
            made = load(self._source, self._desk, self._base)
            self.jobtype = self._guarded(made, self._assignment)
            self._guarded(self.jobtype.before_start)
            self._guarded(self.jobtype.start)
        except CodeFault:
            self._fail()
            raise
        self.jobtype.start_called = True
        return self

    def _fail(self) -> None:
        """As the agent, which stops an assignment that it can't start."""
        if hasattr(self, "jobtype"):
            with suppress(Exception):
                self.jobtype.stop(assignment_failed=True)
        else:
            for task in self.tasks:
                self._note(State(task, "failed"))

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

    def _noted(self, kind: Callable[[str], Event], words: str, call: Callable[[], object]) -> None:
        """Call *call*; the agent only logs its errors."""
        try:
            call()
        except CodeFault:
            raise
        except Exception as error:
            self._note(kind(f"{words}{explain(error, self._source.path)}"))

    def begins(self, index: int = 0, process: Running | None = None) -> None:
        """Say that the process of command *index* has started: all tasks run."""
        self._begun.add(index)
        protocol = self.protocols[index]
        protocol.process = process
        if self.jobtype.stop_called:
            self.jobtype.stop()
        else:
            self._noted(Broke, "", lambda: self.jobtype.process_started(protocol))

    def _receive(self, text: str, index: int, is_error: bool) -> None:
        """Give the jobtype *text*, which has no end of a line but at its end."""
        protocol = self.protocols[index]
        self._noted(Broke, "", lambda: self.jobtype._process_output(protocol, text, is_error))

    def exits(self, code: int | None = 0, index: int = 0) -> list[str | None]:
        """End the process of command *index*; the states of the tasks then."""
        self._has_begun(index)
        return self.ends(reason_of(code), index)

    def ends(self, reason: object, index: int = 0) -> list[str | None]:
        """End the process of command *index* for *reason*; the states of the tasks then."""
        protocol = self.protocols[index]
        protocol.process = None
        self.jobtype.processes.pop(protocol.uuid, None)
        is_good = False
        try:
            is_good = self.jobtype.is_successful(protocol, reason)
        except Exception as error:  # As the agent: the task failed, and the log says why.
            self._note(Misuse(f"is_successful: {explain(error, self._source.path)}"))
        if not is_good:
            self.jobtype.failed_processes.add((protocol, reason))
        self._noted(
            Misuse, "process_stopped: ", lambda: self.jobtype.process_stopped(protocol, reason)
        )
        return self.states
