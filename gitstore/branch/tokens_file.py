"""The tokens file on disk: its rows, how it is written, and whether it was lost."""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import os
import re
import stat
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, FailFast, TypeAdapter, ValidationError

from gitstore.branch.access import EVERYBODY, Access, Role
from gitstore.errors import BadRequest
from gitstore.git.file_watch import Watch, Watched
from gitstore.git.locks import file_lock, try_file_lock
from gitstore.git.private_file import sync_folder, write_private

_LOG = logging.getLogger(__name__)

FILE = "jobtypes/tokens.json"
"""The file's path in the repository's folder."""

MARKER = "jobtypes-has-tokens"
"""A file in the repository's folder that is there while there are tokens.

It is outside the folder of FILE, which may be lost as a whole.
"""

LIMIT_BYTES = 4 * 1024 * 1024
"""How large the file can be: more than ten thousand tokens."""

NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9 ._+-]{0,62}[A-Za-z0-9])?")
"""The name of a new token: Git strips other characters from the ends of names."""

_KEPT_NAME = re.compile(r"[^\x00-\x1f\x7f<>]{1,200}")
"""The name of a token in the file: earlier releases were less strict with new ones."""

EMAIL = re.compile(r"[^\s<>@]+@[^\s<>@]+")

PATTERN = re.compile(r"[\w .+*?!\[\]-]+")
"""The characters of a pattern: those of jobtypes' names, and the shell's wildcards."""

EMAIL_LIMIT, PATTERN_LIMIT, PATTERNS_LIMIT = 254, 200, 200
"""How long the address and a pattern of a new token can be, and how many patterns it can have:
one token can't fill the file that all share."""

_SHA256 = re.compile(r"[0-9a-f]{64}")

_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00")
"""A time in UTC, as time_text writes it; of two such texts, the later time is the greater."""

_ADVICE = (
    "bring it back from a backup, or move it away and make new tokens with jobtypes token create"
)


def _of(pattern: re.Pattern[str]) -> AfterValidator:
    """A validator that a whole string matches *pattern*."""

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
    expires: Annotated[str, _of(_TIME)] | None = None

    @property
    def has_ended(self) -> bool:
        """Whether its time is over."""
        return self.expires is not None and self.expires <= time_text(datetime.now(UTC))

    @property
    def fingerprint(self) -> str:
        """What stands for it in a session. It gives nobody the secret, nor its digest."""
        return digest(f"session {self.sha256}")

    @property
    def access(self) -> Access:
        """What its bearer may do."""
        return Access(self.name, self.email, Role[self.role.upper()], self.only)


_ROWS = TypeAdapter(Annotated[tuple[Token, ...], FailFast()])


@dataclass(frozen=True, slots=True)
class Standing:
    """The state of a repository's tokens.

    *rows* are None without tokens. *lost* is the reason why tokens that exist can't be read,
    or empty.
    """

    rows: tuple[Token, ...] | None = None
    lost: str = ""

    @property
    def exist(self) -> bool:
        """Whether there are tokens, even lost ones: then every write needs one."""
        return self.rows is not None or bool(self.lost)

    def find(self, secret: str) -> Access | None:
        """What the bearer of *secret* may do; None if it is no token of ours, or has ended.

        Without tokens, everybody may do everything. If the tokens are lost, nobody may do
        anything.
        """
        if self.rows is None:
            return None if self.lost else EVERYBODY
        token = self.find_token(secret)
        return None if token is None or token.has_ended else token.access

    def find_token(self, secret: str) -> Token | None:
        """The token of that *secret*, also one that has ended; None if it is none of ours.

        The call takes equally long for every secret.
        """
        given = digest(secret)
        found = None
        for row in self.rows or ():
            if hmac.compare_digest(row.sha256, given):
                found = row
        return found

    def find_fingerprint(self, fingerprint: str) -> Access | None:
        """What the bearer of the token of that *fingerprint* may do; None if it is none of ours."""
        for row in self.rows or ():
            if hmac.compare_digest(row.fingerprint, fingerprint):
                return None if row.has_ended else row.access
        return None


def time_text(time: datetime) -> str:
    """*time*, which is in UTC, to the second."""
    return time.isoformat(timespec="seconds")


def fingerprint(secret: str) -> str:
    """The fingerprint of the token whose secret that is."""
    return digest(f"session {digest(secret)}")


