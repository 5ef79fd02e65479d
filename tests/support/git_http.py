"""Git's requests over HTTP, sent by hand, and what a service still does for one."""

from __future__ import annotations

from pathlib import Path

from tests.support.cloning import UPLOAD
from tests.support.processes import children, strays
from tests.support.server import Answer, Server

SLOTS = 2
"""How many clones the service of these tests does at a time."""
RECEIVE = "/jobtypes.git/git-receive-pack"
REFS = "/jobtypes.git/info/refs?service=git-upload-pack"


def git_processes(farm: Server) -> list[str]:
    """The Git processes that the service runs, and those that ended and nobody waited for."""
    names = []
    for pid in children(farm.process.pid):
        try:
            names.append(Path(f"/proc/{pid}/comm").read_text().strip())
        except OSError:
            continue
    return [name for name in names if name.startswith(("git", "nice"))]


def is_tidy(farm: Server) -> bool:
    """Whether nobody is at work, a slot is free, and nothing is left over."""
    return not git_processes(farm) and not strays(farm.repo) and free_slots(farm)


def free_slots(farm: Server) -> bool:
    return farm.get(REFS).status == 200


def fetch(farm: Server, body: bytes, **headers: str) -> Answer:
    sent = {"Content-Type": "application/x-git-upload-pack-request"}
    sent |= {name.replace("_", "-"): value for name, value in headers.items()}
    return farm.request("POST", UPLOAD, body, sent)


def objects_in(answer: Answer) -> int:
    """How many objects its pack announces."""
    return int.from_bytes(answer.body.partition(b"PACK")[2][4:8])
