"""The repository is all there is: a mirror, or a start without the index, answers the same."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from gitstore.branch.setup import create_repository, sample_path
from gitstore.branch.store import Store
from tests.support.git import git
from tests.support.rest import NOWHERE, PREFIX, Rest, body, code, item
from tests.support.server import Answer, Server
from tests.support.sockets import listens
from tests.support.waiting import wait_for

PER_REQUEST = ("date", "x-request-id")


@pytest.fixture(scope="module")
def rest(tmp_path_factory) -> Iterator[Rest]:
    """A service with a past: changes, a rename, withdrawals, ends, merges, a broken version."""
    repo = tmp_path_factory.mktemp("origin") / "origin.git"
    create_repository(repo, "main", sample_path())
    server = Server(repo, "--workers", "2")
    made = Rest(server)
    live(made)
    yield made
    server.stop()


def live(rest: Rest) -> None:
    """Give the repository its past."""
    rest.software("/bin/touch", "8.21", "8.22")
    rest.software("short", "1")
    for n in range(1, 5):
        entry = {"software": "/bin/touch", "min_version": "8.21"}
        rest.jobtype("Caméra two", code=code(n), software_requirements=[entry])
    rest("DELETE", item("jobtypes", "Caméra two", "versions", 2))
    rest("DELETE", item("jobtypes", "Caméra two", "versions", 4))
    rest.jobtype("Before")
    rest("PUT", "/jobtypes/Before", body("After"), {"X-Commit-Message": "rename"})
    rest.jobtype("Ended")
    rest("DELETE", "/jobtypes/Ended")
    rest.jobtype("Ended")
    rest.jobtype("Emptied")
    rest("DELETE", "/jobtypes/Emptied/versions/1")
    rest("DELETE", "/software/short")
    break_jobtype(rest.server.repo, "After")
    assert rest.get("/jobtypes/After/versions/3").status == 404


def break_jobtype(repo: Path, name: str) -> None:
    """Commit, past the checks, a meta.yaml that can't be read, as a merge."""
    tree = git(repo, "ls-tree", "main", f"jobtypes/{name}/").splitlines()
    bad = git(repo, "hash-object", "-w", "--stdin", input="max_batch: [\n").strip()
    rows = [r.replace(f"jobtypes/{name}/", "") for r in tree if not r.endswith("meta.yaml")]
    directory = mktree(repo, [*rows, f"100644 blob {bad}\tmeta.yaml"])
    jobtypes = git(repo, "ls-tree", "-z", "main", "jobtypes/").split("\0")[:-1]
    rows = [r.replace("jobtypes/", "") for r in jobtypes if not r.endswith(f"/{name}")]
    jobtypes_tree = mktree(repo, [*rows, f"040000 tree {directory}\t{name}"])
    root = [r for r in git(repo, "ls-tree", "-z", "main").split("\0")[:-1] if "\tjobtypes" not in r]
    tree_id = mktree(repo, [*root, f"040000 tree {jobtypes_tree}\tjobtypes"])
    tip = git(repo, "rev-parse", "main").strip()
    who = ("-c", "user.name=Test TD", "-c", "user.email=td@studio.example")
    parents = ("-p", tip, "-p", git(repo, "rev-parse", "main~3").strip())
    commit = git(repo, *who, "commit-tree", *parents, "-m", "break", tree_id).strip()
    git(repo, "update-ref", "refs/heads/main", commit)


def mktree(repo: Path, rows: list[str]) -> str:
    return git(repo, "mktree", "-z", input="".join(f"{row}\0" for row in rows)).strip()


def paths(rest: Rest) -> list[str]:
    """Every path of the API that answers a GET here, and many that don't."""
    found = ["/jobtypes/", "/jobtypes/schema", "/software/", "/software/schema"]
    rows = rest.json("/jobtypes/")
    keys = {row["name"] for row in rows} | set(range(max(r["id"] for r in rows) + 2))
    for key in sorted({*keys, "Before"}, key=str):
        base = item("jobtypes", key)
        versions = [f"{base}/versions/{number}" for number in range(6)]
        found += [base, f"{base}/versions/", f"{base}/software_requirements/"]
        for version in versions:
            found += [version, f"{version}/code", f"{version}/software_requirements/"]
        found += [f"{base}/software_requirements/{key}" for key in ("blender", "%2Fbin%2Ftouch", 1)]
    for software in rest.json("/software/"):
        for key in (software["software"], software["id"]):
            base = item("software", key)
            found += [base, f"{base}/versions/"]
            for version in [v["version"] for v in software["versions"]]:
                found += [f"{base}/versions/{version}", f"{base}/versions/{version}/code"]
    return [*found, *(path.removeprefix(PREFIX) for path in NOWHERE if path.startswith(PREFIX))]


