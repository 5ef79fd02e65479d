"""Tokens as people get and send them, and a service at which each role has one."""

from __future__ import annotations

import base64
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from gitstore.git.repository import init_repository
from tests.support.commands import Done, jobtypes
from tests.support.git import Worktree, git
from tests.support.rest import CODE, PREFIX, body, item
from tests.support.server import Answer, Server

ROLES = ("read", "write", "admin")


def create(repo: Path, name: str, *options: str) -> Done:
    return jobtypes("token", "create", name, "--repo", repo, *options)


def secret_of(done: Done) -> str:
    """What a command showed as the only line of its output."""
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("\n") == 1
    return done.stdout.strip()


def bearer(secret: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}"}


def basic(user: str, password: str) -> dict[str, str]:
    pair = base64.b64encode(f"{user}:{password}".encode()).decode()
    return {"Authorization": f"Basic {pair}"}


@dataclass
class Members:
    """A service with tokens, and who has which."""

    server: Server
    secrets: dict[str, str]
    folder: Path

    def call(self, who: str | None, method: str, path: str, sent: object = None) -> Answer:
        headers = {} if who is None else bearer(self.secrets[who])
        return self.server.request(method, PREFIX + path, sent, headers)

    def fetched(self, who: str) -> Worktree:
        """That person's clone, which knows what is served now."""
        made = Worktree(self.folder / who)
        if not made.path.exists():
            url = self.server.url.replace("//", f"//x:{self.secrets[who]}@")
            git(self.folder, "clone", "--quiet", f"{url}/jobtypes.git", who)
        made.git("fetch", "--quiet", "--prune")
        return made


class Studio(Members):
    """A service with a token for each role, and one for Nuke alone."""

    def make(self, name: str) -> None:
        """A jobtype and a software of that name, which are there from now on."""
        answer = self.call("admin", "PUT", item("jobtypes", name), body(name))
        assert answer.status in (200, 201), answer.body
        answer = self.call("admin", "PUT", item("software", name), {"software": name})
        assert answer.status in (200, 201), answer.body

    def tree(self, who: str) -> Worktree:
        """That person's clone, at what is served now."""
        made = self.fetched(who)
        made.git("checkout", "--quiet", "--force", "-B", "main", "origin/main")
        return made

    def push(self, who: str, name: str, meta: str) -> subprocess.CompletedProcess[str]:
        worktree = self.tree(who)
        worktree.write(f"jobtypes/{name}/code.py", CODE)
        worktree.write(f"jobtypes/{name}/meta.yaml", meta)
        return worktree.push()


@contextmanager
def token_studio(folder: Path) -> Iterator[Studio]:
    """A service of two workers, in *folder*, with the jobtype First."""
    repo = init_repository(folder / "farm.git", "main").git_dir
    secrets = {role: secret_of(create(repo, role, "--role", role)) for role in ROLES}
    secrets["nukist"] = secret_of(
        create(repo, "nukist", "--role", "admin", "--only", "Nuke*", "--email", "n@studio.example")
    )
    server = Server(repo, "--workers", "2", "--no-access-log")
    made = Studio(server, secrets, folder)
    made.make("First")
    try:
        yield made
    finally:
        server.stop()
