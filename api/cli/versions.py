"""The commands about versions in service: withdraw, restore, rollback."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import click

from api.cli.completing import complete_version
from api.cli.naming import parse_one
from api.cli.opening import open_store, refuse_follower
from api.cli.options import branch_option, checks_options, repo_option
from gitstore.branch.access import Access, Role
from gitstore.branch.store import Store
from gitstore.branch.writing import Writer, require_message
from gitstore.catalogue.catalogue import Catalogue
from gitstore.catalogue.difference import difference
from gitstore.checks.settings import Checks
from gitstore.edits.edit import Edit
from gitstore.edits.jobtypes import restore as restoration
from gitstore.edits.jobtypes import withdraw as withdrawal
from gitstore.edits.rollback import roll_back
from gitstore.errors import BadRequest, Refused
from gitstore.git.author import find_author


def _arguments(command: Callable[..., object]) -> Callable[..., object]:
    """Add the arguments of a command about one version."""
    name = click.argument("name", shell_complete=complete_version)
    version = click.argument("version", metavar="VERSION", nargs=-1)
    return name(version(command))


_reason = click.option("--reason", required=True, metavar="TEXT", help="Why; the history shows it.")


@click.command()
@_arguments
@_reason
@repo_option
@branch_option
def withdraw(
    name: str, version: tuple[str, ...], reason: str, repo: Path, branch: str | None
) -> None:
    """Take VERSION of the jobtype NAME out of service.

    If it is the newest, the newest that is left takes its place. NAME@VERSION is understood, too.
    """
    key, number = parse_one((name, *version))
    # What comes back was accepted once, and taking a bad version away must not fail.
    _write(open_store(repo, branch), withdrawal, key, number, reason, is_checked=False)


@click.command()
@_arguments
@click.option("--reason", metavar="TEXT", help="Why; the history shows it.")
@repo_option
@branch_option
@checks_options
def restore(
    name: str,
    version: tuple[str, ...],
    reason: str | None,
    repo: Path,
    branch: str | None,
    checks: Checks,
) -> None:
    """Put VERSION of the jobtype NAME, which was withdrawn, back into service.

    NAME@VERSION is understood, too.
    """
    key, number = parse_one((name, *version))
    _write(open_store(repo, branch, checks), restoration, key, number, reason)


@click.command()
@_arguments
@_reason
@repo_option
@branch_option
@checks_options
def rollback(
    name: str,
    version: tuple[str, ...],
    reason: str,
    repo: Path,
    branch: str | None,
    checks: Checks,
) -> None:
    """Make a new version of the jobtype NAME with all files of the older VERSION.

    No number is used twice, so agents get the old files under the new number. NAME@VERSION is
    understood, too.
    """
    key, number = parse_one((name, *version))
    _write(open_store(repo, branch, checks), roll_back, key, number, reason)


def _write(
    store: Store,
    edit: Callable[[str, int], Edit],
    key: str,
    number: int,
    reason: str | None,
    is_checked: bool = True,
) -> None:
    """Make *edit* as the person at this machine, and say what came of it."""
    message = None if reason is None else _checked(reason)
    repository = store.repository
    if not repository.is_bare:
        raise Refused(
            f"{repository.path} is a clone, and the farm gets what is in its origin. Run this with"
            " --repo where the service's repository is, or use the service's page of the version"
        )
    refuse_follower(repository)
    repository.require_servable(store.ref)
    person = find_author(repository.path)
    # Everybody who can write the repository's files is an admin of it.
    writer = Writer(Access(person.name, person.email, Role.ADMIN), message)

    def require_version(catalogue: Catalogue) -> None:
        catalogue.version(catalogue.jobtype(key), number)

    written = store.write([edit(key, number)], writer, require_version, is_checked)
    for sentence in difference(written.before, written.after).sentences():
        click.echo(sentence)
    if written.after is written.before:
        jobtype = written.after.jobtype(key)
        is_withdrawn = written.after.history.is_withdrawn(jobtype.name, number)
        state = "withdrawn" if is_withdrawn else "in service"
        click.echo(f"{jobtype.name}: version {number} is {state} already")


def _checked(reason: str) -> str:
    if not reason.strip():
        raise BadRequest("the reason is empty; say why, for those who read the history")
    require_message(reason.strip(), "the reason")
    return reason.strip()
