"""A stand-in for the agent's class JobType, which behaves as that does, without a farm.

Facts about the agent: docs/agents.md. It runs on Python 2.7, this on Python 3. What differs is
listed in docs/desk.md. tests/stories/test_real_jobtype.py holds it against the agent's class.
"""

from __future__ import annotations

import copy
import os
import string
import sys
import tempfile
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from gitstore.desk.command_data import CommandData, agent_environment
from gitstore.desk.output_lines import OutputLines
from gitstore.desk.protocol import ProcessData, ProcessProtocol
from gitstore.desk.recording import ReadOnly

STATES = ("paused", "running", "done", "failed")
"""The states of a task that the agent knows; None stands for queued."""

Task = dict[str, object]
"""A task of an assignment: id, frame, tile, attempt."""


@dataclass(frozen=True, slots=True)
class Progress:
    """A task's progress, from 0 to 1."""

    task: Task
    fraction: float


@dataclass(frozen=True, slots=True)
class State:
    """A task's new state."""

    task: Task
    state: str | None


@dataclass(frozen=True, slots=True)
class Logged:
    """A line of output, as the jobtype logs it."""

    text: str


@dataclass(frozen=True, slots=True)
class Misuse:
    """A call that the agent refuses in its own log alone, so nobody would see it."""

    message: str


@dataclass(frozen=True, slots=True)
class Broke:
    """An error in what reads output or hears of a start, which only the agent's log has."""

    message: str


Event = Progress | State | Logged | Misuse | Broke


@dataclass(frozen=True, slots=True)
class Desk:
    """What stands for the machine of an agent: environment, temporary folder, and who listens.

    *report* hears of events, *spawn* of the processes that the agent would start.
    """

    environment: Mapping[str, str]
    folder: Path
    report: Callable[[Event], None] = field(default=lambda event: None)
    spawn: Callable[[CommandData, ProcessProtocol], None] = field(default=lambda *process: None)


