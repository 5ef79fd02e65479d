"""The commands that read: list, log, show, diff."""

from __future__ import annotations

import click

from api.cli.asking import Place, place_options
from api.cli.completing import complete_number, complete_version
from api.cli.naming import Named, parse_named, parse_pair
from api.cli.output import format_option, print_content, print_json, print_table
from api.cli.telling import STORY_HEADINGS, story_lines, story_row
from gitstore.format.layout import escaped


@click.command("list")
@place_options
@format_option
def list_(place: Place, form: str) -> None:
    """List the jobtypes: id, name, newest version in service, class."""
    jobtypes = place.source().jobtypes()
    if form == "json":
        print_json(jobtypes)
        return
    rows = [("ID", "NAME", "NEWEST", "CLASS")]
    rows += [
        (str(row.id), row.name, str(row.version or "-"), row.classname or "-") for row in jobtypes
    ]
    print_table(rows)


@click.command()
@click.argument(
    "named", metavar="NAME[@VERSION]", type=parse_named, shell_complete=complete_version
)
@place_options
@format_option
def log(named: Named, place: Place, form: str) -> None:
    """List the versions of the jobtype NAME, newest first, or tell all about one VERSION.

    For each: number, commit, date, authors and who merged, state with its reason, subject.
    Jobtypes that were deleted are shown too. VERSION is a number such as 3 or v3.
    """
    source, key, number = place.source(), named.key, named.number
    stories = source.history(key) if number is None else [source.story(key, number)]
    if form == "json":
        print_json(stories)
    elif number is None:
        print_table([STORY_HEADINGS, *map(story_row, stories)])
    else:
        for line in story_lines(stories[0]):
            click.echo(escaped(line))


@click.command()
@click.argument(
    "named", metavar="NAME[@VERSION]", type=parse_named, shell_complete=complete_version
)
@place_options
@format_option
def show(named: Named, place: Place, form: str) -> None:
    """Show meta.yaml and code.py of the newest or the given version of a jobtype.

    VERSION is a number such as 3 or v3.
    """
    shown = place.source().version(named.key, named.number)
    jobtype = shown.jobtype
    if form == "json":
        print_json(jobtype)
        return
    click.echo(escaped(f"# {jobtype.name} version {jobtype.version}"))
    click.echo(f"# commit {shown.commit}")
    click.echo("# --- meta.yaml")
    print_content(shown.meta)
    if not shown.meta.endswith("\n"):
        click.echo()
    click.echo("# --- code.py")
    print_content(jobtype.code)


@click.command()
@click.argument("name", shell_complete=complete_version)
@click.argument("versions", metavar="V1..V2|V1 V2", nargs=-1, shell_complete=complete_number)
@place_options
@format_option
def diff(name: str, versions: tuple[str, ...], place: Place, form: str) -> None:
    """Show what differs between versions V1 and V2 of the jobtype NAME.

    Withdrawn and broken versions can be compared too. NAME@V1..V2 is understood as well.
    """
    key, old, new = parse_pair((name, *versions))
    if form == "json":
        print_json(place.source().diff(key, old, new))
    else:
        print_content(place.source().diff_text(key, old, new))
