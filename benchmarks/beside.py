"""Rows about reads while the service has other work."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from functools import partial
from pathlib import Path

from benchmarks import data
from benchmarks.load import Figures, Requests, in_turns, median, run_wrk
from benchmarks.reading import SECONDS, version_paths, warm
from benchmarks.rows import Row, row
from benchmarks.servers import Server, constant, running, service
from benchmarks.writing import Pusher, Putter
from gitstore import Store

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
    paths = version_paths(Store(data.repository(data.FARM)).catalogue())
    requests = Requests(where, [(path, "") for path in paths])
    with running(ours), running(bare := constant("bare", ours, paths[0], where)):
        pusher = Pusher(f"{ours.url}/jobtypes.git", where / "clone")
        warm(ours, requests)

        def read(server: Server) -> Figures:
            return run_wrk(server.url, requests, SECONDS, CONNECTIONS)

        def read_beside_writers(server: Server) -> Figures:
            with _writing(ours, pusher):
                return read(server)

        found = in_turns(
            5,
            {
                "idle": partial(read, ours),
                "writing": partial(read_beside_writers, ours),
                "bare, idle": partial(read, bare),
                "bare, writing": partial(read_beside_writers, bare),
            },
        )
    yield _beside("reads-while-writing", found, "idle", "writing", 2)
    # What has nothing but the machine in common with the writers waits for its processors.
    yield _beside("the same of bare", found, "bare, idle", "bare, writing", None)


def _beside(
    name: str, found: dict[str, list[Figures]], calm: str, busy: str, target: float | None
) -> Row:
    idle, beside = median(found[calm]), median(found[busy])
    details: dict[str, object] = {n: [asdict(f) for f in found[n]] for n in (calm, busy)}
    if beside.errors or idle.errors:
        name = f"{name} ({beside.errors + idle.errors} ERRORS)"
    ours, baseline = f"p99 {beside.p99:.2f} ms", f"idle {idle.p99:.2f} ms"
    return Row(name, ours, baseline, beside.p99 / idle.p99, "x", target, False, details)


@row("clone-storm")
def clone_storm(where: Path) -> Iterator[Row]:
    """Fifty clones at once, each coming again where it is told that the service is busy."""
    ours = service(data.repository(data.FARM), where)
    paths = version_paths(Store(data.repository(data.FARM)).catalogue())
    requests = Requests(where, [(path, "") for path in paths])
    storms: list[dict[str, int]] = []
    with running(ours):
        warm(ours, requests)

        def read() -> Figures:
            return run_wrk(ours.url, requests, STORM_SECONDS, CONNECTIONS)

        def read_in_storm() -> Figures:
            storm = Storm(f"{ours.url}/jobtypes.git", where / "clones")
            try:
                return read()
            finally:
                storms.append(storm.end())

        found = in_turns(3, {"idle": read, "storm": read_in_storm}, first=False)
    made = _beside("clone-storm", found, "idle", "storm", 3)
    made.details["storms"] = storms
    yield made


class Storm:
    """Fifty clients that clone, and clone again when they are through, until the end."""

    def __init__(self, url: str, folder: Path) -> None:
        self._url = url
        self._folder = folder
        self._ended = threading.Event()
        self._results: list[int] = []
        self._threads = [threading.Thread(target=self._run, args=(n,)) for n in range(50)]
        for thread in self._threads:
            thread.start()

    def _run(self, number: int) -> None:
        path = self._folder / str(number)
        # In earnest these are other machines; here they should not take the agents' processor,
        # as they would with nice alone, which waits until their slice of time is over.
        command = ["chrt", "--idle", "0", "git", "clone", "--quiet", "--bare"]
        command += [self._url, str(path)]
        environ = {**os.environ, "GIT_TERMINAL_PROMPT": "0"}
        while not self._ended.is_set():
            cloning = subprocess.Popen(command, stderr=subprocess.DEVNULL, env=environ)
            while cloning.poll() is None and not self._ended.wait(0.05):
                pass
            if self._ended.is_set():
                cloning.terminate()
                cloning.wait()
            else:
                self._results.append(cloning.returncode)
                self._ended.wait(random.uniform(0.5, 1.5) if cloning.returncode else 0)
            shutil.rmtree(path, ignore_errors=True)

    def end(self) -> dict[str, int]:
        """Stop the clients; how many clones were made meanwhile, and how many were refused."""
        self._ended.set()
        for thread in self._threads:
            thread.join()
        shutil.rmtree(self._folder, ignore_errors=True)
        refused = sum(map(bool, self._results))
        return {"made": len(self._results) - refused, "refused": refused}
