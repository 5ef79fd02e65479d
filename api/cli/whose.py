"""The command whose: from an agent's traceback to those who wrote its lines."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import click

from api.cli.completing import complete_file
from api.cli.opening import open_served
from api.cli.options import branch_option, repo_option
from api.cli.output import cut_line, format_option
from gitstore.branch.whose import FRAMES_LIMIT, Origin, find_origins
from gitstore.errors import NotFound
from gitstore.format.layout import escaped, printable
from gitstore.git.commits import Person


@dataclass(frozen=True, slots=True)
class Answer:
    """What is known of one line, as text and JSON show it; None for what is not known.

    *merged_by*, *pull_request* and *came_in* are of the version that brought it, and *changed_by*,
    *changed_subject* and *changed_in* of the first later one without it. *fault* is why nothing
    is known.
    """

    jobtype: str
    version: int
    line: int
    text: str | None = None
    author: Person | None = None
    date: str | None = None
    commit: str | None = None
    subject: str | None = None
    came_in: int | None = None
    merged_by: Person | None = None
    pull_request: str | None = None
    changed_in: int | None = None
    changed_by: tuple[Person, ...] = ()
    changed_subject: str | None = None
    fault: str | None = None


@click.command()
@click.argument("text", default="-", metavar="[TEXT]", shell_complete=complete_file)
@repo_option
@branch_option
@format_option
def whose(text: str, repo: Path, branch: str | None, form: str) -> None:
    """Tell who wrote a line of a jobtype's code, when and why, and whether it is still there.

    TEXT names it as agents do: Blender_BlenderJob_v7.py:123. It can be a whole traceback, too.
    Without TEXT, or with -, the traceback is read from standard input.

    In a clone, this looks at the branch that it came from, as of the last fetch.
    """
    if text == "-":
        text = _standard_input()
    print_answers(find_answers(repo, branch, text), form)


def _standard_input() -> str:
    if sys.stdin.isatty():
        click.echo("paste the traceback, and end it with Ctrl-D in a line of its own", err=True)
    return sys.stdin.buffer.read().decode(errors="replace")


def find_answers(repo: Path, branch: str | None, text: str) -> list[Answer]:
    """What the repository *repo* knows of the lines that *text* names.

    Raises:
        NotFound: it names none.
    """
    store = open_served(repo, branch)
    answers = [_answer(origin) for origin in find_origins(store, text)]
    if not answers:
        raise NotFound(
            "no line of a jobtype of this repository is named there; agents write it as"
            " <jobtype>_<class>_v<number>.py:<line>. If the version is new, fetch first"
        )
    return answers


def _answer(origin: Origin) -> Answer:
    frame, lines, story, changed = origin.frame, origin.lines, origin.story, origin.changed
    place = (printable(frame.jobtype), frame.number, frame.line)
    if lines is None or story is None:
        return Answer(*place, fault=origin.fault)
    commit = lines.commit
    brought = None if lines.came_in is None else story.credit
    return Answer(
        *place,
        text=origin.text.rstrip("\r"),
        author=commit.author.person,
        date=commit.author.when.isoformat() if commit.author.when else None,
        commit=commit.id,
        subject=commit.subject,
        came_in=lines.came_in,
        merged_by=brought.merged_by if brought else None,
        pull_request=brought.pull_request if brought else None,
        changed_in=changed.number if changed else None,
        changed_by=changed.credit.authors if changed else (),
        changed_subject=changed.credit.subject if changed else None,
    )


def print_answers(answers: list[Answer], form: str) -> None:
    """Print *answers*, for people or as JSON."""
    if form == "json":
        click.echo(json.dumps([asdict(answer) for answer in answers], indent=2))
        return
    for place, answer in enumerate(answers):
        if place:
            click.echo()
        for line in _told(answer):
            click.echo(escaped(line))
    if len(answers) == FRAMES_LIMIT:
        click.echo(f"these are the first {FRAMES_LIMIT} lines", err=True)


def _told(answer: Answer) -> Iterator[str]:
    """Yield the lines that tell of *answer*."""
    yield f"{answer.jobtype} version {answer.version}, line {answer.line}"
    if answer.author is None:
        yield f"  {answer.fault}"
        return
    yield f"    {(answer.text or '').strip()}"
    date = (answer.date or "")[:16].replace("T", " ")
    yield f"  written by {_person(answer.author)}, {date}"
    yield cut_line(f"  commit {(answer.commit or '')[:10]}: {answer.subject}")
    if answer.came_in is not None:
        merged = f", merged by {_person(answer.merged_by)}" if answer.merged_by else ""
        pull = f", {answer.pull_request}" if answer.pull_request else ""
        yield f"  came in version {answer.came_in}{merged}{pull}"
    if answer.changed_in is None:
        yield "  the newest version still has it"
    else:
        people = ", ".join(person.name or person.email for person in answer.changed_by)
        what = f"version {answer.changed_in} by {people}: {answer.changed_subject}"
        yield cut_line(f"  changed in {what}")


def _person(person: Person) -> str:
    return f"{person.name} <{person.email}>" if person.name else person.email
