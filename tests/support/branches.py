"""A branch that is committed to without a working copy, for tests that need many commits."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from gitstore.catalogue.history import History
from gitstore.catalogue.steps import read_steps
from gitstore.git.commits import Signature
from gitstore.git.repository import init_repository
from gitstore.git.tree_edit import Graft
from gitstore.git.trees import Entry
from tests.support.git import Worktree, git

REF = "refs/heads/main"
TD = Signature("Test TD", "td@studio.example")


@dataclass(frozen=True)
class Link:
    """A symbolic link, to be put into a tree."""

    target: str


Content = str | bytes | Graft | Link | None

BLENDER: dict[str, Content] = {
    "software/blender.yaml": 'versions:\n  - version: "2.69"\n    rank: 100\n'
}
NEEDS_BLENDER = 'requirements:\n  - software: blender\n    min_version: "2.69"\n'


class Branch:
    """The branch main of a new bare repository at *path*."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.repository = init_repository(path, "main")
        self.tip: str | None = None

    def side(
        self,
        changes: Mapping[str, Content],
        message: str = "change\n",
        onto: str | None = None,
        merged: tuple[str, ...] = (),
        author: Signature = TD,
        committer: Signature = TD,
    ) -> str:
        """A commit of *changes* on top of *onto* (None: the tip), which no ref points to."""
        parent = onto or self.tip
        base = self.repository.commit(parent).tree if parent else None
        encoded = {path: self._encoded(content) for path, content in changes.items()}
        tree = self.repository.write_tree(base, encoded)
        parents = (parent, *merged) if parent else ()
        return self.repository.write_commit(tree, parents, message, author, committer)

    def _encoded(self, content: Content) -> bytes | Graft | None:
        if isinstance(content, Link):
            return Graft(Entry(0o120000, self.write_raw("blob", content.target.encode())))
        return content.encode() if isinstance(content, str) else content

    def commit(
        self,
        changes: Mapping[str, Content],
        message: str = "change\n",
        merged: tuple[str, ...] = (),
        author: Signature = TD,
        committer: Signature = TD,
    ) -> str:
        """The new tip: *changes* on top of the old one, a merge where *merged* says so."""
        new = self.side(changes, message, None, merged, author, committer)
        return self.move(new)

    def move(self, new: str) -> str:
        """Make commit *new* the tip."""
        self.repository.move(REF, self.tip, new, TD, "test")
        self.tip = new
        return new

    def write_raw(self, kind: str, data: bytes) -> str:
        """The id of a new object of *data* as it is, which Git need not find in order."""
        command = ["git", "hash-object", "-t", kind, "-w", "--stdin", "--literally"]
        done = subprocess.run(
            command, cwd=self.path, input=data, stdout=subprocess.PIPE, check=True
        )
        return done.stdout.decode().strip()

    def history(self) -> History:
        """The branch's history, built at once."""
        steps = read_steps(self.repository, None, self.tip) if self.tip else ()
        return History().extend(steps)


def jobtype(name: str, code: str = "", meta: str = "") -> dict[str, Content]:
    """The files of a valid jobtype; *code* and *meta* are added to what it needs."""
    return {
        f"jobtypes/{name}/code.py": f"class Job:\n    pass\n{code}",
        f"jobtypes/{name}/meta.yaml": f"classname: Job\n{meta}",
    }


def propose(
    branch: Branch,
    name: str,
    changes: dict[str, Content],
    message: str = "change\n",
    onto: str | None = None,
) -> str:
    """The commit of *changes* on a change's branch."""
    commit = branch.side(changes, message, onto)
    git(branch.path, "update-ref", f"refs/heads/{name}", commit)
    return commit


def write_jobtype(worktree: Worktree, name: str, meta: str = "", code: str = "") -> None:
    """Write the files of a jobtype into a clone."""
    for path, content in jobtype(name, code, meta).items():
        assert isinstance(content, str)
        worktree.write(path, content)
