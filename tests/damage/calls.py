"""Letting single system calls of the service and of Git fail."""

from __future__ import annotations

import itertools
import os
import random
import shutil
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from api.app import create_app
from api.config import Config
from gitstore.branch.setup import create_repository
from tests.damage.book import ALONE, Book, Figures, Say, begin, check_repository
from tests.support.rest import Direct
from tests.support.strace import calls_of, fault

ERRORS = {
    "openat": ("EMFILE", "ENFILE", "EIO", "ENOMEM", "ENOSPC", "EROFS"),
    "read": ("EIO",),
    "write": ("ENOSPC", "EIO", "EDQUOT"),
    "fsync": ("EIO", "ENOSPC"),
    "close": ("EIO", "ENOSPC"),
    "link": ("EIO", "ENOSPC", "EROFS", "EDQUOT"),
    "rename": ("EIO", "ENOSPC", "EROFS"),
    "mkdir": ("EIO", "ENOSPC", "EROFS", "EDQUOT"),
    "unlink": ("EIO", "EROFS"),
    "utimensat": ("EIO", "EROFS"),
    "stat": ("EIO", "ENOMEM"),
    "lstat": ("EIO", "ENOMEM"),
    "newfstatat": ("EIO", "ENOMEM"),
    "access": ("EIO", "ENOMEM"),
    "getdents64": ("EIO", "ENOMEM"),
    "mmap": ("ENOMEM",),
    "brk": ("ENOMEM",),
}
"""The ways in which system calls of a write can fail: a disk that is full, over its quota,
failing or read-only, too many open files, no memory."""
REFUSALS = {503, 507}
"""What a write that failed so is answered with."""


def faults(folder: Path, every: int = 1, say: Say = lambda text: None) -> Figures:
    """Let each system call of a PUT fail once, in each way; or each *every*-th of these cases.

    The application is in this process, so that only its own calls fail and not the server's,
    which wakes its threads by them.
    """
    figures = Figures()
    repo = folder / "served.git"
    create_repository(repo, "main", None)
    book = Book(Direct(create_app(Config(repo, write_limit_s=1)).test_client()), figures)
    book.refusals |= REFUSALS
    with ThreadPoolExecutor(1) as pool, _unraisable_in(figures):
        _fail_in_turn(book, pool, folder, every, say)
    book.check()
    check_repository(repo, figures)
    book.write_again()
    return figures


PUSH_ERRORS = {
    "write": "ENOSPC",
    "fsync": "EIO",
    "link": "ENOSPC",
    "rename": "EIO",
    "mkdir": "EROFS",
}


@contextmanager
def _unraisable_in(figures: Figures) -> Iterator[None]:
    """Count as errors the exceptions that nobody can catch: those of objects that are let go."""

    def note(said: Any) -> None:
        figures.errors.append(f"ignored in {said.object}: {said.exc_value!r}")

    before, sys.unraisablehook = sys.unraisablehook, note
    try:
        yield
    finally:
        sys.unraisablehook = before


def _fail_in_turn(book: Book, pool: ThreadPoolExecutor, folder: Path, every: int, say: Say) -> None:
    """Let the calls fail that a PUT in the one thread of *pool* makes."""
    page, figures = book.page("Put"), book.figures

    def put() -> None:
        pool.submit(book.put, page).result()

    target = ("-p", str(pool.submit(threading.get_native_id).result()))
    for _ in range(3):
        put()
    made = calls_of(put, folder / "trace", *target)
    cases = [
        (call, error, number)
        for call, errors in ERRORS.items()
        for error in errors
        for number in range(1, made[call] + 1)
    ]
    for call, error, number in cases[random.randrange(every) :: every]:
        put()  # So that the next does what the traced one did, after a write.
        with fault(call, error, str(number), *target):
            put()
        figures.faults += 1
        book.check(some=0)
        if not figures.is_clean:
            figures.errors.append(f"... with {error} at {call} {number}")
            break
        if figures.faults % 100 == 0:
            say(f"{figures.faults} of {len(cases[::every])} faults: {figures.row}")


_GIT = """\
#!/bin/sh
# git, whose system calls fail as the file {file} says.
if [ "$1" = receive-pack ] && [ -s {file} ]; then
    exec strace -f -o /dev/null $(cat {file}) {git} "$@"
fi
exec {git} "$@"
"""


def push_faults(folder: Path, numbers: int, say: Say = lambda text: None) -> Figures:
    """Let the first *numbers* calls of each kind fail in all processes of a push."""
    figures = Figures()
    file, shim = folder / "fault", folder / "bin" / "git"
    shim.parent.mkdir()
    shim.write_text(_GIT.format(file=file, git=shutil.which("git")))
    shim.chmod(0o755)
    path = os.environ["PATH"]
    os.environ["PATH"] = f"{shim.parent}:{path}"
    try:
        book = begin(folder, figures, *ALONE)
    finally:
        os.environ["PATH"] = path
    book.push(folder / "clone", "Pushed")
    for (call, error), number in itertools.product(PUSH_ERRORS.items(), range(1, numbers + 1)):
        file.write_text(f"-e trace={call} -e inject={call}:error={error}:when={number}")
        book.push(folder / "clone", "Pushed")
        figures.faults += 1
        book.check()
        check_repository(book.server.repo, figures)
        say(f"{error} at {call} {number} of a push: {figures.row}")
        if not figures.is_clean:
            break
    file.unlink()
    before = len(book.pushed)
    book.push(folder / "clone", "Pushed")
    if len(book.pushed) != before + 1:
        figures.errors.append("a push is refused though the fault is gone")
    book.server.stop()
    return figures
