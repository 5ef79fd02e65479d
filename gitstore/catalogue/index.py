"""The history's cache on disk, so that a start need not read every step again.

Disposable: whatever is missing, damaged, of another release or of another history is
as good as not there. One JSON document behind a header line with its checksum.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import os
import tempfile
from collections.abc import Iterable
from dataclasses import asdict, astuple
from importlib.metadata import version
from pathlib import Path
from types import MappingProxyType

from gitstore.catalogue.entries import Jobtype, Software, Version
from gitstore.catalogue.history import Counters, History
from gitstore.catalogue.marks import Deed, Mark


@functools.cache
def _format() -> str:
    """How the file begins: different in each release, because a release may number differently."""
    return f"jobtypes-index {version('jobtype-repository')}"


class Index:
    """The index of one ref, as a file."""

    def __init__(self, git_dir: Path, ref: str) -> None:
        self.path = git_dir / "jobtypes" / f"{ref.replace('/', '-')}.index"

    def read(self) -> History | None:
        """The cached history; None if there is none that can be trusted."""
        try:
            header, body = self.path.read_bytes().split(b"\n", 1)
            if header.decode() == _header(body):
                return _decode(body)
        except (OSError, ValueError, TypeError, KeyError, IndexError, RecursionError):
            pass
        return None

    def write(self, history: History) -> None:
        """Cache *history*, if the disk allows it; readers see the old file or the new one."""
        body = _encode(history)
        with contextlib.suppress(OSError):
            self.path.parent.mkdir(exist_ok=True)
            handle, name = tempfile.mkstemp(dir=self.path.parent, prefix=".index-")
            try:
                with os.fdopen(handle, "wb") as file:
                    file.write(_header(body).encode() + b"\n" + body)
                os.replace(name, self.path)
            except BaseException:
                os.unlink(name)
                raise

    def delete(self) -> None:
        """Delete the cache."""
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            self.path.unlink()


def _header(body: bytes) -> str:
    return f"{_format()} {hashlib.sha256(body).hexdigest()}"


def _encode(history: History) -> bytes:
    document = {
        "tip": history.tip,
        "tree": history.tree,
        "counters": asdict(history.counters),
        "numbers": dict(history.numbers),
        "former": history.former,
        "withdrawn": {name: sorted(n) for name, n in history.withdrawn.items()},
        "software": [astuple(s) for s in history.software.values()],
        "software_ids": dict(history.software_ids),
        "version_ids": [[*key, ids] for key, ids in history.version_ids.items()],
        "marks": [
            (m.step, m.commit, m.deed, m.name, m.id, m.other, m.numbers) for m in history.marks
        ],
    }
    # One large write of a long history would make all other threads wait.
    parts = {key: _dumps(value) for key, value in document.items()}
    parts["jobtypes"] = _rows(history.jobtypes.values())
    parts["ended"] = _rows(history.ended)
    return f"{{{','.join(f'{_dumps(key)}:{part}' for key, part in parts.items())}}}".encode()


def _rows(jobtypes: Iterable[Jobtype]) -> str:
    return f"[{','.join(_dumps(_jobtype_row(jobtype)) for jobtype in jobtypes)}]"


_dumps = json.JSONEncoder(separators=(",", ":")).encode


def _jobtype_row(jobtype: Jobtype) -> list[object]:
    versions = [(v.number, v.commit, v.tree, v.step) for v in jobtype.versions]
    return [jobtype.id, jobtype.name, jobtype.tree, versions]


def _jobtype(row: list[object]) -> Jobtype:
    id, name, tree, versions = row
    assert isinstance(id, int)
    assert isinstance(versions, list)
    return Jobtype(id, str(name), str(tree), tuple(Version(*v) for v in versions))


def _decode(body: bytes) -> History:
    document = json.loads(body)
    jobtypes = [_jobtype(row) for row in document["jobtypes"]]
    software = [
        Software(id, name, file, blob, tuple((text, number) for text, number in versions))
        for id, name, file, blob, versions in document["software"]
    ]
    return History(
        tip=document["tip"],
        tree=document["tree"],
        counters=Counters(**document["counters"]),
        jobtypes=MappingProxyType({j.name: j for j in jobtypes}),
        numbers=MappingProxyType(document["numbers"]),
        ended=tuple(_jobtype(row) for row in document["ended"]),
        former=tuple((name, id) for name, id in document["former"]),
        withdrawn=MappingProxyType({n: frozenset(v) for n, v in document["withdrawn"].items()}),
        software=MappingProxyType({s.name: s for s in software}),
        software_ids=MappingProxyType(
            {name: tuple((a, b) for a, b in ids) for name, ids in document["software_ids"].items()}
        ),
        version_ids=MappingProxyType(
            {(id, text): tuple((a, b) for a, b in ids) for id, text, ids in document["version_ids"]}
        ),
        marks=tuple(
            Mark(step, commit, Deed(deed), name, id, other, tuple(numbers))
            for step, commit, deed, name, id, other, numbers in document["marks"]
        ),
    )
