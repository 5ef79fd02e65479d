"""What a version changed: the files, fields and requirements that differ from the one before."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from gitstore.catalogue.contents import Contents
from gitstore.errors import OutOfBounds, StoreError
from gitstore.format.layout import DEPTH_LIMIT, printable
from gitstore.format.schema import JobtypeMeta
from gitstore.git.trees import Entry, Objects

FILES_SHOWN = 100
"""Files that are named of a version."""

_ENTRIES_LIMIT = 5000
"""Entries of a directory up to which it is looked at."""

_META_FIELDS = tuple(field for field in JobtypeMeta.model_fields if field != "requirements")


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


def version_diff(contents: Contents, old: str | None, new: str) -> VersionDiff:
    """What directory *new* changed compared with *old*; None: the version is the first."""
    files, total, size = _files(contents.objects, old, new)
    before = _meta(contents, old) if old else JobtypeMeta()
    after = _meta(contents, new)
    needs = [{r.software: r for r in meta.requirements} for meta in (before, after)]
    return VersionDiff(
        files,
        total,
        tuple(f for f in _META_FIELDS if getattr(before, f) != getattr(after, f)),
        tuple(
            name for name in {**needs[0], **needs[1]} if needs[0].get(name) != needs[1].get(name)
        ),
        size,
    )


def _meta(contents: Contents, tree: str) -> JobtypeMeta:
    return contents.directory(tree).meta or JobtypeMeta()


def _files(
    objects: Objects, old: str | None, new: str
) -> tuple[tuple[FileChange, ...], int, int | None]:
    """The files that differ, how many they are, and the bytes of all files of *new*."""
    try:
        before = dict(_walk(objects, old)) if old else {}
        after = dict(_walk(objects, new))
    except StoreError:
        return (), 0, None
    names = sorted(n for n in before.keys() | after.keys() if before.get(n) != after.get(n))
    changes = (
        FileChange("A" if n not in before else "D" if n not in after else "M", printable(n))
        for n in names
    )
    headers = (objects.header(entry.id) for entry in after.values() if entry.is_file)
    size = sum(header.size for header in headers if header)
    return tuple(islice(changes, FILES_SHOWN)), len(names), size


def _walk(objects: Objects, tree: str) -> Iterator[tuple[str, Entry]]:
    """Yield the path and the entry of all that is no directory below *tree*."""
    waiting, seen = [("", tree)], 0
    while waiting:
        above, directory = waiting.pop()
        for name, entry in objects.entries(directory).items():
            seen += 1
            if seen > _ENTRIES_LIMIT or above.count("/") > DEPTH_LIMIT:
                raise OutOfBounds(above, f"has more than {_ENTRIES_LIMIT} files")
            if entry.is_tree:
                waiting.append((f"{above}{name}/", entry.id))
            else:
                yield f"{above}{name}", entry
