"""What a jobtype learns of a process: the protocol that speaks to it, and how it ended."""

from __future__ import annotations

import sys
import types
import uuid
from dataclasses import dataclass
from typing import Protocol as Interface

TWISTED = "twisted.internet.error"
"""The module in which jobtypes look for the exceptions below."""


class ProcessDone(Exception):
    """A process that ended with exit code 0; Twisted's has this name."""


class ProcessTerminated(Exception):
    """A process that ended otherwise; Twisted's has this name."""


End = type[BaseException]
"""A kind of end: ProcessDone or ProcessTerminated, ours or Twisted's."""


@dataclass(frozen=True)
class Reason:
    """How a process ended, as the agent says it: an exit code, or the number of a signal."""

    exit_code: int | None
    signal: int | None = None

    @property
    def type(self) -> End:
        """The kind of end: Twisted's own class where the jobtype has imported Twisted."""
        own = ProcessDone if self.exit_code == 0 else ProcessTerminated
        kind: End = getattr(sys.modules.get(TWISTED), own.__name__, own)
        return kind

    @property
    def value(self) -> types.SimpleNamespace:
        """The end's own exception, as far as jobtypes look at it."""
        status = self.signal or (self.exit_code or 0) << 8
        return types.SimpleNamespace(exitCode=self.exit_code, signal=self.signal, status=status)

    def check(self, *kinds: End) -> End | None:
        """The one of *kinds* that this is, None if none is."""
        return next((kind for kind in kinds if issubclass(self.type, kind)), None)


def reason_of(code: int | None) -> Reason:
    """How a process ended: with an exit code, by signal -*code*, or killed if None."""
    if code is None:
        return Reason(None, 9)
    return Reason(code) if code >= 0 else Reason(None, -code)


class Running(Interface):
    """A process that runs on this machine."""

    pid: int

    def kill(self) -> None:
        """Kill it."""

    def terminate(self) -> None:
        """Ask it to end."""

    def send_signal(self, sig: int, /) -> None:
        """Send it a signal."""


class ProcessProtocol:
    """What stands for the agent's connection to a process, which need not run."""

    def __init__(self, jobtype: object) -> None:
        self.jobtype = jobtype
        self.uuid = uuid.uuid4()
        self.id: object = None
        self.process: Running | None = None

    @property
    def pid(self) -> int | None:
        """The number of the process, None where none runs."""
        return self.process.pid if self.process else None

    def running(self) -> bool:
        """Whether the process runs."""
        return self.process is not None

    def kill(self) -> None:
        """Kill the process."""
        if self.process:
            self.process.kill()

    def terminate(self) -> None:
        """Ask the process to end."""
        if self.process:
            self.process.terminate()

    def interrupt(self) -> None:
        """Interrupt the process."""
        if self.process:
            self.process.send_signal(2)


@dataclass(frozen=True, slots=True)
class ProcessData:
    """A process that has not ended, as the agent's class keeps it."""

    protocol: ProcessProtocol
    started: object = None
    stopped: object = None
