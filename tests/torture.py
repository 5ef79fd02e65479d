"""Doing damage to a service under load, and counting what it lost: ``make torture``.

Writers keep a book of what was acknowledged. Whatever happens to the service, each entry of
the book must be served afterwards with its number and its bytes, and what was never
acknowledged is either wholly there or not at all.

    python tests/torture.py                 200 kills, then 60 s of each other kind of load
    python tests/torture.py --minutes 60    the same, and an hour of writes and repacks
"""

from __future__ import annotations

import argparse
import http.client
import itertools
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from conftest import Server, wait_for
from rest import Rest, body, item

from gitstore import init_repository

DOWN = (OSError, http.client.HTTPException)
"""What a client sees of a service that is gone."""

TIDYING = (
    ("gc", "--quiet", "--prune=now"),
    ("repack", "-a", "-d", "--quiet"),
    ("pack-refs", "--all"),
    ("prune", "--expire=1.hour.ago"),
    ("maintenance", "run", "--quiet"),
)
"""What another process does to the repository meanwhile. gc with --prune=now would delete
objects of writes that are under way, as Git's own documentation says; see tidying()."""


@dataclass
class Figures:
    """What was done, and what came of it."""

    operations: int = 0
    faults: int = 0
    lost: list[str] = field(default_factory=list)
    torn: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    remade: int = 0
    """How often tags had to be waited for that a repack had broken."""

    @property
    def row(self) -> str:
        counts = (len(self.lost), len(self.torn), len(self.errors))
        figures = f"{self.operations:>10} {self.faults:>7}" + "".join(f"{n:>7}" for n in counts)
        return figures + (f"  (tags remade: {self.remade})" if self.remade else "")

    @property
    def is_clean(self) -> bool:
        return not (self.lost or self.torn or self.errors)


HEAD = f"{'':<24}{'operations':>10} {'faults':>7}{'lost':>7}{'torn':>7}{'errors':>7}"


@dataclass
class Page:
    """One writer's entries about one jobtype, which nobody else writes.

    *pending* is what was sent last and not answered: the code of a version, or None for the
    deletion. *ended* is the last number that a deletion took out of service.
    """

    name: str
    versions: dict[int, str] = field(default_factory=dict)
    ended: int = 0
    lives: bool = False
    pending: list[str | None] = field(default_factory=list)


