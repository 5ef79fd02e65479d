"""The table of the validator's rules, and a problem: a rule that a tree breaks."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


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
    """One rule of the validator: its severity, its kind, and what holds where it is kept."""

    severity: Severity
    kind: Kind
    summary: str


def _error(summary: str, kind: Kind = Kind.INVALID) -> Rule:
    return Rule(Severity.ERROR, kind, summary)


def _warning(summary: str) -> Rule:
    return Rule(Severity.WARNING, Kind.INVALID, summary)


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
    "code-syntax": _error("code.py is valid Python 3"),
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
    "discovery-syntax": _error("discovery code is valid Python 3"),
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

    @property
    def where(self) -> str:
        """Its path, and its line if there is one."""
        return self.path if self.line is None else f"{self.path}:{self.line}"

    def __str__(self) -> str:
        return f"{self.where}: {self.severity}: {self.message}"


def errors_among(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """The problems that keep a change out."""
    return tuple(p for p in problems if p.severity is Severity.ERROR)
