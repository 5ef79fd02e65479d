"""Doing damage to a service under load, and counting what it lost: ``make torture``.

    python -m tests.damage.torture                 some minutes; prints a table of the damage
    python -m tests.damage.torture --minutes 60    the same, and an hour of writes and repacks
    python -m tests.damage.torture clock damage    these two alone

test_torture.py has the same with less of each.
"""

from __future__ import annotations

import argparse
import itertools
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tests.damage.book import (
    ALONE,
    HEAD,
    Book,
    Figures,
    Say,
    begin,
    check_repository,
    load,
    run_git,
)
from tests.damage.calls import faults, push_faults
from tests.damage.objects import damages
from tests.damage.power import traced
from tests.support.processes import children, is_python
from tests.support.server import Server
from tests.support.waiting import wait_for

TIDYING = (
    ("repack", "-a", "-d", "--quiet"),
    ("pack-refs", "--all"),
    ("prune", "--expire=1.hour.ago"),
    ("maintenance", "run", "--quiet"),
)
"""What another process does to the repository meanwhile."""
GC = ("gc", "--quiet", "--prune=1.hour.ago")
"""With a grace period for objects that no ref reaches, as gc has by itself: without one, the
objects of a write that is under way are deleted, which no other process can prevent."""


def kills(folder: Path, times: int, say: Say = lambda text: None) -> Figures:
    """Kill the service with all its processes *times* times under load; look each time."""
    figures = Figures()
    book = begin(folder, figures)
    server = book.server
    for done in range(1, times + 1):
        clone = folder / "clone" if done % 2 else None
        tidier = None
        with load(book, clone) as maybe_gone:
            tidied = random.choice(((), *TIDYING))
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
        check_repository(server.repo, figures)
        if done % 10 == 0:
            say(f"{done} kills: {figures.row}")
        if not figures.is_clean:
            break
    book.check()
    book.write_again()
    server.stop()
    return figures


def _kill(server: Server, turn: int) -> None:
    """Kill -9 the service: in turn all its processes, and its parent alone."""
    below = children(server.process.pid)
    server.process.kill()
    if turn % 2:
        for pid in below:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
    server.process.wait(120)
    wait_for(lambda: not any(map(is_python, below)), "the workers to end")


def power_cuts(folder: Path, times: int, say: Say = lambda text: None) -> Figures:
    """Cut the power at *times* random moments under load; start on what is left each time.

    power.py computes what is left from what strace saw. The service itself goes on.
    """
    figures = Figures()
    book = begin(folder, figures, *ALONE)
    with traced(book.server, folder) as farm, load(book, folder / "clone", pause_s=0.1):
        for done in range(1, times + 1):
            time.sleep(random.uniform(0.1, 0.7))
            with farm.frozen():
                time.sleep(0.1)  # What was answered is noted by now.
                known = book.copied(book.server)
                after, lost = farm.cut(folder)
            figures.faults += 1
            _check_after_cut(after, known)
            say(f"{done} cuts, the last took {len(lost)} files: {figures.row}")
            if not figures.is_clean:
                break
    book.check()
    book.server.stop()
    return figures


def _check_after_cut(repo: Path, known: Book) -> None:
    again = known.copied(Server(repo, *ALONE))
    again.check()
    # What no ref reaches yet may be cut off; git calls that corrupt. Tags come later.
    for tag in (repo / "refs/tags").rglob("v*"):
        if tag.suffix != ".lock":  # The service makes tags meanwhile.
            tag.unlink()
    check_reachable(repo, known.figures)
    again.write_again()
    again.server.stop()


def check_reachable(repo: Path, figures: Figures) -> None:
    """Everything that the served branch reaches is whole."""
    done = run_git(repo, "rev-list", "--objects", "--quiet", "main")
    done2 = run_git(repo, "fsck", "--strict", "--connectivity-only", "main")
    for says in (done.stderr, "" if done2.returncode == 0 else done2.stdout + done2.stderr):
        if says:
            figures.errors.append(f"after a power cut: {says}")


# The clock


DAY_S = 24 * 3600
CLOCKS_S = (3650 * DAY_S, -7300 * DAY_S, 0, DAY_S, -DAY_S, -11000 * DAY_S, 1000 * DAY_S)
"""By how much the clock is set wrong, one after the other."""


def clocks(folder: Path, seconds: float, say: Say = lambda text: None) -> Figures:
    """Set the clock of the service and of Git forward and back, every *seconds*, under load."""
    figures = Figures()
    setting = folder / "shift"
    setting.write_text("0")
    library = folder / "clock.so"
    source = Path(__file__).with_name("clock.c")
    subprocess.run(["cc", "-shared", "-fPIC", "-o", library, source], check=True)
    environment = {"LD_PRELOAD": str(library), "CLOCK_SHIFT": str(setting)}
    os.environ |= environment
    try:
        book = begin(folder, figures, "--workers", "2", "--housekeeping-s", "2")
    finally:
        for name in environment:
            del os.environ[name]
    with load(book, folder / "clone"):
        for shift_s in CLOCKS_S:
            # In its place, because a file that is written is empty for a moment.
            fresh = setting.with_suffix(".new")
            fresh.write_text(str(shift_s))
            fresh.replace(setting)
            time.sleep(seconds)
            figures.faults += 1
            say(f"{shift_s / DAY_S:.0f} days: {figures.row}")
    book.check()
    check_repository(book.server.repo, figures)
    _check_order(book)
    book.write_again()
    book.server.stop()
    return figures


