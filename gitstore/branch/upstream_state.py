"""How following an upstream goes: a note that all workers read, and that decides nothing."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, replace
from pathlib import Path

from gitstore.errors import ReadOnly
from gitstore.git.repository import Repository


@dataclass(frozen=True, slots=True)
class UpstreamState:
    """How following goes. *begun* and *good* tell when the last fetch and the last one that
    worked began, 0 for never: *begun* by time.monotonic, which all processes of the machine share
    and nobody sets, and *good* in seconds since 1970. *refusal* tells why the newest that was
    fetched is not served. *problems* are the first of the *faults* that the validator finds in
    what is served, as path, line (0 for none) and sentence; *checked* is what it was asked of."""

    begun: float = 0.0
    good: float = 0.0
    error: str = ""
    refusal: str = ""
    problems: tuple[tuple[str, int, str], ...] = ()
    faults: int = 0
    checked: str = ""

    @property
    def name(self) -> str:
        """The state in a word."""
        if self.refusal:
            return "refused"
        return "unreachable" if self.error else "following"


def state_file(repository: Repository) -> Path:
    """Where it is noted how the last fetch went, if *repository* follows another."""
    return repository.git_dir / "jobtypes" / "upstream.json"


def read_state(repository: Repository) -> UpstreamState:
    """How the last fetch of any process went, into *repository*."""
    try:
        known = json.loads(state_file(repository).read_text())
        known["problems"] = tuple(map(tuple, known.get("problems", ())))
        state = UpstreamState(**known)
        # What is later than now was written before the machine started again.
        return state if state.begun <= time.monotonic() else replace(state, begun=0.0)
    except (OSError, ValueError, TypeError, AttributeError):
        return UpstreamState()


def require_no_upstream(repository: Repository) -> None:
    """Raise unless *repository* follows no other one: moved here, it could follow no more.

    Raises:
        ReadOnly: it follows one.
    """
    state = state_file(repository)
    if state.exists():
        raise ReadOnly(
            f"{repository.path} follows an upstream; write there, or over the service's REST API."
            f" If it follows none any more, delete {state}"
        )
