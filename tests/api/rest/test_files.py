"""The files of a version over HTTP, and its archives."""

from __future__ import annotations

import hashlib
import http.client
import io
import os
import random
import socket
import tarfile
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import quote, quote_from_bytes

import pytest

from gitstore.git.repository import init_repository
from tests.support.branches import Branch, jobtype
from tests.support.git import Worktree, git
from tests.support.rest import PREFIX, Rest, error
from tests.support.server import Answer, Server
from tests.support.waiting import wait_for

NAME = "Maya Batch"
PATH = f"/jobtypes/{quote(NAME)}/versions/1"
POINTER = f"version https://git-lfs.github.com/spec/v1\noid sha256:{'4d7a2146' * 8}\nsize 12345\n"
LARGE_BYTES = 14 * 1024 * 1024
"""More than the buffers between a server and a client that does not read."""
TOO_LARGE_BYTES = 17 * 1024 * 1024
ODD = b"odd/\xff \xc3\xbc?%#+\n.txt"

CONTENT: dict[bytes, bytes] = {
    b"code.py": b"class Job:\n    pass\n",
    b"meta.yaml": b"classname: Job\n",
    b"empty.txt": b"",
    b"run.sh": b"#!/bin/sh\n",
    b"page.html": b"<script>1</script>",
    b"latin.txt": b"caf\xe9\n",
    b"lib/helper.py": b"VERSION = 3\n",
    b"lib-a/x.json": b"{}\n",
    b"lib/" + b"d/" * 20 + b"n" * 90: b"deep\n",
    ODD: b"odd\n",
    b"large.bin": bytes(LARGE_BYTES),
    b"model.bin": POINTER.encode(),
}


def commit(td: Worktree, name: str) -> None:
    """Commit a jobtype with files of every kind."""
    top = os.fsencode(td.path / "jobtypes" / name)
    for path, content in CONTENT.items():
        place = os.path.join(top, path)
        os.makedirs(os.path.dirname(place), exist_ok=True)
        with open(place, "wb") as file:
            file.write(content)
    os.chmod(os.path.join(top, b"run.sh"), 0o755)
    os.symlink("code.py", os.path.join(top, b"link.py"))
    td.git("add", "-A")
    module = f"160000,{'1' * 40},jobtypes/{name}/module"
    td.git("update-index", "--add", "--cacheinfo", module)
    td.git("commit", "--quiet", "-m", "files")


@pytest.fixture(scope="module")
def repo(tmp_path_factory) -> Path:
    """A repository whose branch has two jobtypes with many files, and a change to one."""
    where = tmp_path_factory.mktemp("files")
    path = init_repository(where / "served.git", "main").git_dir
    git(where, "clone", "--quiet", str(path), str(where / "td"))
    td = Worktree(where / "td")
    td.git("config", "user.name", "Ada")
    td.git("config", "user.email", "ada@studio.example")
    td.git("checkout", "--quiet", "-B", "main")
    commit(td, NAME)
    td.write("jobtypes/Big/code.py", "class Job:\n    pass\n")
    td.write("jobtypes/Big/meta.yaml", "classname: Job\n")
    td.write("jobtypes/Big/cache.bin", bytes(TOO_LARGE_BYTES))
    td.git("add", "jobtypes/Big")
    td.git("commit", "--quiet", "-m", "big")
    td.git("push", "--quiet", "origin", "main")
    td.git("checkout", "--quiet", "-b", "fix", "--recurse-submodules=no")
    td.write(f"jobtypes/{NAME}/lib/helper.py", "VERSION = 4\n")
    td.git("add", f"jobtypes/{NAME}/lib/helper.py")
    td.git("commit", "--quiet", "-m", "fix")
    td.git("push", "--quiet", "origin", "fix")
    return path


@pytest.fixture(scope="module")
def rest(repo) -> Iterator[Rest]:
    """A service that sends one large answer at a time."""
    server = Server(repo, "--workers", "1", "--file-places", "1")
    yield Rest(server)
    server.stop()


