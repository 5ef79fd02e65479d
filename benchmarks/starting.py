"""Rows about starts, and what a repository's growth costs."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from benchmarks import data
from benchmarks.reading import resident_mb
from benchmarks.rows import Row, row
from benchmarks.servers import running, service
from gitstore.branch.store import Store

LOG = ("log", "--first-parent", "--raw", "-t", "--no-renames")
_BUILD = """
import sys, time
from pathlib import Path
from gitstore.branch.store import Store
store = Store(Path(sys.argv[1]))
began = time.perf_counter()
history = store.served.build(store.repository.tip(store.ref)).history
print(time.perf_counter() - began, history.counters.steps)
"""
_WORKER = """
import os, sys, tempfile
from pathlib import Path
os.environ["PROMETHEUS_MULTIPROC_DIR"] = tempfile.mkdtemp()
import granian.server
from api.config import PREFIX, Config
from api.server import serve
from api.server.workers import Pulse
application = serve._load(Config(Path(sys.argv[1]), access_log=False), Pulse(1), False)
environ = {"REQUEST_METHOD": "GET", "PATH_INFO": f"{PREFIX}/jobtypes/Job00001/versions/1",
           "SERVER_NAME": "", "SERVER_PORT": "", "wsgi.url_scheme": "http", "wsgi.input": None,
           "SERVER_PROTOCOL": "HTTP/1.1", "HTTP_HOST": "localhost"}
said = []
body = b"".join(application(environ, lambda status, headers, exc_info=None: said.append(status)))
assert said == ["200 OK"], said
"""
_IMPORTS = "import prometheus_client, api.app, api.cache.front, api.server.serve"


def _seconds(command: list[str]) -> float:
    began = time.monotonic()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.monotonic() - began


def _python(script: str, *args: str) -> list[str]:
    return [sys.executable, "-c", script, *args]


@row("cold-build")
def cold_build(where: Path) -> Iterator[Row]:
    """The whole process with interpreter and imports, compared with git's whole process."""
    repo = str(data.repository(data.FARM))
    seconds: dict[str, list[float]] = {"ours": [], "git": []}
    for turn in range(6):
        ours = _seconds(_python(_BUILD, repo))
        git = _seconds(["git", "-C", repo, *LOG, "main", "--", "jobtypes", "software"])
        if turn:
            seconds["ours"].append(ours)
            seconds["git"].append(git)
    mine, git = statistics.median(seconds["ours"]), statistics.median(seconds["git"])
    details: dict[str, object] = {"seconds": seconds}
    yield Row("cold-build", f"{mine:.2f} s", f"{git:.2f} s", mine / git, "x", 1.5, False, details)


@row("warm-start")
def warm_start(where: Path) -> Iterator[Row]:
    """A worker's part, from its interpreter's start to an answer; then the whole service."""
    repo = data.copy(data.FARM, where)
    parts: dict[str, list[float]] = {"interpreter": [], "imports": [], "worker": [], "service": []}
    for turn in range(6):
        found = {
            "interpreter": _seconds(_python("")),
            "imports": _seconds(_python(_IMPORTS)),
            "worker": _seconds(_python(_WORKER, str(repo))),
        }
        began = time.monotonic()
        with running(service(repo, where, workers=1)):
            found["service"] = time.monotonic() - began
        for name, value in found.items():
            if turn:
                parts[name].append(value)
    medians = {name: statistics.median(values) for name, values in parts.items()}
    of_which = (
        f"interpreter {medians['interpreter']:.2f}, its imports"
        f" {medians['imports'] - medians['interpreter']:.2f} s"
    )
    details: dict[str, object] = {"medians": medians, "runs": parts}
    worker = medians["worker"]
    yield Row("warm-start", f"{worker:.2f} s", of_which, worker, " s", 1, False, details)


@row("scale")
def scale(where: Path) -> Iterator[Row]:
    """What a version costs, at each size; no target."""
    for size in (data.SMALL, data.FARM, data.LARGE):
        repo = data.repository(size)
        built = subprocess.check_output(_python(_BUILD, str(repo)), text=True)
        ours = service(repo, where, workers=1)
        with running(ours):
            (worker,) = ours.workers()
            resident = resident_mb(worker)
        packs = sum(f.stat().st_size for f in (repo / "objects" / "pack").iterdir())
        store = Store(repo)
        details: dict[str, object] = {
            **asdict(size),
            "build_s": float(built.split()[0]),
            "steps": int(built.split()[1]),
            "index_bytes": store.served.index.path.stat().st_size,
            "index_read_s": _index_seconds(store),
            "pack_bytes": packs,
            "resident_mb": resident,
        }
        said = (
            f"build {details['build_s']:.1f} s, worker {resident:.0f} MB,"
            f" index {store.served.index.path.stat().st_size / size.versions:.0f} B/version,"
            f" disk {packs / size.versions:.0f} B/version"
        )
        name = f"scale {size.jobtypes:,}/{size.versions:,}"
        yield Row(name, said, "-", resident, " MB", details=details)


def _index_seconds(store: Store) -> float:
    began = time.perf_counter()
    assert store.served.index.read() is not None
    return time.perf_counter() - began
