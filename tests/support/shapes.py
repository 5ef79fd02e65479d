"""Trees of any shape, made object by object, as no working copy would make them."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from pathlib import Path

from gitstore.git.trees import object_id, with_header

FILE, TREE = "100644", "40000"

Rows = list[tuple[str, bytes, str]]
"""Entries of a tree: mode, name, id."""


class Shapes:
    """Puts objects into the repository at *git_dir*."""

    def __init__(self, git_dir: Path) -> None:
        self.git_dir = git_dir

    def put(self, kind: str, data: bytes) -> str:
        """The id of a new object."""
        id = object_id(kind, data)
        path = self.git_dir / "objects" / id[:2] / id[2:]
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(zlib.compress(with_header(kind, data), 1))
        return id

    def blob(self, data: bytes = b"x\n") -> str:
        return self.put("blob", data)

    def tree(self, rows: Rows) -> str:
        """A tree of *rows*, in Git's order."""
        ordered = sorted(rows, key=lambda row: row[1] + (b"/" if row[0] == TREE else b""))
        return self.put(
            "tree",
            b"".join(
                mode.encode() + b" " + name + b"\0" + bytes.fromhex(id)
                for mode, name, id in ordered
            ),
        )

    def nested(self, depth: int, mode: str = TREE, name: bytes = b"d") -> str:
        """Directories in one another, *depth* of them, with a file in the last."""
        tree = self.tree([(FILE, b"f", self.blob())])
        for _ in range(depth - 1):
            tree = self.tree([(mode, name, tree)])
        return tree

    def doubled(self, depth: int, data: bytes = b"x\n") -> str:
        """Two to the *depth* files, of *depth* objects."""
        tree = self.tree([(FILE, b"f", self.blob(data))])
        for _ in range(depth):
            tree = self.tree([(TREE, b"a", tree), (TREE, b"b", tree)])
        return tree

    def root(self, files: Mapping[str, tuple[str, str]]) -> str:
        """A root tree of *files*, (mode, id) by path."""
        below: dict[str, dict[str, tuple[str, str]]] = {}
        rows: Rows = []
        for path, (mode, id) in files.items():
            name, slash, rest = path.partition("/")
            if slash:
                below.setdefault(name, {})[rest] = (mode, id)
            else:
                rows.append((mode, name.encode(), id))
        rows += [(TREE, name.encode(), self.root(inner)) for name, inner in below.items()]
        return self.tree(rows)

    def job(self, name: str = "A") -> dict[str, tuple[str, str]]:
        """The files of a valid jobtype."""
        return {
            f"jobtypes/{name}/code.py": (FILE, self.blob(b"class Job:\n    pass\n")),
            f"jobtypes/{name}/meta.yaml": (FILE, self.blob(b"classname: Job\n")),
        }

    def commit(self, tree: str, parent: str | None = None, message: bytes = b"m\n") -> str:
        who = b"td <td@studio.example> 1700000000 +0000"
        parents = b"parent %s\n" % parent.encode() if parent else b""
        head = b"tree %s\n%sauthor %s\ncommitter %s\n\n" % (tree.encode(), parents, who, who)
        return self.put("commit", head + message)