def get(rest: Rest, path: bytes | str, **headers: str) -> Answer:
    raw = path if isinstance(path, bytes) else path.encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return whole(rest, f"{PATH}/files/{quote_from_bytes(raw)}", named)


def whole(
    rest: Rest, path: str, headers: Mapping[str, str] | None = None, method: str = "GET"
) -> Answer:
    """The answer for *path*, once the slot is free: it may be a moment after an answer."""
    answers: list[Answer] = []

    def is_sent() -> bool:
        answers.append(rest(method, path, headers=headers))
        return answers[-1].status != 503

    wait_for(is_sent, "a slot")
    return answers[-1]


# Files


def test_the_list_has_every_regular_file_by_the_bytes_of_its_path(rest):
    rows = whole(rest, f"{PATH}/files/").json

    assert rows == [
        {
            "path": path.decode(errors="backslashreplace"),
            "size": len(content),
            "sha256": hashlib.sha256(content).hexdigest(),
            "executable": path == b"run.sh",
        }
        for path, content in sorted(CONTENT.items())
    ]


@pytest.mark.parametrize("path", sorted(CONTENT.keys() - {b"model.bin"}), ids=repr)
def test_a_file_is_served_with_the_bytes_that_git_has(rest, path):
    answer = get(rest, path)

    assert answer.status == 200
    assert answer.body == CONTENT[path]
    assert answer.headers["content-length"] == str(len(CONTENT[path]))
    assert answer.headers["cache-control"] == "no-cache"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["x-git-commit"]
    again = get(rest, path, If_None_Match=answer.headers["etag"])
    assert (again.status, again.body) == (304, b"")


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("code.py", "text/x-python; charset=utf-8"),
        ("lib-a/x.json", "text/plain; charset=utf-8"),
        ("latin.txt", "application/octet-stream"),
        ("page.html", "application/octet-stream"),
        ("large.bin", "application/octet-stream"),
    ],
)
def test_a_type_is_text_only_where_it_is_safe(rest, path, kind):
    assert get(rest, path).headers["content-type"] == kind


RANGES = {
    "bytes=0-4": slice(0, 5),
    "bytes=5-": slice(5, None),
    "bytes=-3": slice(-3, None),
    "bytes=-999": slice(None),
    "bytes=3-999": slice(3, None),
}


@pytest.mark.parametrize("asked", RANGES)
def test_a_part_of_a_file_is_served(rest, asked):
    content = CONTENT[b"code.py"]
    part = content[RANGES[asked]]

    answer = get(rest, "code.py", Range=asked)

    start = content.index(part)
    assert (answer.status, answer.body) == (206, part)
    expected = f"bytes {start}-{start + len(part) - 1}/{len(content)}"
    assert answer.headers["content-range"] == expected


@pytest.mark.parametrize(
    "asked",
    [
        "bytes=0-1,3-4",
        "bytes=" + ",".join(f"{n}-{n}" for n in range(5000)),
        "bytes=5-2",
        "lines=1-2",
        "bytes=x",
        "bytes=" + "9" * 5000 + "-",
    ],
    ids=lambda asked: asked[:12],
)
def test_a_range_that_is_not_one_part_gets_the_whole_or_none(rest, asked):
    answer = get(rest, "code.py", Range=asked)

    assert answer.status in (200, 416)
    assert answer.status == 416 or answer.body == CONTENT[b"code.py"]


def test_a_part_beyond_the_end_is_refused_with_the_size(rest):
    answer = get(rest, "code.py", Range="bytes=500-")

    error(answer, 416)
    assert answer.headers["content-range"] == f"bytes */{len(CONTENT[b'code.py'])}"


