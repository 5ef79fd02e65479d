"""What a row of the table is, and the context that it is measured in."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Row:
    """One comparison. *figure* is held against *target*; None where there is no target.

    *details* are the measured figures behind it, for the JSON file and the plots.
    """

    name: str
    ours: str
    baseline: str
    figure: float
    unit: str
    target: float | None = None
    at_least: bool = True
    details: dict[str, object] = field(default_factory=dict)

    @property
    def reached(self) -> bool | None:
        """Whether the target was reached."""
        if self.target is None:
            return None
        return self.figure >= self.target if self.at_least else self.figure <= self.target

    @property
    def wants(self) -> str:
        """The target in words."""
        if self.target is None:
            return "-"
        return f"{'>=' if self.at_least else '<='} {self.target:.3g}{self.unit}"


Measure = Callable[[Path], Iterator[Row]]
"""Measures a row, or a few that belong together, with a folder for its files."""

ROWS: dict[str, Measure] = {}


def row(name: str) -> Callable[[Measure], Measure]:
    """Register a function as the one that measures the row *name*."""

    def register(measure: Measure) -> Measure:
        ROWS[name] = measure
        return measure

    return register


@contextmanager
def folder() -> Iterator[Path]:
    """A folder for the rows' files."""
    with tempfile.TemporaryDirectory(prefix="jobtypes-bench-") as name:
        yield Path(name)
