"""The commands that read: list, log, show, diff."""

from __future__ import annotations

from pathlib import Path

import click

from api.cli.completing import complete_name
from api.cli.opening import open_store, read_catalogue
from api.cli.options import branch_option, repo_option
from api.cli.output import format_option, print_rows
from gitstore.branch.credits import Credit
from gitstore.branch.stories import State, Status
from gitstore.errors import NotFound
from gitstore.format.layout import is_id, parse_number

AUTHORS_SHOWN = 3
"""Authors of a version that a table names."""


@click.command("list")
@repo_option
@branch_option
@format_option
def list_(repo: Path, branch: str | None, form: str) -> None:
    """List the jobtypes: id, name, newest version in service, class."""
    catalogue = read_catalogue(repo, branch)
    rows = [("ID", "NAME", "NEWEST", "CLASS")]
    for jobtype in catalogue.jobtypes():
        release = catalogue.find_newest(jobtype)
        newest = str(release.version.number) if release else "-"
        classname = (release.meta.classname if release else None) or "-"
        rows.append((str(jobtype.id), jobtype.name, newest, classname))
    print_rows(rows, form)


@click.command()
@click.argument("name", shell_complete=complete_name)
@repo_option
@branch_option
@format_option
def log(name: str, repo: Path, branch: str | None, form: str) -> None:
    """List the versions of the jobtype NAME, newest first.

    For each: number, commit, date, authors and who merged, state with its reason, subject.
    Jobtypes that were deleted are shown too.
    """
    rows = [("VERSION", "COMMIT", "DATE", "AUTHORS", "STATE", "SUBJECT")]
    for story in open_store(repo, branch).stories(name, limit=None).stories:
        credit = story.credit
        made = (str(story.number), credit.commit[:10], credit.shown_date, _people(credit))
        rows.append((*made, _state(story.status), credit.subject))
    print_rows(rows, form)


def _people(credit: Credit) -> str:
    """The authors, as many as a table has room for, and who merged."""
    names = [author.name or author.email for author in credit.authors]
    more = len(names) - AUTHORS_SHOWN
    shown = ", ".join(names[:AUTHORS_SHOWN]) + (f" and {more} more" if more > 0 else "")
    by = credit.merged_by
    return f"{shown} (merged by {by.name or by.email})" if by else shown


def _state(status: Status) -> str:
    reason = status.reason if status.state is State.WITHDRAWN else None
    return f"{status.state}: {reason}" if reason else str(status.state)


@click.command()
@click.argument("name", metavar="NAME[@VERSION]", shell_complete=complete_name)
@repo_option
@branch_option
def show(name: str, repo: Path, branch: str | None) -> None:
    """Show meta.yaml and code.py of the newest or the given version of a jobtype."""
    catalogue = read_catalogue(repo, branch)
    key, _, number = name.partition("@")
    release = catalogue.release(key, _number(number)) if number else catalogue.newest(key)
    click.echo(f"# {release.jobtype.name} version {release.version.number}")
    click.echo(f"# commit {release.version.commit}")
    click.echo("# --- meta.yaml")
    click.echo(catalogue.contents.objects.read_blob(release.directory.meta_blob).decode(), nl=False)
    click.echo("# --- code.py")
    click.echo(catalogue.code(release), nl=False)


@click.command()
@click.argument("name", shell_complete=complete_name)
@click.argument("old", metavar="V1")
@click.argument("new", metavar="V2")
@repo_option
@branch_option
def diff(name: str, old: str, new: str, repo: Path, branch: str | None) -> None:
    """Show what differs between versions V1 and V2 of the jobtype NAME.

    Withdrawn and broken versions can be compared too.
    """
    text, _ = open_store(repo, branch).diff(name, _number(old), _number(new))
    click.echo(text, nl=False)


def _number(text: str) -> int:
    if not is_id(text):
        raise NotFound(f"{text} is no version number; write digits")
    return parse_number(text)
