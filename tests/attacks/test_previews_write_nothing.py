"""Reads of previews and changes leave the repository as it is, and need no room in it."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from api.app import create_app
from api.config import Config
from tests.support.branches import Branch, jobtype
from tests.support.git import git

LINES = "".join(f"    n{number} = {number}\n" for number in range(40))
READS = (
    "/preview/topic/api/v1/jobtypes/A",
    "/preview/topic/api/v1/jobtypes/A/versions/2/code",
    "/preview/topic/api/v1/jobtypes/",
    "/preview/topic/api/v1/software/",
    "/api/v1/changes/topic",
    "/changes/topic",
    "/api/v1/changes/",
    "/changes/",
)


@pytest.fixture
def changed(branch) -> Branch:
    """A branch whose merge makes trees, and a file, that are nowhere yet."""
    branch.commit(jobtype("A", LINES))
    fork = branch.tip
    branch.commit(jobtype("A", LINES.replace("n1 = 1\n", "n1 = 'one'\n")))
    side = branch.side(jobtype("A", LINES.replace("n39 = 39", "n39 = 'last'")), onto=fork)
    git(branch.path, "update-ref", "refs/heads/topic", side)
    return branch


def files(folder: Path) -> dict[str, int]:
    return {
        str(path): path.stat().st_size
        for path in folder.rglob("*")
        if path.is_file() and "jobtypes" not in path.parts
    }


def test_reads_of_previews_write_nothing(changed):
    client = create_app(Config(changed.path)).test_client()
    before = files(changed.path)

    for _ in range(2):
        assert [client.get(path).status_code for path in READS] == [200] * len(READS)

    assert files(changed.path) == before
    code = client.get(READS[0]).json["code"]
    assert "n1 = 'one'" in code
    assert "n39 = 'last'" in code


def test_what_a_preview_showed_is_what_a_merge_makes(changed):
    client = create_app(Config(changed.path)).test_client()
    shown = client.get(READS[0]).json

    merged = client.post("/api/v1/changes/topic/merge", json={})
    made = client.get("/api/v1/jobtypes/A").json

    assert merged.status_code == 200
    assert git(changed.path, "fsck", "--strict", "--connectivity-only") is not None
    assert made["version"] == 3
    assert shown["code"].startswith(made["code"])


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write into any folder")
def test_previews_are_shown_from_a_disk_that_takes_nothing(changed):
    client = create_app(Config(changed.path)).test_client()
    folders = [path for path in changed.path.rglob("*") if path.is_dir()]
    try:
        for folder in folders:
            folder.chmod(0o555)
        assert [client.get(path).status_code for path in READS] == [200] * len(READS)
    finally:
        for folder in folders:
            folder.chmod(0o755)


def test_a_merge_with_nothing_in_common_writes_nothing(changed):
    client = create_app(Config(changed.path)).test_client()
    tree = git(changed.path, "rev-parse", "topic^{tree}").strip()
    orphan = git(changed.path, "commit-tree", tree, "-m", "orphan").strip()
    git(changed.path, "update-ref", "refs/heads/topic", orphan)
    before = files(changed.path)

    assert client.get(READS[0]).status_code in (200, 409)
    assert files(changed.path) == before


def test_many_threads_preview_many_branches_at_once(changed):
    fork = git(changed.path, "rev-parse", "main~1").strip()
    for number in range(24):
        code = LINES.replace("n39 = 39", f"n39 = 'last {number}'")
        side = changed.side(jobtype("A", code), onto=fork)
        git(changed.path, "update-ref", f"refs/heads/b{number}", side)
    application = create_app(Config(changed.path))

    def shown(number: int) -> bool:
        said = application.test_client().get(f"/preview/b{number}/api/v1/jobtypes/A").json
        return f"'last {number}'" in said["code"] and "n1 = 'one'" in said["code"]

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(shown, list(range(24)) * 2))
