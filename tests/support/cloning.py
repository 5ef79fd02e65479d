"""Clones that take long: a branch with much in it, and clients that take it slowly or not."""

from __future__ import annotations

import os
from pathlib import Path

from tests.support.git import git
from tests.support.server import Server
from tests.support.sockets import Dialer, Raw, packet
from tests.support.waiting import wait_for

UPLOAD = "/jobtypes.git/git-upload-pack"
FLUSH = b"0000"
LARGE_BYTES = 6_000_000
"""More than sockets keep for a client that takes nothing."""


def add_large_branch(repo: Path) -> None:
    """Give *repo* a branch called large, of which a clone has twice LARGE_BYTES of noise.

    It is packed, so Git sends it as it lies there. Clones run with the lowest priority: on a busy
    machine, Git would take minutes to compress it again.
    """
    large = git(repo, "hash-object", "-w", "--stdin", input=os.urandom(LARGE_BYTES).hex())
    tree = git(repo, "mktree", input=f"100644 blob {large.strip()}\tlarge\n").strip()
    who = ("-c", "user.name=Test TD", "-c", "user.email=td@studio.example")
    commit = git(repo, *who, "commit-tree", "-m", "large", tree).strip()
    git(repo, "update-ref", "refs/heads/large", commit)
    git(repo, "repack", "-d", "-q")


def wanted(*commits: str) -> bytes:
    """The body of a request for all that *commits* reach, in the protocol's first version."""
    first, *rest = commits
    lines = [packet(f"want {first} side-band-64k no-progress\n".encode())]
    lines += [packet(f"want {commit}\n".encode()) for commit in rest]
    return b"".join(lines) + FLUSH + packet(b"done\n")


def begin_clone(server: Server, dial: Dialer, **headers: str) -> Raw:
    """A clone of the large branch, which has begun; its client takes 4 KB at a time.

    The head of the answer comes before Git's programs run, the pack from the last of them. Without
    a slot, there is another answer. The client has taken nothing of it.
    """
    raw = dial(server.port, buffer_bytes=4096)
    body = wanted(git(server.repo, "rev-parse", "large").strip())
    content = "application/x-git-upload-pack-request"
    sent = {"Content-Type": content, "Content-Length": str(len(body)), **headers}
    raw.head(f"POST {UPLOAD}", sent)
    raw.send(body)

    def has_begun() -> bool:
        news = raw.peeked()
        return b"PACK" in news or (b"\r\n" in news and not news.startswith(b"HTTP/1.1 200 "))

    wait_for(has_begun, "the clone to begin")
    return raw
