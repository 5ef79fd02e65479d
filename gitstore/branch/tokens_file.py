"""The tokens file as it lies on disk: its rows, how it is written, and whether it was lost."""

from __future__ import annotations

import json
import logging
import os
import re
import stat
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, FailFast, TypeAdapter, ValidationError

from gitstore.branch.access import Access, Role
from gitstore.git.file_watch import Watch, Watched
from gitstore.git.locks import file_lock, try_file_lock

_LOG = logging.getLogger(__name__)

FILE = "jobtypes/tokens.json"
"""Where the file lies in the repository's folder."""

MARKER = "jobtypes-has-tokens"
"""The file in the repository's folder which says that there are tokens.

It lies outside the folder of FILE, which may be lost as a whole.
"""

LIMIT_BYTES = 4 * 1024 * 1024
"""How large the file can be: more than ten thousand tokens."""

NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9 ._+-]{0,62}[A-Za-z0-9])?")
"""What a token may be called: Git takes other characters off the ends of names."""

_KEPT_NAME = re.compile(r"[^\x00-\x1f\x7f<>]{1,200}")
"""What a token in the file may be called: earlier releases were less strict with new ones."""

EMAIL = re.compile(r"[^\s<>@]+@[^\s<>@]+")

PATTERN = re.compile(r"[\w .+*?!\[\]-]+")
"""What a pattern of jobtypes' names is made of: what names are, and the shell's wildcards."""

_SHA256 = re.compile(r"[0-9a-f]{64}")

_ADVICE = (
    "bring it back from a backup, or move it away and make new tokens with jobtypes token create"
)


def _of(pattern: re.Pattern[str]) -> AfterValidator:
    """What checks that a whole string matches *pattern*."""

    def check(text: str) -> str:
        if not pattern.fullmatch(text):
            raise ValueError("it has another form")
        return text

    return AfterValidator(check)


