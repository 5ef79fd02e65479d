"""How many faults the branch that a clone came from has, by unit. A file keeps what was counted.

To count them takes a look at all jobtypes, which takes seconds where there are hundreds.
"""

from __future__ import annotations

import json
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import astuple
from pathlib import Path

import gitstore
from gitstore.checks.settings import Checks
from gitstore.checks.units import unit_of
from gitstore.rules import Problem, Severity

FILE = "jobtypes/old-faults.json"
"""The file's path in the repository's folder. It may be deleted at any time."""

LIMIT_BYTES = 4 * 1024 * 1024

Counts = tuple[int, int]
"""Errors and warnings."""


def count(problems: Iterable[Problem]) -> Counts:
    """How many errors and warnings *problems* are."""
    counter = Counter(problem.severity for problem in problems)
    return counter[Severity.ERROR], counter[Severity.WARNING]


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
            data = self._path.read_bytes()
            read = json.loads(data) if len(data) <= LIMIT_BYTES else {}
            if read.get("key") != key:
                return None
            return {str(unit): (int(e), int(w)) for unit, (e, w) in read["counts"].items()}
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            return None

    def _write(self, key: str, counts: Mapping[str, Counts]) -> None:
        fresh = self._path.with_suffix(f".{os.getpid()}")
        with suppress(OSError):  # Then they are counted again.
            self._path.parent.mkdir(exist_ok=True)
            fresh.write_text(json.dumps({"key": key, "counts": counts}))
            os.replace(fresh, self._path)


def _key(tree: str, checks: Checks) -> str:
    """What the faults of *tree* depend on: the settings, the rules, and Python itself."""
    settings = [sorted(v) if isinstance(v, frozenset) else str(v) for v in astuple(checks)]
    modules = Path(gitstore.__file__).parent.rglob("*.py")
    changed = max(module.stat().st_mtime_ns for module in modules)
    return json.dumps([tree, settings, changed, sys.version])