def answers(rest: Rest) -> dict[str, tuple[int, dict[str, str], bytes]]:
    """What a GET of each path says, but for what belongs to the request alone."""
    return {path: _shown(rest.get(path)) for path in paths(rest)}


def _shown(answer: Answer) -> tuple[int, dict[str, str], bytes]:
    headers = {k: v for k, v in answer.headers.items() if k not in PER_REQUEST}
    return answer.status, headers, answer.body


def test_a_service_on_a_mirror_answers_every_get_with_the_same_bytes(rest, serve, tmp_path):
    git(tmp_path, "clone", "--quiet", "--mirror", str(rest.server.repo), "mirror.git")

    there = answers(Rest(serve(tmp_path / "mirror.git")))

    here = answers(rest)
    assert there.keys() == here.keys()
    assert [path for path in here if there[path] != here[path]] == []
    statuses = [status for status, _, _ in here.values()]
    assert statuses.count(200) > 150
    assert set(statuses) == {200, 404}


def test_a_service_on_a_clone_of_a_single_branch_answers_the_same(rest, serve, tmp_path):
    git(tmp_path, "clone", "--quiet", "--bare", "--single-branch", str(rest.server.repo), "clone")

    assert answers(Rest(serve(tmp_path / "clone", "--branch", "main"))) == answers(rest)


def test_killed_and_started_without_its_index_it_answers_the_same(rest, tmp_path):
    repo = tmp_path / "killed.git"
    shutil.copytree(rest.server.repo, repo)
    shutil.rmtree(repo / "jobtypes", ignore_errors=True)
    server = Server(repo, "--workers", "1")
    other = Rest(server)
    other.jobtype("Last")
    before = answers(other)
    server.stop(signal.SIGKILL)
    wait_for(lambda: not listens(server.port), "the workers to end with their parent")
    shutil.rmtree(repo / "jobtypes")

    server.start()
    after = answers(other)
    server.stop()

    assert after == before
    assert "/jobtypes/Last" in before
    assert before["/jobtypes/Last"][0] == 200


@pytest.mark.parametrize("content", [b"", b"garbage\n{}", None], ids=["empty", "garbage", "folder"])
def test_a_damaged_index_is_read_past(rest, serve, tmp_path, content):
    repo = tmp_path / "damaged.git"
    git(tmp_path, "clone", "--quiet", "--mirror", str(rest.server.repo), str(repo))
    index = repo / "jobtypes" / "refs-heads-main.index"
    index.parent.mkdir()
    if content is None:
        index.mkdir()
    else:
        index.write_bytes(content)

    there = Rest(serve(repo))

    for path in ("/jobtypes/", "/software/", "/jobtypes/After"):
        assert _shown(there.get(path)) == _shown(rest.get(path))


def test_the_index_of_another_history_is_read_past(rest, serve, tmp_path):
    create_repository(tmp_path / "other.git", "main", sample_path())
    other = serve(tmp_path / "other.git")
    Rest(other).jobtype("Elsewhere")
    Store(other.repo).served.rebuild_index()
    repo = tmp_path / "mirror.git"
    git(tmp_path, "clone", "--quiet", "--mirror", str(rest.server.repo), str(repo))
    shutil.copytree(other.repo / "jobtypes", repo / "jobtypes", dirs_exist_ok=True)

    there = Rest(serve(repo))

    assert _shown(there.get("/jobtypes/")) == _shown(rest.get("/jobtypes/"))
    assert there.get("/jobtypes/Elsewhere").status == 404


def test_the_clone_shows_what_the_api_says(rest, clone):
    worktree = clone(rest.server.repo)

    for row in rest.json("/jobtypes/"):
        newest = rest.get(item("jobtypes", row["name"]))
        if newest.status == 200 and row["name"] != "After":
            directory = worktree.path / "jobtypes" / row["name"]
            assert (directory / "code.py").read_text() == newest.json["code"]
    log = worktree.git("log", "--format=%an%n%B")
    assert "Jobtype-Version: 4 Caméra two" in log
    assert "Jobtype repository" in log
