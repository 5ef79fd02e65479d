"""The workers as the process that started them sees them: who died or hangs, and what then."""

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
"""How often the workers are looked at."""

BEAT_S = 1.0
"""How often a worker says that it goes on."""

SILENT_S = 60.0
"""How long a worker may say nothing until it is taken to hang.

No machine is so busy that a thread gets no turn that long; code that holds the interpreter's
lock may keep it for seconds.
"""

STOPPED_S = 5.0
"""How long a worker may be stopped (SIGSTOP) until another takes its place."""

STABLE_S = 60.0
"""How long a worker must have gone on for its death to be the first one again."""

LONGEST_PAUSE_S = 30.0
"""How long it takes at most until a worker that died again and again gets a successor."""

_SUSPENDED_S = 5.0
"""By how much a look must be late for this process to have been stopped itself."""


class Pulse:
    """What all workers write into, in memory that they share with the process that looks."""

    def __init__(self, workers: int) -> None:
        self._beats = RawArray("L", workers)
        self._ready = RawArray("L", workers)

        self._is_stuck: Callable[[], bool] = lambda: False

    def start(self, index: int) -> None:
        """Have a thread of worker *index* beat from now on."""
        threading.Thread(target=self._run, args=(index,), name="pulse", daemon=True).start()

    def _run(self, index: int) -> None:
        while True:
            self.beat(index)
            time.sleep(BEAT_S)

    def beat(self, index: int) -> None:
        """Say that worker *index* goes on, unless its threads are stuck."""
        if not self._is_stuck():
            self._beats[index] += 1

    def stop_where(self, is_stuck: Callable[[], bool]) -> None:
        """Say no more of this worker while *is_stuck* is true, which another thread can tell."""
        self._is_stuck = is_stuck

    def say_ready(self, index: int) -> None:
        """Say that worker *index* has loaded all that it needs."""
        self._ready[index] = 1

    def beats(self, index: int) -> int:
        """How often worker *index*, and those before it in its place, did beat."""
        return int(self._beats[index])

    def was_ready(self, index: int) -> bool:
        """Whether a worker in place *index* ever was ready."""
        return bool(self._ready[index])

    def any_was_ready(self) -> bool:
        """Whether any worker ever was ready."""
        return any(self._ready)


class Place:
    """The place of one worker: the one that has it now, and how those before it fared.

    Times are those of time.monotonic, which does not move while the machine sleeps.
    """

    def __init__(self, now: float) -> None:
        self.due: float | None = None
        self._deaths = 0
        self.begin(now)

    def begin(self, now: float) -> None:
        """A worker begins."""
        self.due = None
        self._began = now
        self.count_again(now)

    def count_again(self, now: float) -> None:
        """Forget what was heard, or not, before *now*."""
        self._heard = now
        self._beats = -1
        self._stopped: float | None = None

    def die(self, now: float) -> float:
        """The worker died; in how many seconds the next one is due.

        At once after one that went on for long, else after a pause, twice as long each time.
        """
        if now - self._began >= STABLE_S:
            self._deaths = 0
        pause_s = min(LONGEST_PAUSE_S, 2.0 ** (self._deaths - 1)) if self._deaths else 0.0
        # Beyond that, twice as long is no longer than the longest.
        self._deaths = min(self._deaths + 1, 16)
        self.due = now + pause_s
        return pause_s

    def fault(self, now: float, beats: int, is_stopped: bool) -> str:
        """Why the worker must be killed, as of *now*; empty where it goes on."""
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
    """Tells when a worker has to be killed, and when one has to be started."""

    def __init__(self, pulse: Pulse, workers: int) -> None:
        now = time.monotonic()
        self._pulse = pulse
        self._places = [Place(now) for _ in range(workers)]
        self._looked = now
        self._gave_up = False
        self._killed: set[int] = set()

    def tell_death(self, index: int, pid: int | None, status: int) -> None:
        """Note, and log, that the worker in place *index* ended with that exit status."""
        pause_s = self._places[index].die(time.monotonic())
        self._gave_up = self._gave_up or status >= 0
        how = "was killed, as it hung" if index in self._killed else cause(status)
        self._killed.discard(index)
        when = f"in {pause_s:.0f} s" if pause_s else "now"
        _LOG.error("worker-%d (process %s) %s; another begins %s", index + 1, pid, how, when)

    def is_hopeless(self) -> bool:
        """Whether, at the start of the service, all workers died, and not all by a signal.

        That is no accident: a setting perhaps, or the port.
        """
        return self._gave_up and self._all_died() and not self._pulse.any_was_ready()

    def _all_died(self) -> bool:
        return all(place.due is not None for place in self._places)

    def due(self) -> list[int]:
        """The places where a worker is to begin now, which are taken from now on."""
        if not (self._pulse.any_was_ready() or self._all_died()):
            return []  # Whether any can begin will show.
        now = time.monotonic()
        found = [i for i, place in enumerate(self._places) if place.due and place.due <= now]
        for index in found:
            self._places[index].begin(now)
        return found

    def begin_all(self) -> None:
        """All workers were replaced by others."""
        now = time.monotonic()
        for place in self._places:
            place.begin(now)

    def hanging(self, pids: list[int | None]) -> list[int]:
        """The places of workers that hang, after saying so; *pids* are those of all places."""
        now = time.monotonic()
        if now - self._looked > LOOK_S + _SUSPENDED_S:
            # This process was stopped, and the workers with it perhaps.
            for place in self._places:
                place.count_again(now)
        self._looked = now
        found = []
        for index, (place, pid) in enumerate(zip(self._places, pids, strict=True)):
            if place.due is None and pid is not None:
                fault = place.fault(now, self._pulse.beats(index), _is_stopped(pid))
                if fault:
                    _LOG.error("worker-%d (process %d) %s; it is killed", index + 1, pid, fault)
                    self._killed.add(index)
                    found.append(index)
        return found


def cause(status: int) -> str:
    """In words, how a process ended whose exit status is *status*, as multiprocessing has it."""
    if status >= 0:
        return f"ended with status {status}"
    name = str(-status)
    with suppress(ValueError):
        name = signal.Signals(-status).name
    why = ", perhaps because memory ran out" if -status == signal.SIGKILL else ""
    return f"was killed by {name}{why}"


def _is_stopped(pid: int) -> bool:
    """Whether a signal has stopped the process; False where nobody can tell (no /proc)."""
    try:
        # The command, which stands before it in brackets, may have some itself.
        fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    except OSError:
        return False
    return fields[:1] == [b"T"]
