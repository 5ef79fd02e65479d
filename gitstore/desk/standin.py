"""A stand-in for the agent's class JobType, which behaves as that does, without a farm.

Facts about the agent: docs/agents.md. It runs on Python 2.7, this on Python 3.
"""

from __future__ import annotations

import os
import string
import tempfile
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

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


Event = Progress | State | Logged | Misuse


@dataclass(frozen=True, slots=True)
class Desk:
    """What stands for the machine of an agent: environment, temporary folder, and who listens."""

    environment: Mapping[str, str]
    folder: Path
    report: Callable[[Event], None] = field(default=lambda event: None)


class CommandData:
    """What the agent starts a process from; the arguments become strings."""

    def __init__(self, command: str, *arguments: object, **kwargs: object) -> None:
        self.command = command
        self.arguments = tuple(map(str, arguments))
        self.env = kwargs.pop("env", None)
        self.cwd = kwargs.pop("cwd", None)
        self.user = kwargs.pop("user", None)
        self.group = kwargs.pop("group", None)
        self.id = kwargs.pop("id", None)
        if kwargs:
            raise ValueError(f"Unexpected keywords present in kwargs: {sorted(kwargs)}")

    def __repr__(self) -> str:
        return f"Command(command={self.command!r}, arguments={self.arguments!r})"

    def validate(self) -> None:
        """Raise a TypeError for a value that the agent refuses before it starts anything."""
        if not isinstance(self.command, str):
            raise TypeError("Expected a string for `command`")
        if not isinstance(self.env, dict) and self.env is not None:
            raise TypeError("Expected a dictionary for `env`")
        for name, value in (("user", self.user), ("group", self.group)):
            if not isinstance(value, str | int) and value is not None:
                raise TypeError(f"Expected string, integer or None for `{name}`")
        if not isinstance(self.cwd, str) and self.cwd is not None:
            raise TypeError("Expected a string for `cwd`")

    def set_default_environment(self, value: dict[str, str]) -> None:
        """Take *value* as the environment if the jobtype gave none."""
        if self.env is None:
            self.env = value


class JobType:
    """The agent's base class, as far as jobtypes use it."""

    COMMAND_DATA: type[CommandData] = CommandData
    PERSISTENT_JOB_DATA: ClassVar[dict[object, object]] = {}
    desk: ClassVar[Desk]

    def __init__(self, assignment: dict[str, object]) -> None:
        self.uuid = uuid.uuid4()
        self.processes: dict[object, object] = {}
        self.failed_processes: set[object] = set()
        self.failed_tasks: set[object] = set()
        self.finished_tasks: set[object] = set()
        self.assignment = ReadOnly(assignment)
        self.persistent_job_data = None
        self.start_called = self.stop_called = False
        self._tempdir: str | None = None

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
        """What is known of the machine; a machine at no farm has no id."""
        return {"id": None, "agent_id": None, "hostname": "localhost", "cpus": os.cpu_count() or 1}

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
        if expand is False:
            return value
        known = self.get_environment() if environment is None else environment
        return string.Template(os.path.expanduser(value)).safe_substitute(known)

    def stop(self, assignment_failed: bool = False, error: object = None, signal: str = "") -> None:
        """Note that the assignment is stopped."""
        self.stop_called = True

    def format_error(self, error: object) -> str | None:
        """*error* as text."""
        return None if error is None else str(error)

    def set_states(self, tasks: Iterable[Task], state: str | None, error: object = None) -> None:
        """Set the state of each of *tasks*."""
        for task in tasks:
            self.set_task_state(task, state, error=error)

    def set_task_progress(self, task: Task, progress: float) -> None:
        """Report the progress of *task*, from 0 to 1."""
        if not _is_task(task):
            self._misuse(f"set_task_progress got {task!r}, which is no task")
        elif not 0.0 <= progress <= 1.0:
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

    def handle_stdout_line(self, protocol: object, stdout: str) -> None:
        """Log a line of standard output, with the hooks around it."""
        self._handle_line(protocol, stdout, "stdout")

    def handle_stderr_line(self, protocol: object, stderr: str) -> None:
        """Log a line of standard error, with the hooks around it."""
        self._handle_line(protocol, stderr, "stderr")

    def _handle_line(self, protocol: object, line: str, stream: str) -> None:
        def call(step: str, line: object) -> object:
            return getattr(self, f"{step}_{stream}_line")(protocol, line)

        before = call("preprocess", line)
        if before is False:
            return
        shown = line if before is None else before
        shown = call("format", shown) or shown
        call("log", shown)
        call("process", shown)

    def log_stdout_line(self, protocol: object, stdout: object) -> None:
        """Log a line."""
        self.desk.report(Logged(str(stdout)))

    log_stderr_line = log_stdout_line

    def _no_change(self, protocol: object, line: object) -> object:
        """Change nothing about the line: the hooks are for jobtypes to override."""
        return None

    preprocess_stdout_line = preprocess_stderr_line = _no_change
    format_stdout_line = format_stderr_line = _no_change
    process_stdout_line = process_stderr_line = _no_change

    def _misuse(self, message: str) -> None:
        self.desk.report(Misuse(message))


def _is_task(task: object) -> bool:
    return isinstance(task, dict) and isinstance(task.get("id"), int)
