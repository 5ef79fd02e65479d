"""What every parser of foreign bytes keeps to, whatever the bytes are; and a fuzzer for it.

``python -m tests.attacks.fuzz --seconds 60`` looks for bytes that break it, guided by the code that
they reach (needs atheris). test_fuzz_parsers.py asks the same of bytes that hypothesis makes up.
"""

from __future__ import annotations

import argparse
import hashlib
import inspect
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from gitstore.catalogue.catalogue import Catalogue
from gitstore.catalogue.trailers import parse_trailers, trailer
from gitstore.checks.python_source import SyntaxFault, parse_code, python3_only, top_level_names
from gitstore.checks.settings import Checks
from gitstore.checks.tree import check_tree
from gitstore.format import layout
from gitstore.format.schema import Parsed, parse_meta, parse_software, parse_withdrawn
from gitstore.format.yaml_reader import YamlFault, parse_yaml
from gitstore.git.trees import EMPTY_TREE, Entry, Header, blob_id, parse_tree, tree_id
from gitstore.rules import RULES
from hooks.updates import Update, parse_updates

META = b"classname: Job\nmax_batch: 4\nrequirements:\n- {software: blender, min_version: '4.2'}\n"
SOFTWARE = b"versions:\n- version: '4.2'\n  rank: 100\n  discovery_code: |\n    x = 1\n"
WITHDRAWN = b"Blender: [1, 2]\n'Nuke 2': []\n"
CODE = b"import os\nclass Job(object):\n    def f(self): print(f'{1!r}')\n"
TRAILERS = b"Subject\n\nText.\n\nJobtype-Version: 7 Blender\nJobtype-Id: 3 Nuke 2\n"

SEPARATOR = b"\0\xff"
"""Between the files of a tree, and between a file's path and its content."""


class Memory:
    """Objects that lie in memory: a place for trees that no Git would write."""

    def __init__(self) -> None:
        self.blobs: dict[str, bytes] = {}
        self.trees: dict[str, Mapping[str, Entry]] = {EMPTY_TREE: {}}

    def read_blob(self, id: str) -> bytes:
        """The content of blob *id*."""
        return self.blobs[id]

    def header(self, id: str) -> Header | None:
        """The kind and the size of object *id*; those of a tree are made up."""
        if id in self.blobs:
            return Header("blob", len(self.blobs[id]))
        return Header("tree", 0) if id in self.trees else None

    def entries(self, tree: str) -> Mapping[str, Entry]:
        """The entries of tree *tree*."""
        return self.trees[tree]

    def write(self, files: Iterable[tuple[str, int, bytes]]) -> str:
        """The id of a new tree of *files*, each a path, a mode and a content."""
        here: dict[str, Entry] = {}
        below: dict[str, list[tuple[str, int, bytes]]] = {}
        for path, mode, content in files:
            name, slash, rest = path.partition("/")
            if slash:
                below.setdefault(name, []).append((rest, mode, content))
            elif mode != 0o040000:
                self.blobs[blob_id(content)] = content
                here[name] = Entry(mode, blob_id(content))
            else:
                here[name] = Entry(mode, EMPTY_TREE)
        here |= {name: Entry(0o040000, self.write(inner)) for name, inner in below.items()}
        id = hashlib.sha1(repr(sorted(here.items())).encode(errors="backslashreplace")).hexdigest()
        self.trees[id] = here
        return id


def is_sentence(text: str) -> None:
    """What is said to a person is one line, and can be sent."""
    text.encode()
    assert text
    assert "\n" not in text, text


def check_yaml(data: bytes) -> None:
    """A document, whose places are in the file, or a fault with a line of it."""
    lines = data.count(b"\n") + data.count(b"\r") + data.count("\u2028".encode()) + 2
    lines += data.count("\x85".encode()) + data.count("\u2029".encode())
    try:
        told = set(parse_yaml(data, layout.YAML_LIMIT_BYTES).lines.values())
    except YamlFault as fault:
        is_sentence(fault.message)
        told = {fault.line}
    assert all(1 <= line <= lines for line in told)


def _check_parsed(parsed: Parsed[object]) -> None:
    assert (parsed.value is None) == bool(parsed.faults)
    for fault in parsed.faults:
        fault.message.encode(errors="strict")


def check_meta(data: bytes) -> None:
    """A meta.yaml, or faults that can be told."""
    _check_parsed(parse_meta(data))


def check_software(data: bytes) -> None:
    """A software file, or faults that can be told."""
    _check_parsed(parse_software(data))


def check_withdrawn(data: bytes) -> None:
    """A withdrawn.yaml, or faults that can be told."""
    _check_parsed(parse_withdrawn(data))


def check_code(data: bytes) -> None:
    """A module, or why it is none."""
    module = parse_code(data.decode(errors="replace"), "code.py")
    if isinstance(module, SyntaxFault):
        assert module.message
        return
    assert all(top_level_names(module))
    assert all(line >= 1 for line, _ in python3_only(module))


