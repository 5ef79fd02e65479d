"""The files of a version's directory, and the limits within which they are looked at."""

from __future__ import annotations

import pytest

from gitstore.catalogue.files import FILES_LIMIT, File, find_file, list_files, require_sizes
from gitstore.errors import Damaged, NotFound, OutOfBounds
from gitstore.format.layout import DEPTH_LIMIT, Sizes
from gitstore.git.tree_edit import Graft
from gitstore.git.trees import REGULAR_FILE, Entry
from tests.support.branches import Branch, Content


def tree(branch: Branch, files: dict[str, Content]) -> str:
    """A directory of *files*."""
    return branch.repository.commit(branch.side(files)).tree


def graft(branch: Branch, data: bytes = b"x\n") -> Graft:
    return Graft(Entry(REGULAR_FILE, branch.write_raw("blob", data)))


def test_a_directory_of_just_the_limit_is_listed_and_one_more_is_not(branch):
    one = graft(branch)
    files: dict[str, Content] = {f"f{n:05}": one for n in range(FILES_LIMIT)}

    assert len(list_files(branch.repository, tree(branch, files))) == FILES_LIMIT
    with pytest.raises(OutOfBounds, match=f"has more than {FILES_LIMIT} files"):
        list_files(branch.repository, tree(branch, {**files, "more": one}))


def test_directories_count_so_that_a_tree_full_of_itself_ends(branch):
    entry = branch.write_raw("blob", b"x\n")
    level = Graft(Entry(REGULAR_FILE, entry))
    for _ in range(20):
        # Each directory has the one below it three times: 3 to the power of 20 files.
        below = tree(branch, {f"d{n}": level for n in range(3)})
        level = Graft(Entry(0o040000, below))

    with pytest.raises(OutOfBounds, match="has more than"):
        list_files(branch.repository, below)


def test_a_directory_that_is_too_deep_is_refused(branch):
    path = "d/" * (DEPTH_LIMIT + 2)

    with pytest.raises(OutOfBounds, match="levels deep"):
        list_files(branch.repository, tree(branch, {f"{path}x": graft(branch)}))


def test_a_path_that_is_too_deep_is_no_file(branch):
    path = "d/" * (DEPTH_LIMIT + 2) + "x"

    with pytest.raises(NotFound, match="there is no file"):
        find_file(branch.repository, tree(branch, {path: graft(branch)}), path)


def test_a_missing_blob_is_damage_before_anything_is_sent(branch):
    blob = branch.write_raw("blob", b"x\n")
    rows = (b"100644 a\0" + bytes.fromhex(blob), b"100644 lost\0" + b"\x11" * 20)
    found = branch.write_raw("tree", b"".join(rows))

    with pytest.raises(Damaged):
        list_files(branch.repository, found)
    assert find_file(branch.repository, found, "a").size == 2


def test_files_are_too_large_alone_or_together():
    small = File("a", "1" * 40, 1024 * 1024, False)
    limits = Sizes(file_bytes=1024 * 1024, all_bytes=2 * 1024 * 1024)

    require_sizes((small, small), limits)
    with pytest.raises(OutOfBounds, match="the directory has 3145728 bytes"):
        require_sizes((small, small, small), limits)
    with pytest.raises(OutOfBounds, match="a has 1048577 bytes; 1048576 is the limit"):
        require_sizes((File("a", "1" * 40, 1024 * 1024 + 1, False),), limits)
