"""What a jobtype's directory and a software file hold, read once and kept.

Whether a directory can be served at all, or is *broken*, is decided here, from its tree
alone: never from settings or from other files, so that every service says the same.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from functools import lru_cache
from typing import Generic, TypeVar

from gitstore.format import layout
from gitstore.format.schema import Fault, JobtypeMeta, SoftwareFile, parse_meta, parse_software
from gitstore.format.yaml_reader import Oversized, YamlData
from gitstore.git.overlay import Overlay
from gitstore.git.single_flight import Once
from gitstore.git.trees import Entry, Objects
from gitstore.rules import Problem

_VERDICTS = 200_000
"""Directories for which the answer "can it be served" is kept, longer than their content."""

_MANY = 100

_KEPT = 8192
"""Directories and files whose parsed form is kept in memory; the least used are evicted."""

_SMALL_BYTES = 8 * 1024
"""Files up to this size count by number, larger ones by their bytes."""

_LARGE_BYTES = 16 * 1024 * 1024
"""How much of larger files is kept in each cache, as estimated for their parsed form."""

_BYTES_A_BYTE = 4
"""Bytes of memory for a byte of YAML: one character beyond ASCII widens a whole string."""

T = TypeVar("T")


_Faults = tuple[tuple[str, str, Fault], ...]
_Meta = tuple[JobtypeMeta | None, _Faults]


@dataclass(frozen=True, slots=True)
class Directory:
    """A jobtype's directory: its metadata, and the blobs of its files.

    *meta* is None, or *code* empty, only where *faults* say why: then it is broken. A fault
    is (rule, file name, what and where).
    """

    meta: JobtypeMeta | None
    code: str
    meta_blob: str
    faults: _Faults

    def problems(self, name: str) -> Iterator[Problem]:
        """What makes it broken, as a directory of that *name*."""
        for rule, file_name, fault in self.faults:
            field = ".".join(str(part) for part in fault.place)
            path = f"{layout.jobtype_path(name)}/{file_name}"
            yield Problem(rule, path, fault.message, fault.line, field)


def read_yaml(objects: Objects, id: str) -> YamlData:
    """The content of blob *id*. A blob larger than a YAML file may be isn't read."""
    header = objects.header(id)
    if header is not None and header.size > layout.YAML_LIMIT_BYTES:
        return Oversized(header.size)
    return objects.read_blob(id)


class _Cache(Generic[T]):
    """What *make* makes of an id; *size* is that of the file that it comes from, in bytes."""

    def __init__(self, make: Callable[[str], T], size: Callable[[T, str], int]) -> None:
        self._make = make
        self._size = size
        self._small = lru_cache(_KEPT)(self._make_small)
        self._large = Once[str, tuple[T, int]](_LARGE_BYTES, lambda made: made[1])

    def __call__(self, id: str) -> T:
        small = self._small(id)
        return small[0] if small else self._large.get(id, lambda: self._make_large(id))[0]

    def _make_small(self, id: str) -> tuple[T] | None:
        """What *make* makes, None if it is too large to be kept by number."""
        made, bytes = self._make_large(id)
        if bytes <= _BYTES_A_BYTE * _SMALL_BYTES:
            return (made,)
        self._large.get(id, lambda: (made, bytes))  # The caller asks there next.
        return None

    def _make_large(self, id: str) -> tuple[T, int]:
        made = self._make(id)
        return made, _BYTES_A_BYTE * self._size(made, id)


