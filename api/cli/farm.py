"""The commands for PyFarm's master: import, compare, mirror."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

import click

from api.cli.opening import open_store, read_catalogue
from api.cli.options import EXIT_USER, branch_option, repo_option
from api.cli.output import progress_bar
from gitstore.branch.reviews import Reviews
from gitstore.branch.store import Store
from gitstore.catalogue.catalogue import Catalogue
from gitstore.checks.settings import Checks
from gitstore.checks.tree import check_tree
from gitstore.errors import Refused
from gitstore.format.layout import escaped
from gitstore.git.repository import init_repository
from gitstore.pyfarm.branch import branch_farm
from gitstore.pyfarm.comparing import compare as compare_farms
from gitstore.pyfarm.database import Database
from gitstore.pyfarm.farm import Farm
from gitstore.pyfarm.fitting import REASONS, Fitted, Note, fit, parse_renames
from gitstore.pyfarm.importing import Plan, land, parse_next, plan_import
from gitstore.pyfarm.mirroring import Mirror, Mirrored
from gitstore.pyfarm.source import read_source

rename_option = click.option(
    "--rename",
    "renames",
    multiple=True,
    metavar="OLD=NEW",
    help="Another name for a jobtype, software or version of software; may be repeated.",
)


@click.command("import")
@click.argument("source")
@click.option(
    "--into",
    type=click.Path(path_type=Path),
    required=True,
    help="The repository, bare or a clone; made if nothing is there.",
)
@branch_option
@rename_option
@click.option(
    "--next",
    "nexts",
    multiple=True,
    metavar="NAME=NUMBER",
    help="The number of that jobtype's next version, as those before it were used.",
)
def import_(
    source: str, into: Path, branch: str | None, renames: tuple[str, ...], nexts: tuple[str, ...]
) -> None:
    """Bring the jobtypes and software of a PyFarm master into a repository.

    SOURCE is the URL of the master's database (postgresql://, mysql://, sqlite:///) or of its
    REST API (http://master.example:5000/api/v1), which tells less. Run again, it brings what is
    new. The exit status is 1 if something conflicts with what the repository has.
    """
    wanted, declared = parse_renames(renames), parse_next(nexts)
    fitted = fit(_read(source), wanted)
    numbers = {wanted.get(name, name): number for name, number in declared.items()}
    store = _store(into, branch)
    plan = plan_import(fitted.farm, numbers, store.catalogue())
    with progress_bar("writing the commits") as progress:
        catalogue = land(store, plan, progress)
    _report(fitted, plan, catalogue, store)
    if plan.conflicts:
        sys.exit(EXIT_USER)


def _read(source: str) -> Farm:
    with progress_bar("reading the master") as progress:
        return read_source(source, progress)


def _store(path: Path, branch: str | None) -> Store:
    """The store at *path*, which is a new bare repository where nothing is there yet."""
    if not path.exists() or (path.is_dir() and not any(path.iterdir())):
        init_repository(path, branch or "main")
    store = open_store(path, branch)
    if not store.repository.is_bare and store.repository.head_ref() == store.ref:
        raise Refused(f"{path} is a working copy of {store.ref}; import into a bare repository")
    return store


def _report(fitted: Fitted, plan: Plan, catalogue: Catalogue, store: Store) -> None:
    """Print what came, what differs and why, what conflicts, and what strict would refuse."""
    count = sum(map(len, plan.numbers.values()))
    click.echo(
        f"brought {len(plan.ids)} jobtypes, {count} versions and {len(plan.software)} software"
        f" in {len(plan.commits)} commits"
    )
    _print("not told or left out", fitted.farm.notes)
    _print("comes out differently", map(str, fitted.notes))
    broken = (
        fault
        for name, numbers in plan.numbers.items()
        for number in numbers
        if (fault := _broken(catalogue, name, number))
    )
    _print("out of service", broken)
    tree = catalogue.history.tree
    assert tree is not None
    problems = check_tree(store.repository, tree, catalogue, Checks(), everything=True)
    _print('code_checks = "strict" would say', map(str, problems))
    _print("conflicts with the repository, and is not brought", plan.conflicts)


def _broken(catalogue: Catalogue, name: str, number: int) -> str | None:
    jobtype = catalogue.jobtype(name)
    return catalogue.fault(jobtype, catalogue.version(jobtype, number))


def _print(title: str, lines: Iterable[str]) -> None:
    listed = list(lines)
    if listed:
        click.echo(f"{title}: {len(listed)}")
        for line in listed:
            click.echo(f"  {escaped(line)}")


@click.command()
@click.argument("source")
@repo_option
@branch_option
@rename_option
def compare(source: str, repo: Path, branch: str | None, renames: tuple[str, ...]) -> None:
    """Compare the jobtypes and software of a PyFarm master with those of a repository.

    SOURCE is what `import` takes. Prints what differs, with the reason where there is one that
    docs/migrating.md lists. The exit status is 1 if something differs without a reason.
    """
    catalogue = read_catalogue(repo, branch)
    fitted = fit(_read(source), parse_renames(renames))
    found = list(compare_farms(fitted.farm, branch_farm(catalogue)))
    explained = [*fitted.notes, *(note for note in found if note.reason)]
    _print("not compared", (*fitted.farm.notes, f"ids of software: {REASONS['software-id']}"))
    _print("differs for a reason", map(str, explained))
    unexplained = [note for note in found if not note.reason]
    _print("differs", map(str, unexplained))
    versions = sum(len(jobtype.versions) for jobtype in fitted.farm.jobtypes)
    click.echo(
        f"compared {len(fitted.farm.jobtypes)} jobtypes, {versions} versions and"
        f" {len(fitted.farm.software)} software: {_verdict(unexplained)}"
    )
    if unexplained:
        sys.exit(EXIT_USER)


def _verdict(unexplained: list[Note]) -> str:
    return f"{len(unexplained)} differences without a reason" if unexplained else "equal"


@click.command()
@click.argument("database", envvar="JOBTYPES_MIRROR")
@repo_option
@branch_option
@click.option("--dry-run", is_flag=True, help="Print what would be done, and do nothing.")
@click.option("--check", is_flag=True, help="Print what is out of step; exit 1 if anything is.")
@click.option("--prune", is_flag=True, help="Delete what the branch never had and no job names.")
@click.option(
    "--preview",
    "previews",
    multiple=True,
    metavar="REF",
    help="A branch or commit whose versions are written as jobtypes of their own.",
)
def mirror(
    database: str,
    repo: Path,
    branch: str | None,
    dry_run: bool,
    check: bool,
    prune: bool,
    previews: tuple[str, ...],
) -> None:
    """Bring the tables of a PyFarm master in step with the branch, one way.

    DATABASE is the URL of the master's database (postgresql://, mysql://, sqlite:///). The exit
    status is 1 if a jobtype was left as it is, because the tables have other code under one of
    its numbers.
    """
    store = open_store(repo, branch)
    with progress_bar("reading the history") as progress:
        catalogue = store.catalogue(progress)
    reviews = Reviews(store)
    shown = [reviews.preview(name) for name in previews]
    farm = Mirror(Database(database), store.repository)
    is_written = not (dry_run or check)
    done = (farm.run if is_written else farm.look)(catalogue, shown, prune)
    _print("done" if is_written else "out of step" if check else "to be done", done.changes)
    _print("in the tables alone", done.drift)
    _print("left as it is", (f"{name}: {says}" for name, says in done.conflicts.items()))
    click.echo(f"{farm.database.shown}: {_mirror_verdict(done, is_written)}")
    if done.conflicts or (check and (done.changes or done.drift)):
        sys.exit(EXIT_USER)


def _mirror_verdict(done: Mirrored, is_written: bool) -> str:
    if done.conflicts:
        return f"{len(done.conflicts)} things are not in step"
    if done.changes and not is_written:
        return f"{len(done.changes)} changes away from {(done.tip or 'nothing')[:10]}"
    return f"in step with {(done.tip or 'nothing')[:10]}"
