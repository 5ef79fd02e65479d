"""How far a mirror is: a file that the processes of a service share, and words for people.

A cache like the index: without it, the next run of the mirror writes it again.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

from gitstore.catalogue.catalogue import Catalogue
from gitstore.catalogue.entries import Jobtype

IN_STEP = "in-step"
PENDING = "pending"
AWAY = "away"

_LOOK_S = 0.02


@dataclass(frozen=True, slots=True)
class MirrorState:
    """The last run: times are seconds since 1970, steps those of the branch.

    *steps* is where the tables are, *tried* what the last run wanted; *error* is why that one
    failed. *conflicts* has why a jobtype was left as it is, by name, *drift* counts the rows
    that the branch doesn't have.
    """

    tip: str = ""
    steps: int = 0
    good: float = 0.0
    tried: int = 0
    error: str = ""
    conflicts: dict[str, str] = field(default_factory=dict)
    drift: int = 0

    def word(self, steps: int) -> str:
        """Where the tables are, for who made step number *steps*: in-step, pending or away."""
        if self.error:
            return AWAY if self.tried >= steps or self.steps < steps else IN_STEP
        return IN_STEP if self.steps >= steps else PENDING


def state_file(git_dir: Path) -> Path:
    """Where the state of a repository's mirror is noted."""
    return git_dir / "jobtypes" / "mirror.json"


def read_state(git_dir: Path) -> MirrorState:
    """The last run of any process."""
    try:
        return MirrorState(**json.loads(state_file(git_dir).read_text()))
    except (OSError, ValueError, TypeError):
        return MirrorState()


def write_state(git_dir: Path, state: MirrorState) -> None:
    """Note *state*, for all processes."""
    file = state_file(git_dir)
    file.parent.mkdir(exist_ok=True)
    draft = file.with_suffix(f".{os.getpid()}")
    draft.write_text(json.dumps(asdict(state)))
    draft.replace(file)


def forget_state(git_dir: Path) -> None:
    """Remove the state: nothing mirrors now."""
    with suppress(FileNotFoundError):
        state_file(git_dir).unlink()


def wait_for_state(git_dir: Path, steps: int, limit_s: float) -> MirrorState:
    """The state once a run has tried step number *steps*, or after *limit_s*."""
    end = time.monotonic() + limit_s
    while True:
        state = read_state(git_dir)
        if max(state.steps, state.tried) >= steps or time.monotonic() >= end:
            return state
        time.sleep(_LOOK_S)


def mirror_lines(
    catalogue: Catalogue, names: Iterable[str], before: int, state: MirrorState
) -> Iterator[str]:
    """Yield a sentence for each jobtype of *names*: what the farm runs of it.

    *before* is the number of the step that the branch was at.
    """
    word = state.word(catalogue.history.counters.steps)
    for name in sorted(names):
        jobtype = catalogue.find_jobtype(name)
        release = catalogue.find_newest(jobtype) if jobtype else None
        if name in state.conflicts:
            yield f"{name}: {state.conflicts[name]}"
        elif word == AWAY:
            there = _number_at(catalogue, jobtype, state.steps)
            runs = f"version {there}" if there else "what it had"
            yield f"{name}: the master's database is away; the farm goes on with {runs}"
        else:
            number = release.version.number if release else None
            old = _number_at(catalogue, jobtype, before)
            what = f"version {number}" if number else "no version"
            what += f" (was {old})" if old not in (None, number) else ""
            where = "in" if word == IN_STEP else "on its way to"
            yield f"{name}: {what}, {where} the master's tables"


def _number_at(catalogue: Catalogue, jobtype: Jobtype | None, steps: int) -> int | None:
    """The newest version in service of those that were made up to step number *steps*."""
    versions = catalogue.versions(jobtype) if jobtype else []
    return max((v.number for v in versions if v.step <= steps), default=None)
