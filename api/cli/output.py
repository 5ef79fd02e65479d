"""What commands print: tables, and progress on a terminal."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import TypeVar

import click
from pydantic import BaseModel

from gitstore.format.layout import escaped
from gitstore.git.commits import shown_date

CommandT = TypeVar("CommandT", bound=Callable[..., object])


def print_table(rows: Sequence[tuple[str, ...]]) -> None:
    """Print *rows*, the first of which is the headings, in columns."""
    # Authors and subjects are whatever somebody pushed.
    shown = [tuple(map(escaped, row)) for row in rows]
    widths = [max(len(cell) for cell in column) for column in zip(*shown, strict=True)]
    for row in shown:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        click.echo("  ".join(cells).rstrip())


def format_option(command: CommandT) -> CommandT:
    """Add the option that prints a table as JSON, for programs."""
    option = click.option(
        "--format",
        "form",
        type=click.Choice(["text", "json"]),
        default="text",
        show_default=True,
        help="A table for people, or JSON for programs.",
    )
    return option(command)


def print_json(answer: BaseModel | Sequence[BaseModel]) -> None:
    """Print *answer* as JSON, for programs."""
    if isinstance(answer, BaseModel):
        value: object = answer.model_dump(mode="json")
    else:
        value = [row.model_dump(mode="json") for row in answer]
    click.echo(json.dumps(value, indent=2))


def print_rows(rows: Sequence[tuple[str, ...]], form: str) -> None:
    """Print *rows*, the first of which is the headings: as a table, or as JSON.

    In JSON, each row is an object whose keys are the headings in lower case. ``-`` is null.
    """
    if form != "json":
        print_table(rows)
        return
    keys = [heading.lower() for heading in rows[0]]
    objects = [
        {key: None if cell == "-" else cell for key, cell in zip(keys, row, strict=True)}
        for row in rows[1:]
    ]
    click.echo(json.dumps(objects, indent=2))


def day(date: str | None) -> str:
    """*date*, which is in ISO 8601, as tables have it."""
    return shown_date(datetime.fromisoformat(date) if date else None)


@contextmanager
def progress_bar(label: str) -> Iterator[Callable[[int, int], None]]:
    """A progress bar on a terminal, for what may take seconds; nothing elsewhere."""
    if not sys.stderr.isatty():
        yield lambda done, total: None
        return
    with click.progressbar(length=1, label=label, file=sys.stderr) as bar:

        def progress(done: int, total: int) -> None:
            if done % 200 == 0 or done == total:
                bar.length = total
                bar.update(done - bar.pos)

        yield progress
