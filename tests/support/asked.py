"""A service with a history, a change and tokens, for tests of commands that ask it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from gitstore.branch.access import Role
from gitstore.branch.tokens import Tokens
from gitstore.git.commits import Signature
from tests.support.branches import Branch, jobtype
from tests.support.rest import Rest, item
from tests.support.server import Server

ADA, BO = Signature("Ada", "ada@x"), Signature("Bo", "bo@x")
NAME = "Ünï code +1"
"""A name that needs to be quoted. It has four versions: 1 is withdrawn, 2 merged, 3 broken."""

REVIEWED = "Reviewed"
"""A jobtype for the changes of tests."""

CHANGE = "fix/tïles#1"
"""A change that has an error, a comment and an approval."""


@dataclass
class Farm:
    """A service with tokens, and its repository."""

    server: Server
    tokens: Mapping[str, str]

    @property
    def url(self) -> str:
        return self.server.url

    def token(self, name: str) -> dict[str, str]:
        """The variables of a user with the token of that name."""
        return {"JOBTYPES_TOKEN": self.tokens[name]}

    def keep(self, name: str, kept: Path) -> None:
        """Have Git's helper, which keeps its secrets in the file *kept*, know a user's token."""
        kept.write_text(f"{self.url.replace('://', f'://{name}:{self.tokens[name]}@')}\n")

    def rest(self, name: str, method: str, path: str, body: object = None) -> object:
        """What REST answers to the bearer of a token."""
        headers = {"Authorization": f"Bearer {self.tokens[name]}", "X-Commit-Message": "Too slow"}
        answer = Rest(self.server)(method, path, body, headers)
        assert answer.status < 300, answer.body
        return answer.json if answer.body else None


@contextmanager
def asked_farm(folder: Path) -> Iterator[Farm]:
    """A service on a new repository in *folder*."""
    branch = Branch(folder / "served.git")
    code = f"jobtypes/{NAME}/code.py"
    branch.commit(jobtype(NAME) | jobtype("Old") | jobtype("Gone"), author=ADA)
    side = branch.side({code: "class Job:\n    x = 1\n    pass\n"}, "faster\n", author=ADA)
    message = "Merge pull request #7 from ada/fast\n\nFast\n\x1b[31m\n"
    branch.commit({code: "class Job:\n    x = 1\n    pass\n"}, message, (side,), BO)
    branch.commit({code: None, "jobtypes/Gone": None}, "break it\n")
    branch.commit({code: "class Job:\n    x = 'ä'\n"} | jobtype(REVIEWED))
    bad = {code: "class Job:\n    x =\n", f"jobtypes/{NAME}/\udcff.txt": "x\n"}
    change = branch.side(bad, "A chänge\n\nMore.\n", author=ADA)
    branch.repository.move(f"refs/heads/{CHANGE}", None, change, ADA, "push")
    tokens = Tokens(branch.path)
    roles = {"ann": Role.READ, "wes": Role.WRITE, "eve": Role.ADMIN}
    made = {n: tokens.create(n, role, f"{n}@studio.example", ()) for n, role in roles.items()}
    server = Server(branch.path, "--workers", "1")
    try:
        farm = Farm(server, made)
        farm.rest("eve", "DELETE", item("jobtypes", NAME, "versions", 1))
        farm.rest("eve", "DELETE", item("jobtypes", "Old", "versions", 1))
        path = "/changes/fix/t%C3%AFles%231"
        farm.rest("wes", "POST", f"{path}/comments", {"text": "Why?\nReally", "path": code})
        farm.rest("wes", "POST", f"{path}/approvals", {"commit": change})
        yield farm
    finally:
        server.stop()
