"""What a version changed: the files, fields and requirements that differ from the one before."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice

from gitstore.catalogue.contents import Contents
from gitstore.catalogue.files import list_files
from gitstore.catalogue.meta_changes import FieldChange, meta_changes
from gitstore.errors import OutOfBounds
from gitstore.format.layout import printable
from gitstore.format.schema import JobtypeMeta
from gitstore.git.trees import Objects

FILES_SHOWN = 100
"""Files that are named of a version."""


@dataclass(frozen=True, slots=True)
class FileChange:
    """A file that differs: *status* is Git's letter (A, M or D), *path* is in the directory."""

    status: str
    path: str


@dataclass(frozen=True, slots=True)
class VersionDiff:
    """What a version changed, and how large it is.

    *files* are the first FILES_SHOWN of *files_total*; *fields* are those of meta.yaml, and
    *requirements* the software whose requirement is new, gone or different. *size_bytes* is that
    of all files, None for a directory of too many.
    """

    files: tuple[FileChange, ...]
    files_total: int
    fields: tuple[str, ...]
    requirements: tuple[str, ...]
    size_bytes: int | None

    @property
    def memory_bytes(self) -> int:
        """The memory that it takes, roughly."""
        return 400 + sum(120 + len(file.path) for file in self.files) + 80 * len(self.fields)


UNKNOWN = VersionDiff((), 0, (), (), None)
"""What a version changed of which nothing can be read."""


def version_diff(contents: Contents, old: str | None, new: str) -> VersionDiff:
    """What directory *new* changed compared with *old*; None: the version is the first.

    Raises:
        Damaged: one of them can't be read.
    """
    files, total, size = _files(contents.objects, old, new)
    before, after = (_meta(contents, tree) if tree else JobtypeMeta() for tree in (old, new))
    fields, requirements = list[str](), list[str]()
    for change in meta_changes(before, after):
        if isinstance(change, FieldChange):
            fields.append(change.name)
        else:
            requirements.append(change.software)
    return VersionDiff(files, total, tuple(fields), tuple(requirements), size)


def _meta(contents: Contents, tree: str) -> JobtypeMeta:
    return contents.directory(tree).meta or JobtypeMeta()


def _files(
    objects: Objects, old: str | None, new: str
) -> tuple[tuple[FileChange, ...], int, int | None]:
    """The files that differ, how many they are, and the bytes of all files of *new*."""
    try:
        before = {file.path: file for file in list_files(objects, old)} if old else {}
        after = {file.path: file for file in list_files(objects, new)}
    except OutOfBounds:
        return (), 0, None
    names = sorted(n for n in before.keys() | after.keys() if before.get(n) != after.get(n))
    changes = (
        FileChange("A" if n not in before else "D" if n not in after else "M", printable(n))
        for n in names
    )
    size = sum(file.size for file in after.values())
    return tuple(islice(changes, FILES_SHOWN)), len(names), size
