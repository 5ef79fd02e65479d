"""What commands print: tables, and progress on a terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import click

from gitstore.format.layout import escaped


def print_table(rows: Sequence[tuple[str, ...]]) -> None:
    """Print *rows*, the first of which is the headings, in columns."""
    # Authors and subjects are whatever somebody pushed.
    shown = [tuple(map(escaped, row)) for row in rows]
    widths = [max(len(cell) for cell in column) for column in zip(*shown, strict=True)]
    for row in shown:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        click.echo("  ".join(cells).rstrip())


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