def check_trailers(data: bytes) -> None:
    """Trailers that say the same when they are written again."""
    for key, number, name in parse_trailers(data.decode(errors="replace")):
        assert 0 <= number <= layout.NUMBER_LIMIT
        assert list(parse_trailers(f"s\n\n{trailer(key, number, name)}\n")) == [(key, number, name)]


def check_names(data: bytes) -> None:
    """A name that is good, or the end of a sentence; a file name that leads back to it."""
    name = data.decode(errors="surrogateescape")
    for fault in (layout.jobtype_name_fault(name), layout.software_name_fault(name)):
        if fault is not None:
            is_sentence(fault)
    if layout.jobtype_name_fault(name) is None:
        assert not set(name) & set("/\\:\0\n")
        assert name not in (".", "..")
    if layout.software_name_fault(name) is None:
        file_name = layout.software_path(name).removeprefix(f"{layout.SOFTWARE}/")
        assert "/" not in file_name
        assert layout.software_name(file_name) == name
    is_sentence(layout.software_file_advice(f"{name}{layout.YAML}"))
    layout.software_name(name)
    assert layout.shown(name).isascii()
    assert layout.parse_id("9" + "".join(filter(layout.is_id, name))) >= 0


def check_entries(data: bytes) -> None:
    """The entries of a raw tree, however it is cut off."""
    for name, entry in parse_tree(data).items():
        assert name
        assert "\0" not in name
        assert len(entry.id) == 40
        assert entry.kind
    if data:
        tree_id(parse_tree(data))


def check_files(data: bytes) -> None:
    """A whole tree: its problems are of rules that there are, and can be told."""
    parts = data.split(SEPARATOR)
    modes = (0o100644, 0o100755, 0o120000, 0o160000, 0o040000, 0o100600)
    paths = (part.decode(errors="surrogateescape") for part in parts[0::2])
    files = [
        (
            path.strip("/"),
            modes[len(content) % 7 % 6] if len(content) % 5 == 4 else 0o100644,
            content,
        )
        for path, content in zip(paths, parts[1::2], strict=False)
        if all(path.strip("/").split("/"))
    ]
    check(files)


def check(files: Sequence[tuple[str, int, bytes]]) -> None:
    """As check_files, of *files*, each a path, a mode and a content."""
    objects = Memory()
    tree = objects.write(files)
    for problem in check_tree(objects, tree, Catalogue.empty(objects), Checks(python27=True)):
        assert problem.rule in RULES
        assert problem.line is None or problem.line >= 1
        str(problem).encode()


def check_updates(data: bytes) -> None:
    """A hook's input is read whole, whatever bytes a ref's name has."""
    ref = data.decode(errors="surrogateescape")
    old, new = "0" * 40, "1" * 40
    if ref.strip() and not set(ref) & set(" \n\r\t\v\f"):
        assert parse_updates([f"{old} {new} {ref}\n"]) == [Update(old, new, ref)]


Target = Callable[[bytes], None]

TARGETS: Mapping[Target, bytes] = {
    check_yaml: META,
    check_meta: META,
    check_software: SOFTWARE,
    check_withdrawn: WITHDRAWN,
    check_code: CODE,
    check_trailers: TRAILERS,
    check_names: b"Blender 4%2F\xc3\xa9",
    check_entries: b"100644 a\0" + b"\1" * 20 + b"40000 b\0" + b"\2" * 20,
    check_files: SEPARATOR.join(
        [
            *(b"jobtypes/Blender/code.py", CODE, b"jobtypes/Blender/meta.yaml", META),
            *(b"software/blender.yaml", SOFTWARE, b"withdrawn.yaml", WITHDRAWN),
        ]
    ),
    check_updates: b"refs/heads/fix-tiles",
}
"""What is fuzzed, each with bytes that are good."""


def check_one(data: bytes) -> None:
    """Give *data* to the target that its first byte names."""
    if data:
        list(TARGETS)[data[0] % len(TARGETS)](data[1:])


def main() -> None:
    """Fuzz until the time is over; what breaks is printed, and kept in a file crash-..."""
    import atheris

    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--seconds", type=int, default=60)
    seconds = parser.parse_args().seconds
    for function in (parse_yaml, parse_trailers, parse_tree, layout.software_name, check_tree):
        atheris.instrument_func(inspect.unwrap(function))
    with tempfile.TemporaryDirectory() as corpus:
        for number, good in enumerate(TARGETS.values()):
            (Path(corpus) / str(number)).write_bytes(bytes([number]) + good)
        options = [f"-max_total_time={seconds}", "-timeout=20", "-max_len=4096"]
        atheris.Setup([sys.argv[0], *options, corpus], check_one)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
