"""The workers as their parent process sees them: which died or hang, and what follows."""

from __future__ import annotations

import logging
import signal
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.sharedctypes import RawArray
from pathlib import Path

_LOG = logging.getLogger(__name__)

LOOK_S = 0.5
"""How often the parent looks at the workers."""

BEAT_S = 1.0
"""How often a worker shows that it runs."""

SILENT_S = 60.0
"""How long a worker may be silent until it counts as hanging.

No machine is so busy that a thread gets no turn for that long. Code that holds the interpreter's
lock may keep it for seconds.
"""

STOPPED_S = 5.0
"""How long a worker may be stopped (SIGSTOP) until another replaces it."""

STABLE_S = 60.0
"""After running for that long, a worker's death counts as the first one again."""

LONGEST_PAUSE_S = 30.0
"""The longest pause before a worker that died again and again is replaced."""

_SUSPENDED_S = 5.0
"""If a look is late by that much, the parent process itself was stopped."""


class Pulse:
    """The workers' signs of life, in memory that they share with their parent."""

    def __init__(self, workers: int) -> None:
        self._beats = RawArray("L", workers)
        self._ready = RawArray("L", workers)
        self._deaths = RawArray("L", workers)
        self._is_stuck: Callable[[], bool] = lambda: False

    def start(self, index: int) -> bool:
        """Start a thread that beats for worker *index*; whether it replaces one that died."""
        threading.Thread(target=self._run, args=(index,), name="pulse", daemon=True).start()
        deaths, self._deaths[index] = self._deaths[index], 0
        return bool(deaths)

    def record_death(self, index: int) -> None:
        """Record that worker *index* died, for the one that replaces it."""
        self._deaths[index] += 1

    def _run(self, index: int) -> None:
        while True:
            self.beat(index)
            time.sleep(BEAT_S)

    def beat(self, index: int) -> None:
        """Show that worker *index* runs, unless its threads are stuck."""
        if not self._is_stuck():
            self._beats[index] += 1

    def stop_where(self, is_stuck: Callable[[], bool]) -> None:
        """Stop beating for this worker while *is_stuck* is true. Any thread can call it."""
        self._is_stuck = is_stuck

    def set_ready(self, index: int) -> None:
        """Show that worker *index* has loaded everything."""
        self._ready[index] = 1

    def beats(self, index: int) -> int:
        """How often worker *index* has beaten, with the workers before it in the same slot."""
        return int(self._beats[index])

    def any_was_ready(self) -> bool:
        """Whether any worker was ever ready."""
        return any(self._ready)


class Slot:
    """The slot of one worker: the worker in it, and the deaths of those before it.

    Times are those of time.monotonic, which stands still while the machine sleeps.
    """

    def __init__(self, now: float) -> None:
        self.due: float | None = None
        self._deaths = 0
        self.start(now)

    def start(self, now: float) -> None:
        """A worker starts."""
        self.due = None
        self._started = now
        self.forget(now)

    def forget(self, now: float) -> None:
        """Forget all signs of life, and all silence, before *now*."""
        self._heard = now
        self._beats = -1
        self._stopped: float | None = None

    def die(self, now: float) -> float:
        """The worker died; returns the seconds until the next one starts.

        It starts at once if the worker ran for long. Else the pause doubles each time.
        """
        if now - self._started >= STABLE_S:
            self._deaths = 0
        pause_s = min(LONGEST_PAUSE_S, 2.0 ** (self._deaths - 1)) if self._deaths else 0.0
        # Beyond 16, the pause has reached its limit.
        self._deaths = min(self._deaths + 1, 16)
        self.due = now + pause_s
        return pause_s

    def fault(self, now: float, beats: int, is_stopped: bool) -> str:
        """Why the worker must be killed at *now*; empty if it runs well."""
        if beats != self._beats:
            self._beats, self._heard = beats, now
        if not is_stopped:
            self._stopped = None
        elif self._stopped is None:
            self._stopped = now
        if self._stopped is not None and now - self._stopped >= STOPPED_S:
            return f"was stopped by a signal {STOPPED_S:.0f} s ago"
        if now - self._heard >= SILENT_S:
            return f"has said nothing for {SILENT_S:.0f} s"
        return ""


class Watcher:
    """Decides which workers to kill, and when to start others."""

    def __init__(self, pulse: Pulse, workers: int) -> None:
        now = time.monotonic()
        self._pulse = pulse
        self._slots = [Slot(now) for _ in range(workers)]
        self._looked = now
        self._gave_up = False
        self._killed: set[int] = set()

    def record_death(self, index: int, pid: int | None, status: int) -> None:
        """Record and log that the worker in slot *index* ended with exit status *status*."""
        pause_s = self._slots[index].die(time.monotonic())
        self._pulse.record_death(index)
        self._gave_up = self._gave_up or status >= 0
        how = "was killed, as it hung" if index in self._killed else cause(status)
        self._killed.discard(index)
        when = f"in {pause_s:.0f} s" if pause_s else "now"
        _LOG.error("worker-%d (process %s) %s; another begins %s", index + 1, pid, how, when)

    def is_hopeless(self) -> bool:
        """Whether no worker was ever ready, all died, and not all by a signal.

        Then something is wrong with a setting, perhaps, or with the port.
        """
        return self._gave_up and self._all_died() and not self._pulse.any_was_ready()

    def _all_died(self) -> bool:
        return all(slot.due is not None for slot in self._slots)

    def due(self) -> list[int]:
        """The slots where a worker must start now, which count as taken from now on."""
        if not (self._pulse.any_was_ready() or self._all_died()):
            return []  # First it must be clear that any worker can start.
        now = time.monotonic()
        due = [i for i, slot in enumerate(self._slots) if slot.due and slot.due <= now]
        for index in due:
            self._slots[index].start(now)
        return due

    def start_all(self) -> None:
        """All workers were replaced."""
        now = time.monotonic()
        for slot in self._slots:
            slot.start(now)

    def hanging(self, pids: list[int | None]) -> list[int]:
        """The slots whose workers hang, which are logged; *pids* has the process of each slot."""
        now = time.monotonic()
        if now - self._looked > LOOK_S + _SUSPENDED_S:
            # This process was stopped, and perhaps the workers with it.
            for slot in self._slots:
                slot.forget(now)
        self._looked = now
        hanging = []
        for index, (slot, pid) in enumerate(zip(self._slots, pids, strict=True)):
            if slot.due is None and pid is not None:
                fault = slot.fault(now, self._pulse.beats(index), _is_stopped(pid))
                if fault:
                    _LOG.error("worker-%d (process %d) %s; it is killed", index + 1, pid, fault)
                    self._killed.add(index)
                    hanging.append(index)
        return hanging


def cause(status: int) -> str:
    """How a process ended, in words, from its exit status in multiprocessing's form."""
    if status >= 0:
        return f"ended with status {status}"
    name = str(-status)
    with suppress(ValueError):
        name = signal.Signals(-status).name
    why = ", perhaps because memory ran out" if -status == signal.SIGKILL else ""
    return f"was killed by {name}{why}"


def _is_stopped(pid: int) -> bool:
    """Whether a signal has stopped the process; False on systems without /proc."""
    try:
        # The command comes before it, in brackets, and may contain brackets itself.
        fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    except OSError:
        return False
    return fields[:1] == [b"T"]
