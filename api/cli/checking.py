"""The command check: what is wrong in a working copy, a folder or a bare repository."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import click

from api.cli import report
from api.cli.opening import UPSTREAM, is_repository, root_of, store_of
from api.cli.options import EXIT_USER, checks_options, repo_option
from api.cli.variables import environment
from gitstore.branch.old_faults import Counts, OldFaults, count
from gitstore.branch.store import Store
from gitstore.catalogue.catalogue import Catalogue
from gitstore.checks.folder import NAMED, Worktree
from gitstore.checks.settings import Checks
from gitstore.checks.stored import stored
from gitstore.checks.tree import check_tree
from gitstore.checks.units import differing_units, unit_of, units_of
from gitstore.errors import NotFound, NotWhole
from gitstore.format.layout import JOBTYPES, SOFTWARE, WITHDRAWN, escaped, shown
from gitstore.format.spelling import did_you_mean
from gitstore.git.repository import Repository
from gitstore.git.trees import Objects
from gitstore.rules import Problem, Severity


@dataclass(frozen=True, slots=True)
class _Found:
    """The problems of a tree, by paths within it, and the units that are looked at.

    *units* is None for all. *what* names them, for people. *old* are the problems that were
    there before, where what differs may have brought one into another unit. *known* are the
    faults of other units that are not among the problems.
    """

    problems: list[Problem]
    units: frozenset[str] | None = None
    what: str = ""
    old: frozenset[Problem] | None = None
    known: Counts = (0, 0)

    def covers(self, problem: Problem) -> bool:
        if self.units is None or unit_of(problem.path) in self.units:
            return True
        return self.old is not None and problem not in self.old


@dataclass(frozen=True, slots=True)
class _Scope:
    """What is to be looked at: one *unit*, *everything*, or what differs from origin."""

    unit: str | None
    everything: bool


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
    found = _find(where, store, staged, checks, _Scope(unit, everything))
    if unit is not None:
        found = replace(found, units=frozenset({unit}), what=unit)
    folder = Path() if store and store.repository.is_bare else where
    mine, others = _split(found)
    problems = [replace(p, path=os.path.normpath(folder / p.path)) for p in mine]
    is_coloured = form == "text" and _has_colours(color)
    text = report.coloured(problems) if is_coloured else report.FORMATS[form](problems)
    click.echo(text, nl=False, color=is_coloured)
    what = "" if found.units is None else f", {escaped(found.what)}"
    click.echo(f"{where}{what}: {report.counted(*count(mine))}", err=True)
    if any(others) and unit is None:
        of_others = report.counted(*others)
        click.echo(f"in what you didn't change: {of_others}; --all shows them", err=True)
    if any(p.severity is Severity.ERROR for p in mine):
        sys.exit(EXIT_USER)


def _split(found: _Found) -> tuple[list[Problem], Counts]:
    """The problems that are looked at, and how many others there are."""
    mine = [problem for problem in found.problems if found.covers(problem)]
    errors, warnings = count(p for p in found.problems if not found.covers(p))
    return mine, (errors + found.known[0], warnings + found.known[1])


def _has_colours(color: str) -> bool:
    if color == "auto":
        return sys.stdout.isatty() and not environment().get("NO_COLOR")
    return color == "always"


def _where(path: Path | None, repo: Path) -> tuple[Path, str | None]:
    """The folder with the jobtypes, and the unit of it that *path* names, None for all."""
    if path is None:
        return root_of(repo), None
    is_there = os.path.exists(path)  # A name may be too long to be one.
    if not is_there and len(path.parts) == 1:
        return _named(root_of(repo), path.name)
    if not is_there or is_repository(path) or any((path / name).exists() for name in NAMED):
        return root_of(path), None
    folder = path if path.is_dir() else path.parent
    root = root_of(folder)
    # A file that is a link may lead out of the folder.
    named = folder.resolve() if folder == path else folder.resolve() / path.name
    below = named.relative_to(root.resolve()).as_posix()
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


def _find(where: Path, store: Store | None, staged: bool, checks: Checks, scope: _Scope) -> _Found:
    """What is wrong in the folder *where* of the repository *store*, as far as *scope* goes."""
    if store is None:
        tree = Worktree(where)
        base = Catalogue.empty(tree)
        return _Found(check_tree(tree, tree.tree, base, checks, everything=True))
    base = _base_of(store)
    repository = store.repository
    look = _Look(repository, base, checks)
    if staged:
        return look.found(repository, repository.staged_tree(), scope)
    if not repository.is_bare:
        with stored(where, NAMED) as (objects, tree_id):
            return look.found(objects, tree_id, scope)
    served = base.history.tree
    if served is None:
        return _Found([])
    return _Found(check_tree(repository, served, base, checks, everything=True))


@dataclass(frozen=True, slots=True)
class _Look:
    """Looks at trees of a clone, whose branch has the catalogue *base*."""

    repository: Repository
    base: Catalogue
    checks: Checks

    def found(self, objects: Objects, tree: str, scope: _Scope) -> _Found:
        """What is wrong with *tree*, as far as *scope* goes."""
        folder, _, name = (scope.unit or "").partition("/")
        if folder == JOBTYPES:
            return _Found(self._problems(objects, tree, [name]))
        tip = self.repository.tip(UPSTREAM)
        if tip is None or scope.everything or scope.unit is not None:
            return _Found(self._problems(objects, tree))
        before = self.repository.commit(tip).tree
        units, what = differing_units(objects, before, tree), "what differs from origin"
        begin = f"{JOBTYPES}/"
        names = [unit.removeprefix(begin) for unit in units if unit.startswith(begin)]
        left = units_of(objects, tree)
        if any(u.startswith((SOFTWARE, WITHDRAWN)) or u not in left for u in units):
            # What others require or list may be gone, and their own files are as they were.
            old = frozenset(self._problems(self.repository, before))
            return _Found(self._problems(objects, tree), units, what, old)
        faults = OldFaults(self.repository.git_dir).counts(
            before, self.checks, lambda: self._problems(self.repository, before)
        )
        others = [n for unit, n in faults.items() if unit.startswith(begin) and unit not in units]
        known = sum(errors for errors, _ in others), sum(warnings for _, warnings in others)
        found = self._problems(objects, tree, names)
        # Of other jobtypes, all is known.
        own = [p for p in found if unit_of(p.path) in units or not p.path.startswith(begin)]
        return _Found(own, units, what, known=known)

    def _problems(
        self, objects: Objects, tree: str, names: Sequence[str] | None = None
    ) -> list[Problem]:
        """What is wrong with *tree*; *names* are the jobtypes that matter, None for all."""
        return check_tree(objects, tree, self.base, self.checks, everything=True, only=names)


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
