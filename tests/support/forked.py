"""Services that are forked off a process which has imported all that serving needs.

Python's start and the imports are most of what a service costs to start, and are the same each
time. What runs is the command ``jobtypes serve`` itself, with its own workers, port and log.
"""

from __future__ import annotations

import atexit
import gc
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

from tests.support.project import ROOT

MODULES = ("api.cli.main", "api.cli.serving", "api.cli.starting", "api.server.serve")
"""What ``jobtypes serve`` imports before it forks its workers."""

_AT_START = ("LD_", "PYTHON")
"""How the variables begin that act only while a program starts."""


class Forked:
    """A process that somebody else started, with the methods of ``subprocess.Popen``."""

    def __init__(self, starter: Starter, pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._starter = starter
        self._lock = threading.Lock()
        self._end = os.pidfd_open(pid)

    def poll(self) -> int | None:
        """The exit status, as Popen has it; None while it runs."""
        return self._status(0)

    def wait(self, timeout: float | None = None) -> int:
        """The exit status, once it has ended."""
        status = self._status(timeout)
        if status is None:
            raise subprocess.TimeoutExpired("serve", timeout or 0)
        return status

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            signal.pidfd_send_signal(self._end, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def _status(self, timeout_s: float | None) -> int | None:
        with self._lock:
            if self.returncode is None and self._has_ended(timeout_s):
                os.close(self._end)
                self.returncode = self._starter.ask({"ended": self.pid})
        return self.returncode

    def _has_ended(self, timeout_s: float | None) -> bool:
        end = select.poll()
        end.register(self._end, select.POLLIN)
        return bool(end.poll(None if timeout_s is None else timeout_s * 1000))


class Starter:
    """The process that services are forked off, as those see it who need one."""

    def __init__(self) -> None:
        self._channel, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._lock = threading.Lock()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", __name__, str(theirs.fileno())],
                stdout=subprocess.DEVNULL,
                cwd=ROOT,
                pass_fds=[theirs.fileno()],
            )
        atexit.register(self._end)

    def _end(self) -> None:
        # It ends when nobody can order any more, however this process ends.
        self._channel.close()
        self._process.wait()

    def start(self, words: list[str], log: int) -> Forked:
        """The process of ``jobtypes <words>``, which writes to the descriptor *log*."""
        order = {"words": words, "variables": dict(os.environ), "folder": str(Path.cwd())}
        return Forked(self, self.ask(order, log))

    def ask(self, order: Mapping[str, object], *fds: int) -> int:
        """The number that the process answers to *order*."""
        with self._lock:
            socket.send_fds(self._channel, [json.dumps(order).encode()], fds)
            return int(self._channel.recv(100))


@cache
def _starter() -> Starter:
    return Starter()


_VARIABLES = {key: value for key, value in os.environ.items() if key.startswith(_AT_START)}


def start_jobtypes(words: list[str], log: int) -> Forked | subprocess.Popen[bytes]:
    """A process of ``jobtypes <words>``, which writes to the descriptor *log*."""
    variables = {key: value for key, value in os.environ.items() if key.startswith(_AT_START)}
    if sys.platform == "linux" and variables == _VARIABLES:
        return _starter().start(words, log)
    command = [sys.executable, "-m", "api", *words]
    return subprocess.Popen(command, stdout=log, stderr=log)


def _next_service(channel: socket.socket) -> dict[str, Any] | None:
    """In the process of a new service what was ordered; None when nobody orders any more."""
    while True:
        data, fds, _, _ = socket.recv_fds(channel, 1 << 20, 1)
        if not data:
            return None
        order: dict[str, Any] = json.loads(data)
        if "ended" in order:
            answer = os.waitstatus_to_exitcode(os.waitpid(order["ended"], 0)[1])
        else:
            answer = os.fork()
            if answer == 0:
                channel.close()
                _enter(order, fds[0])
                return order
            os.close(fds[0])
        channel.send(str(answer).encode())


def _enter(order: Mapping[str, Any], log: int) -> None:
    """Let this process be as if it had been started that way."""
    os.environ.clear()
    os.environ.update(order["variables"])
    os.chdir(order["folder"])
    for output in (1, 2):
        os.dup2(log, output)
    os.close(log)


def main(channel: socket.socket) -> None:
    for module in MODULES:
        import_module(module)
    gc.freeze()  # What is here stays, and is shared with the services as long as it is not visited.
    order = _next_service(channel)
    if order is not None:
        from api.cli.main import main as jobtypes

        jobtypes(order["words"], prog_name="jobtypes")


if __name__ == "__main__":
    main(socket.socket(fileno=int(sys.argv[1])))
