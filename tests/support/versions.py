"""Steps of a branch in few words, and the versions that come of them."""

from __future__ import annotations

from collections.abc import Mapping

from gitstore.catalogue.catalogue import Catalogue
from gitstore.catalogue.contents import Contents
from gitstore.catalogue.history import History
from tests.support.branches import Branch
from tests.support.git import git

Step = Mapping[str, str | None] | tuple[Mapping[str, str | None], str]
"""What a step changes, and its message. A key without a slash is a jobtype, whose value
is the content of its code.py; one that begins with ``!`` leaves it without a code.py."""


PREVIEW_FIRST = 1_000_000_000


def tell(branch: Branch, steps: list[Step]) -> History:
    """The history once *steps* are on *branch*."""
    for step in steps:
        changes, message = step if isinstance(step, tuple) else (step, "change\n")
        branch.commit(files(changes), message)
    return branch.history()


def files(changes: Mapping[str, str | None]) -> dict[str, str | None]:
    """The files of a step that *changes* jobtypes; see Step."""
    made: dict[str, str | None] = {}
    for name, content in changes.items():
        if "/" in name or name == "withdrawn.yaml":
            made[name] = content
        elif content is None:
            made[f"jobtypes/{name}"] = None
        else:
            broken = content.startswith("!")
            made[f"jobtypes/{name}/code.py"] = None if broken else content
            made[f"jobtypes/{name}/meta.yaml"] = f"# {content}\n" if broken else "{}\n"
    return made


def versions(branch: Branch, history: History) -> dict[str, dict[int, str]]:
    return {
        name: {v.number: _content(branch, v.tree) for v in jobtype.versions}
        for name, jobtype in history.jobtypes.items()
    }


def _content(branch: Branch, tree: str) -> str:
    entries = branch.repository.entries(tree)
    if "code.py" in entries:
        return branch.repository.read_blob(entries["code.py"].id).decode()
    return branch.repository.read_blob(entries["meta.yaml"].id).decode()[2:-1]


def ids(history: History) -> dict[str, int]:
    return {name: jobtype.id for name, jobtype in history.jobtypes.items()}


def catalogue(branch: Branch) -> Catalogue:
    return Catalogue(branch.history(), Contents(branch.repository))


def withdrawn(text: str) -> dict[str, str]:
    return {"withdrawn.yaml": text}


def forced(number: int, name: str) -> str:
    return f"subject\n\nJobtype-Version: {number} {name}\n"


def with_id(id: int, name: str) -> str:
    return f"subject\n\nJobtype-Id: {id} {name}\n"


def preview_number(branch: Branch, commit: str, name: str = "Blender") -> int:
    """The number that the directory of *name* has in previews, by the rule."""
    tree = git(branch.path, "rev-parse", f"{commit}:jobtypes/{name}").strip()
    bits = f"{int(tree, 16):0160b}"
    return PREVIEW_FIRST + int(bits[:30], 2)
