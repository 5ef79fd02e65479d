"""The command check: what is wrong in a working copy, a folder or a bare repository."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path

import click

from api.cli import report
from api.cli.opening import root_of, store_of
from api.cli.options import EXIT_USER, checks_options, repo_option
from gitstore.branch.store import Store
from gitstore.catalogue.catalogue import Catalogue
from gitstore.checks.folder import NAMED, Worktree
from gitstore.checks.settings import Checks
from gitstore.checks.stored import stored
from gitstore.checks.tree import check_tree
from gitstore.errors import NotFound, NotWhole
from gitstore.git.repository import Repository
from gitstore.rules import Problem, Severity


@click.command()
@click.argument("path", type=click.Path(path_type=Path), required=False)
@repo_option
@click.option(
    "--format",
    "form",
    type=click.Choice(list(report.FORMATS)),
    default="text",
    show_default=True,
    help="How problems are printed: for people, or as a CI's annotations.",
)
@click.option("--staged", is_flag=True, help="Check what is staged for the next commit.")
@checks_options
def check(
    path: Path | None,
    repo: Path,
    form: str,
    staged: bool,
    checks: Checks,
) -> None:
    """Check the jobtypes in PATH: a working copy, a folder, or a bare repository.

    In a folder within a working copy that has no jobtypes of its own, the whole copy is checked.

    Prints each problem as path:line: severity: sentence. The exit status is 1 if one is
    an error.
    """
    where = root_of(path or repo)
    store = _staged_store(where) if staged else store_of(where)
    problems = _problems(where, store, staged, checks)
    folder = Path() if store and store.repository.is_bare else where
    problems = [replace(p, path=os.path.normpath(folder / p.path)) for p in problems]
    click.echo(report.FORMATS[form](problems), nl=False)
    click.echo(f"{where}: {report.count(problems)}", err=True)
    if any(p.severity is Severity.ERROR for p in problems):
        sys.exit(EXIT_USER)


def _problems(where: Path, store: Store | None, staged: bool, checks: Checks) -> list[Problem]:
    """What is wrong in the folder *where* of the repository *store*, by paths within it."""
    if store is None:
        tree = Worktree(where)
        base = Catalogue.empty(tree)
        return check_tree(tree, tree.tree, base, checks, everything=True)
    base = _base_of(store)
    if staged:
        staged_tree = store.repository.staged_tree()
        return check_tree(store.repository, staged_tree, base, checks, everything=True)
    if not store.repository.is_bare:
        with stored(where, NAMED) as (objects, tree_id):
            return check_tree(objects, tree_id, base, checks, everything=True)
    served = base.history.tree
    return check_tree(store.repository, served, base, checks, everything=True) if served else []


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