def test_a_part_is_served_only_of_the_file_that_the_client_knows(rest):
    tag = get(rest, "code.py").headers["etag"]

    assert get(rest, "code.py", Range="bytes=0-1", If_Range=tag).status == 206
    assert get(rest, "code.py", Range="bytes=0-1", If_Range='"other"').status == 200
    assert get(rest, "code.py", Range="bytes=0-1", If_Range=f"W/{tag}").status == 200
    assert get(rest, "code.py", Range="bytes=0-1", If_None_Match=tag).status == 304


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("lib", "lib is a directory"),
        ("link.py", "link.py is a symbolic link"),
        ("module", "module is a submodule"),
        ("module/x", "module is a submodule"),
        ("model.bin", "pointer of Git LFS"),
        ("nothing", "there is no file nothing"),
        ("code.py/x", "there is no file code.py/x"),
        ("/code.py", "there is no file"),
        ("lib//helper.py", "there is no file"),
        (".", "there is no file"),
    ],
)
def test_what_is_no_regular_file_is_refused_in_words(rest, path, said):
    assert said in error(get(rest, path), 404)["error"]


@pytest.mark.parametrize(
    "raw",
    [
        "%2e%2e",
        "%2e%2e/Big/code.py",
        "../../2/code",
        "..%2f..%2fBig%2fcode.py",
        "%00",
        "code.py%00",
        "x" * 5000,
        "a/" * 500,
        "%ff",
        "%0a",
        "%",
    ],
    ids=lambda raw: raw[:12],
)
def test_hostile_paths_find_nothing(rest, raw):
    assert error(rest.get(f"{PATH}/files/{raw}"), 404)


def test_a_trailing_slash_makes_no_difference(rest):
    assert get(rest, "code.py/").body == CONTENT[b"code.py"]
    assert whole(rest, f"{PATH}/files").body == whole(rest, f"{PATH}/files/").body


@pytest.mark.parametrize("path", ["files/cache.bin", "files/", "archive.zip", "archive.tar.gz"])
def test_what_is_too_large_is_a_413_that_names_the_file(rest, path):
    said = error(whole(rest, f"/jobtypes/Big/versions/1/{path}"), 413)["error"]

    assert f"cache.bin has {TOO_LARGE_BYTES} bytes" in said


def test_head_says_what_get_would(rest):
    for path in ("files/large.bin", "archive.tar.gz", "files/code.py", "files/"):
        given = whole(rest, f"{PATH}/{path}")
        told = whole(rest, f"{PATH}/{path}", method="HEAD")

        assert (told.status, told.body) == (200, b"")
        for name in ("content-length", "etag", "content-type"):
            assert told.headers[name] == given.headers[name]


# Archives


def test_a_tar_holds_the_files_and_nothing_of_the_machine(rest):
    answer = whole(rest, f"{PATH}/archive.tar.gz")

    assert int(answer.headers["content-length"]) == len(answer.body)
    with tarfile.open(fileobj=io.BytesIO(answer.body)) as tar:
        members = tar.getmembers()
        found = {os.fsencode(m.name): tar.extractfile(m).read() for m in members}
    assert found == CONTENT
    assert list(found) == sorted(CONTENT)
    modes = {m.name: m.mode for m in members}
    assert modes.pop("run.sh") == 0o755
    assert set(modes.values()) == {0o644}
    assert {(m.mtime, m.uid, m.gid, m.uname, m.gname) for m in members} == {
        (315532800, 0, 0, "", "")
    }


def test_a_zip_holds_the_files(rest):
    answer = whole(rest, f"{PATH}/archive.zip")

    assert int(answer.headers["content-length"]) == len(answer.body)
    with zipfile.ZipFile(io.BytesIO(answer.body)) as zip:
        assert zip.testzip() is None
        found = [zip.read(info) for info in zip.infolist()]
        modes = {info.filename: info.external_attr >> 16 for info in zip.infolist()}
    assert found == [content for _, content in sorted(CONTENT.items())]
    assert (modes["run.sh"], modes["code.py"]) == (0o100755, 0o100644)


