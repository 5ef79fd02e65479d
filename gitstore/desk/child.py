"""The process in which a jobtype's code runs: an order on standard input, messages on the output.

What the code itself prints goes to standard error.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import TextIO

from gitstore.desk.command_data import CommandData
from gitstore.desk.executing import execute, kill_all
from gitstore.desk.loading import CodeFault, Source
from gitstore.desk.observed import Observed
from gitstore.desk.runner import runner
from gitstore.desk.standin import Broke, Desk, Event, Logged, Misuse, Progress, State, Task
from gitstore.errors import BadRequest


class Child:
    """Runs an order's assignments, and says what came of it as lines of JSON on *output*."""

    def __init__(self, order: Mapping[str, object], output: TextIO) -> None:
        self._order = order
        self._output = output
        self._line: int | None = None
        self._assignment = 0

    def say(self, kind: str, **values: object) -> None:
        """Print one message."""
        values = {"kind": kind, "assignment": self._assignment, "line": self._line, **values}
        self._output.write(json.dumps(_plain(values)) + "\n")
        self._output.flush()

    def run(self) -> None:
        """Run the assignments one after another."""
        order = self._order
        source = order["source"]
        assignments = order["assignments"]
        environment = order["environment"]
        assert isinstance(source, dict)
        assert isinstance(assignments, list)
        assert isinstance(environment, dict)
        desk = Desk(environment, Path(str(order["folder"])), self._report)
        python = order["python"]
        with runner(None if python is None else str(python)) as run:
            for index, assignment in enumerate(assignments):
                self._assignment, self._line = index, None
                tried = run(Source(**source), assignment, desk)
                try:
                    self._run_one(tried)
                except CodeFault as fault:
                    self.say("error", text=str(fault))
                self.say("data", read=sorted(tried.data.read), missed=sorted(tried.data.missed))

    def _run_one(self, assignment: Observed) -> None:
        """Ask for its commands, and feed it with the output of a file, or of its processes."""
        assignment.start()
        self.say("commands", commands=[described(c) for c in assignment.commands])
        output = self._order["output"]
        processes = range(len(assignment.commands))
        if isinstance(output, list):
            for index in processes:
                assignment.begins(index)
            # It is the output of the first process; the others print nothing.
            for number, line in enumerate(output if processes else [], 1):
                self._line = number
                assignment.prints(line)
            self._line = None
            for index in processes:
                assignment.exits(0, index)
            self.say("verdict", states=assignment.states)
        elif self._order["execute"]:
            execute(
                assignment,
                lambda text: self.say("output", text=text),
                lambda text: self.say("error", text=text),
            )
            self.say("verdict", states=assignment.states)

    def _report(self, event: Event) -> None:
        if isinstance(event, Progress):
            self.say("progress", fraction=event.fraction, **_place(event.task))
        elif isinstance(event, State):
            self.say("state", state=event.state or "queued", **_place(event.task))
        elif isinstance(event, Misuse):
            self.say("misuse", text=event.message)
        elif isinstance(event, Broke):
            self.say("error", text=event.message)
        else:
            assert isinstance(event, Logged)


def _place(task: Task) -> dict[str, object]:
    """Where *task* is. A jobtype may report one of its own making."""
    return {name: _whole(task.get(name)) for name in ("frame", "tile")}


def _whole(value: object) -> int | None:
    """*value* if it is a whole number, of a size that frames have."""
    if not isinstance(value, int | float) or not abs(value) < 2**53:
        return None
    return int(value) if value == int(value) else None


def as_text(value: str) -> str:
    """*value* with what is no text escaped: the system's words and the code's may be any bytes."""
    return value.encode(errors="backslashreplace").decode()


def _plain(value: object) -> object:
    """*value*, in which all strings are text."""
    if isinstance(value, str):
        return as_text(value)
    if isinstance(value, dict):
        return {_plain(key): _plain(inner) for key, inner in value.items()}
    return [_plain(inner) for inner in value] if isinstance(value, list | tuple) else value


def described(command: CommandData) -> dict[str, object]:
    """*command* as a message has it."""
    env = command.env
    assert isinstance(env, dict)
    cwd, user, group = (
        None if value is None else as_text(str(value))
        for value in (command.cwd, command.user, command.group)
    )
    return {
        "command": as_text(command.command),
        "arguments": list(map(as_text, command.arguments)),
        "env": {as_text(str(name)): as_text(str(value)) for name, value in env.items()},
        "cwd": cwd,
        "user": user,
        "group": group,
    }


_ENDS = tuple(
    getattr(signal, name)
    for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT")
    if hasattr(signal, name)  # Windows lacks the last two.
)


def _end(*signalled: object) -> None:
    """End, and with it the commands that run; a second signal must not come between."""
    for number in _ENDS:
        signal.signal(number, lambda *again: None)
    # Here, for Python drops an exception that comes while it collects garbage.
    kill_all()
    sys.exit(1)


def _end_with(orderer: int) -> None:
    """Wait until *orderer*, a pipe, closes: the process that ordered this has ended. End then."""
    while os.read(orderer, 1):
        pass
    if os.name == "posix":
        os.kill(os.getpid(), signal.SIGTERM)  # The main thread may be about to start a command.
    else:
        kill_all()
        os._exit(1)


def main() -> None:
    """Read the order, which is a line, and run it."""
    for number in _ENDS:
        # What nohup starts outlives its terminal.
        if number == signal.SIGINT or signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _end)
    order = json.loads(sys.stdin.buffer.readline())
    # What the code starts by itself reads nothing.
    orderer = os.dup(0)
    with open(os.devnull, "rb") as nothing:
        os.dup2(nothing.fileno(), 0)
    threading.Thread(target=_end_with, args=(orderer,), daemon=True).start()
    # What the code prints, or a process that it starts by itself, is no message of ours.
    output = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    child = Child(order, output)
    try:
        child.run()
    except BadRequest as error:
        child.say("refused", text=str(error))


if __name__ == "__main__":
    main()