class Contents:
    """Reads directories and software files of *objects*, and keeps what it parsed.

    The content of an id never changes, so nothing here is ever out of date. Threads
    may share it.
    """

    def __init__(self, objects: Objects) -> None:
        self.objects = objects
        self.directory: Callable[[str], Directory] = _Cache(
            self._directory, lambda directory, tree: self._size(directory.meta_blob)
        )
        # Apart from the directory: most versions change the code alone, and many share one.
        self._code_faults: Callable[[str], _Faults] = lru_cache(_KEPT)(self._check_encoding)
        self._meta: Callable[[str], _Meta] = _Cache(
            self._parse_meta, lambda meta, blob: self._size(blob)
        )
        self.software_file: Callable[[str], SoftwareFile] = _Cache(
            self._software_file, lambda file, blob: self._size(blob)
        )
        self.sha256: Callable[[str], str] = lru_cache(_KEPT)(self._sha256)
        self._sound: dict[str, bool] = {}
        self._looking = threading.Lock()

    def _size(self, blob: str) -> int:
        """The size of *blob*, 0 where there is none."""
        header = self.objects.header(blob) if blob else None
        return header.size if header else 0

    def over(self, overlay: Overlay) -> Contents:
        """These contents, and in addition what only *overlay* has."""
        made = Contents(overlay)
        made.directory = overlay.either(made.directory, self.directory)
        made._code_faults = overlay.either(made._code_faults, self._code_faults)
        made._meta = overlay.either(made._meta, self._meta)
        made._sound = self._sound
        made._looking = self._looking
        made.software_file = overlay.either(made.software_file, self.software_file)
        made.sha256 = overlay.either(made.sha256, self.sha256)
        return made

    def sound(self, trees: Collection[str]) -> set[str]:
        """Those of the directories *trees* that are not broken. Each is read once."""
        known = self._sound
        unknown = [tree for tree in trees if tree not in known]
        # Requests for a long list at the same time wait for what the first one finds.
        with self._looking if len(unknown) > _MANY else nullcontext():
            for tree in unknown:
                if tree not in known:
                    known[tree] = not self.directory(tree).faults
        sound = {tree for tree in trees if known.get(tree, False)}
        if len(known) > _VERDICTS:
            self._sound = {}
        return sound

    def meta(self, tree: str) -> JobtypeMeta | None:
        """The metadata of directory *tree*, without a look at its code; None if unreadable."""
        entry = self.objects.entries(tree).get(layout.META)
        return self._meta(entry.id)[0] if entry and entry.is_file else None

    def code(self, directory: Directory) -> str:
        """The text of a directory's code.py, which is not broken."""
        return self.objects.read_blob(directory.code).decode()

    def _directory(self, tree: str) -> Directory:
        entries = self.objects.entries(tree)
        faults: list[tuple[str, str, Fault]] = []
        code = _blob(entries.get(layout.CODE), "code", layout.CODE, faults)
        meta_blob = _blob(entries.get(layout.META), "meta", layout.META, faults)
        size = self.objects.header(code) if code else None
        if size is not None and size.size > layout.CODE_LIMIT_BYTES:
            message = f"has {size.size} bytes; {layout.CODE_LIMIT_BYTES} is the limit"
            faults.append(("code-size", layout.CODE, Fault(message, None, ("code",))))
            code = ""
        if code:
            faults.extend(self._code_faults(code))
        meta, meta_faults = self._meta(meta_blob) if meta_blob else (None, ())
        return Directory(meta, code, meta_blob, (*faults, *meta_faults))

    def _check_encoding(self, blob: str) -> _Faults:
        faults = _encoding(self.objects.read_blob(blob))
        return tuple(("code-encoding", layout.CODE, fault) for fault in faults)

    def _parse_meta(self, blob: str) -> _Meta:
        data = read_yaml(self.objects, blob)
        parsed = parse_meta(data)
        rule = "meta-field" if parsed.document else "meta-yaml"
        if len(data) > layout.YAML_LIMIT_BYTES:
            rule = "meta-size"
        return parsed.value, tuple((rule, layout.META, fault) for fault in parsed.faults)

    def _sha256(self, blob: str) -> str:
        """The SHA-256 of the content of *blob*, in hex. Its size is for the caller to limit."""
        return hashlib.sha256(self.objects.read_blob(blob, self._size(blob))).hexdigest()

    def _software_file(self, blob: str) -> SoftwareFile:
        """The software file in *blob*, which is readable, else empty."""
        return parse_software(read_yaml(self.objects, blob)).value or SoftwareFile()


def _blob(entry: Entry | None, what: str, name: str, faults: list[tuple[str, str, Fault]]) -> str:
    """The blob of a file that has to be there, empty where *faults* now say why."""
    if entry is not None and entry.is_file:
        return entry.id
    if entry is None:
        faults.append((f"{what}-missing", name, Fault("is missing; add the file", None)))
    else:
        message = f"is {entry.kind}; put a regular file here"
        faults.append(("layout-entry", name, Fault(message, None)))
    return ""


def _encoding(code: bytes) -> Iterator[Fault]:
    try:
        code.decode()
    except UnicodeDecodeError as error:
        line = code.count(b"\n", 0, error.start) + 1
        yield Fault("this line is no UTF-8; save the file in UTF-8", line)
