"""A branch that is committed to without a working copy, for tests that need many commits."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from gitstore import Signature, init_repository
from gitstore.repository import Graft
from gitstore.trees import Entry
from gitstore.versions import History

REF = "refs/heads/main"
TD = Signature("Test TD", "td@studio.example")

Content = str | bytes | Graft | None


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
    ) -> str:
        """A commit of *changes* on top of *onto* (None: the tip), which no ref points to."""
        parent = onto or self.tip
        base = self.repository.commit(parent).tree if parent else None
        encoded = {p: c.encode() if isinstance(c, str) else c for p, c in changes.items()}
        tree = self.repository.write_tree(base, encoded)
        parents = (parent, *merged) if parent else ()
        return self.repository.write_commit(tree, parents, message, TD, TD)

    def commit(
        self,
        changes: Mapping[str, Content],
        message: str = "change\n",
        merged: tuple[str, ...] = (),
    ) -> str:
        """The new tip: *changes* on top of the old one, a merge where *merged* says so."""
        new = self.side(changes, message, merged=merged)
        self.repository.move(REF, self.tip, new, TD, "test")
        self.tip = new
        return new

    def link(self, target: str) -> Graft:
        """A symbolic link, to be put into a tree."""
        blob = self.repository.write_tree(None, {"x": target.encode()})
        return Graft(Entry(0o120000, self.repository.entries(blob)["x"].id))

    def history(self) -> History:
        """The branch's history, built at once."""
        steps = self.repository.steps(None, self.tip) if self.tip else ()
        return History().extend(steps)


def jobtype(name: str, code: str = "", meta: str = "") -> dict[str, Content]:
    """The files of a valid jobtype; *code* and *meta* are added to what it needs."""
    return {
        f"jobtypes/{name}/code.py": f"class Job:\n    pass\n{code}",
        f"jobtypes/{name}/meta.yaml": f"classname: Job\n{meta}",
    }