def test_the_tag_of_an_archive_is_the_tree_of_its_version(rest, repo):
    tree = git(repo, "rev-parse", f"main:jobtypes/{NAME}").strip()
    for path in ("archive.tar.gz", "archive.zip"):
        answer = whole(rest, f"{PATH}/{path}", method="HEAD")

        assert answer.headers["etag"] == f'"{tree}"'
        known = rest.get(f"{PATH}/{path}", {"If-None-Match": f'"{tree}"'})
        assert (known.status, known.body) == (304, b"")


def test_a_client_that_does_not_read_takes_a_slot_and_gives_it_back(rest):
    whole(rest, f"{PATH}/archive.zip", method="HEAD")  # The slot is free after this.
    with socket.socket() as slow:
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        slow.connect(("127.0.0.1", rest.server.port))
        path = f"{PREFIX}{PATH}/archive.zip"
        slow.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        assert slow.recv(12).endswith(b"200")
        refused = rest.get(f"{PATH}/archive.zip")
        large = rest.get(f"{PATH}/files/large.bin")
        small = get(rest, "code.py")

    error(refused, 503)
    assert refused.headers["retry-after"]
    assert large.status == 503
    assert small.status == 200
    assert whole(rest, f"{PATH}/archive.zip").status == 200


def test_a_client_that_leaves_in_the_middle_leaves_no_slot_taken(rest):
    for _ in range(3):
        connection = http.client.HTTPConnection("127.0.0.1", rest.server.port)
        connection.request("GET", f"{PREFIX}{PATH}/files/large.bin")
        connection.getresponse()
        connection.close()

        assert whole(rest, f"{PATH}/files/large.bin").status == 200


# Damage


def test_an_archive_with_a_damaged_file_ends_early_and_frees_its_slot(tmp_path, serve):
    branch = Branch(tmp_path / "damaged.git")
    noise = random.Random(1).randbytes(2_000_000)
    branch.commit(jobtype("Job") | {"jobtypes/Job/a": noise, "jobtypes/Job/z": noise[::-1]})
    id = git(branch.path, "rev-parse", "main:jobtypes/Job/z").strip()
    place = branch.path / "objects" / id[:2] / id[2:]
    data = bytearray(place.read_bytes())
    data[len(data) // 2] ^= 255
    place.chmod(0o644)
    place.write_bytes(data)
    server = serve(branch.path, "--workers", "1", "--file-places", "1")

    for kind in ("zip", "tar.gz", "zip"):
        with pytest.raises(http.client.IncompleteRead):
            whole(Rest(server), f"/jobtypes/Job/versions/1/archive.{kind}")
    for path, status in (("z", 500), ("", 500), ("a", 200)):
        assert whole(Rest(server), f"/jobtypes/Job/versions/1/files/{path}").status == status


# Previews and versions that are not in service


def test_a_preview_has_files_and_archives_of_the_change(rest):
    preview = f"/preview/fix{PREFIX}/jobtypes/{quote(NAME)}"
    numbers = rest.server.get(f"{preview}/versions/").json
    at = f"{preview}/versions/{numbers[-1]}"

    assert rest.server.get(f"{at}/files/lib/helper.py").body == b"VERSION = 4\n"
    listed = {row["path"]: row["sha256"] for row in rest.server.get(f"{at}/files/").json}
    assert listed["lib/helper.py"] == hashlib.sha256(b"VERSION = 4\n").hexdigest()
    answer = rest.server.request("HEAD", f"{at}/archive.zip")
    assert answer.status == 200


@pytest.mark.parametrize("below", ["files/", "files/code.py", "archive.zip", "archive.tar.gz"])
def test_a_version_that_does_not_exist_has_no_files(rest, below):
    assert "no version 9" in error(rest.get(f"/jobtypes/Big/versions/9/{below}"), 404)["error"]


@pytest.mark.parametrize("below", ["files/", "files/code.py", "archive.zip", "archive.tar.gz"])
def test_an_unknown_parameter_is_refused(rest, below):
    said = error(rest.get(f"{PATH}/{below}?limt=1"), 400)["error"]

    assert said == "there is no parameter limt; this path takes none"
