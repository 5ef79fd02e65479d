"""What the command run prints of a jobtype that is tried."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import click

from gitstore.desk.child import as_text
from gitstore.desk.jobs import frames_text
from gitstore.desk.process import Message, Order
from gitstore.desk.shell import shell_line
from gitstore.format.layout import escaped


class Printer:
    """Prints the messages about the assignments whose tasks are *made*."""

    def __init__(self, made: Sequence[Sequence[Mapping[str, object]]], order: Order) -> None:
        self._environment = {as_text(n): as_text(v) for n, v in order.environment.items()}
        self._names = [frames_text(tasks) for tasks in made]
        self._tasks = made
        self._order = order
        self._errors: dict[str, list[str]] = {}
        self._read: set[str] = set()
        self._missed: set[str] = set()
        self.is_good = True
        self._shows: Mapping[str, Callable[[Message], None]] = {
            "commands": self._commands,
            "data": self._data,
            "error": self._error,
            "misuse": self._misuse,
            "output": lambda message: click.echo(escaped(message.text)),
            "progress": self._progress,
            "state": self._state,
            "verdict": self._verdict,
        }

    def show(self, message: Message) -> None:
        """Print *message*, or keep it for the end."""
        self._shows[message.kind](message)

    def close(self) -> None:
        """Print what is known only at the end: what of the data was read, and the errors."""
        if self._read:
            click.echo(f"data read: {_listed(self._read)}", err=True)
        if self._missed:
            click.echo(f"data asked for, but not given: {_listed(self._missed)}", err=True)
        if unread := set(self._order_data()) - self._read:
            click.echo(f"data given, but not read: {_listed(unread)}", err=True)
        for text, names in self._errors.items():
            more = f" (and {len(names) - 1} more assignments)" if len(names) > 1 else ""
            click.echo(f"jobtypes: {names[0]}{more}: {escaped(text)}", err=True)

    def _order_data(self) -> Mapping[str, object]:
        job = self._order.assignments[0]["job"]
        assert isinstance(job, dict)
        data = job["data"]
        assert isinstance(data, dict)
        return data

    def _commands(self, message: Message) -> None:
        count = len(message.commands)
        several = f", {count} processes" if count != 1 else ""
        click.echo(f"# {self._names[message.assignment]}{several}", err=True)
        for command in message.commands:
            click.echo(escaped(shell_line(command, self._environment)))
            if command.user or command.group:
                who = f"user {command.user or '-'}, group {command.group or '-'}"
                click.echo(f"# the agent runs this as {escaped(who)}", err=True)

    def _data(self, message: Message) -> None:
        self._read |= set(message.read)
        self._missed |= set(message.missed)

    def _error(self, message: Message) -> None:
        self.is_good = False
        where = "" if message.line is None else f"line {message.line} of the log: "
        names = self._errors.setdefault(f"{where}{message.text}", [])
        names.append(self._names[message.assignment])

    def _misuse(self, message: Message) -> None:
        self.is_good = False
        click.echo(
            f"{_where(message)}the agent would refuse this: {escaped(message.text)}", err=True
        )

    def _progress(self, message: Message) -> None:
        click.echo(f"{_where(message)}{_task(message)}: {message.fraction:.0%}", err=True)

    def _state(self, message: Message) -> None:
        # What the base class says of all tasks at the start and the end is in the verdict.
        if message.state != "running" and (message.line or self._order.execute):
            click.echo(f"{_where(message)}{_task(message)}: {message.state}", err=True)

    def _verdict(self, message: Message) -> None:
        tasks = self._tasks[message.assignment]
        groups: dict[str, list[Mapping[str, object]]] = {}
        for task, state in zip(tasks, message.states, strict=True):
            groups.setdefault(state or "queued", []).append(task)
        parts = [f"{frames_text(group)}: {state}" for state, group in groups.items()]
        given = " (for the exit code 0)" if self._order.output is not None else ""
        click.echo(f"verdict{given}: {'; '.join(parts)}", err=True)
        if set(groups) != {"done"}:
            self.is_good = False


def _listed(names: set[str]) -> str:
    return escaped(", ".join(sorted(names)))


def _where(message: Message) -> str:
    return "" if message.line is None else f"line {message.line}: "


def _task(message: Message) -> str:
    tile = "" if message.tile is None else f" tile {message.tile}"
    frame = "a task without a frame" if message.frame is None else f"frame {message.frame}"
    return f"{frame}{tile}"
