"""What goes wrong in a hook, kept for the operator: a TD can do nothing about a traceback."""

from __future__ import annotations

import traceback
from pathlib import Path


def note_fault(git_dir: Path, name: str) -> Path:
    """Write the exception that is being handled to the log of the hooks; where that is."""
    log = git_dir / "jobtypes" / "hooks.log"
    log.parent.mkdir(exist_ok=True)
    with log.open("a") as file:
        file.write(f"{name}: {traceback.format_exc()}\n")
    return log
