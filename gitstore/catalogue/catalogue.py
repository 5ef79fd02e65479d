"""The content of the served branch at one commit: the read model.

A catalogue is immutable and shared by threads. It knows the numbers from the history;
a version's content is read on demand.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from gitstore.catalogue.contents import Contents, Directory
from gitstore.catalogue.entries import Jobtype, Software, Version, id_at
from gitstore.catalogue.history import History, Step
from gitstore.catalogue.marks import Deed, find_mark
from gitstore.catalogue.preview import is_preview, preview_fault
from gitstore.catalogue.withdrawals import because, withdrawal_reason
from gitstore.errors import NotFound
from gitstore.format import layout
from gitstore.format.schema import JobtypeMeta, Requirement, SoftwareFile
from gitstore.format.spelling import did_you_mean
from gitstore.git.trees import Objects


@dataclass(frozen=True, slots=True)
class Release:
    """A version in service, with all that belongs to it."""

    jobtype: Jobtype
    version: Version
    meta: JobtypeMeta
    directory: Directory


@dataclass(frozen=True, slots=True)
class RequirementIds:
    """The ids of a requirement's parts; None for a part that never was in the catalogue."""

    software: int | None
    min_version: int | None
    max_version: int | None


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The jobtypes, versions and software in service at the history's tip."""

    history: History
    contents: Contents
    _by_id: dict[int, Jobtype] = field(default_factory=dict, init=False, repr=False, compare=False)
    """The jobtypes by id, computed at the first look-up by id."""

    @classmethod
    def empty(cls, objects: Objects) -> Catalogue:
        """The catalogue of an empty history; *objects* has the content of later steps."""
        return cls(History(), Contents(objects))

    def extend(self, steps: Iterable[Step]) -> Catalogue:
        """The catalogue after *steps*, oldest first."""
        return Catalogue(self.history.extend(steps), self.contents)

    # Jobtypes

    def jobtypes(self) -> list[Jobtype]:
        """Every jobtype, by name."""
        listed = (j for j in self.history.jobtypes.values() if not _fault(j.name))
        return sorted(listed, key=lambda j: j.name)

    def find_jobtype(self, key: str) -> Jobtype | None:
        """The jobtype of that name, or of that id where *key* consists of digits."""
        if layout.is_id(key):
            jobtype = self._jobtypes_by_id().get(layout.parse_id(key))
        else:
            jobtype = self.history.jobtypes.get(key)
        return None if jobtype is None or _fault(jobtype.name) else jobtype

    def _jobtypes_by_id(self) -> Mapping[int, Jobtype]:
        if not self._by_id:
            self._by_id.update({jobtype.id: jobtype for jobtype in self.history.jobtypes.values()})
        return self._by_id

    def jobtype(self, key: str) -> Jobtype:
        """The jobtype of that name or id.

        Raises:
            NotFound: there is none, or none any more.
        """
        jobtype = self.find_jobtype(key)
        if jobtype is None:
            renamed = self._find_renamed(key)
            if renamed is not None:
                was, now = layout.shown(key), layout.shown(renamed.name)
                raise NotFound(f"there is no jobtype of the name {was}; it was renamed to {now}")
            names = (name for name in self.history.jobtypes if not _fault(name))
            raise _missing("jobtype", key, names)
        return jobtype

    def _find_renamed(self, name: str) -> Jobtype | None:
        """The jobtype that had that *name* last, and has another one now."""
        ids = (id for former, id in reversed(self.history.former) if former == name)
        renamed = self._jobtypes_by_id().get(next(ids, 0))
        return None if renamed is None or _fault(renamed.name) else renamed

    def version(self, jobtype: Jobtype, number: int) -> Version:
        """The version of that number, in service or not.

        Raises:
            NotFound: there never was one.
        """
        version = jobtype.find_version(number)
        if version is None:
            raise missing_version(jobtype.name, number, jobtype.versions)
        return version

    def versions(self, jobtype: Jobtype) -> list[Version]:
        """The versions in service, lowest number first."""
        withdrawn = self.history.withdrawn.get(jobtype.name, frozenset())
        sound = self.contents.sound([v.tree for v in jobtype.versions])
        return [v for v in jobtype.versions if v.tree in sound and v.number not in withdrawn]

    def fault(self, jobtype: Jobtype, version: Version) -> str | None:
        """Why that version is out of service, as a sentence; None if it is in service."""
        name, number = jobtype.name, version.number
        if self.history.is_withdrawn(name, number):
            mark = find_mark(self.history.marks, Deed.WITHDRAWN, jobtype.id, number)
            reason = withdrawal_reason(self.contents.objects, mark, number) if mark else None
            return f"version {number} of {name} was withdrawn{because(reason)}"
        problem = self.why_broken(jobtype, version)
        return None if problem is None else f"version {number} of {name} is broken: {problem}"

    def why_broken(self, jobtype: Jobtype, version: Version) -> str | None:
        """Why that version is broken; None if it is not."""
        name, directory = jobtype.name, self.contents.directory(version.tree)
        problem = next(directory.problems(name), None)
        if problem is None and directory.meta and is_preview(version.number):
            fault = preview_fault(name, directory.meta.classname)
            return f"{layout.meta_path(name)}: classname {fault}" if fault else None
        return str(problem) if problem else None

    def is_broken(self, version: Version) -> bool:
        """Whether that version's directory can't be read as a jobtype."""
        return bool(self.contents.directory(version.tree).faults)

    def is_in_service(self, jobtype: Jobtype, version: Version) -> bool:
        """Whether that version is neither withdrawn nor broken."""
        is_withdrawn = self.history.is_withdrawn(jobtype.name, version.number)
        return not is_withdrawn and self.why_broken(jobtype, version) is None

    def newest(self, key: str) -> Release:
        """The newest version in service of the jobtype of that name or id.

        Raises:
            NotFound: there is no such jobtype, or none of its versions is in service.
        """
        jobtype = self.jobtype(key)
        release = self.find_newest(jobtype)
        if release is None:
            reason = self.fault(jobtype, jobtype.versions[-1]) if jobtype.versions else None
            tail = f": {reason}" if reason else ""
            raise NotFound(f"no version of {jobtype.name} is in service{tail}")
        return release

    def find_newest(self, jobtype: Jobtype) -> Release | None:
        """The newest version in service, or None."""
        for version in reversed(jobtype.versions):
            if self.is_in_service(jobtype, version):
                return self._release(jobtype, version)
        return None

    def release(self, key: str, number: int) -> Release:
        """Version *number* of the jobtype of that name or id.

        Raises:
            NotFound: there is none, or it is withdrawn or broken; the message says which.
        """
        jobtype = self.jobtype(key)
        version = self.version(jobtype, number)
        fault = self.fault(jobtype, version)
        if fault:
            raise NotFound(fault)
        return self._release(jobtype, version)

    def _release(self, jobtype: Jobtype, version: Version) -> Release:
        directory = self.contents.directory(version.tree)
        assert directory.meta is not None
        return Release(jobtype, version, directory.meta, directory)

    def code(self, release: Release) -> str:
        """The text of that version's code.py."""
        return self.contents.code(release.directory)

    def requirement_ids(self, version: Version, requirement: Requirement) -> RequirementIds:
        """The ids of what *version* requires, as they were when it was made."""
        software = id_at(self.history.software_ids.get(requirement.software, ()), version.step)
        bounds = (requirement.min_version, requirement.max_version)
        low, high = (self._version_id(software, text, version.step) for text in bounds)
        return RequirementIds(software, low, high)

    def _version_id(self, software: int | None, text: str | None, step: int) -> int | None:
        if software is None or text is None:
            return None
        return self.software_version_id(software, text, step)

    def software_version_id(self, software: int, text: str, step: int) -> int | None:
        """The id that version *text* of the software of that id had at *step*."""
        return id_at(self.history.version_ids.get((software, text), ()), step)

    # Software

    def software(self) -> list[Software]:
        """Every software, by id."""
        return sorted(self.history.software.values(), key=lambda s: s.id)

    def find_software(self, key: str) -> Software | None:
        """The software of that name, or of that id where *key* consists of digits."""
        if layout.is_id(key):
            id = layout.parse_id(key)
            return next((s for s in self.history.software.values() if s.id == id), None)
        return self.history.software.get(key)

    def software_entry(self, key: str) -> Software:
        """The software of that name or id.

        Raises:
            NotFound: there is none.
        """
        software = self.find_software(key)
        if software is None:
            raise _missing("software", key, self.history.software)
        return software

    def software_file(self, software: Software) -> SoftwareFile:
        """The content of that software's file."""
        return self.contents.software_file(software.blob)

    def users(self, software: str) -> Iterator[tuple[Jobtype, Requirement]]:
        """Yield each jobtype whose newest version requires *software*, and how."""
        return (user for user in self.all_users() if user[1].software == software)

    def all_users(self) -> Iterator[tuple[Jobtype, Requirement]]:
        """Yield each jobtype with each requirement of its newest version."""
        for jobtype in self.jobtypes():
            release = self.find_newest(jobtype)
            for requirement in release.meta.requirements if release else ():
                yield jobtype, requirement