class Book:
    """What was acknowledged."""

    def __init__(self, rest: Rest, figures: Figures) -> None:
        self.rest = rest
        self.figures = figures
        self.pages: list[Page] = []
        self.pushed: dict[str, str] = {}
        self.stopping = threading.Event()
        self._marks = itertools.count()

    def page(self, name: str) -> Page:
        self.pages.append(Page(name))
        return self.pages[-1]

    def code(self) -> str:
        """Code that nobody wrote before, large enough to be torn."""
        mark = next(self._marks)
        return f"class Job:\n    mark = {mark}\n" + f"# {mark}\n" * random.randrange(1, 400)

    # Writing

    def put(self, page: Page) -> None:
        """Make a version of *page*'s jobtype, and note what was answered."""
        code = self.code()
        page.pending = [code]
        answer = self.rest("PUT", item("jobtypes", page.name), body(page.name, code=code))
        if answer.status == 201:
            page.pending = []
            page.versions[answer.json["version"]] = code  # type: ignore[index]
            page.lives = True
            self.figures.operations += 1
        elif answer.status != 503:
            self.figures.errors.append(f"PUT {page.name}: {answer.status} {answer.body!r}")

    def delete(self, page: Page) -> None:
        """Delete *page*'s jobtype, and note what was answered."""
        page.pending = [None]
        answer = self.rest("DELETE", item("jobtypes", page.name))
        if answer.status == 204:
            page.pending = []
            _end(page)
            self.figures.operations += 1
        elif answer.status != 503:
            self.figures.errors.append(f"DELETE {page.name}: {answer.status} {answer.body!r}")

    def push(self, clone: Path, name: str) -> None:
        """Push a version of *name*, and note what was answered."""
        code = self.code()
        if not (clone / ".git").exists():
            shutil.rmtree(clone, ignore_errors=True)
            if _git(clone.parent, "clone", "--quiet", self.url, clone.name).returncode:
                return
        if _git(clone, "fetch", "--quiet", "--no-tags", "origin", "main").returncode:
            return
        _git(clone, "reset", "--hard", "--quiet", "FETCH_HEAD")
        folder = clone / "jobtypes" / name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "code.py").write_text(code)
        (folder / "meta.yaml").write_text("classname: Job\n")
        _git(clone, "add", "-A")
        _git(clone, "commit", "--quiet", "-m", f"{name}: another")
        done = _git(clone, "push", "origin", "HEAD:main")
        said = re.search(rf"remote: {name}: version (\d+)", done.stderr)
        if done.returncode == 0 and said:
            self.pushed[f"{name}/versions/{said[1]}/code"] = code
            self.figures.operations += 1

    @property
    def url(self) -> str:
        return f"{self.rest.server.url}/jobtypes.git"

    # Reading

    def check(self, some: int | None = None) -> None:
        """Compare what is served with the book; only the newest and *some* more versions."""
        for page in self.pages:
            self._settle(page)
            if page.lives:
                served = {n: code for n, code in page.versions.items() if n > page.ended}
                for number in _chosen(served, some):
                    self._compare(f"{page.name}/versions/{number}/code", page.versions[number])
        for path in _chosen(self.pushed, some):
            self._compare(path, self.pushed[path])

    def _compare(self, path: str, code: str) -> None:
        answer = self.rest.get(f"/jobtypes/{path}")
        if answer.status == 404:
            self.figures.lost.append(path)
        elif answer.status != 200:
            self.figures.errors.append(f"GET {path}: {answer.status} {answer.body!r}")
        elif answer.body.decode() != code:
            self.figures.torn.append(path)

    def _settle(self, page: Page) -> None:
        """Find out whether the write that was not answered took place, and that it is whole."""
        answer = self.rest.get(item("jobtypes", page.name))
        if answer.status not in (200, 404):
            self.figures.errors.append(f"GET {page.name}: {answer.status} {answer.body!r}")
            return
        served = answer.json if answer.status == 200 else None
        number = served["version"] if served else None  # type: ignore[index]
        newest = max(page.versions, default=0)
        for pending in page.pending:
            if pending is None and served is None:
                _end(page)
            elif pending is not None and number == newest + 1:
                page.versions[newest + 1] = pending
                page.lives = True
        page.pending = []
        if page.lives and served is None:
            self.figures.lost.append(f"{page.name}: it is not served")
        elif served and (not page.lives or number != max(page.versions)):
            self.figures.torn.append(f"{page.name}: version {number} was never acknowledged")


def _end(page: Page) -> None:
    page.lives = False
    page.ended = max(page.versions)


def _chosen(known: dict, some: int | None) -> list:  # type: ignore[type-arg]
    """The newest keys and *some* others, all where it is None."""
    keys = list(known)
    if some is None or len(keys) <= some + 2:
        return keys
    return [*random.sample(keys[:-2], some), *keys[-2:]]


def _git(where: Path, *args: str) -> subprocess.CompletedProcess[str]:
    command = ["git", "-C", str(where), *args]
    return subprocess.run(command, capture_output=True, text=True, check=False)


# Load


@contextmanager
def load(book: Book, clone: Path | None, pause_s: float = 0.02) -> Iterator[threading.Event]:
    """Writers, a deleter, readers, and with *clone* a pusher, until the end of the block.

    Yields what tells them that the service may be gone.
    """
    book.stopping.clear()
    maybe_gone = threading.Event()
    pages = {page.name: page for page in book.pages}
    puts = [pages.get(f"Put{n}") or book.page(f"Put{n}") for n in range(3)]
    gone = pages.get("Gone") or book.page("Gone")
    works: list[Callable[[], None]] = [lambda page=page: book.put(page) for page in puts]  # type: ignore[misc]
    works.append(lambda: book.delete(gone) if gone.lives else book.put(gone))
    works.append(lambda: _read(book, puts[0]))
    if clone is not None:
        works.append(lambda: book.push(clone, "Pushed"))
    threads = [
        threading.Thread(target=_repeat, args=(work, book, maybe_gone, pause_s)) for work in works
    ]
    for thread in threads:
        thread.start()
    try:
        yield maybe_gone
    finally:
        book.stopping.set()
        for thread in threads:
            thread.join()


def _repeat(
    work: Callable[[], None], book: Book, maybe_gone: threading.Event, pause_s: float
) -> None:
    while not book.stopping.wait(random.uniform(0, pause_s)):
        try:
            work()
        except DOWN as error:
            if not maybe_gone.is_set():
                book.figures.errors.append(f"the service was gone: {error!r}")
            return
        except Exception as error:
            book.figures.errors.append(f"{error!r}")
            return