def digest(secret: str) -> str:
    """The SHA-256 of *secret*, in hexadecimal digits."""
    return hashlib.sha256(secret.encode(errors="surrogateescape")).hexdigest()


NONE = Standing()
"""No tokens, and none that were lost."""


class TokenFile:
    """The tokens file of the repository at *git_dir*, read again whenever it changes.

    If there were tokens, a missing file is a loss, and nobody may write. Only the empty file
    that ``jobtypes token off`` leaves means that there are none any more.
    """

    def __init__(self, git_dir: Path) -> None:
        self.path = git_dir / FILE
        self._lock_path = self.path.with_suffix(".lock")
        self._marker = git_dir / MARKER
        # Every request asks, so the disk is only read after a change.
        self._standing = Watched[Standing](Watch(git_dir, FILE), self._look)
        self._looking = threading.Lock()
        self._seen: tuple[int, ...] | None = None
        self._parsed = NONE
        self._had_some = False

    @property
    def standing(self) -> Standing:
        """The state of the tokens now."""
        try:
            return self._standing.get()
        except OSError as error:  # Perhaps for this moment only: the next request looks again.
            return _lost(f"can't be read ({error.strerror})")

    def _look(self) -> Standing:
        """The state, read from disk.

        Raises:
            OSError: the disk can't be read, perhaps only now.
        """
        with self._looking:
            standing = self._read()
            self._had_some = standing != NONE
            return standing

    def _read(self) -> Standing:
        """The state by the file; by the marker if the file is missing or empty."""
        if not _is_there(self.path):
            had_some = self._had_some or _is_there(self._marker)
            return _lost("is not there any more") if had_some else NONE
        # Don't wait for a writer if somebody put a pipe there.
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
        """Keep the marker in step with the file; log if other users may write the file."""
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
        # If the disk can't be written, this process remembers as long as it runs.
        with suppress(OSError), try_file_lock(self._lock_path) as held:
            if held is not None and _stamp(self.path.stat()) == _stamp(status):
                self._mark()

    def _mark(self) -> None:
        text = f"There are tokens. While {FILE} can't be read, nobody may write.\n"
        write_private(self._marker, text.encode())

    @property
    def is_there(self) -> bool:
        """Whether there is a file, or anything else in its place, even an unreadable one."""
        return _is_there(self.path)

    @contextmanager
    def changing(self) -> Iterator[Callable[[tuple[Token, ...] | None], None]]:
        """A function that replaces the rows, for one process at a time; readers see all or nothing.

        None instead of rows gives up all tokens, and leaves an empty file. It raises BadRequest
        if the rows would be too many.
        """
        with file_lock(self._lock_path):
            yield self._replace

    def _replace(self, rows: tuple[Token, ...] | None) -> None:
        if rows is None:
            # A file with rows and without a marker still asks for a token.
            self._marker.unlink(missing_ok=True)
            sync_folder(self._marker.parent)
            write_private(self.path, b"")
        else:
            # Without a date for those that don't end, earlier releases can read it, too.
            plain = [row.model_dump(exclude={} if row.expires else {"expires"}) for row in rows]
            data = json.dumps(plain, indent=1).encode()
            if len(data) > LIMIT_BYTES:
                # A larger file would be a lost one: nobody could write any more.
                raise BadRequest(
                    f"the tokens would fill more than {LIMIT_BYTES // 2**20} MiB; revoke those that"
                    " nobody needs, and rotate with a shorter overlap"
                )
            self._mark()
            write_private(self.path, data)


def _parse(data: bytes) -> Standing:
    if len(data) > LIMIT_BYTES:
        return _lost(f"is larger than {LIMIT_BYTES} bytes")
    if not data:
        return NONE
    try:
        return Standing(_ROWS.validate_json(data, strict=True))
    except ValidationError as error:
        # Without the file's content, which not every client may see.
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        where = f"row {first['loc'][0]}: " if first["loc"] else ""
        return _lost(f"is damaged ({where}{first['msg']})")


def _lost(what: str) -> Standing:
    return Standing(lost=f"the tokens are lost: {FILE} {what}; {_ADVICE}")


def _stamp(status: os.stat_result) -> tuple[int, ...]:
    return (status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino)


def _is_there(path: Path) -> bool:
    """Whether anything is at *path*, even a link to nowhere.

    Raises:
        OSError: the disk can't be read.
    """
    try:
        path.lstat()
    except FileNotFoundError:
        return False
    return True
