"""Repositories to measure with: the same seed gives the same commits."""

from __future__ import annotations

import random
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from gitstore.branch.store import Store

FOLDER = Path(__file__).parent / "data"
SEED = 1
BEGAN = 1_700_000_000
"""The time of the first commit; each is a second after the one before."""


@dataclass(frozen=True)
class Size:
    """How many jobtypes and versions, and how many versions each commit makes."""

    jobtypes: int
    versions: int
    at_once: int = 1

    @property
    def name(self) -> str:
        """The name of its repository."""
        return f"{self.jobtypes}-{self.versions}"


SMALL = Size(10, 200)
FARM = Size(1_000, 20_000)
# With a commit for each version, making the 100,000 trees of 10,000 entries would take
# longer than measuring.
LARGE = Size(10_000, 100_000, at_once=50)


def repository(size: Size) -> Path:
    """A repository of *size* with its index; made at the first call, not to be changed."""
    path = FOLDER / f"{size.name}.git"
    if not path.exists():
        fresh = path.with_suffix(".new")
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.parent.mkdir(exist_ok=True)
        generate(fresh, size)
        store = Store(fresh)
        store.served.rebuild_index()
        # What a service does once, at its first start.
        store.publish_tags()
        subprocess.run(["git", "-C", str(fresh), "pack-refs", "--all"], check=True)
        subprocess.run(["git", "-C", str(fresh), "repack", "-adq"], check=True)
        fresh.rename(path)
    return path


def copy(size: Size, where: Path) -> Path:
    """A repository of *size* that may be changed."""
    path = where / f"{size.name}.git"
    shutil.copytree(repository(size), path)
    return path


def generate(path: Path, size: Size) -> None:
    """Make the repository with one run of git fast-import."""
    subprocess.run(["git", "init", "--quiet", "--bare", "-b", "main", str(path)], check=True)
    importing = subprocess.Popen(
        ["git", "-C", str(path), "fast-import", "--quiet", "--done"], stdin=subprocess.PIPE
    )
    assert importing.stdin is not None
    with importing.stdin as pipe:
        pipe.write(b"feature done\n")
        for chunk in _stream(size):
            pipe.write(chunk)
        pipe.write(b"done\n")
    if importing.wait():
        raise SystemExit("git fast-import failed")


def _stream(size: Size) -> Iterator[bytes]:
    chosen = random.Random(SEED)
    names = [f"Job{number:05d}" for number in range(size.jobtypes)]
    for step in range(size.versions // size.at_once):
        begin = step * size.at_once
        # First each jobtype gets its version 1, then any may get its next.
        changed = names[begin : begin + size.at_once]
        is_new = bool(changed)
        changed = changed or chosen.sample(names, size.at_once)
        yield _commit(step, f"Change {', '.join(changed[:3])}\n".encode())
        if step == 0:
            yield _file("software/blender.yaml", b'versions:\n  - version: "2.69"\n    rank: 100\n')
        for name in changed:
            yield _file(f"jobtypes/{name}/code.py", code(name, chosen).encode())
            if is_new:
                yield _file(f"jobtypes/{name}/meta.yaml", _meta(name))
        yield b"\n"


def code(name: str, chosen: random.Random) -> str:
    """A module of about 1 kB with the class *name*."""
    method = "    def method_{}(self):\n        return {}\n\n"
    methods = "".join(method.format(n, chosen.randrange(10**6)) for n in range(18))
    return (
        f"from pyfarm.jobtypes.core.jobtype import JobType\n\n\nclass {name}(JobType):\n{methods}"
    )


def _meta(name: str) -> bytes:
    return (
        f"classname: {name}\nmax_batch: 4\nrequirements:\n"
        '  - software: blender\n    min_version: "2.69"\n'
    ).encode()


def _commit(step: int, message: bytes) -> bytes:
    who = f"Bench TD <td@studio.example> {BEGAN + step} +0000".encode()
    return b"commit refs/heads/main\nmark :%d\nauthor %s\ncommitter %s\ndata %d\n%s" % (
        step + 1,
        who,
        who,
        len(message),
        message,
    )


def _file(path: str, content: bytes) -> bytes:
    return b"M 100644 inline %s\ndata %d\n%s\n" % (path.encode(), len(content), content)
