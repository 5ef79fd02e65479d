"""The tokens file: who may do what, by the SHA-256 of a secret that is shown once."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import re
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from gitstore import Exists, NotFound
from gitstore.access import EVERYBODY, Access, Role
from gitstore.locks import file_lock
from gitstore.watch import Watch, Watched

PREFIX = "jtr_"
"""What every token begins with, so that secret scanners know one when they see it."""

FILE = "jobtypes/tokens.json"
"""Where the file lies in the repository's folder."""

NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9 ._+-]{0,62}[A-Za-z0-9])?")
"""What a token may be called: Git takes other characters off the ends of names."""

EMAIL = re.compile(r"[^\s<>@]+@[^\s<>@]+")

PATTERN = re.compile(r"[\w .+*?!\[\]-]+")
"""What a pattern of jobtypes' names is made of: what names are, and the shell's wildcards."""


@dataclass(frozen=True, slots=True)
class Token:
    """A row of the file: everything but the secret."""

    name: str
    sha256: str
    role: str
    email: str
    only: tuple[str, ...]
    created: str

    @property
    def access(self) -> Access:
        """What its bearer may do."""
        return Access(self.name, self.email, Role[self.role.upper()], self.only)


class Tokens:
    """The tokens of one repository, read anew whenever the file changes.

    The file lies in the repository's folder but on no ref, so a clone never has it.
    """

    def __init__(self, git_dir: Path) -> None:
        self.path = git_dir / FILE
        # Each request asks, and a look at the disk would have it wait for its turn again.
        self._exist = Watched[bool](Watch(git_dir, FILE), self._are_there)
        self._lock = threading.Lock()
        self._seen: tuple[int, int, int] | None = None
        self._rows: tuple[Token, ...] = ()

    @property
    def exist(self) -> bool:
        """Whether there is a tokens file: with one, writing needs a token."""
        return self._exist.get()

    def _are_there(self) -> bool:
        return self._status() is not None

    def _status(self) -> os.stat_result | None:
        try:
            return self.path.stat()
        except (FileNotFoundError, NotADirectoryError):
            return None

    def rows(self) -> tuple[Token, ...]:
        """The tokens, in the order of their making."""
        return self._find_rows() or ()

    def _find_rows(self) -> tuple[Token, ...] | None:
        """The tokens, None where there is no tokens file."""
        status = self._status()
        if status is None:
            return None
        seen = (status.st_mtime_ns, status.st_size, status.st_ino)
        with self._lock:
            if seen != self._seen:
                self._rows = self._read()
                self._seen = seen
            return self._rows

    def _read(self) -> tuple[Token, ...]:
        rows = json.loads(self.path.read_text(encoding="utf-8"))
        return tuple(Token(**{**row, "only": tuple(row["only"])}) for row in rows)

    def find(self, secret: str) -> Access | None:
        """What the bearer of *secret* may do; None if it is no token of ours.

        He may do all, as everybody may, where there is no tokens file. Takes as long
        whichever token it is, and whether it is one.
        """
        rows = self._find_rows()
        if rows is None:
            return EVERYBODY
        digest = _digest(secret)
        found = None
        for row in rows:
            if hmac.compare_digest(row.sha256, digest):
                found = row.access
        return found

    def create(self, name: str, role: Role, email: str, only: tuple[str, ...]) -> str:
        """A new token's secret, which is kept nowhere.

        Raises:
            Exists: there is a token of that name.
        """
        secret = PREFIX + secrets.token_urlsafe(32)
        now = datetime.now(UTC).isoformat(timespec="seconds")
        row = Token(name, _digest(secret), role.name.lower(), email, only, now)
        with self._changing() as rows:
            if any(other.name == name for other in rows):
                raise Exists(f"there is a token {name}; revoke it first or choose another name")
            rows.append(row)
        return secret

    def revoke(self, name: str) -> None:
        """Make the token of that name worthless, at the next request.

        Raises:
            NotFound: there is none.
        """
        with self._changing() as rows:
            left = [row for row in rows if row.name != name]
            if len(left) == len(rows):
                raise NotFound(f"there is no token {name}; see jobtypes token list")
            rows[:] = left

    @contextmanager
    def _changing(self) -> Iterator[list[Token]]:
        """The rows, to be changed by one process at a time; readers see all or nothing."""
        with file_lock(self.path.with_suffix(".lock")):
            rows = list(self.rows())
            yield rows
            fresh = self.path.with_suffix(".new")
            # One that a killed process left has a mode, or links, of its own.
            fresh.unlink(missing_ok=True)
            handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                json.dump([asdict(row) for row in rows], file, indent=1)
                file.flush()
                os.fsync(file.fileno())
            os.replace(fresh, self.path)


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode(errors="surrogateescape")).hexdigest()