def _missing(kind: str, key: str, names: Iterable[str]) -> NotFound:
    """The error for a *key* that nothing of that *kind* has; *names* are those that exist."""
    if layout.is_id(key):
        return NotFound(f"there is no {kind} of the id {layout.shown(key)}")
    sentence = f"there is no {kind} of the name {layout.shown(key)}"
    return NotFound(sentence + did_you_mean(key, names))


def missing_version(name: str, number: int, versions: Iterable[Version]) -> NotFound:
    """The error for a *number* that none of the *versions* of the jobtype *name* has."""
    made = [version.number for version in versions if not is_preview(version.number)]
    return NotFound(f"{name} has no version {layout.shown(str(number))}{_span(made)}")


def _span(numbers: Sequence[int]) -> str:
    """The end of a sentence about *numbers*, lowest first, as those that exist."""
    if not numbers:
        return ""
    first, last = numbers[0], numbers[-1]
    if first == last:
        return f"; it has only version {first}"
    if last - first + 1 == len(numbers):
        return f"; it has versions {first} to {last}"
    return f"; it has {len(numbers)} versions from {first} to {last}"


@lru_cache(maxsize=1 << 16)
def _fault(name: str) -> str | None:
    """Why a directory's name is no jobtype's; callers ask only for names from the history."""
    return layout.jobtype_name_fault(name)