class JobType(OutputLines):
    """The agent's base class, as far as jobtypes use it."""

    COMMAND_DATA: type[CommandData] = CommandData
    PROCESS_PROTOCOL: type[ProcessProtocol] = ProcessProtocol
    PERSISTENT_JOB_DATA: ClassVar[dict[object, object]] = {}
    desk: ClassVar[Desk]

    def __init__(self, assignment: dict[str, object]) -> None:
        self.uuid = uuid.uuid4()
        self.processes: dict[uuid.UUID, ProcessData] = {}
        self.failed_processes: set[object] = set()
        self.failed_tasks: set[object] = set()
        self.finished_tasks: set[object] = set()
        self.assignment = ReadOnly({**assignment, "id": uuid.UUID(str(assignment["id"]))})
        self.persistent_job_data = None
        self.start_called = self.stop_called = False
        self._tempdir: str | None = None
        self._stdout_line_fragments = {}
        self._stderr_line_fragments = {}

    @classmethod
    def prepare_for_job(cls, job: object) -> object:
        """Do nothing, as the agent's."""

    @classmethod
    def cleanup_after_job(cls, persistent_data: object) -> None:
        """Do nothing, as the agent's."""

    @classmethod
    def spawn_persistent_process(cls, job: object, command_data: object) -> None:
        """Do nothing, as the agent's."""

    def node(self) -> dict[str, object]:
        """What is known of the machine; the numbers are those of no machine."""
        system = {"linux": "linux", "darwin": "mac", "win32": "windows"}
        return {
            "master_api": None,
            "hostname": "localhost",
            "agent_id": str(uuid.UUID(int=1)),
            "id": str(uuid.UUID(int=1)),
            "cpus": os.cpu_count() or 1,
            **dict.fromkeys(("ram", "total_ram", "free_ram"), 16384),
            "consumed_ram": 64,
            "admin": False,
            "user": "render",
            "case_sensitive_files": sys.platform == "linux",
            "case_sensitive_env": os.name == "posix",
            "machine_architecture": 64,
            "operating_system": system.get(sys.platform, "other"),
        }

    def assignments(self) -> list[Task]:
        """The tasks."""
        tasks = self.assignment["tasks"]
        assert isinstance(tasks, list)
        return tasks

    def tempdir(self, new: bool = False, remove_on_finish: bool = True) -> str:
        """A temporary folder for this assignment; a new one if *new*."""
        if not new and self._tempdir is not None:
            return self._tempdir
        self.desk.folder.mkdir(parents=True, exist_ok=True)
        made = tempfile.mkdtemp(dir=self.desk.folder)
        if not new:
            self._tempdir = made
        return made

    def get_environment(self) -> dict[str, str]:
        """The environment of the agent."""
        return dict(self.desk.environment)

    def get_command_list(self, cmdlist: Iterable[str]) -> tuple[str, ...]:
        """The values of *cmdlist* with their variables filled in."""
        if not isinstance(cmdlist, tuple | list):
            raise TypeError("Expected tuple or list for `cmdlist`")
        return tuple(map(self.expandvars, cmdlist))

    def get_command_data(self) -> object:
        """The command, or a list of them; each jobtype has its own."""
        raise NotImplementedError("`get_command_data` must be implemented")

    def map_path(self, path: str) -> str:
        """*path* with its variables filled in: that is all that the agent does."""
        if not isinstance(path, str):
            raise TypeError("Expected string for `path`")
        return self.expandvars(path)

    def expandvars(
        self, value: str, environment: dict[str, str] | None = None, expand: bool | None = None
    ) -> str:
        """*value* with ``~`` and ``$NAME`` filled in."""
        if not isinstance(value, str):
            raise TypeError("Expected a string for `value`")
        if not isinstance(environment, dict) and environment is not None:
            raise TypeError("Expected None or a dictionary for `environment`")
        if not expand and expand is not None:
            return value
        known = _Variables(self.get_environment() if environment is None else environment)
        return string.Template(known.checked(os.path.expanduser(value), value)).safe_substitute(
            known
        )

    def start(self) -> None:
        """Start a process for each command."""
        environment = self.get_environment()
        made = self.get_command_data()
        for command in [made] if isinstance(made, self.COMMAND_DATA) else _each(made):
            if not isinstance(command, self.COMMAND_DATA):
                raise TypeError(
                    f"get_command_data returned {made!r}; each command must be"
                    " self.COMMAND_DATA(...)"
                )
            command.validate()
            command.set_default_environment(environment)
            self._spawn_process(command)

    def _spawn_process(self, command: CommandData) -> None:
        """Start a process; only its command and environment may change just before."""
        protocol = self.PROCESS_PROTOCOL(self)
        protocol.id = command.id
        arguments = command.arguments
        self.processes[protocol.uuid] = ProcessData(protocol)
        self.before_spawn_process(command, protocol)
        started = copy.copy(command)
        started.arguments = arguments
        assert isinstance(command.env, dict)
        started.env = agent_environment(command.env, {*self.desk.environment.values()})
        self.desk.spawn(started, protocol)

    def stop(
        self, assignment_failed: bool = False, error: object = None, signal: str = "KILL"
    ) -> None:
        """Stop the processes; the tasks have failed then, or wait for another agent."""
        call = {"KILL": "kill", "TERM": "terminate", "INT": "interrupt"}[signal]
        self.stop_called = True
        for process in self.processes.values():
            getattr(process.protocol, call)()
        for task in self.assignments():
            if not assignment_failed:
                self.set_task_state(task, None, dissociate_agent=True)
            elif task["id"] not in self.finished_tasks:
                self.set_task_state(task, "failed", error=error)

    def format_error(self, error: object) -> str | None:
        """*error* as text."""
        return None if error is None else str(error)

    def set_states(self, tasks: Iterable[Task], state: str | None, error: object = None) -> None:
        """Set the state of each of *tasks*."""
        if not isinstance(tasks, list | tuple | set):
            raise TypeError("Expected tuple, list or set for `tasks`")
        if state not in STATES:
            raise ValueError(f"Expected `state` to be in {list(STATES)}")
        for task in tasks:
            self.set_task_state(task, state, error=error)

    def set_task_progress(self, task: Task, progress: float) -> None:
        """Report the progress of *task*, from 0 to 1."""
        if not _is_task(task):
            self._misuse(f"set_task_progress got {task!r}, which is no task")
        elif not isinstance(progress, int | float) or not 0.0 <= progress <= 1.0:
            self._misuse(f"set_task_progress got {progress!r}, which is not between 0 and 1")
        else:
            self.desk.report(Progress(task, float(progress)))

    def set_task_started_now(self, task: Task) -> None:
        """Do nothing: nobody keeps the time here."""

    def set_task_state(
        self,
        task: Task,
        state: str | None,
        error: object = None,
        dissociate_agent: bool = False,
    ) -> None:
        """Report the state of *task*."""
        if state not in STATES and state is not None:
            self._misuse(f"set_task_state got the state {state!r}; write one of {STATES}")
        elif not _is_task(task) or task not in self.assignments():
            self._misuse(f"set_task_state got {task!r}, which is no task of this assignment")
        else:
            if state == "failed":
                self.failed_tasks.add(task["id"])
            if state == "done":
                self.finished_tasks.add(task["id"])
            self.desk.report(State(task, state))

    def get_local_task_state(self, task_id: object) -> str | None:
        """The state that this jobtype has set for the task of that id, None if none."""
        if task_id in self.finished_tasks:
            return "done"
        return "failed" if task_id in self.failed_tasks else None

    def is_successful(self, protocol: object, reason: object) -> bool:
        """Whether the process ended well: with exit code 0."""
        if isinstance(reason, int):
            return reason == 0
        if hasattr(reason, "type"):
            code = getattr(getattr(reason, "value", None), "exitCode", None)
            return isinstance(code, int) and code == 0
        raise NotImplementedError(f"Don't know how to handle is_successful({reason!r})")

    def before_start(self) -> None:
        """Do nothing, as the agent's."""

    def before_spawn_process(self, command: object, protocol: object) -> None:
        """Do nothing; the agent's logs the command."""

    def process_started(self, protocol: object) -> None:
        """Mark all tasks as running."""
        self.set_states(self.assignments(), "running")

    def process_stopped(self, protocol: object, reason: object) -> None:
        """Mark the tasks that have no state of their own as done, or failed if a process failed."""
        if self.stop_called:
            return
        state = "failed" if self.failed_processes else "done"
        for task in self.assignments():
            if task["id"] not in self.finished_tasks | self.failed_tasks:
                self.set_task_state(task, state)

    def log_stdout_line(self, protocol: object, stdout: object) -> None:
        """Log a line."""
        self.desk.report(Logged(str(stdout)))

    log_stderr_line = log_stdout_line

    def _misuse(self, message: str) -> None:
        self.desk.report(Misuse(message))


class _Variables(dict[str, str]):
    """Variables of the agent, whose Python 2.7 puts only ASCII into text of the job's data."""

    def __getitem__(self, name: str) -> str:
        return self.checked(super().__getitem__(name))

    def checked(self, text: str, given: str = "") -> str:
        """*text*, which may have what *given* has.

        Raises:
            UnicodeDecodeError: it has other characters than ASCII, but *given* has none.
        """
        if given.isascii() and not text.isascii():
            data = text.encode()
            place = next(place for place, byte in enumerate(data) if byte > 127)
            wish = f"the agent's Python 2.7 can't put {text!r} into text"
            raise UnicodeDecodeError("ascii", data, place, place + 1, wish)
        return text


def _each(made: object) -> Iterable[object]:
    return made if isinstance(made, Iterable) else [made]


def _is_task(task: object) -> bool:
    return isinstance(task, dict) and isinstance(task.get("id"), int)
