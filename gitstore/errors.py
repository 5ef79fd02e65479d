"""What can go wrong, in the field's words, and the table of the validator's rules.

An error's message is written for the person who has to act: what is wrong,
where, and what to do. The code that speaks HTTP, or to a shell, decides which
status it becomes.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from gitstore.format.layout import shown


class Severity(StrEnum):
    """Whether a problem keeps a change out."""

    ERROR = "error"
    WARNING = "warning"


class Kind(StrEnum):
    """What an error says about the change, for the code that answers it."""

    TOO_LARGE = "too large"
    INVALID = "invalid"
    UNKNOWN = "unknown"
    CONFLICT = "conflict"


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule of the validator: its severity, its kind, and the sentence for the docs."""

    severity: Severity
    kind: Kind
    says: str


def _error(says: str, kind: Kind = Kind.INVALID) -> Rule:
    return Rule(Severity.ERROR, kind, says)


def _warning(says: str) -> Rule:
    return Rule(Severity.WARNING, Kind.INVALID, says)


RULES: dict[str, Rule] = {
    "layout-entry": _error("what the format names is a regular file or a directory, no link"),
    "layout-stray": _warning("files directly under jobtypes/ or of another kind are ignored"),
    "junk": _warning("what tools leave behind, or a change of mode alone, makes no version"),
    "lfs-pointer": _error("files of a jobtype are files, and no pointers of Git LFS"),
    "name-invalid": _error("a jobtype's directory has a valid jobtype name"),
    "name-case": _error("a new name differs in more than case from all ever used", Kind.CONFLICT),
    "name-case-kept": _warning("a name differs in more than case from all ever used"),
    "code-missing": _error("a jobtype has a code.py"),
    "code-size": _error("code.py keeps within its size limit", Kind.TOO_LARGE),
    "code-encoding": _error("code.py is UTF-8 without a byte order mark"),
    "code-newlines": _error("code.py ends its lines with LF"),
    "code-syntax": _error("code.py is valid Python"),
    "code-limits": _error("code is parsed within limits of time and memory", Kind.TOO_LARGE),
    "check-limits": _error("a change is checked within a limit of time", Kind.TOO_LARGE),
    "change-jobtypes": _error("a change has no more jobtypes than are checked", Kind.TOO_LARGE),
    "code-class": _error("code.py defines the class that meta.yaml names"),
    "code-class-default": _warning("without classname, code.py defines a class of its own name"),
    "meta-missing": _error("a jobtype has a meta.yaml"),
    "meta-size": _error("meta.yaml keeps within its size limit", Kind.TOO_LARGE),
    "meta-yaml": _error("meta.yaml is plain YAML"),
    "meta-field": _error("meta.yaml holds known fields of the right types"),
    "preview-mark": _error("classname and name hold nothing that marks previews"),
    "requirement-software": _error("required software is in the catalogue", Kind.UNKNOWN),
    "requirement-version": _error("required versions are in the catalogue", Kind.UNKNOWN),
    "requirement-order": _error("min_version does not rank above max_version"),
    "software-name": _error("a software file has the encoded name of its software"),
    "software-case": _warning("two software names differ in more than case"),
    "software-yaml": _error("a software file is plain YAML within its size limit"),
    "software-field": _error("a software file holds known fields of the right types"),
    "software-version": _error("a software's version can be asked for"),
    "software-required": _error("what a newest version requires stays", Kind.CONFLICT),
    "discovery-syntax": _error("discovery code is valid Python"),
    "discovery-function": _warning("discovery code defines the function it names"),
    "withdrawn-yaml": _error("withdrawn.yaml maps jobtype names to lists of version numbers"),
    "withdrawn-unknown": _warning("withdrawn.yaml lists versions that exist"),
    "read-back": _error("what a write makes is read back as it was wanted", Kind.TOO_LARGE),
    "agent-classname": _warning("the released agent can't load a jobtype without classname"),
    "agent-ascii": _warning("the released agent needs code.py in ASCII"),
    "agent-name": _warning("the released agent needs jobtype names in ASCII"),
    "agent-cache-file": _warning("the released agent keeps <name>_<classname> apart by name alone"),
    "agent-module": _warning("the released agent keeps <classname><name><version> apart likewise"),
    "agent-software-space": _warning("the released agent asks for software by its unquoted name"),
    "agent-python27": _warning("agents on Python 2.7 can't run newer syntax"),
}
"""Every rule the validator knows, by its id. Those that begin with ``agent-`` are
facts about PyFarm's released agent, and a studio with another agent can switch them
off."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with a tree.

    *path* is relative to the tree's root; *line* counts from 1, None where no line is
    meant; *field* is the dotted place within the file's data (``requirements.0.software``),
    empty where there is none. *mild* is one that is a warning here, whatever its rule.
    """

    rule: str
    path: str
    message: str
    line: int | None = None
    field: str = ""
    mild: bool = False

    @property
    def severity(self) -> Severity:
        """Whether it keeps the change out."""
        return Severity.WARNING if self.mild else RULES[self.rule].severity

    @property
    def kind(self) -> Kind:
        """What it says about the change."""
        return RULES[self.rule].kind

    def __str__(self) -> str:
        where = self.path if self.line is None else f"{self.path}:{self.line}"
        return f"{where}: {self.severity}: {self.message}"


def errors_among(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """The problems that keep a change out."""
    return tuple(p for p in problems if p.severity is Severity.ERROR)


class StoreError(Exception):
    """Anything this package raises on purpose."""


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


class OutOfBounds(StoreError):
    """A tree or a file that is too large to be looked at: what stands at *path*, and why."""

    def __init__(self, path: str, says: str) -> None:
        self.path, self.says = path.strip("/"), says
        super().__init__(f"{shown(self.path) if self.path else 'the tree'} {says}")


class ReadOnly(StoreError):
    """A write where writes are switched off."""


class Forbidden(StoreError):
    """A change that its author may not make."""


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


_SAYS_FULL = tuple(map(os.strerror, FULL))
_SAYS_FAILED = tuple(map(os.strerror, FAILED))
"""How libgit2, which gives no numbers, ends what it says of a failing disk."""


def is_broken(says: str) -> bool:
    """Whether what libgit2 *says* is the machine's fault."""
    return any(text in says for text in (*_SAYS_FULL, *_SAYS_FAILED))


def storage_error(error: Exception) -> StorageFailed | Moved:
    """What *error*, met at a write into a repository, means to the writer."""
    says = str(error)
    if any(text in says for text in _SAYS_FULL):
        return StorageFull(f"the repository's disk is full: {says}")
    # An error with a number is the system's own: a lock may be in its path, but is none.
    is_libgit2 = getattr(error, "errno", None) is None
    if is_libgit2 and "lock" in says and not is_broken(says):
        return Moved(says)
    return StorageFailed(f"the repository can't be written: {says}")


class Damaged(StoreError):
    """An object that should be in the repository is missing or corrupt."""


class NoRepository(StoreError):
    """A path where no Git repository can be opened."""


class NotWhole(StoreError):
    """A repository that lacks a part of its history, so that versions can't be counted in it."""
