"""Archives of files: the same bytes on any machine, and what other programs read in them."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import pwd
import shutil
import subprocess
import tarfile
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitstore.catalogue.archives import Archive, tar_gz, zip_stored
from gitstore.catalogue.files import File
from gitstore.errors import OutOfBounds
from tests.support.project import ROOT

Content = dict[bytes, bytes]


def files(content: Content) -> tuple[File, ...]:
    return tuple(
        File(path.decode(errors="surrogateescape"), "", len(data), data[:2] == b"#!")
        for path, data in sorted(content.items())
    )


def packed(make, content: Content) -> bytes:
    archive: Archive = make(files(content), lambda file: content[file.raw_path])
    data = b"".join(archive.pieces)
    assert len(data) == archive.length
    return data


names = st.binary(min_size=1, max_size=150).map(lambda b: b.replace(b"\0", b"0").strip(b"/"))
paths = names.filter(lambda n: n and n not in (b".", b"..")).map(lambda n: n.replace(b"/", b"_"))
sizes = st.sampled_from([0, 1, 511, 512, 513, 64_000, 65_535 - 1024, 65_535, 131_070, 200_000])
contents = st.dictionaries(paths, sizes.map(lambda size: b"#" * size), max_size=5)


@given(contents)
@settings(max_examples=60, deadline=None)
def test_any_files_come_out_as_they_went_in(content):
    tar = packed(tar_gz, content)
    with tarfile.open(fileobj=io.BytesIO(tar)) as opened:
        found = {os.fsencode(m.name): opened.extractfile(m).read() for m in opened}
    assert found == content
    assert gzip.decompress(tar)[-1024:] == bytes(1024)
    with zipfile.ZipFile(io.BytesIO(packed(zip_stored, content))) as opened:
        assert opened.testzip() is None
        assert [opened.read(info) for info in opened.infolist()] == [
            data for _, data in sorted(content.items())
        ]


SAMPLE: Content = {
    b"code.py": b"class Job:\n    pass\n",
    b"run.sh": b"#!/bin/sh\n",
    b"textures/" + "\u00fc".encode() * 60 + b".exr": bytes(range(256)) * 600,
    b"\xff.bin": b"",
}
DIGESTS = {
    tar_gz: "c60909d07417cf0ef7affd5b5935eec824a4852989289c0c9633c63b7f8f3211",
    zip_stored: "04d0af77339aa37e6f718eb08592597f1a00bf97ccf8ab2a085827b60ade0df2",
}
"""The archives of SAMPLE, once and for ever: clients keep such digests."""


@pytest.mark.parametrize("make", DIGESTS, ids=lambda make: make.__name__)
def test_an_archive_is_the_same_in_every_release(make):
    assert hashlib.sha256(packed(make, SAMPLE)).hexdigest() == DIGESTS[make]


def test_a_zip_of_4_gib_is_refused_and_a_tar_is_not():
    half = tuple(File(name, "", 2**31, False) for name in ("a", "b"))

    with pytest.raises(OutOfBounds, match="too much for zip"):
        zip_stored(half, lambda file: b"")
    assert tar_gz(half, lambda file: b"").length > 2**32


MACHINES = {
    "a German one": ("077", {"LC_ALL": "de_DE.UTF-8", "TZ": "Pacific/Auckland"}),
    "one without a locale": ("000", {"LC_ALL": "C", "TZ": "UTC", "PYTHONUTF8": "0"}),
}
"""The umask and the variables of machines."""

SCRIPT = """
import os, sys
os.umask(int(sys.argv[1], 8))
from gitstore.catalogue.archives import tar_gz, zip_stored
from gitstore.catalogue.files import File

content = eval(sys.argv[3])
files = tuple(
    File(path.decode(errors="surrogateescape"), "", len(data), data[:2] == b"#!")
    for path, data in sorted(content.items())
)
for make in (tar_gz, zip_stored):
    with open(os.path.join(sys.argv[2], make.__name__), "wb") as file:
        file.writelines(make(files, lambda file: content[file.raw_path]).pieces)
"""


def interpreter(version: str) -> str:
    """A Python of that version, from the path or from pyenv."""
    folder = Path(pwd.getpwuid(os.getuid()).pw_dir) / ".pyenv" / "versions"
    known = [str(path) for path in folder.glob(f"{version}.*/bin/python")]
    found = next(iter(known), None) or shutil.which(f"python{version}")
    if found is None or subprocess.run([found, "-c", ""], check=False).returncode:
        pytest.skip(f"there is no Python {version} on this machine")
    return found


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("version", ["3.11", "3.13"])
def test_an_archive_is_the_same_on_every_machine(tmp_path, machine, version):
    umask, variables = MACHINES[machine]
    small = {path: data[:3000] for path, data in SAMPLE.items()}
    command = [interpreter(version), "-c", SCRIPT, umask, str(tmp_path), repr(small)]

    subprocess.run(command, check=True, cwd=ROOT, env={"PYTHONPATH": str(ROOT), **variables})

    for make in DIGESTS:
        here = tmp_path / "here"
        here.write_bytes(packed(make, small))
        subprocess.run(["cmp", str(here), str(tmp_path / make.__name__)], check=True)
