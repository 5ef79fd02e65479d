"""The agent's own class, in the agent's own Python: a process that runs jobtypes on it."""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any, Self

from gitstore.desk.command_data import CommandData
from gitstore.desk.loading import CodeFault, Source, sentence
from gitstore.desk.observed import Observed
from gitstore.desk.protocol import Running, reason_of
from gitstore.desk.standin import Broke, Desk, Event, Logged, Misuse, Progress, State
from gitstore.errors import BadRequest

DRIVER = Path(__file__).with_name("driver.py")
ENDING_S = 5
"""How long the agent's process may take to end."""


class Agent:
    """An interpreter that has pyfarm.agent. Its process runs until the end of the ``with``."""

    def __init__(self, python: str) -> None:
        self._python = python

    def __enter__(self) -> Self:
        """Start the process.

        Raises:
            BadRequest: the interpreter can't be used.
        """
        # The agent keeps files of its own, even if it only runs a jobtype.
        self._folder = tempfile.TemporaryDirectory(prefix="jobtypes-agent-")
        try:
            self._process = subprocess.Popen(
                # Python's variables of this Python are nothing for another one.
                [self._python, "-BEu", "-W", "ignore", str(DRIVER), self._folder.name],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                encoding="utf-8",
            )
        except OSError as error:
            self._folder.cleanup()
            raise BadRequest(f"{self._python} can't be started: {error.strerror}") from None
        answer = self._said()
        if answer is None or "missing" in answer:
            self.__exit__()
            why = "it can't run an agent" if answer is None else str(answer["missing"])
            raise BadRequest(f"{self._python}: {why}; name a Python that has pyfarm.agent")
        return self

    def __exit__(self, *error: object) -> None:
        assert self._process.stdin
        assert self._process.stdout
        with suppress(BrokenPipeError):
            self._process.stdin.close()
        self._process.stdout.close()
        try:
            self._process.wait(ENDING_S)
        except subprocess.TimeoutExpired:
            # The jobtype's code has no end.
            self._process.kill()
            self._process.wait()
        self._folder.cleanup()

    def ask(self, order: Mapping[str, object]) -> dict[str, Any]:
        """The answer to *order*.

        Raises:
            CodeFault: the code ended the process.
        """
        answer = self._said(json.dumps(order, default=str))
        if answer is None:
            raise CodeFault("the jobtype's code ended its own process")
        return answer

    def _said(self, *lines: str) -> dict[str, Any] | None:
        """The answer to *lines*, None if the process has ended."""
        assert self._process.stdin
        assert self._process.stdout
        try:
            for line in lines:
                self._process.stdin.write(f"{line}\n")
                self._process.stdin.flush()
            answer = self._process.stdout.readline()
            loaded = json.loads(answer)
        except (BrokenPipeError, ValueError):  # It has ended, or is another program.
            return None
        return loaded if isinstance(loaded, dict) else None


class AgentAssignment(Observed):
    """An assignment of the jobtype in *source*, on the class of *agent*."""

    def __init__(
        self, source: Source, assignment: Mapping[str, object], desk: Desk, agent: Agent
    ) -> None:
        super().__init__(assignment, desk)
        self._source = source
        self._assignment = assignment
        self._desk = desk
        self._agent = agent

    def _ask(self, do: str, **order: object) -> dict[str, object]:
        """The answer to an order, whose events are noted.

        Raises:
            CodeFault: the jobtype has an error for which the assignment fails.
        """
        answer = self._agent.ask({"do": do, **order})
        self.data.read |= set(_texts(answer["read"]))
        self.data.missed |= set(_texts(answer["missed"]))
        events = answer["events"]
        assert isinstance(events, list)
        for row in events:
            self._note(self._event(row))
        if "commands" in answer:
            rows = answer["commands"]
            assert isinstance(rows, list)
            self.commands = [_command(row) for row in rows]
        fault = answer["fault"]
        if isinstance(fault, dict):
            raise CodeFault(self._sentence(fault))
        return answer

    def _sentence(self, row: Mapping[str, object]) -> str:
        line, kinds = row.get("line"), row.get("kinds")
        assert isinstance(line, int) or line is None
        return sentence(self._source.path, line, _texts(kinds) if kinds else [""], str(row["text"]))

    def _event(self, row: Mapping[str, object]) -> Event:
        kind = row["kind"]
        if kind == "logged":
            return Logged(str(row["text"]))
        if kind == "misuse":
            return Misuse(str(row["text"]))
        if kind == "broke":
            return Broke(self._sentence(row))
        task = next((t for t in self.tasks if t["id"] == row["task"]), {"id": row["task"]})
        if kind == "progress":
            return Progress(task, float(str(row["fraction"])))
        return State(task, None if row["state"] == "queued" else str(row["state"]))

    def start(self) -> Self:
        """Load the jobtype, and have it start its processes; this assignment.

        Raises:
            CodeFault: the jobtype can't be loaded, or has an error. All tasks have failed.
        """
        self._ask(
            "start",
            source=asdict(self._source),
            assignment=self._assignment,
            environment=dict(self._desk.environment),
            folder=str(self._desk.folder),
        )
        return self

    def begins(self, index: int = 0, process: Running | None = None) -> None:
        """Say that the process of command *index* has started: all tasks run."""
        self._begun.add(index)
        self._ask("begin", index=index, pid=process.pid if process else None)

    def _receive(self, text: str, index: int, is_error: bool) -> None:
        """Give the jobtype *text*, which has no end of a line but at its end."""
        self._ask("output", index=index, text=text, is_error=is_error)

    def exits(self, code: int | None = 0, index: int = 0) -> list[str | None]:
        """End the process of command *index*; the states of the tasks then."""
        self._has_begun(index)
        reason = reason_of(code)
        self._ask("end", index=index, code=reason.exit_code, signal=reason.signal)
        return self.states


def _command(row: Mapping[str, object]) -> CommandData:
    made = CommandData(
        str(row["command"]), **{name: row[name] for name in ("env", "cwd", "user", "group")}
    )
    made.arguments = tuple(_texts(row["arguments"]))
    return made


def _texts(value: object) -> list[str]:
    assert isinstance(value, list)
    return [str(part) for part in value]
