"""Damaging objects of a served repository, and repairing them as docs/operations.md says."""

from __future__ import annotations

import random
import subprocess
from collections.abc import Callable
from pathlib import Path

from tests.damage.book import ALONE, Book, Figures, Say, begin, check_repository, run_git

DAMAGES: dict[str, Callable[[bytes], bytes | None]] = {
    "gone": lambda data: None,
    "empty": lambda data: b"",
    "cut off": lambda data: data[:-5],
    "rubbish": lambda data: b"rubbish",
    "a bit": lambda data: data[:-3] + bytes([data[-3] ^ 1]) + data[-2:],
}


def damages(folder: Path, times: int, say: Say = lambda text: None) -> Figures:
    """Damage the code of *times* versions, one after the other, and fix it from a mirror.

    Only what needs it may fail, and has to say which object it is.
    """
    figures = Figures()
    book = begin(folder, figures, *ALONE)
    server = book.server
    pages = [book.page(f"Put{n}") for n in range(3)]
    for page in pages * 5:
        book.put(page)
    # As another machine's, without links to the files that are damaged.
    copied = ("clone", "--quiet", "--mirror", "--no-hardlinks")
    run_git(folder, *copied, str(server.repo), "mirror.git")
    for done in range(1, times + 1):
        page = random.choice(pages)
        number = random.choice(list(page.versions))
        kind = random.choice(list(DAMAGES))
        id = _code_id(book, page.name, number)
        server.stop()
        _damage(server.repo, id, DAMAGES[kind])
        server.start()
        figures.faults += 1
        _check_damage(book, id, f"{page.name}/versions/{number}/code")
        server.stop()
        _repair(server.repo, folder / "mirror.git", id)
        server.start()
        book.check()
        say(f"{done} damages, the last {kind}: {figures.row}")
        if not figures.is_clean:
            break
    check_repository(server.repo, figures)
    book.write_again()
    server.stop()
    return figures


def _code_id(book: Book, name: str, number: int) -> str:
    """The id of the blob that version *number* of *name* runs."""
    commit = book.rest.get(f"/jobtypes/{name}/versions/{number}").headers["x-git-commit"]
    said = run_git(book.server.repo, "rev-parse", f"{commit}:jobtypes/{name}/code.py")
    return said.stdout.strip()


def _loose(repo: Path, id: str) -> Path:
    return repo / "objects" / id[:2] / id[2:]


def _damage(repo: Path, id: str, how: Callable[[bytes], bytes | None]) -> None:
    path = _loose(repo, id)
    path.chmod(0o644)
    data = how(path.read_bytes())
    if data is None:
        path.unlink()
    else:
        path.write_bytes(data)


def _check_damage(book: Book, id: str, path: str) -> None:
    """What needs object *id* says so, health too, and all else is served."""
    answer = book.rest.get(f"/jobtypes/{path}")
    if answer.status != 500 or id not in answer.json["error"]:  # type: ignore[index]
        book.figures.errors.append(f"{path} is damaged: {answer.status} {answer.body!r}")
    if id not in book.server.get("/health/ready").json["damaged"]:  # type: ignore[index]
        book.figures.errors.append(f"health does not tell of {id}")
    for page in book.pages:
        for number in page.versions:
            other = f"{page.name}/versions/{number}/code"
            if other != path:
                book.compare(other, page.versions[number])


def _repair(repo: Path, mirror: Path, id: str) -> None:
    """As docs/operations.md says."""
    _loose(repo, id).unlink(missing_ok=True)
    pack = subprocess.run(
        ["git", "-C", str(mirror), "pack-objects", "--all", "--stdout", "-q"],
        input=b"",
        capture_output=True,
        check=True,
    )
    command = ["git", "-C", str(repo), "unpack-objects", "-q"]
    subprocess.run(command, input=pack.stdout, check=True)
