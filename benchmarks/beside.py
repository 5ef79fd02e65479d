"""Rows about reads while the service has other work."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict
from functools import partial
from pathlib import Path

from benchmarks import data
from benchmarks.load import Figures, Requests, in_turns, median, run_wrk
from benchmarks.reading import ROUNDS, SECONDS, version_paths, warm
from benchmarks.rows import Row, row
from benchmarks.servers import Server, constant, running, service
from benchmarks.writing import Pusher, Putter
from gitstore.branch.store import Store

CONNECTIONS = 4
"""Of the agents: few, so that it is not they who fill the machine."""
STORM_SECONDS = 8


@contextmanager
def _writing(server: Server, pusher: Pusher) -> Iterator[None]:
    """Four clients that PUT and one that pushes, without pause."""
    done = threading.Event()

    def put(seed: int) -> None:
        putter = Putter(server, seed)
        while not done.is_set():
            putter.put()

    threads = [threading.Thread(target=put, args=(seed,)) for seed in range(4)]
    threads.append(threading.Thread(target=pusher.keep_pushing, args=(done,)))
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        done.set()
        for thread in threads:
            thread.join()


@row("reads-while-writing")
def reads_while_writing(where: Path) -> Iterator[Row]:
    ours = service(data.copy(data.FARM, where), where)
    with running(ours):
        pusher = Pusher(f"{ours.url}/jobtypes.git", where / "clone")
        yield from _beside(
            "reads-while-writing", where, ours, lambda: _writing(ours, pusher), SECONDS
        )


@contextmanager
def _storm(
    server: Server, folder: Path, processors: set[int], storms: list[dict[str, int]]
) -> Iterator[None]:
    """Fifty clones at once, each retried when the service says that it is busy."""
    storm = Storm(f"{server.url}/jobtypes.git", folder, processors)
    try:
        yield
    finally:
        storms.append(storm.end())


@contextmanager
def _half_of_processors() -> Iterator[set[int]]:
    """What is started meanwhile has one half of the processors, the other one is given."""
    every = os.sched_getaffinity(0)
    mine = set(sorted(every)[: len(every) // 2])
    if not mine:
        raise SystemExit("clone-storm needs two processors: one is the clients' own")
    os.sched_setaffinity(0, mine)
    try:
        yield every - mine
    finally:
        os.sched_setaffinity(0, every)


@row("clone-storm")
def clone_storm(where: Path) -> Iterator[Row]:
    """In earnest those who clone are other machines, so here they have processors of their own."""
    storms: list[dict[str, int]] = []
    with _half_of_processors() as theirs:
        ours = service(data.repository(data.FARM), where)

        def storm() -> AbstractContextManager[None]:
            return _storm(ours, where / "clones", theirs, storms)

        with running(ours):
            for made in _beside("clone-storm", where, ours, storm, STORM_SECONDS):
                made.details["storms"] = storms
                yield made


def _beside(
    name: str,
    where: Path,
    ours: Server,
    work: Callable[[], AbstractContextManager[None]],
    seconds: float,
) -> Iterator[Row]:
    """How much slower *ours* is read during *work* of its own, and how much a constant is.

    What has nothing but the machine in common with that work waits for its processors. Ours may
    suffer twice as much.
    """
    paths = version_paths(Store(data.repository(data.FARM)).catalogue())
    requests = Requests(where, [(path, "") for path in paths])
    with running(bare := constant("bare", ours, paths[0], where)):
        warm(ours, requests)

        def read(server: Server) -> Figures:
            return run_wrk(server.url, requests, seconds, CONNECTIONS)

        def read_beside(server: Server) -> Figures:
            with work():
                return read(server)

        found = in_turns(
            ROUNDS,
            {
                "ours, idle": partial(read, ours),
                "ours, busy": partial(read_beside, ours),
                "bare, idle": partial(read, bare),
                "bare, busy": partial(read_beside, bare),
            },
        )
    bare_row = _slowed(f"{name}, bare", found, "bare", None)
    yield _slowed(name, found, "ours", 2 * bare_row.figure)
    yield bare_row


def _slowed(name: str, found: dict[str, list[Figures]], whose: str, target: float | None) -> Row:
    calm, loaded = found[f"{whose}, idle"], found[f"{whose}, busy"]
    idle, busy = median(calm), median(loaded)
    details: dict[str, object] = {
        "idle": [asdict(f) for f in calm],
        "busy": [asdict(f) for f in loaded],
    }
    if busy.errors or idle.errors:
        name = f"{name} ({busy.errors + idle.errors} ERRORS)"
    ours, baseline = f"p99 {busy.p99:.2f} ms", f"idle {idle.p99:.2f} ms"
    return Row(name, ours, baseline, busy.p99 / idle.p99, "x", target, False, details)


class Storm:
    """Fifty clients that clone, and clone again when they are through, until the end."""

    def __init__(self, url: str, folder: Path, processors: set[int]) -> None:
        self._url = url
        self._folder = folder
        self._processors = processors
        self._ended = threading.Event()
        self._results: list[int] = []
        self._cloning: dict[int, subprocess.Popen[bytes]] = {}
        self._threads = [threading.Thread(target=self._run, args=(n,)) for n in range(50)]
        for thread in self._threads:
            thread.start()

    def _run(self, number: int) -> None:
        path = self._folder / str(number)
        os.sched_setaffinity(0, self._processors)  # This thread's, and that of what it starts.
        command = ["git", "clone", "--quiet", "--bare", "--template=", self._url, str(path)]
        environ = {**os.environ, "GIT_TERMINAL_PROMPT": "0"}
        while not self._ended.is_set():
            cloning = subprocess.Popen(command, stderr=subprocess.DEVNULL, env=environ)
            self._cloning[number] = cloning
            cloning.wait()
            if not self._ended.is_set():
                self._results.append(cloning.returncode)
                self._ended.wait(random.uniform(0.5, 1.5) if cloning.returncode else 0)
            shutil.rmtree(path, ignore_errors=True)

    def end(self) -> dict[str, int]:
        """Stop the clients; how many clones were made meanwhile, and how many were refused."""
        self._ended.set()
        for cloning in list(self._cloning.values()):
            cloning.terminate()
        for thread in self._threads:
            thread.join()
        shutil.rmtree(self._folder, ignore_errors=True)
        refused = sum(map(bool, self._results))
        return {"made": len(self._results) - refused, "refused": refused}
