"""The command whose: from an agent's traceback to those who wrote its lines."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import click

from api.cli.asking import Place, place_options
from api.cli.completing import complete_file
from api.cli.output import cut_line, day, format_option, print_json
from api.cli.telling import person_text
from api.rest.story_models import OriginAnswer
from gitstore.branch.whose import FRAMES_LIMIT
from gitstore.errors import NotFound
from gitstore.format.layout import escaped


@click.command()
@click.argument("text", default="-", metavar="[TEXT]", shell_complete=complete_file)
@place_options
@format_option
def whose(text: str, place: Place, form: str) -> None:
    """Tell who wrote a line of a jobtype's code, when and why, and whether it is still there.

    TEXT names it as agents do: Blender_BlenderJob_v7.py:123. It can be a whole traceback, too.
    Without TEXT, or with -, the traceback is read from standard input.

    In a clone, this looks at the branch that it came from, as of the last fetch.
    """
    if text == "-":
        text = _standard_input()
    origins = place.upstream_source().whose(text)
    if not origins:
        more = "" if place.url else ". If the version is new, fetch first"
        raise NotFound(
            "no line of a jobtype of this repository is named there; agents write it as"
            f" <jobtype>_<class>_v<number>.py:<line>{more}"
        )
    print_origins(origins, form)


def _standard_input() -> str:
    if sys.stdin.isatty():
        click.echo("paste the traceback, and end it with Ctrl-D in a line of its own", err=True)
    return sys.stdin.buffer.read().decode(errors="replace")


def print_origins(answers: list[OriginAnswer], form: str) -> None:
    """Print *answers*, for people or as JSON."""
    if form == "json":
        print_json(answers)
        return
    for place, answer in enumerate(answers):
        if place:
            click.echo()
        for line in _told(answer):
            click.echo(escaped(line))
    if len(answers) == FRAMES_LIMIT:
        click.echo(f"these are the first {FRAMES_LIMIT} lines", err=True)


def _told(answer: OriginAnswer) -> Iterator[str]:
    """Yield the lines that tell of *answer*."""
    yield f"{answer.jobtype} version {answer.version}, line {answer.line}"
    if answer.author is None:
        yield f"  {answer.fault}"
        return
    yield f"    {(answer.text or '').strip()}"
    yield f"  written by {person_text(answer.author)}, {day(answer.date)}"
    yield cut_line(f"  commit {(answer.commit or '')[:10]}: {answer.subject}")
    if answer.came_in is not None:
        merged = f", merged by {person_text(answer.merged_by)}" if answer.merged_by else ""
        pull = f", {answer.pull_request}" if answer.pull_request else ""
        yield f"  came in version {answer.came_in}{merged}{pull}"
    if answer.changed_in is None:
        yield "  the newest version still has it"
    else:
        people = ", ".join(person.name or person.email for person in answer.changed_by)
        what = f"version {answer.changed_in} by {people}: {answer.changed_subject}"
        yield cut_line(f"  changed in {what}")
