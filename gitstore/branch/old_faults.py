"""How many faults the branch that a clone came from has, by unit. A file keeps what was counted.

To count them takes a look at all jobtypes, which takes seconds where there are hundreds.
"""

from __future__ import annotations

import json
import os
import stat
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import astuple
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, Field

import gitstore
from gitstore.checks.settings import Checks
from gitstore.checks.units import unit_of
from gitstore.rules import Problem, Severity

FILE = "jobtypes/old-faults.json"
"""The file's path in the repository's folder. It may be deleted at any time."""

LIMIT_BYTES = 4 * 1024 * 1024

_Count = Annotated[int, Field(ge=0, le=1_000_000_000)]
Counts = tuple[_Count, _Count]
"""Errors and warnings."""


def count(problems: Iterable[Problem]) -> Counts:
    """How many errors and warnings *problems* are."""
    counter = Counter(problem.severity for problem in problems)
    return counter[Severity.ERROR], counter[Severity.WARNING]


class _Kept(BaseModel):
    """What the file holds."""

    key: str
    counts: dict[str, Counts]


class OldFaults:
    """The faults in the trees of the repository at *git_dir*, of which the last tree is kept."""

    def __init__(self, git_dir: Path) -> None:
        self._path = git_dir / FILE

    def counts(
        self, tree: str, checks: Checks, find: Callable[[], list[Problem]]
    ) -> Mapping[str, Counts]:
        """The counts for each unit of *tree* that has faults, which *find* finds."""
        key = _key(tree, checks)
        kept = self._read(key)
        if kept is None:
            by_unit: dict[str, list[Problem]] = {}
            for problem in find():
                by_unit.setdefault(unit_of(problem.path), []).append(problem)
            kept = {unit: count(problems) for unit, problems in by_unit.items()}
            self._write(key, kept)
        return kept

    def _read(self, key: str) -> dict[str, Counts] | None:
        try:
            # It does not wait for a writer if somebody put a pipe there.
            handle = os.open(self._path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
            with os.fdopen(handle, "rb") as file:
                is_file = stat.S_ISREG(os.fstat(handle).st_mode)
                data = file.read(LIMIT_BYTES + 1) if is_file else b""
            kept = _Kept.model_validate_json(data)
        except (OSError, ValueError):
            return None
        return kept.counts if kept.key == key and len(data) <= LIMIT_BYTES else None

    def _write(self, key: str, counts: Mapping[str, Counts]) -> None:
        fresh = self._path.with_suffix(f".{os.getpid()}")
        with suppress(OSError):  # Then they are counted again.
            self._path.parent.mkdir(exist_ok=True)
            # What a killed process left may be a link, or another's.
            fresh.unlink(missing_ok=True)
            with fresh.open("x", encoding="utf-8") as file:
                file.write(json.dumps({"key": key, "counts": counts}))
            os.replace(fresh, self._path)


def _key(tree: str, checks: Checks) -> str:
    """What the faults of *tree* depend on: the settings, the rules, and Python itself."""
    settings = [sorted(v) if isinstance(v, frozenset) else str(v) for v in astuple(checks)]
    modules = Path(gitstore.__file__).parent.rglob("*.py")
    changed = max(module.stat().st_mtime_ns for module in modules)
    return json.dumps([tree, settings, changed, sys.version])
