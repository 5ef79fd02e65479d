"""What can go wrong, in the field's words.

An error's message is written for the person who has to act: what is wrong,
where, and what to do. The code that speaks HTTP, or to a shell, decides which
status it becomes.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable

from gitstore.format.layout import shown
from gitstore.rules import Kind, Problem


class StoreError(Exception):
    """Anything this package raises on purpose."""


class ProgramMissing(StoreError):
    """A program that is needed, and that is missing or too old."""


class NotFound(StoreError):
    """A jobtype, version, software or file that is not there (or not in service)."""


class Exists(StoreError):
    """A name that is or was in use."""


class InUse(StoreError):
    """A thing that something else needs."""


class BadRequest(StoreError):
    """A request that contradicts itself or the data; *field* says where."""

    def __init__(self, message: str, field: str = "") -> None:
        super().__init__(message)
        self.field = field


class Invalid(StoreError):
    """A change that the validator refuses; *problems* are its reasons, at least one."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(str(p) for p in self.problems))

    @property
    def kind(self) -> Kind:
        """The weightiest kind among the problems, in the order of Kind."""
        return min((p.kind for p in self.problems), key=list(Kind).index)


class PreconditionFailed(StoreError):
    """The thing to change is not any more what the caller saw."""


class PreconditionRequired(StoreError):
    """A request that has to say what the caller saw, and doesn't."""


class Moved(StoreError):
    """The ref is not where the writer believed; read it again and retry."""


class Busy(StoreError):
    """Something else held the ref for too long; nothing was changed."""


class Refused(StoreError):
    """A new tip that does not contain the old one on its first-parent chain."""


class Gone(StoreError):
    """A commit after which a client would go on, and which the branch doesn't have.

    *next* is the one after which it can go on.
    """

    def __init__(self, message: str, next: str) -> None:
        super().__init__(message)
        self.next = next


class OutOfBounds(StoreError):
    """A tree or a file that is too large to be looked at: what stands at *path*, and why."""

    def __init__(self, path: str, fault: str) -> None:
        self.path, self.fault = path.strip("/"), fault
        super().__init__(f"{shown(self.path) if self.path else 'the tree'} {fault}")


class ReadOnly(StoreError):
    """A write where writes are switched off."""


class Forbidden(StoreError):
    """A change that its author may not make."""


class Protected(Forbidden):
    """A write to a branch that moves by merging reviewed changes."""


class Unauthorized(StoreError):
    """A request that needs a token and has none, or one that is not known."""


class TokensLost(StoreError):
    """Tokens that were there and can't be read: nobody can be told apart, so nobody may write."""


class MergeConflict(StoreError):
    """Two branches that change the same lines; *paths* are the files."""

    def __init__(self, message: str, paths: tuple[str, ...]) -> None:
        super().__init__(message)
        self.paths = paths


class UpstreamFailed(StoreError):
    """The upstream repository could not be reached, or would not take it."""


class FarmFailed(StoreError):
    """PyFarm's master, or its database, could not be reached or would not take a write."""


class StorageFailed(StoreError):
    """The disk, or what lies beneath it, would not take a write; nothing was changed."""


class StorageFull(StorageFailed):
    """The disk or the quota is full; nothing was changed."""


FULL = (errno.ENOSPC, errno.EDQUOT)
FAILED = (
    *(errno.EIO, errno.EROFS, errno.EACCES, errno.EPERM, errno.EMFILE, errno.ENFILE),
    errno.ENOMEM,
)
"""The numbers of errors that are the machine's: its disk, or how much it lets us have."""


def machine_error(error: OSError) -> StorageFailed | None:
    """What *error* says of the machine, None if it says nothing of it."""
    if error.errno in FULL:
        return StorageFull(f"the disk is full: {error}")
    if error.errno in (*FAILED, errno.EAGAIN):  # The latter: no more processes.
        return StorageFailed(f"the disk, or the machine, fails: {error}")
    return None


_FULL_TEXTS = tuple(map(os.strerror, FULL))
_FAILED_TEXTS = tuple(map(os.strerror, FAILED))
"""The ends of libgit2's messages about a failing disk. It gives no numbers."""


def is_broken(message: str) -> bool:
    """Whether libgit2's *message* tells of the machine's fault."""
    return any(text in message for text in (*_FULL_TEXTS, *_FAILED_TEXTS))


def storage_error(error: Exception) -> StorageFailed | Moved:
    """What *error*, met at a write into a repository, means to the writer."""
    message = str(error)
    if any(text in message for text in _FULL_TEXTS):
        return StorageFull(f"the repository's disk is full: {message}")
    # An error with a number is the system's own: a lock may be in its path, but is none.
    is_libgit2 = getattr(error, "errno", None) is None
    if is_libgit2 and "lock" in message and not is_broken(message):
        return Moved(message)
    return StorageFailed(f"the repository can't be written: {message}")


class Damaged(StoreError):
    """An object that should be in the repository is missing or corrupt."""


class NoRepository(StoreError):
    """A path where no Git repository can be opened."""


class NotWhole(StoreError):
    """A repository that lacks a part of its history, so that versions can't be counted in it."""