def _read(book: Book, page: Page) -> None:
    """Ask for the newest version: never older than what was acknowledged before."""
    known = dict(page.versions)
    if known:
        answer = book.rest.get(item("jobtypes", page.name))
        book.figures.operations += 1
        newest = max(known)
        if answer.status != 200:
            book.figures.errors.append(f"GET {page.name}: {answer.status} {answer.body!r}")
        elif answer.json["version"] < newest:  # type: ignore[index]
            book.figures.torn.append(f"{page.name}: a stale answer")


# Faults


def kills(folder: Path, times: int, say: Callable[[str], None] = lambda text: None) -> Figures:
    """Kill the service with all its processes *times* times under load; look each time."""
    figures = Figures()
    server, book = _begin(folder, figures)
    for done in range(1, times + 1):
        clone = folder / "clone" if done % 2 else None
        tidier = None
        with load(book, clone) as maybe_gone:
            tidied = random.choice(((), *TIDYING[1:]))
            if tidied:
                tidier = subprocess.Popen(["git", "-C", str(server.repo), *tidied])
            time.sleep(random.uniform(0.05, 0.6))
            maybe_gone.set()
            _kill(server, done)
        figures.faults += 1
        if tidier:
            tidier.wait()
        server.start()
        book.check(some=3)
        _fsck(server.repo, figures)
        if done % 10 == 0:
            say(f"{done} kills: {figures.row}")
        if not figures.is_clean:
            break
    book.check()
    _write_again(book)
    server.stop()
    return figures


def _begin(folder: Path, figures: Figures, *options: str) -> tuple[Server, Book]:
    repo = init_repository(folder / "served.git", "main").git_dir
    server = Server(repo, *(options or ("--workers", "1", "--housekeeping-s", "2")))
    return server, Book(Rest(server), figures)


def _kill(server: Server, turn: int) -> None:
    """Kill -9 the service: in turn all its processes, and its parent alone."""
    below = children(server.process.pid)
    server.process.kill()
    if turn % 2:
        for pid in below:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
    server.process.wait(30)
    wait_for(lambda: not any(map(_is_python, below)), "the workers to end")


def children(pid: int) -> list[int]:
    """The processes that *pid* started, and those that they did."""
    found = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(OSError):
            for child in map(int, task.read_text().split()):
                found += [child, *children(child)]
    return found


def workers(pid: int) -> list[int]:
    """The workers among the processes that service *pid* started."""
    return list(filter(_is_python, children(pid)))


def _is_python(pid: int) -> bool:
    """Whether it lives and is no Git process, which may go on for a while."""
    try:
        return b"python" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def _fsck(repo: Path, figures: Figures) -> None:
    """The repository is in order; tags, which are made after the fact, a moment later."""
    says = _faults(repo)
    end = time.monotonic() + 20
    while "missing tag" in says and time.monotonic() < end:
        figures.remade += 1
        time.sleep(1)
        says = _faults(repo)
    if says:
        figures.errors.append(f"git fsck: {says}")


def _faults(repo: Path) -> str:
    done = _git(repo, "fsck", "--strict", "--no-dangling", "--no-progress")
    return f"{done.stdout}{done.stderr}" if done.returncode or done.stderr.strip() else ""


def _write_again(book: Book) -> None:
    """No lock file stops the next write."""
    for page in book.pages:
        before = len(book.figures.errors), len(page.versions)
        book.put(page)
        if (len(book.figures.errors), len(page.versions)) != (before[0], before[1] + 1):
            book.figures.errors.append(f"{page.name} could not be written again")


def tidying(folder: Path, seconds: float) -> Figures:
    """Tidy the repository up from outside, over and over, under load.

    With a grace period for objects that no ref reaches, as gc has by itself: without one,
    the objects of a write that is under way are deleted, which no other process can prevent.
    """
    figures = Figures()
    server, book = _begin(folder, figures, "--workers", "2", "--housekeeping-s", "3600")
    end = time.monotonic() + seconds
    with load(book, folder / "clone"):
        for args in itertools.cycle((("gc", "--quiet", "--prune=1.hour.ago"), *TIDYING[1:])):
            done = _git(server.repo, *args)
            figures.faults += 1
            # Two at a time, or a ref that moves: git says so and gives up, which harms nobody.
            if done.returncode and "lock" not in done.stderr:
                figures.errors.append(f"git {args[0]}: {done.stderr}")
            if time.monotonic() > end:
                break
    book.check()
    _fsck(server.repo, figures)
    server.stop()
    return figures


