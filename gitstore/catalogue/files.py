"""The files of a version's directory: all of them, one by its path, and their bytes.

Only regular files count. A symbolic link, or a submodule, is no file of the version.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from gitstore.errors import NotFound, OutOfBounds
from gitstore.format import layout
from gitstore.git.lfs_pointers import NO_LFS, is_pointer
from gitstore.git.trees import Entry, Objects

FILES_LIMIT = 5000
"""Entries of a version's directory, with those below it, up to which it is listed and packed."""

_MANY = f"has more than {FILES_LIMIT} files, the limit; clone the repository instead"
WHOLE = "the directory"
"""What a message calls the directory of a version."""


@dataclass(frozen=True, slots=True)
class File:
    """A regular file: its *path* in the directory, with surrogates for bytes that are no UTF-8."""

    path: str
    blob: str
    size: int
    is_executable: bool

    @property
    def raw_path(self) -> bytes:
        """The path as Git has it."""
        return self.path.encode(errors="surrogateescape")


def list_files(objects: Objects, tree: str) -> tuple[File, ...]:
    """The regular files of directory *tree* and those below it, by the bytes of their paths.

    Raises:
        OutOfBounds: there are more entries than FILES_LIMIT, or a directory is too deep or large.
    """
    return tuple(sorted(_walk(objects, tree), key=lambda file: file.raw_path))


def _walk(objects: Objects, tree: str) -> Iterator[File]:
    waiting, seen = [("", tree)], 0
    while waiting:
        above, directory = waiting.pop()
        if above.count("/") > layout.DEPTH_LIMIT:
            raise OutOfBounds(above, f"lies more than {layout.DEPTH_LIMIT} levels deep, the limit")
        for name, entry in _entries(objects, above, directory).items():
            seen += 1
            if seen > FILES_LIMIT:
                raise OutOfBounds(WHOLE, _MANY)
            if entry.is_tree:
                waiting.append((f"{above}{name}/", entry.id))
            elif entry.is_file:
                yield _file(objects, f"{above}{name}", entry)


def _entries(objects: Objects, path: str, tree: str) -> Mapping[str, Entry]:
    """The entries of directory *tree* at *path*; one that is too large is not read."""
    header = objects.header(tree)
    if header is not None and header.size > layout.DIRECTORY_LIMIT_BYTES:
        raise OutOfBounds(path or WHOLE, _MANY)
    return objects.entries(tree)


def _file(objects: Objects, path: str, entry: Entry) -> File:
    header = objects.header(entry.id)
    # Reading a blob without a header raises Damaged, before any of the answer is sent.
    size = header.size if header else len(objects.read_blob(entry.id))
    return File(path, entry.id, size, bool(entry.mode & 0o100))


def find_file(objects: Objects, tree: str, path: str) -> File:
    """The regular file at *path* in directory *tree*.

    Raises:
        NotFound: there is none; the message says what is there instead.
    """
    names, directory = path.split("/"), tree
    for place, name in enumerate(names[: layout.DEPTH_LIMIT], 1):
        entry = _entries(objects, "/".join(names[:place]), directory).get(name)
        if entry is None:
            break
        is_last = place == len(names)
        if entry.is_file:
            if is_last:
                return _file(objects, path, entry)
            break
        if is_last or not entry.is_tree:
            what = f"{_shown('/'.join(names[:place]))} is {entry.kind}"
            raise NotFound(f"{what}; only regular files are served, and files/ lists them")
        directory = entry.id
    raise NotFound(f"there is no file {_shown(path)}; files/ lists the files of this version")


def read_file(objects: Objects, file: File, limits: layout.Sizes) -> bytes:
    """The bytes of *file*.

    Raises:
        OutOfBounds: it is larger than a file may be.
        NotFound: it is only a pointer of Git LFS.
        Damaged: it can't be read.
    """
    require_size(file, limits)
    data = objects.read_blob(file.blob, file.size)
    if is_pointer(data):
        raise NotFound(f"{_shown(file.path)} {NO_LFS}")
    return data


def require_size(file: File, limits: layout.Sizes) -> None:
    """Raise OutOfBounds if *file* is larger than a file may be."""
    limit = max(limits.file_bytes, layout.CODE_LIMIT_BYTES)
    if file.size > limit:
        fault = f"has {file.size} bytes; {limit} is the limit; clone the repository instead"
        raise OutOfBounds(layout.printable(file.path), fault)


def require_sizes(files: tuple[File, ...], limits: layout.Sizes) -> None:
    """Raise OutOfBounds if one of *files*, or all of them together, are larger than they may be."""
    for file in files:
        require_size(file, limits)
    total = sum(file.size for file in files)
    if total > limits.all_bytes:
        fault = f"has {total} bytes; {limits.all_bytes} is the limit; clone the repository instead"
        raise OutOfBounds(WHOLE, fault)


def _shown(path: str) -> str:
    return layout.shown(layout.printable(path))
