"""The command check: what is wrong in a working copy, a folder or a bare repository."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import click

from api.cli import report
from api.cli.opening import UPSTREAM, is_repository, root_of, store_of
from api.cli.options import EXIT_USER, checks_options, repo_option
from api.cli.variables import environment
from gitstore.branch.store import Store
from gitstore.catalogue.catalogue import Catalogue
from gitstore.checks.folder import NAMED, Worktree
from gitstore.checks.settings import Checks
from gitstore.checks.stored import stored
from gitstore.checks.tree import check_tree
from gitstore.checks.units import differing_units, unit_of
from gitstore.errors import NotFound, NotWhole
from gitstore.format.layout import JOBTYPES, SOFTWARE, escaped, shown
from gitstore.format.spelling import did_you_mean
from gitstore.git.repository import Repository
from gitstore.git.trees import Objects
from gitstore.rules import Problem, Severity


@dataclass(frozen=True, slots=True)
class _Found:
    """All problems of a tree, by paths within it, and the units that are looked at.

    *units* is None for all. *what* names them, for people. *old* are the problems that were
    there before, where what differs may have brought one into another unit.
    """

    problems: list[Problem]
    units: frozenset[str] | None = None
    what: str = ""
    old: frozenset[Problem] | None = None

    def covers(self, problem: Problem) -> bool:
        if self.units is None or unit_of(problem.path) in self.units:
            return True
        return self.old is not None and problem not in self.old


@click.command()
@click.argument("path", type=click.Path(path_type=Path), required=False, metavar="[PATH]")
@repo_option
@click.option("--all", "everything", is_flag=True, help="Report old faults of others, too.")
@click.option("--staged", is_flag=True, help="Check what is staged for the next commit.")
@click.option(
    "--format",
    "form",
    type=click.Choice(list(report.FORMATS)),
    default="text",
    show_default=True,
    help="How problems are printed: for people, or for CI systems and programs.",
)
@click.option(
    "--color",
    type=click.Choice(["auto", "always", "never"]),
    default="auto",
    show_default=True,
    help="Whether the text has colours; NO_COLOR is respected.",
)
@checks_options
def check(
    path: Path | None,
    repo: Path,
    everything: bool,
    staged: bool,
    form: str,
    color: str,
    checks: Checks,
) -> None:
    """Check jobtypes and software as a push would.

    In a clone, this reports what differs from the branch that it came from, and counts the
    faults that were there before. PATH is another clone, a folder or a bare repository; or a
    jobtype's name, or a path below jobtypes/ or software/, which is then all that is looked at.

    Prints each problem as path:line: severity: sentence [rule]. The exit status is 1 if one of
    them is an error.
    """
    where, unit = _where(path, repo)
    store = _staged_store(where) if staged else store_of(where)
    found = _find(where, store, staged, checks)
    if unit is not None:
        found = replace(found, units=frozenset({unit}), what=unit, old=None)
    elif everything:
        found = replace(found, units=None)
    folder = Path() if store and store.repository.is_bare else where
    mine, others = _split(found)
    problems = [replace(p, path=os.path.normpath(folder / p.path)) for p in mine]
    is_coloured = form == "text" and _has_colours(color)
    text = report.coloured(problems) if is_coloured else report.FORMATS[form](problems)
    click.echo(text, nl=False, color=is_coloured)
    what = "" if found.units is None else f", {escaped(found.what)}"
    click.echo(f"{where}{what}: {report.count(mine)}", err=True)
    if others and unit is None:
        click.echo(f"in what you didn't change: {report.count(others)}; --all shows them", err=True)
    if any(p.severity is Severity.ERROR for p in mine):
        sys.exit(EXIT_USER)


def _split(found: _Found) -> tuple[list[Problem], list[Problem]]:
    mine = [problem for problem in found.problems if found.covers(problem)]
    return mine, [problem for problem in found.problems if not found.covers(problem)]


def _has_colours(color: str) -> bool:
    if color == "auto":
        return sys.stdout.isatty() and not environment().get("NO_COLOR")
    return color == "always"


def _where(path: Path | None, repo: Path) -> tuple[Path, str | None]:
    """The folder with the jobtypes, and the unit of it that *path* names, None for all."""
    if path is None:
        return root_of(repo), None
    if not path.exists() and len(path.parts) == 1:
        return _named(root_of(repo), path.name)
    if not path.exists() or is_repository(path) or any((path / name).exists() for name in NAMED):
        return root_of(path), None
    root = root_of(path if path.is_dir() else path.parent)
    below = path.resolve().relative_to(root.resolve()).as_posix()
    return root, None if below in (".", JOBTYPES, SOFTWARE) else unit_of(below)


def _named(root: Path, name: str) -> tuple[Path, str]:
    """The unit of the jobtype *name* in *root*.

    Raises:
        NotFound: there is none.
    """
    names = [folder.name for folder in (root / JOBTYPES).glob("*/")]
    if name in names:
        return root, f"{JOBTYPES}/{name}"
    near = did_you_mean(name, names)
    raise NotFound(f"{shown(name)} is no folder, and no jobtype in {root / JOBTYPES}{near}")


def _find(where: Path, store: Store | None, staged: bool, checks: Checks) -> _Found:
    """What is wrong in the folder *where* of the repository *store*, and what differs there."""
    if store is None:
        tree = Worktree(where)
        base = Catalogue.empty(tree)
        return _Found(check_tree(tree, tree.tree, base, checks, everything=True))
    base = _base_of(store)
    repository = store.repository

    def found(objects: Objects, tree: str) -> _Found:
        problems = check_tree(objects, tree, base, checks, everything=True)
        tip = repository.tip(UPSTREAM)
        if tip is None:
            return _Found(problems)
        before = repository.commit(tip).tree
        units = differing_units(objects, before, tree)
        old = None
        if any(unit.startswith(f"{SOFTWARE}/") for unit in units):
            # What a jobtype requires may be gone, and its own files are as they were.
            old = frozenset(check_tree(repository, before, base, checks, everything=True))
        return _Found(problems, units, "what differs from origin", old)

    if staged:
        return found(repository, repository.staged_tree())
    if not repository.is_bare:
        with stored(where, NAMED) as (objects, tree_id):
            return found(objects, tree_id)
    served = base.history.tree
    if served is None:
        return _Found([])
    return _Found(check_tree(repository, served, base, checks, everything=True))


def _base_of(store: Store) -> Catalogue:
    """The catalogue to compare with; an empty one if a part of the history is missing."""
    try:
        store.repository.require_whole()
    except NotWhole as error:
        click.echo(
            f"{error}. Checked without it: whether names and numbers are taken, and"
            " whether withdrawn.yaml names existing versions, is unknown",
            err=True,
        )
        return Catalogue.empty(store.repository)
    return store.catalogue()


def _staged_store(where: Path) -> Store:
    repository = Repository(where)
    if repository.is_bare:
        raise NotFound(f"nothing is staged in {where}, which is no working copy")
    return Store(repository)
