"""Load for a service, and a book of what it acknowledged.

Writers keep the book. Whatever happens to the service, each entry must be served afterwards
with its number and its bytes, and what was never acknowledged is either wholly there or not
at all.
"""

from __future__ import annotations

import copy
import http.client
import itertools
import random
import re
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from gitstore.branch.setup import create_repository
from tests.support.rest import Direct, Rest, body, item
from tests.support.server import Server

Say = Callable[[str], None]
"""Takes a line that says how far the damage is."""

ALONE = ("--workers", "1", "--housekeeping-s", "3600")
"""A service with nothing to do but what it is asked."""

DOWN = (OSError, http.client.HTTPException)
"""What a client sees of a service that is gone."""


@dataclass
class Figures:
    """What was done, and what came of it: writes that were acknowledged, faults, losses."""

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
    """What was acknowledged.

    *refusals* are the statuses with which a write may be turned away.
    """

    def __init__(self, rest: Rest | Direct, figures: Figures) -> None:
        self.rest = rest
        self.figures = figures
        self.refusals = {503}
        self.pages: list[Page] = []
        self.pushed: dict[str, str] = {}
        self.stopping = threading.Event()
        self._marks = itertools.count()

    def page(self, name: str) -> Page:
        """The page about *name*."""
        found = next((page for page in self.pages if page.name == name), None)
        if found is None:
            found = Page(name)
            self.pages.append(found)
        return found

    def copied(self, server: Server) -> Book:
        """What was acknowledged until now, to be asked of another *server*."""
        book = Book(Rest(server), self.figures)
        book.pages = copy.deepcopy(self.pages)
        book.pushed = dict(self.pushed)
        return book

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
        elif answer.status not in self.refusals:
            self.figures.errors.append(f"PUT {page.name}: {answer.status} {answer.body!r}")

    def delete(self, page: Page) -> None:
        """Delete *page*'s jobtype, and note what was answered."""
        page.pending = [None]
        answer = self.rest("DELETE", item("jobtypes", page.name))
        if answer.status == 204:
            page.pending = []
            _end(page)
            self.figures.operations += 1
        elif answer.status not in self.refusals:
            self.figures.errors.append(f"DELETE {page.name}: {answer.status} {answer.body!r}")

    def push(self, clone: Path, name: str) -> None:
        """Push a version of *name*, and note what was answered."""
        code = self.code()
        if not (clone / ".git").exists():
            shutil.rmtree(clone, ignore_errors=True)
            if run_git(clone.parent, "clone", "--quiet", self.url, clone.name).returncode:
                return
        if run_git(clone, "fetch", "--quiet", "--no-tags", "origin", "main").returncode:
            return
        run_git(clone, "reset", "--hard", "--quiet", "FETCH_HEAD")
        folder = clone / "jobtypes" / name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "code.py").write_text(code)
        (folder / "meta.yaml").write_text("classname: Job\n")
        run_git(clone, "add", "-A")
        run_git(clone, "commit", "--quiet", "-m", f"{name}: another")
        done = run_git(clone, "push", "origin", "HEAD:main")
        said = re.search(rf"remote: {name}: version (\d+)", done.stderr)
        if done.returncode == 0 and said:
            self.pushed[f"{name}/versions/{said[1]}/code"] = code
            self.figures.operations += 1

    @property
    def url(self) -> str:
        return f"{self.server.url}/jobtypes.git"

    @property
    def server(self) -> Server:
        """The service that is spoken to."""
        assert isinstance(self.rest, Rest)
        return self.rest.server

    def write_again(self) -> None:
        """No lock file, and nothing else, stops the next write of any page."""
        for page in self.pages:
            before = len(self.figures.errors), len(page.versions)
            self.put(page)
            if (len(self.figures.errors), len(page.versions)) != (before[0], before[1] + 1):
                self.figures.errors.append(f"{page.name} could not be written again")

    # Reading

    def check(self, some: int | None = None) -> None:
        """Compare what is served with the book; only the newest and *some* more versions."""
        for page in self.pages:
            self._settle(page)
            if page.lives:
                served = {n: code for n, code in page.versions.items() if n > page.ended}
                for number in _chosen(served, some):
                    self.compare(f"{page.name}/versions/{number}/code", page.versions[number])
        for path in _chosen(self.pushed, some):
            self.compare(path, self.pushed[path])

    def compare(self, path: str, code: str) -> None:
        """Hold what is served at *path* against *code*."""
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


def run_git(where: Path, *args: str) -> subprocess.CompletedProcess[str]:
    """What came of ``git <args>`` in *where*."""
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
    puts = [book.page(f"Put{n}") for n in range(3)]
    gone = book.page("Gone")
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


# The repository


def begin(folder: Path, figures: Figures, *options: str) -> Book:
    """A book about a new service in *folder*."""
    repo = folder / "served.git"
    create_repository(repo, "main", None)
    server = Server(repo, *(options or ("--workers", "1", "--housekeeping-s", "2")))
    return Book(Rest(server), figures)


def check_repository(repo: Path, figures: Figures) -> None:
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
    done = run_git(repo, "fsck", "--strict", "--no-dangling", "--no-progress")
    return f"{done.stdout}{done.stderr}" if done.returncode or done.stderr.strip() else ""
