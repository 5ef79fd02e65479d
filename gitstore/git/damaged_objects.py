"""Which objects readers found damaged, in a file of the repository that every process reads.

A cache of what was noticed, for the service's health: an object that can be
read again is no longer told.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

NOTED_LIMIT = 100
"""How many objects are told at the most; who has lost more needs no list."""

_ID = re.compile(r"[0-9a-f]{40}")


class Damage:
    """The damaged objects of the repository at *git_dir*."""

    def __init__(self, git_dir: Path) -> None:
        self.path = git_dir / "jobtypes" / "damaged"

    def note(self, id: str) -> None:
        """Keep that object *id* is damaged, if the disk lets us."""
        noted = self._noted()
        if id not in noted and len(noted) < NOTED_LIMIT:
            with suppress(OSError):
                self.path.parent.mkdir(exist_ok=True)
                # One write, so that processes don't write into each other's lines.
                handle = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
                with os.fdopen(handle, "wb", buffering=0) as file:
                    file.write(f"{id}\n".encode())

    def ids(self, is_whole: Callable[[str], bool]) -> list[str]:
        """The objects that were noted and still are not *is_whole*, in order of their ids."""
        noted = self._noted()
        damaged = {id for id in noted if not is_whole(id)}
        if noted and not damaged:
            with suppress(OSError):
                self.path.unlink()
        return sorted(damaged)

    def _noted(self) -> set[str]:
        try:
            return set(_ID.findall(self.path.read_text(errors="replace")))
        except OSError:
            return set()