class Token(BaseModel):
    """A row of the file: everything but the secret."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, _of(_KEPT_NAME)]
    sha256: Annotated[str, _of(_SHA256)]
    role: Literal["read", "write", "admin"]
    email: Annotated[str, _of(EMAIL)]
    only: tuple[Annotated[str, _of(PATTERN)], ...]
    created: str

    @property
    def access(self) -> Access:
        """What its bearer may do."""
        return Access(self.name, self.email, Role[self.role.upper()], self.only)


_ROWS = TypeAdapter(Annotated[tuple[Token, ...], FailFast()])


@dataclass(frozen=True, slots=True)
class Standing:
    """How it stands with a repository's tokens.

    *rows* are None if it has none, and people can't be told apart. *lost* is why they can't be
    told apart though there are tokens; it is empty where they can be read.
    """

    rows: tuple[Token, ...] | None = None
    lost: str = ""


NONE = Standing()
"""No tokens, and none that were lost."""


class TokenFile:
    """The tokens file of the repository at *git_dir*, read again whenever it changes.

    Where there were tokens, no file is a loss, and lets nobody write. Only an empty file that
    ``write(None)`` left says that there are none any more.
    """

    def __init__(self, git_dir: Path) -> None:
        self.path = git_dir / FILE
        self._lock_path = self.path.with_suffix(".lock")
        self._marker = git_dir / MARKER
        # Each request asks, and a look at the disk would have it wait for its turn again.
        self._standing = Watched[Standing](Watch(git_dir, FILE), self._look)
        self._looking = threading.Lock()
        self._seen: tuple[int, ...] | None = None
        self._parsed = NONE
        self._had_some = False

    @property
    def standing(self) -> Standing:
        """How it stands with the tokens as of now."""
        try:
            return self._standing.get()
        except OSError as error:  # Perhaps for this moment only: the next request looks again.
            return _lost(f"can't be read ({error.strerror})")

    def _look(self) -> Standing:
        """How it stands, as the disk says.

        Raises:
            OSError: it says nothing, now at least.
        """
        with self._looking:
            found = self._read()
            self._had_some = found != NONE
            return found

    def _read(self) -> Standing:
        """What the file says; where there is none, or an empty one, what the marker says."""
        if not _is_there(self.path):
            had_some = self._had_some or _is_there(self._marker)
            return _lost("is not there any more") if had_some else NONE
        # Not to wait, where somebody put a pipe there, for who writes into it.
        handle = os.open(self.path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
        with os.fdopen(handle, "rb") as file:
            status = os.fstat(handle)
            if not stat.S_ISREG(status.st_mode):
                return _lost("is no file")
            if (seen := _stamp(status)) != self._seen:
                self._parsed = _parse(file.read(LIMIT_BYTES + 1))
                self._seen = seen
                self._note(status)
        if self._parsed == NONE and _is_there(self._marker):
            return _lost("is empty, and jobtypes token off did not do that")
        return self._parsed

    def _note(self, status: os.stat_result) -> None:
        """Have the marker say that there are tokens; tell of others who may write the file."""
        if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            mode = stat.S_IMODE(status.st_mode)
            _LOG.warning(
                "others than its owner may write %s (mode %04o) and so make themselves admins;"
                " do chmod 600",
                self.path,
                mode,
            )
        if self._parsed.rows is None or _is_there(self._marker):
            return
        # Where nothing can be written, this process remembers, as long as it runs.
        with suppress(OSError), try_file_lock(self._lock_path) as held:
            if held is not None and _stamp(self.path.stat()) == _stamp(status):
                self._mark()

    def _mark(self) -> None:
        says = f"There are tokens. While {FILE} can't be read, nobody may write.\n"
        _write(self._marker, says.encode())

    @property
    def is_there(self) -> bool:
        """Whether there is a file, or anything else in its place, be it unreadable."""
        return _is_there(self.path)

    @contextmanager
    def changing(self) -> Iterator[Callable[[tuple[Token, ...] | None], None]]:
        """What writes other rows, for one process at a time; readers see all or nothing.

        Given None, it leaves the empty file of who gives all tokens up.
        """
        with file_lock(self._lock_path):
            yield self._replace

    def _replace(self, rows: tuple[Token, ...] | None) -> None:
        if rows is None:
            # While the file still has rows, no marker lets nobody in.
            self._marker.unlink(missing_ok=True)
            _sync(self._marker.parent)
            _write(self.path, b"")
        else:
            self._mark()
            data = json.dumps([row.model_dump() for row in rows], indent=1)
            _write(self.path, data.encode())


def _parse(data: bytes) -> Standing:
    if len(data) > LIMIT_BYTES:
        return _lost(f"is larger than {LIMIT_BYTES} bytes")
    if not data:
        return NONE
    try:
        return Standing(_ROWS.validate_json(data, strict=True))
    except ValidationError as error:
        # Without what stands there: not everybody who is answered should see it.
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        where = f"row {first['loc'][0]}: " if first["loc"] else ""
        return _lost(f"is damaged ({where}{first['msg']})")


def _lost(what: str) -> Standing:
    return Standing(lost=f"the tokens are lost: {FILE} {what}; {_ADVICE}")


def _stamp(status: os.stat_result) -> tuple[int, ...]:
    return (status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino)


def _is_there(path: Path) -> bool:
    """Whether *path* leads to anything, be it a link to nowhere.

    Raises:
        OSError: nobody can say.
    """
    try:
        path.lstat()
    except FileNotFoundError:
        return False
    return True


def _write(path: Path, data: bytes) -> None:
    """Put a file with *data* in the place of *path*, for its owner alone, and on disk."""
    fresh = path.with_suffix(".new")
    # One that a killed process left has a mode, or links, of its own.
    fresh.unlink(missing_ok=True)
    handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(handle)
    os.replace(fresh, path)
    _sync(path.parent)


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
