"""The help of commands on a narrow terminal, where click's own would break names."""

from __future__ import annotations

import shutil
from collections.abc import Iterable

import click

_NARROW = 60
"""Columns of a terminal below which an option stands on a line of its own."""

_SHORT = 12
"""Characters of a command's name, next to which there is room even then."""


class Formatter(click.HelpFormatter):
    """Formats for a terminal of any width; click's own takes 50 columns at least."""

    def __init__(
        self, indent_increment: int = 2, width: int | None = None, max_width: int | None = None
    ) -> None:
        room = shutil.get_terminal_size().columns
        if width is None and room < _NARROW:
            width = room
        super().__init__(indent_increment, width, max_width)

    def write_dl(
        self, rows: Iterable[tuple[str, str]], col_max: int = 30, col_spacing: int = 2
    ) -> None:
        """Write *rows* of a word and its text, below each other if there is too little room."""
        rows = list(rows)
        if self.width < _NARROW and max(len(word) for word, _ in rows) > _SHORT:
            col_max = col_spacing
        super().write_dl(rows, col_max, col_spacing)
