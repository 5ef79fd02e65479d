"""The validator asked about one change of a branch that holds a little."""

from __future__ import annotations

from collections.abc import Mapping

from gitstore.catalogue.catalogue import Catalogue
from gitstore.catalogue.contents import Contents
from gitstore.checks.settings import Checks
from gitstore.checks.tree import check_tree
from gitstore.rules import Problem
from tests.support.branches import Branch, Content, jobtype

BLENDER = """\
versions:
  - {version: "2.69", rank: 100}
  - {version: "2.70", rank: 200}
"""
USES = 'requirements:\n  - software: blender\n    min_version: "2.69"\n'
BASE: dict[str, Content] = {
    **jobtype("Old", meta=USES),
    "software/blender.yaml": BLENDER,
    "README.md": "x\n",
}
"""What the branch holds before each case."""
DEFAULT = Checks()


def catalogue(branch: Branch) -> Catalogue:
    return Catalogue(branch.history(), Contents(branch.repository))


def check(
    branch: Branch,
    changes: Mapping[str, Content],
    checks: Checks | None = None,
    everything: bool = False,
) -> list[Problem]:
    """What the validator says to *changes* on top of the tip."""
    commit = branch.side(changes)
    tree = branch.repository.commit(commit).tree
    return check_tree(
        branch.repository, tree, catalogue(branch), checks or Checks(), everything=everything
    )


def meta(text: str) -> dict[str, Content]:
    return jobtype("A") | {"jobtypes/A/meta.yaml": text}


def code(text: str | bytes) -> dict[str, Content]:
    return jobtype("A") | {"jobtypes/A/code.py": text}


def without(name: str) -> dict[str, Content]:
    return {p: c for p, c in jobtype("A").items() if not p.endswith(name)}


def requires(text: str) -> dict[str, Content]:
    return jobtype("A", meta=f"requirements:\n  - {text}\n")


def software(text: str, name: str = "x") -> dict[str, Content]:
    return {f"software/{name}.yaml": text}
