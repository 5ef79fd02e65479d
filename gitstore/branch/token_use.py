"""When each token was used last, by day: in a file of its own, which can be lost."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from gitstore.git.locks import try_file_lock

FILE = "jobtypes/token-use.json"
"""The file's path in the repository's folder."""

LIMIT_BYTES = 4 * 1024 * 1024


class TokenUse:
    """The days on which tokens of the repository at *git_dir* were used last.

    A process writes at most once a day for each token, and the file of tokens never. Where the
    disk can't be written, nobody notices.
    """

    def __init__(self, git_dir: Path) -> None:
        self._path = git_dir / FILE
        self._noted: dict[str, str] = {}

    def note(self, fingerprint: str) -> None:
        """Note that the token of that fingerprint was used today, unless that is noted."""
        today = datetime.now(UTC).date().isoformat()
        if self._noted.get(fingerprint) == today:
            return
        # No request waits for another one here: the next one tries again.
        with suppress(OSError), try_file_lock(self._path.with_suffix(".lock")) as held:
            if held is None:
                return
            days = self.days()
            if days.get(fingerprint) != today:
                fresh = self._path.with_suffix(".new")
                fresh.write_text(json.dumps({**days, fingerprint: today}, indent=1))
                os.replace(fresh, self._path)
        self._noted[fingerprint] = today

    def days(self) -> dict[str, str]:
        """The day of the last use, as 2026-12-31, by the token's fingerprint."""
        try:
            data = self._path.read_bytes()
            read = json.loads(data) if len(data) <= LIMIT_BYTES else {}
        except (OSError, ValueError):
            return {}
        if not isinstance(read, dict):
            return {}
        return {key: day for key, day in read.items() if isinstance(day, str)}
