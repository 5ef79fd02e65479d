"""The list of damaged objects that all processes share: a file in the repository's folder.

It is a cache. An object that can be read again leaves the list.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

NOTED_LIMIT = 100
"""Objects in the list at most."""

_ID = re.compile(r"[0-9a-f]{40}")


class DamagedObjects:
    """The damaged objects of the repository at *git_dir*."""

    def __init__(self, git_dir: Path) -> None:
        self._path = git_dir / "jobtypes" / "damaged"

    def note(self, id: str) -> None:
        """Add object *id* to the list, if the disk allows that."""
        noted = self._noted()
        if id not in noted and len(noted) < NOTED_LIMIT:
            with suppress(OSError):
                self._path.parent.mkdir(exist_ok=True)
                # One write a line, so that processes don't mix their lines.
                with self._path.open("ab", buffering=0) as file:
                    file.write(f"{id}\n".encode())

    def ids(self, is_whole: Callable[[str], bool]) -> list[str]:
        """The noted objects that still are not *is_whole*, sorted."""
        noted = self._noted()
        damaged = sorted(id for id in noted if not is_whole(id))
        if noted and not damaged:
            with suppress(OSError):
                self._path.unlink()
        return damaged

    def _noted(self) -> set[str]:
        with suppress(OSError):
            return set(_ID.findall(self._path.read_text(errors="replace")))
        return set()
