"""A folder read as a tree: the ids that Git would give, and the validator's words."""

from __future__ import annotations

from pathlib import Path

import pytest

from gitstore.branch.store import Store
from gitstore.catalogue.catalogue import Catalogue
from gitstore.checks.folder import Worktree as Folder
from gitstore.checks.settings import Checks
from gitstore.checks.tree import check_tree
from gitstore.errors import NotFound
from gitstore.git.repository import Repository
from gitstore.git.trees import EMPTY_TREE, Entry
from tests.support.branches import jobtype

NAMED = ("jobtypes", "software", "withdrawn.yaml")


def write(worktree, files) -> None:
    for path, content in files.items():
        worktree.write(path, content)


def tree_by_git(worktree) -> str:
    """The root tree of what the format names, made by git itself."""
    worktree.git("add", *(name for name in NAMED if (worktree.path / name).exists()))
    return worktree.git("write-tree").strip()


def check(folder: Folder) -> list[str]:
    return [str(p) for p in check_tree(folder, folder.tree, Catalogue.empty(folder), Checks())]


FOLDERS = {
    "a jobtype": jobtype("A"),
    "everything": jobtype("A")
    | jobtype("a b")
    | {"software/%2Fx.yaml": "versions: []\n", "withdrawn.yaml": "A: [1]\n"},
    "names that sort unlike paths": {
        "jobtypes/a/x": "1",
        "jobtypes/a.b": "2",
        "jobtypes/a0/x": "3",
        "jobtypes/a-b/x": "4",
    },
    "names outside ASCII": {"jobtypes/Caméra/code.py": "é", "jobtypes/日本/meta.yaml": ""},
    "deep folders": {"jobtypes/A/a/b/c/d": "x", "jobtypes/A/a/b/e": b"\0\xff"},
    "a list alone": {"withdrawn.yaml": ""},
}


@pytest.mark.parametrize("files", FOLDERS.values(), ids=FOLDERS)
def test_a_folder_has_the_tree_that_git_write_tree_gives(worktree, files):
    write(worktree, files)

    assert Folder(worktree.path).tree == tree_by_git(worktree)


def test_what_the_format_does_not_name_is_left_out(worktree):
    write(worktree, jobtype("A") | {"README.md": "x", "docs/a.md": "x", "tests/a.py": "x"})

    assert Folder(worktree.path).tree == tree_by_git(worktree)


def test_links_and_executable_files_have_the_modes_of_git(worktree):
    write(worktree, jobtype("A") | {"jobtypes/A/run.sh": "#!/bin/sh\n"})
    (worktree.path / "jobtypes/A/run.sh").chmod(0o755)
    (worktree.path / "jobtypes/A/link").symlink_to("run.sh")
    (worktree.path / "jobtypes/B").symlink_to("A")
    (worktree.path / "software").mkdir()
    (worktree.path / "software/x.yaml").symlink_to("/nowhere/é")

    folder = Folder(worktree.path)

    assert folder.tree == tree_by_git(worktree)
    software = folder.entries(folder.tree)["software"]
    link = folder.entries(software.id)["x.yaml"]
    assert link.kind == "a symbolic link"
    assert folder.read_blob(link.id) == "/nowhere/é".encode()


def test_empty_folders_and_caches_of_python_are_not_there_as_they_are_not_for_git(worktree):
    write(worktree, jobtype("A"))
    wanted = tree_by_git(worktree)
    (worktree.path / "jobtypes/Empty/below").mkdir(parents=True)
    worktree.write("jobtypes/A/__pycache__/code.pyc", b"\0")

    assert Folder(worktree.path).tree == wanted


def test_a_name_that_is_no_text_has_the_tree_that_git_gives(worktree):
    folder = worktree.path / "jobtypes" / "A"
    folder.mkdir(parents=True)
    (folder / "caf\udce9").write_text("x")

    assert Folder(worktree.path).tree == tree_by_git(worktree)


def test_a_repository_below_is_a_submodule(worktree, tmp_path):
    write(worktree, jobtype("A"))
    worktree.git("init", "--quiet", "jobtypes/B")

    folder = Folder(worktree.path)

    assert folder.entries(folder.entries(folder.tree)["jobtypes"].id)["B"].kind == "a submodule"
    assert check(folder) == ["jobtypes/B: error: is a submodule; put a directory here"]


def test_a_folder_without_anything_is_the_empty_tree(tmp_path):
    folder = Folder(tmp_path)

    assert folder.tree == EMPTY_TREE
    assert folder.entries(folder.tree) == {}
    assert check(folder) == []


def test_files_are_read_by_the_ids_that_git_gives_them(worktree):
    write(worktree, jobtype("A"))
    tree_by_git(worktree)
    blob = worktree.git("rev-parse", ":jobtypes/A/code.py").strip()

    assert Folder(worktree.path).read_blob(blob) == b"class Job:\n    pass\n"


def test_a_file_that_is_not_there_is_not_found(tmp_path):
    with pytest.raises(NotFound, match="there is no file with the id 1111"):
        Folder(tmp_path).read_blob("11" * 20)


def test_what_is_not_in_the_folder_is_read_from_the_repository_below(branch, tmp_path):
    branch.commit(jobtype("A"))
    tree = branch.repository.commit(branch.tip).tree
    jobtypes = branch.repository.entries(tree)["jobtypes"]
    entries = branch.repository.entries(branch.repository.entries(jobtypes.id)["A"].id)

    folder = Folder(tmp_path, below=branch.repository)

    assert folder.entries(tree)["jobtypes"] == jobtypes
    assert folder.read_blob(entries["code.py"].id) == b"class Job:\n    pass\n"


def test_a_folder_is_checked_before_it_is_committed(worktree):
    write(worktree, jobtype("A", meta="max_batch: ten\n"))

    assert check(Folder(worktree.path)) == [
        "jobtypes/A/meta.yaml:2: error: max_batch must be an integer, not 'ten'"
    ]


def test_only_what_differs_from_the_branch_is_looked_at(empty, worktree):
    write(worktree, jobtype("Old", meta="max_batch: ten\n"))
    worktree.push()
    write(worktree, jobtype("New", meta="max_batch: eleven\n"))
    base = Store(empty).catalogue()

    folder = Folder(worktree.path, below=Repository(empty))
    problems = check_tree(folder, folder.tree, base, Checks())

    assert [p.path for p in problems] == ["jobtypes/New/meta.yaml"]


def test_nothing_is_written(worktree):
    def content() -> set[tuple[Path, int]]:
        return {(p, p.lstat().st_mtime_ns) for p in worktree.path.rglob("*")}

    write(worktree, jobtype("A") | {"software/x.yaml": "versions: []\n"})
    before = content()
    check(Folder(worktree.path))

    assert content() == before


def test_an_entry_of_a_folder_is_an_entry_of_git(worktree):
    write(worktree, {"withdrawn.yaml": "A: [1]\n"})
    tree_by_git(worktree)
    folder = Folder(worktree.path)
    mode, blob, _ = worktree.git("ls-files", "--stage", "withdrawn.yaml").split(maxsplit=2)

    assert folder.entries(folder.tree)["withdrawn.yaml"] == Entry(int(mode, 8), blob)
