"""Trees that are too deep, too wide or too large: refused at every way in, never walked."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from api.app import create_app
from api.config import Config
from gitstore.branch.setup import create_repository, sample_path
from gitstore.branch.store import Store
from gitstore.branch.upstream import Upstream
from gitstore.checks.folder import Worktree as Folder
from gitstore.errors import OutOfBounds
from gitstore.format.layout import DIRECTORY_LIMIT_BYTES
from gitstore.git.repository import Repository, init_repository
from tests.support.forms import forms
from tests.support.git import git
from tests.support.server import Server
from tests.support.shapes import FILE, TREE, Shapes

MIB = 1024 * 1024
Files = dict[str, tuple[str, str]]


def at(path: str, mode: str, made: str) -> Files:
    return {path: (mode, made)}


SHAPES: dict[str, tuple[Callable[[Shapes], Files], str]] = {
    "deep in a jobtype": (lambda s: at("jobtypes/A/d", TREE, s.nested(40)), "levels deep"),
    "deep at the root": (lambda s: at("d", TREE, s.nested(1500)), "levels deep"),
    "deep in software": (lambda s: at("software/d", TREE, s.nested(1500)), "levels deep"),
    "deep, of an odd mode": (
        lambda s: at("jobtypes/A/d", "40755", s.nested(1500, "40755")),
        "levels deep",
    ),
    "a long path": (
        lambda s: at("jobtypes/A/d", TREE, s.nested(6, name=b"n" * 250)),
        "path of more than 1024 bytes",
    ),
    "two to the 27 files": (lambda s: at("jobtypes/A/d", TREE, s.doubled(27)), "more files"),
    "two to the 29 empty files": (lambda s: at("d", TREE, s.doubled(29, b"")), "more files"),
    "a directory of many": (
        lambda s: at("jobtypes/A/d", TREE, s.put("tree", many(s))),
        "more files",
    ),
}
LARGE: dict[str, tuple[str, int]] = {
    "code": ("jobtypes/A/code.py", MIB + 1),
    "metadata": ("jobtypes/A/meta.yaml", 300_000),
    "software": ("software/x.yaml", 2 * MIB),
    "withdrawals": ("withdrawn.yaml", 2 * MIB),
    "a file of a jobtype": ("jobtypes/A/big.bin", 17 * MIB),
}


def many(shapes: Shapes) -> bytes:
    row = b"100644 %07d\0" + bytes.fromhex(shapes.blob())
    return b"".join(row % n for n in range(DIRECTORY_LIMIT_BYTES // (len(row) - 2) + 1000))


class Case:
    """A repository whose served branch has a jobtype, and a branch that was pushed to it."""

    def __init__(self, path: Path) -> None:
        self.path = init_repository(path, "main").git_dir
        self.shapes = Shapes(self.path)
        self.base = self.shapes.commit(self.shapes.root(self.shapes.job()))
        git(self.path, "update-ref", "refs/heads/main", self.base)

    def put(self, files: Files, branch: str = "bad", parent: str | None = None) -> str:
        tree = self.shapes.root(self.shapes.job() | files)
        commit = self.shapes.commit(tree, parent or self.base)
        git(self.path, "update-ref", f"refs/heads/{branch}", commit)
        return commit

    def zeros(self, path: str, size: int) -> Files:
        return at(path, FILE, self.shapes.blob(bytes(size)))


@pytest.fixture
def case(tmp_path) -> Case:
    return Case(tmp_path / "case.git")


READS = (
    "/preview/bad/api/v1/jobtypes/A",
    "/api/v1/changes/bad",
    "/changes/bad",
)


@pytest.mark.parametrize(("make", "words"), SHAPES.values(), ids=SHAPES)
def test_a_branch_out_of_bounds_is_said_to_be_and_never_shown(case, make, words):
    case.put(make(case.shapes))
    client = create_app(Config(case.path)).test_client()

    answers = [client.get(path) for path in READS]
    answers.append(client.post("/api/v1/changes/bad/merge", json={}))

    assert [answer.status_code for answer in answers] == [413] * 4
    assert all(words in answer.json["error"] for answer in answers)
    assert [row["branch"] for row in client.get("/api/v1/changes/").json] == ["bad"]
    assert client.get("/").status_code == client.get("/changes/").status_code == 200
    assert client.delete("/api/v1/changes/bad").status_code == 204


@pytest.mark.parametrize(("path", "size"), LARGE.values(), ids=LARGE)
def test_a_large_file_of_a_branch_is_never_read(case, path, size):
    case.put(case.zeros(path, size))
    client = create_app(Config(case.path)).test_client()

    change = client.get("/api/v1/changes/bad")

    assert "too large to be shown" in change.json["diff"] or size < MIB
    assert client.get(READS[0]).status_code in (200, 404)
    assert client.get(READS[2]).status_code == 200


@pytest.fixture(scope="module")
def pushed(tmp_path_factory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("pushed")
    case = Case(folder / "case.git")
    server = Server(case.path, "--workers", "1")
    yield server
    server.stop()


PUSHED = ("deep, of an odd mode", "two to the 29 empty files", "a directory of many", "software")


@pytest.mark.parametrize("name", forms(PUSHED, 2))
def test_a_push_out_of_bounds_is_refused_with_words_on_every_branch(pushed, tmp_path, name):
    git(tmp_path, "clone", "-q", f"{pushed.url}/jobtypes.git", "clone")
    shapes = Shapes(tmp_path / "clone" / ".git")
    head = git(tmp_path / "clone", "rev-parse", "HEAD").strip()
    if name in SHAPES:
        make, words = SHAPES[name]
        files = make(shapes)
    else:
        path, size = LARGE[name]
        files, words = at(path, FILE, shapes.blob(bytes(size))), f"has {size} bytes"
    commit = shapes.commit(shapes.root(shapes.job() | files), head)
    git(tmp_path / "clone", "branch", "bad", commit)
    later = shapes.commit(shapes.root(shapes.job()), commit)

    said = [push(tmp_path / "clone", f"{commit}:refs/heads/side")]
    if name in SHAPES:
        # The next commit takes it away again, which leaves it in the history.
        said.append(push(tmp_path / "clone", f"{later}:refs/heads/main"))

    for answer in said:
        assert words in answer, answer
        assert "is too large" in answer
    assert pushed.get("/api/v1/jobtypes/A/versions/1").status == 200
    assert pushed.get("/api/v1/changes/").json == []


def push(where: Path, refspec: str) -> str:
    """What a push that must fail says, on one line."""
    command = ["git", "-C", str(where), "push", "origin", refspec]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode, done.stderr
    return " ".join(done.stderr.replace("remote:", "").split())


def test_all_files_of_a_tip_together_have_a_limit(case):
    store = Store(case.path)
    assert store.checks.sizes.all_bytes == 200 * MIB
    limits = store.checks.sizes.__class__(all_bytes=1000)
    old, bounds = case.shapes.root(case.shapes.job()), store.repository.bounds

    some = case.zeros("assets/a", 600) | case.zeros("assets/b", 600)
    grown = case.shapes.root(case.shapes.job() | some)
    with pytest.raises(OutOfBounds, match="in all its files together"):
        bounds.check_files(old, grown, limits)

    # What was there before does not count against a push that adds nothing.
    other = case.shapes.root(case.shapes.job() | case.zeros("assets/c", 999))
    bounds.check_files(grown, other, limits)


def test_files_that_were_there_before_keep_nothing_out(case):
    """A push on top of an old history with a large file is about its own files alone."""
    old = case.put(case.zeros("jobtypes/A/big.bin", 17 * MIB), "main")
    new = case.put(
        case.zeros("jobtypes/A/big.bin", 17 * MIB) | case.zeros("README.md", 10), "bad", old
    )
    store = Store(case.path)

    tree = [store.repository.commit(commit).tree for commit in (old, new)]
    store.repository.bounds.check_files(tree[0], tree[1], store.checks.sizes)


def test_in_old_histories_large_code_and_metadata_break_a_version_and_nothing_else(case):
    old = case.base
    for path, size in LARGE.values():
        old = case.put(case.zeros(path, size), "main", old)
        tree = case.shapes.root(case.shapes.job())
        old = case.shapes.commit(tree, old)
        git(case.path, "update-ref", "refs/heads/main", old)
    client = create_app(Config(case.path)).test_client()

    # 2 and 4 are the versions with large code and metadata; numbers go on.
    assert client.get("/api/v1/jobtypes/A/versions/").json == [1, 3, 5, 6, 7]
    assert b"is broken" in client.get("/api/v1/jobtypes/A/versions/2").data
    assert b"1048577 bytes" in client.get("/api/v1/jobtypes/A/versions/2").data
    assert client.get("/api/v1/jobtypes/A/versions/6").status_code == 200
    assert "too large to be shown" in client.get("/diff/A/5..6").text


def test_large_files_that_both_sides_change_are_not_merged(case):
    size = 2 * MIB
    base = case.put(case.zeros("notes.txt", size), "main")
    case.put(at("notes.txt", FILE, case.shapes.blob(b"\n" * size)), "bad", base)
    case.put(at("notes.txt", FILE, case.shapes.blob(b"\n" * (size + 1))), "main", base)
    client = create_app(Config(case.path)).test_client()

    answer = client.post("/api/v1/changes/bad/merge", json={})

    assert answer.status_code == 413
    assert "notes.txt is changed by both" in answer.json["error"]


def test_what_upstream_has_out_of_bounds_is_not_served_and_says_why(case, tmp_path):
    path = tmp_path / "follower.git"
    store = Store(init_repository(path, "main"))
    follower = Upstream(store, str(case.path))
    assert follower.fetch().refusal == ""
    case.put(at("jobtypes/A/d", TREE, case.shapes.nested(1500)), "main")
    case.put(at("jobtypes/A/d", TREE, case.shapes.nested(1500)), "other")

    state = follower.fetch()

    assert state.name == "refused"
    assert "jobtypes/A/d" in state.refusal
    assert f"{case.base} is served" in state.refusal
    assert store.catalogue().history.tip == case.base
    client = create_app(Config(path)).test_client()
    assert client.get("/preview/other/api/v1/jobtypes/A").status_code == 413
    assert client.get("/api/v1/jobtypes/A").status_code == 200


def test_a_deep_folder_is_said_to_be_too_deep_by_check(tmp_path):
    folder = tmp_path / "work" / "jobtypes" / "A"
    folder.joinpath(*["d"] * 100).mkdir(parents=True)
    (folder.joinpath(*["d"] * 100) / "f").write_text("x")

    with pytest.raises(OutOfBounds, match="levels deep"):
        Folder(tmp_path / "work")


def test_a_large_file_of_a_folder_is_not_read_whole(tmp_path):
    path = tmp_path / "work" / "jobtypes" / "A" / "code.py"
    path.parent.mkdir(parents=True)
    with path.open("wb") as file:
        os.truncate(file.fileno(), 20 * MIB)

    folder = Folder(tmp_path / "work")

    tree = folder.tree
    for name in ("jobtypes", "A"):
        tree = folder.entries(tree)[name].id
    id = folder.entries(tree)["code.py"].id
    assert folder.header(id) == ("blob", 20 * MIB)
    with pytest.raises(OutOfBounds):
        folder.read_blob(id)


def test_a_revision_that_names_a_large_file_is_no_commit(case):
    id = case.shapes.blob(bytes(3 * MIB))
    client = create_app(Config(case.path)).test_client()

    assert client.get(f"/preview/{id}/api/v1/jobtypes/A").status_code == 404


def test_a_header_is_read_of_loose_and_of_packed_objects(sample):
    repository = Repository(sample)
    tip = repository.tip("refs/heads/main")
    loose = repository.header(tip)
    git(sample, "repack", "-adq")
    git(sample, "prune-packed")
    packed = Repository(sample).header(tip)

    assert loose == packed
    assert packed.kind == "commit"
    assert repository.header("1" * 40) is None


def test_the_sample_repository_is_in_bounds(tmp_path):
    create_repository(tmp_path / "s.git", "main", sample_path())
    repository = Repository(tmp_path / "s.git")
    extent = repository.bounds.extent(repository.commit(repository.tip("refs/heads/main")).tree)

    listed = git(tmp_path / "s.git", "ls-tree", "-r", "-t", "-l", "main").splitlines()
    files = [int(size) for line in listed if (size := line.split()[3]) != "-"]
    assert (extent.entries, extent.files_bytes) == (len(listed), sum(files))
    paths = [line.split("\t")[1].encode() for line in listed]
    assert extent.names_bytes == sum(map(len, paths))
    assert extent.path_bytes == max(map(len, paths))