def _check_order(book: Book) -> None:
    """Numbers grow along the branch, and the commits' dates did not."""
    asked = ("log", "--reverse", "--first-parent", "--format=%ct %s", "main")
    lines = run_git(book.server.repo, *asked).stdout.splitlines()
    dates = [int(line.split(" ", 1)[0]) for line in lines]
    if dates == sorted(dates):
        book.figures.errors.append("the clock was never set back")
    for page in book.pages:
        found = re.findall(rf"\d+ {page.name}: .*version (\d+)$", "\n".join(lines), re.MULTILINE)
        numbers = list(map(int, found))
        if numbers != sorted(set(numbers)):
            book.figures.torn.append(f"{page.name}: numbers out of order, {numbers}")


# Others who tidy up


def tidying(folder: Path, seconds: float) -> Figures:
    """Tidy the repository up from outside, over and over, under load."""
    figures = Figures()
    book = begin(folder, figures, "--workers", "2", "--housekeeping-s", "3600")
    repo = book.server.repo
    end = time.monotonic() + seconds
    with load(book, folder / "clone"):
        for args in itertools.cycle((GC, *TIDYING)):
            done = run_git(repo, *args)
            figures.faults += 1
            # Two at a time, or a ref that moves: git says so and gives up, which harms nobody.
            if done.returncode and "lock" not in done.stderr:
                figures.errors.append(f"git {args[0]}: {done.stderr}")
            if time.monotonic() > end:
                break
    book.check()
    check_repository(repo, figures)
    book.server.stop()
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
            # One that has ended and is not yet waited for has none.
            memory += sum(map(int, re.findall(r"VmRSS:\s+(\d+)", status)))
    # Unlike rglob, walk allows a folder to disappear meanwhile.
    temporary = sum(
        name.startswith("tmp_") or name.endswith(".lock")
        for folder, _, names in os.walk(server.repo)
        for name in names
        if folder != str(server.repo / "jobtypes")
    )
    return Size(files, memory, temporary)


def endurance(folder: Path, seconds: float, say: Say) -> Figures:
    """Write and repack for that long; what the service takes of the machine stays flat.

    Compared are the middle and the end of the run: the beginning fills the caches.
    """
    figures = Figures()
    book = begin(folder, figures, "--workers", "2", "--housekeeping-s", "20")
    server = book.server
    sizes: list[Size] = []
    end = time.monotonic() + seconds
    with load(book, folder / "clone", pause_s=0.1):
        while time.monotonic() < end:
            time.sleep(min(30, seconds / 10))
            run_git(server.repo, "repack", "-a", "-d", "--quiet")
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
    check_repository(server.repo, figures)
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


@dataclass(frozen=True)
class Amount:
    """How much of each damage is done; times in seconds."""

    kills: int = 200
    cuts: int = 20
    every: int = 1
    push_faults: int = 6
    clock_s: float = 8
    tidying_s: float = 180
    damages: int = 20
    long_s: float = 0


PLAN: dict[str, tuple[str, Callable[[Path, Amount, Say], Figures]]] = {
    "kill": ("kill -9", lambda where, n, say: kills(where, n.kills, say)),
    "power": ("power cut", lambda where, n, say: power_cuts(where, n.cuts, say)),
    "faults": ("faults in a PUT", lambda where, n, say: faults(where, n.every, say)),
    "push": ("faults in a push", lambda where, n, say: push_faults(where, n.push_faults, say)),
    "clock": ("clock set", lambda where, n, say: clocks(where, n.clock_s, say)),
    "tidying": ("gc, repack, prune ...", lambda where, n, say: tidying(where, n.tidying_s)),
    "damage": ("damaged objects", lambda where, n, say: damages(where, n.damages, say)),
    "long": ("long run", lambda where, n, say: endurance(where, n.long_s, say)),
}
"""Each kind of damage: its name in the table, and what does it."""

NEEDS = {"power": "strace", "faults": "strace", "push": "strace", "clock": "cc"}
"""The programs that some need."""


def missing(kind: str) -> str | None:
    """The program that damage of that *kind* needs and that is not here."""
    program = NEEDS.get(kind)
    return program if program and shutil.which(program) is None else None


def main() -> int:
    parser = argparse.ArgumentParser(description="Do damage to a service and count the losses.")
    parser.add_argument("kinds", nargs="*", help=f"of {', '.join(PLAN)}; all but long without")
    parser.add_argument("--minutes", type=float, default=0, help="of the long run")
    asked = parser.parse_args()
    unknown = set(asked.kinds) - set(PLAN)
    if unknown:
        parser.error(f"there is no {unknown.pop()}")
    kinds = asked.kinds or [kind for kind in PLAN if kind != "long" or asked.minutes]
    for kind in kinds:
        if program := missing(kind):
            parser.error(f"{kind} needs {program}, which is not here")

    def say(text: str) -> None:
        print(text, file=sys.stderr, flush=True)

    rows = {}
    with tempfile.TemporaryDirectory(prefix="torture-", ignore_cleanup_errors=True) as made:
        isolate(Path(made))
        for kind in kinds:
            name, work = PLAN[kind]
            where = Path(made, kind)
            where.mkdir()
            say(f"{name} ...")
            rows[name] = work(where, Amount(long_s=asked.minutes * 60), say)
    print(HEAD)
    for name, figures in rows.items():
        print(f"{name:<24}{figures.row}")
        for kind in ("lost", "torn", "errors"):
            for text in getattr(figures, kind)[:20]:
                print(f"  {kind}: {text}")
    return 0 if all(figures.is_clean for figures in rows.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
