"""Rows about writes."""

from __future__ import annotations

import http.client
import json
import random
import statistics
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from api.config import PREFIX
from benchmarks import data
from benchmarks.load import need
from benchmarks.rows import Row, row
from benchmarks.servers import Server, http_backend, running, service

FSYNC = ("-c", "core.fsync=committed,loose-object,reference")
PUT_SECONDS = 4.0
PUT_ROUNDS = 3


class Putter:
    """A client that PUTs new versions on a connection that stays."""

    def __init__(self, server: Server, seed: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
        self._chosen = random.Random(seed)

    def put(self) -> tuple[str, int]:
        """The name and number of a new version of any jobtype."""
        name = f"Job{self._chosen.randrange(data.FARM.jobtypes):05d}"
        body = {"name": name, "classname": name, "code": data.code(name, self._chosen)}
        self._connection.request(
            "PUT",
            f"{PREFIX}/jobtypes/{name}",
            json.dumps(body),
            {"Content-Type": "application/json"},
        )
        response = self._connection.getresponse()
        said = response.read()
        if response.status != 201:
            raise SystemExit(f"a PUT was answered with {response.status}: {said[:300]!r}")
        return name, json.loads(said)["version"]


def _rate(work: list[Callable[[], object]], seconds: float = PUT_SECONDS) -> float:
    """How often a second *work* is done, each in a thread of its own."""
    counts = [0] * len(work)
    end = time.monotonic() + seconds

    def run(number: int) -> None:
        while time.monotonic() < end:
            work[number]()
            counts[number] += 1

    began = time.monotonic()
    threads = [threading.Thread(target=run, args=(number,)) for number in range(len(work))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(counts) / (time.monotonic() - began)


class Plumbing:
    """Makes versions as a script would with the git program, on a branch of its own."""

    def __init__(self, repo: Path, number: int) -> None:
        self._repo = repo
        self._ref = f"refs/heads/plumbing-{number}"
        self._chosen = random.Random(number)
        self._tip = self._git("rev-parse", "refs/heads/main")
        self._git("update-ref", self._ref, self._tip)
        self._root = self._entries(self._tip)
        self._jobtypes = self._entries(f"{self._tip}:jobtypes")

    def _git(self, *args: str, input: str | None = None) -> str:
        command = ["git", "-C", str(self._repo), *FSYNC, *args]
        return subprocess.check_output(command, input=input, text=True).strip()

    def _entries(self, tree: str) -> dict[str, str]:
        rows = self._git("ls-tree", tree).splitlines()
        return {line.split("\t")[1]: line for line in rows}

    def _mktree(self, entries: dict[str, str]) -> str:
        return self._git("mktree", input="".join(f"{line}\n" for line in entries.values()))

    def put(self) -> None:
        """A new version of any jobtype: its blob, three trees, a commit, the ref."""
        name = f"Job{self._chosen.randrange(data.FARM.jobtypes):05d}"
        blob = self._git("hash-object", "-w", "--stdin", input=data.code(name, self._chosen))
        meta = self._git("rev-parse", f"{self._jobtypes[name].split()[2]}:meta.yaml")
        files = {
            "code.py": f"100644 blob {blob}\tcode.py",
            "meta.yaml": f"100644 blob {meta}\tmeta.yaml",
        }
        self._jobtypes[name] = f"040000 tree {self._mktree(files)}\t{name}"
        self._root["jobtypes"] = f"040000 tree {self._mktree(self._jobtypes)}\tjobtypes"
        tree = self._mktree(self._root)
        new = self._git("commit-tree", tree, "-p", self._tip, "-m", f"Change {name}")
        self._git("update-ref", self._ref, new, self._tip)
        self._tip = new


@row("put")
def put(where: Path) -> Iterator[Row]:
    for folder in ("ours", "theirs"):
        (where / folder).mkdir()
    ours = service(data.copy(data.FARM, where / "ours"), where)
    theirs = data.copy(data.FARM, where / "theirs")
    with running(ours):
        for clients in (1, 8):
            putters = [Putter(ours, seed) for seed in range(clients)]
            scripts = [Plumbing(theirs, seed) for seed in range(clients)]
            rates: dict[str, list[float]] = {"ours": [], "git": []}
            for _ in range(PUT_ROUNDS):
                rates["ours"].append(_rate([p.put for p in putters]))
                rates["git"].append(_rate([s.put for s in scripts]))
            mine, git = statistics.median(rates["ours"]), statistics.median(rates["git"])
            details: dict[str, object] = {"runs": rates}
            yield Row(
                f"put {clients}",
                f"{mine:.1f}/s",
                f"{git:.1f}/s",
                mine / git,
                "x",
                1.5 if clients == 1 else 0.9,
                True,
                details,
            )


class Pusher:
    """A TD's clone, of which one commit after another is pushed."""

    def __init__(self, url: str, where: Path) -> None:
        self._path = where
        self._count = 0
        subprocess.run(["git", "clone", "--quiet", url, str(where)], check=True)

    def _git(self, *args: str) -> None:
        identity = ("-c", "user.name=Bench TD", "-c", "user.email=td@studio.example")
        subprocess.run(
            ["git", "-C", str(self._path), *identity, *args], check=True, capture_output=True
        )

    def commit(self) -> tuple[str, str]:
        """Make a commit; the jobtype that it changes and its code."""
        self._count += 1
        name = f"Job{self._count % data.FARM.jobtypes:05d}"
        code = data.code(name, random.Random(f"{self._path}{self._count}"))
        (self._path / "jobtypes" / name / "code.py").write_text(code)
        self._git("commit", "--quiet", "-am", f"Change {name}")
        return name, code

    def push(self) -> float:
        """The seconds that the push of what was committed takes."""
        began = time.monotonic()
        self._git("push", "--quiet", "origin", "HEAD:main")
        return time.monotonic() - began

    def keep_pushing(self, done: threading.Event) -> None:
        """Commit and push until *done*, going on from what others wrote meanwhile."""
        while not done.is_set():
            self.commit()
            try:
                self.push()
            except subprocess.CalledProcessError:
                self._git("fetch", "--quiet", "origin", "main")
                self._git("reset", "--quiet", "--hard", "FETCH_HEAD")


@row("push")
def push(where: Path) -> Iterator[Row]:
    need("lighttpd")
    for folder in ("ours", "theirs"):
        (where / folder).mkdir()
    ours = service(data.copy(data.FARM, where / "ours"), where)
    repo = data.copy(data.FARM, where / "theirs")
    theirs = http_backend(repo, where)
    with running(ours, theirs):
        pushers = {
            "ours": Pusher(f"{ours.url}/jobtypes.git", where / "clone-ours"),
            "theirs": Pusher(f"{theirs.url}/{repo.name}", where / "clone-theirs"),
        }
        seconds: dict[str, list[float]] = {name: [] for name in pushers}
        for turn in range(16):
            for name, pusher in pushers.items():
                pusher.commit()
                took = pusher.push()
                if turn:
                    seconds[name].append(took)
    mine, other = (statistics.median(seconds[name]) * 1000 for name in ("ours", "theirs"))
    details: dict[str, object] = {"seconds": seconds}
    yield Row(
        "push", f"{mine:.0f} ms", f"{other:.0f} ms", mine - other, " ms more", 400, False, details
    )


@row("visible")
def visible(where: Path) -> Iterator[Row]:
    """The requests until a write is served, each on a connection that any worker may take."""
    ours = service(data.copy(data.FARM, where), where)
    with running(ours):
        putter = Putter(ours, 1)
        pusher = Pusher(f"{ours.url}/jobtypes.git", where / "clone")
        worst: dict[str, int] = {"PUT": 0, "push": 0}
        for _ in range(100):
            name, number = putter.put()
            worst["PUT"] = max(worst["PUT"], _requests_until(ours, name, number=number))
        pusher._git("fetch", "--quiet", "origin", "main")
        pusher._git("reset", "--quiet", "--hard", "FETCH_HEAD")
        for _ in range(15):
            name, code = pusher.commit()
            pusher.push()
            worst["push"] = max(worst["push"], _requests_until(ours, name, code=code))
    details: dict[str, object] = {"writes": {"PUT": 100, "push": 15}, "worst": worst}
    figure = max(worst.values())
    yield Row("visible", f"{figure}", "-", figure, " request(s)", 1, False, details)


def _requests_until(server: Server, name: str, **shows: object) -> int:
    """The number of the first request from which on every answer shows the new version."""
    asked = 12
    first = 1
    for request in range(1, asked + 1):
        body = json.loads(server.get(f"{PREFIX}/jobtypes/{name}")[2])
        got = {"number": body["version"], "code": body["code"]}
        if any(got[key] != value for key, value in shows.items()):
            first = request + 1
    return first
