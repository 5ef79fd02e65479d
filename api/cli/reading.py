"""The commands that read: list, log, show, diff."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click

from api.cli.completing import complete_version
from api.cli.naming import Named, parse_named, parse_pair
from api.cli.opening import open_store, read_catalogue
from api.cli.options import branch_option, repo_option
from api.cli.output import format_option, print_rows
from gitstore.branch.credits import Credit
from gitstore.branch.stories import State, Status, Story
from gitstore.format.layout import escaped, printable
from gitstore.git.commits import Person

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
@click.argument(
    "named", metavar="NAME[@VERSION]", type=parse_named, shell_complete=complete_version
)
@repo_option
@branch_option
@format_option
def log(named: Named, repo: Path, branch: str | None, form: str) -> None:
    """List the versions of the jobtype NAME, newest first, or tell all about one VERSION.

    For each: number, commit, date, authors and who merged, state with its reason, subject.
    Jobtypes that were deleted are shown too. VERSION is a number such as 3 or v3.
    """
    store = open_store(repo, branch)
    if named.number is None:
        stories = store.stories(named.key, limit=None).stories
    else:
        stories = (store.story(named.key, named.number),)
    if named.number is None or form == "json":
        rows = [("VERSION", "COMMIT", "DATE", "AUTHORS", "STATE", "SUBJECT"), *map(_row, stories)]
        print_rows(rows, form)
        return
    for story in stories:
        for line in _told(story):
            click.echo(escaped(line))


def _row(story: Story) -> tuple[str, ...]:
    credit = story.credit
    made = (str(story.number), credit.commit[:10], credit.shown_date, _people(credit))
    return (*made, _state(story.status), credit.subject)


def _told(story: Story) -> Iterator[str]:
    """Yield the lines that tell all about a version, what its commit says last."""
    credit, diff = story.credit, story.diff
    yield f"{printable(story.name)} version {story.number}: {_state(story.status)}"
    facts = {
        "commit": credit.commit,
        "date": credit.shown_date,
        "authors": ", ".join(map(_person, credit.authors)),
        "merged by": _person(credit.merged_by) if credit.merged_by else None,
        "pushed by": story.pushed_by,
        "pull request": credit.pull_request,
        "branch": credit.branch,
        "version before": None if story.before is None else str(story.before),
        "files": ", ".join(f"{file.status} {printable(file.path)}" for file in diff.files),
        "meta.yaml": ", ".join(diff.fields),
        "requirements": ", ".join(diff.requirements),
    }
    yield from (f"{name}: {fact}" for name, fact in facts.items() if fact)
    yield ""
    yield from (f"    {line}".rstrip() for line in credit.message.splitlines())


def _person(person: Person) -> str:
    return f"{person.name} <{person.email}>" if person.name else person.email


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
@click.argument(
    "named", metavar="NAME[@VERSION]", type=parse_named, shell_complete=complete_version
)
@repo_option
@branch_option
def show(named: Named, repo: Path, branch: str | None) -> None:
    """Show meta.yaml and code.py of the newest or the given version of a jobtype.

    VERSION is a number such as 3 or v3.
    """
    catalogue = read_catalogue(repo, branch)
    key, number = named.key, named.number
    release = catalogue.newest(key) if number is None else catalogue.release(key, number)
    click.echo(f"# {release.jobtype.name} version {release.version.number}")
    click.echo(f"# commit {release.version.commit}")
    click.echo("# --- meta.yaml")
    click.echo(catalogue.contents.objects.read_blob(release.directory.meta_blob).decode(), nl=False)
    click.echo("# --- code.py")
    click.echo(catalogue.code(release), nl=False)


@click.command()
@click.argument("name", shell_complete=complete_version)
@click.argument("versions", metavar="V1..V2|V1 V2", nargs=-1)
@repo_option
@branch_option
def diff(name: str, versions: tuple[str, ...], repo: Path, branch: str | None) -> None:
    """Show what differs between versions V1 and V2 of the jobtype NAME.

    Withdrawn and broken versions can be compared too. NAME@V1..V2 is understood as well.
    """
    text, _ = open_store(repo, branch).diff(*parse_pair((name, *versions)))
    click.echo(text, nl=False)