# A long run


@dataclass(frozen=True)
class Size:
    """What a service takes of the machine at a moment."""

    files: int
    memory_kib: int
    temporary: int

    def __str__(self) -> str:
        return f"{self.files} files, {self.memory_kib} KiB, {self.temporary} temporary files"


def size(server: Server) -> Size:
    """What the service takes now, all its processes together."""
    pids = [server.process.pid, *children(server.process.pid)]
    files = memory = 0
    for pid in pids:
        with suppress(OSError):
            files += len(os.listdir(f"/proc/{pid}/fd"))
            status = Path(f"/proc/{pid}/status").read_text()
            memory += int(re.findall(r"VmRSS:\s+(\d+)", status)[0])
    names = itertools.chain(server.repo.rglob("tmp_*"), server.repo.rglob("*.lock"))
    ours = server.repo / "jobtypes"
    return Size(files, memory, sum(1 for path in names if path.parent != ours))


def endurance(folder: Path, seconds: float, say: Callable[[str], None]) -> Figures:
    """Write and repack for that long; what the service takes of the machine stays flat.

    Compared are the middle and the end of the run: the beginning fills the caches.
    """
    figures = Figures()
    server, book = _begin(folder, figures, "--workers", "2", "--housekeeping-s", "20")
    sizes: list[Size] = []
    end = time.monotonic() + seconds
    with load(book, folder / "clone", pause_s=0.1):
        while time.monotonic() < end:
            time.sleep(min(30, seconds / 10))
            _git(server.repo, "repack", "-a", "-d", "--quiet")
            figures.faults += 1
            sizes.append(size(server))
            say(f"{figures.operations} operations: {sizes[-1]}")
    idle = size(server)
    middle = sizes[len(sizes) // 2 :]
    if idle.files > min(s.files for s in middle) + 40:
        figures.errors.append(f"open files grow: {sizes}, {idle}")
    # Each step of the history stays in memory, some hundreds of bytes in each worker.
    if idle.memory_kib > middle[0].memory_kib * 1.3 + figures.operations * 2:
        figures.errors.append(f"memory grows: {sizes}, {idle}")
    if idle.temporary > 5:
        figures.errors.append(f"temporary files stay: {idle}")
    book.check(some=200)
    _fsck(server.repo, figures)
    server.stop()
    return figures


def isolate(home: Path) -> None:
    """Let no setting of this machine's reach Git, as the tests do."""
    for name in list(os.environ):
        if name.startswith(("GIT_", "JOBTYPES_", "XDG_")):
            del os.environ[name]
    os.environ |= {"HOME": str(home), "GIT_CONFIG_NOSYSTEM": "1"}
    for who in ("AUTHOR", "COMMITTER"):
        os.environ |= {f"GIT_{who}_NAME": "Test TD", f"GIT_{who}_EMAIL": "td@studio.example"}


def main() -> int:
    parser = argparse.ArgumentParser(description="Do damage to a service and count the losses.")
    parser.add_argument("--kills", type=int, default=200, help="how often to kill it")
    parser.add_argument("--seconds", type=float, default=60, help="of tidying up under load")
    parser.add_argument("--minutes", type=float, default=0, help="of the long run")
    asked = parser.parse_args()

    def say(text: str) -> None:
        print(text, file=sys.stderr, flush=True)

    rows = {}
    with tempfile.TemporaryDirectory(prefix="torture-") as made:
        folder = Path(made)
        isolate(folder)
        plan: dict[str, Callable[[Path], Figures]] = {
            "kill -9": lambda where: kills(where, asked.kills, say),
            "gc, repack, prune ...": lambda where: tidying(where, asked.seconds),
        }
        if asked.minutes:
            plan["long run"] = lambda where: endurance(where, asked.minutes * 60, say)
        for name, work in plan.items():
            where = folder / name.split()[0].strip(",")
            where.mkdir()
            say(f"{name} ...")
            rows[name] = work(where)
    print(HEAD)
    for name, figures in rows.items():
        print(f"{name:<24}{figures.row}")
        for kind in ("lost", "torn", "errors"):
            for text in getattr(figures, kind)[:20]:
                print(f"  {kind}: {text}")
    return 0 if all(figures.is_clean for figures in rows.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
