"""What commands print: tables, and progress on a terminal."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import TypeVar

import click
from pydantic import BaseModel

from gitstore.format.columns import columns
from gitstore.format.layout import escaped, escaped_lines
from gitstore.git.commits import shown_date

CommandT = TypeVar("CommandT", bound=Callable[..., object])


_CUT = frozenset({"AUTHOR", "AUTHORS", "CREATED", "EMAIL", "ENDS", "ONLY", "STATE", "SUBJECT"})
"""Headings of columns whose long texts are cut on a narrow terminal. Names never are."""

_LEAST = 11
"""The width down to which such a column is cut: a date, or the first words."""

_GAP = "  "


def print_table(rows: Sequence[tuple[str, ...]]) -> None:
    """Print *rows*, the first of which is the headings, in columns.

    On a terminal, no line is longer than it is wide, unless a name is: long texts are cut, and if
    that doesn't do, each row is a block of lines.
    """
    # Authors and subjects are whatever somebody pushed.
    shown = [tuple(map(escaped, row)) for row in rows]
    widths = [max(map(columns, column)) for column in zip(*shown, strict=True)]
    room = _terminal_width()
    if room is None or len(rows) == 1 or _fit(widths, rows[0], room):
        for row in shown:
            cells = (_padded(cell, width) for cell, width in zip(row, widths, strict=True))
            click.echo(_GAP.join(cells).rstrip())
    else:
        _print_blocks(shown, room)


def _fit(widths: list[int], headings: Sequence[str], room: int) -> bool:
    """Make *widths* smaller, the largest first, until they fit into *room*; whether they do."""
    cut = [column for column, heading in enumerate(headings) if heading in _CUT]
    while (excess := sum(widths) + len(_GAP) * (len(widths) - 1) - room) > 0:
        widest = max(cut, key=widths.__getitem__, default=None)
        if widest is None or widths[widest] <= _LEAST:
            return False
        others = max((widths[column] for column in cut if column != widest), default=0)
        step = max(1, min(excess, widths[widest] - max(others, _LEAST)))
        widths[widest] -= step
    return True


def _print_blocks(rows: Sequence[tuple[str, ...]], room: int) -> None:
    """Print each row as lines of a heading and a cell, with an empty line between rows."""
    headings = rows[0]
    begin = max(map(len, headings)) + len(_GAP)
    for place, row in enumerate(rows[1:]):
        if place:
            click.echo()
        for heading, cell in zip(headings, row, strict=True):
            text = _padded(cell, room - begin) if heading in _CUT else cell
            click.echo(f"{heading:{begin}}{text}".rstrip())


def _padded(text: str, width: int) -> str:
    """*text* in *width* columns of a terminal: cut, with an ellipsis, or filled with spaces."""
    if (missing := width - columns(text)) >= 0:
        return text + " " * missing
    while text and columns(text) > width - 1:
        text = text[:-1]
    return _padded(f"{text.rstrip()}…", max(width, 1))


def print_content(text: str) -> None:
    """Print the content of a file, or a difference, as it is.

    On a terminal, control characters are escaped, since they could do anything there.
    """
    click.echo(escaped_lines(text) if sys.stdout.isatty() else text, nl=False)


def cut_line(text: str) -> str:
    """*text* on one line, which is cut to the width of a terminal; whole for a pipe."""
    room = _terminal_width()
    return escaped(text) if room is None else _padded(escaped(text), room).rstrip()


def _terminal_width() -> int | None:
    """The columns of the terminal that is printed to; None for a file or a pipe."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def format_option(command: CommandT) -> CommandT:
    """Add the option that prints an answer as JSON, for programs."""
    option = click.option(
        "--format",
        "form",
        type=click.Choice(["text", "json"]),
        default="text",
        show_default=True,
        help="Text for people, or JSON for programs.",
    )
    return option(command)


def print_json(answer: BaseModel | Sequence[BaseModel]) -> None:
    """Print *answer* as JSON, for programs."""
    if isinstance(answer, BaseModel):
        value: object = answer.model_dump(mode="json")
    else:
        value = [row.model_dump(mode="json") for row in answer]
    click.echo(json.dumps(value, indent=2))


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
