"""Many clients writing to two services on one repository: nothing is lost or numbered twice.

The tests share the services and keep apart by the names they use.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from gitstore.branch.store import Store
from tests.support.git import git
from tests.support.rest import Rest, body, code, item, running
from tests.support.server import Server

THREADS = 8
WRITES = 6
"""By each thread."""


@pytest.fixture(scope="module")
def both(tmp_path_factory) -> Iterator[tuple[Rest, Rest]]:
    """Two services, processes of their own, on one repository, which is in order at the end."""
    with running(tmp_path_factory.mktemp("both")) as first:
        second = Server(first.server.repo, "--workers", "1")
        yield first, Rest(second)
        second.stop()
    # Only now: git fsck takes what is written while it looks for missing.
    assert git(first.server.repo, "fsck", "--strict", "--no-dangling") == ""


@pytest.fixture
def repo(both) -> Path:
    """The repository of both."""
    return both[0].server.repo


def each_thread(work: Callable[[int], list[Any]]) -> list[Any]:
    """What *work* returned in each of the threads, one list."""
    with ThreadPoolExecutor(THREADS) as pool:
        return [made for found in pool.map(work, range(THREADS)) for made in found]


def assert_served_as_built(both: tuple[Rest, Rest]) -> None:
    """What the services have by extending, step by step, is what is built at once."""
    store = Store(both[0].server.repo)
    tip = store.repository.tip(store.ref)
    assert tip is not None
    built = store.served.build(tip)
    versions = {j.name: [v.number for v in built.versions(j)] for j in built.jobtypes()}
    for rest in both:
        found = {name: rest.json(item("jobtypes", name, "versions")) for name in versions}
        assert found == versions
        assert rest.json("/jobtypes/") == [{"id": j.id, "name": j.name} for j in built.jobtypes()]


def test_writers_of_one_jobtype_each_get_a_number_and_their_bytes_are_under_it(both, repo):
    def work(thread: int) -> list[Any]:
        rest = both[thread % 2]
        return [rest.jobtype("Same", code=code((thread, n))) for n in range(WRITES)]

    made = each_thread(work)

    assert sorted(one["version"] for one in made) == list(range(1, THREADS * WRITES + 1))
    assert len({one["id"] for one in made}) == 1
    for rest in both:
        assert rest.json("/jobtypes/Same/versions/") == list(range(1, THREADS * WRITES + 1))
        for one in made:
            path = f"/jobtypes/Same/versions/{one['version']}"
            assert rest.json(path) == one
            assert rest.get(f"{path}/code").body == one["code"].encode()
    assert_served_as_built(both)
    commits = git(repo, "log", "--format=%H", "--grep=^Jobtype-Version: [0-9]* Same$", "main")
    assert len(commits.split()) == THREADS * WRITES


def test_writers_of_jobtypes_of_their_own_and_of_one_software_lose_nothing(both):
    both[0].software("shared")

    def work(thread: int) -> list[Any]:
        name, rest = f"Own {thread}", both[thread % 2]
        found = []
        for n in range(WRITES):
            path = item("software", "shared", "versions")
            added = rest("POST", path, {"version": f"{thread}.{n}"})
            assert added.status == 201, added.body
            required = [{"software": "shared", "min_version": f"{thread}.{n}"}]
            made = rest.jobtype(name, code=code(n), software_requirements=required)
            found.append((made, added.json))
        assert rest("DELETE", item("jobtypes", name, "versions", WRITES)).status == 204
        return found

    found = each_thread(work)

    rows = [row for _, row in found]
    assert len({made["id"] for made, _ in found}) == THREADS
    for key in ("id", "rank", "version"):
        assert len({row[key] for row in rows}) == THREADS * WRITES
    for rest in both:
        shown = rest.json("/software/shared")["versions"]
        assert sorted(shown, key=lambda r: r["id"]) == sorted(rows, key=lambda r: r["id"])
        names = [row["name"] for row in rest.json("/jobtypes/")]
        assert {f"Own {thread}" for thread in range(THREADS)} <= set(names)
        for made, row in found:
            path = item("jobtypes", made["name"], "versions", made["version"])
            assert made["software_requirements"][0]["min_version_id"] == row["id"]
            if made["version"] == WRITES:
                assert rest.get(path).status == 404
            else:
                assert rest.json(path) == made
    assert_served_as_built(both)


def test_of_many_who_create_one_jobtype_one_gets_201_and_the_others_409(both):
    def work(thread: int) -> list[Any]:
        sent = [body(f"Race {n}", code=code(thread)) for n in range(WRITES)]
        return [(one, both[thread % 2]("POST", "/jobtypes/", one)) for one in sent]

    answers = each_thread(work)

    counts = Counter((one["name"], answer.status) for one, answer in answers)
    for n in range(WRITES):
        assert (counts[f"Race {n}", 201], counts[f"Race {n}", 409]) == (1, THREADS - 1)
    for one, answer in answers:
        if answer.status == 201:
            assert both[0].json(item("jobtypes", one["name"]))["code"] == one["code"]
    assert_served_as_built(both)


def test_of_many_with_the_same_etag_one_lands(both):
    both[0].jobtype("Guarded")

    for number in range(2, 5):
        tags = {rest.get("/jobtypes/Guarded").headers["etag"] for rest in both}
        assert len(tags) == 1
        sent = {"If-Match": tags.pop()}

        def work(thread: int, sent: dict[str, str] = sent) -> list[int]:
            rest = both[thread % 2]
            return [rest("PUT", "/jobtypes/Guarded", body("Guarded"), sent).status]

        assert Counter(each_thread(work)) == {201: 1, 412: THREADS - 1}
        assert both[1].json("/jobtypes/Guarded")["version"] == number
    assert_served_as_built(both)


def test_what_one_accepted_the_other_serves_at_its_next_request(both):
    for n in range(1, 11):
        writer, reader = both[n % 2], both[(n + 1) % 2]
        made = writer.jobtype("Seen", code=code(n))

        assert reader.json("/jobtypes/Seen") == made
        assert reader.json("/jobtypes/Seen/versions/") == list(range(1, n + 1))
        assert reader.json(f"/jobtypes/Seen/versions/{n}") == made
    assert both[0]("DELETE", "/jobtypes/Seen/versions/10").status == 204
    assert both[1].get("/jobtypes/Seen/versions/10").status == 404
    assert both[1].json("/jobtypes/Seen")["version"] == 9
    assert both[1]("DELETE", "/jobtypes/Seen").status == 204
    assert both[0].get("/jobtypes/Seen").status == 404


def test_what_a_worker_accepted_every_worker_serves(empty, serve):
    rest = Rest(serve(empty, "--workers", "2"))

    for n in range(1, 11):
        made = rest.jobtype("Seen", code=code(n))
        answers = [rest.json("/jobtypes/Seen") for _ in range(8)]
        assert answers == [made] * 8


def test_readers_next_to_writers_see_whole_versions_that_never_go_back(both):
    both[0].jobtype("Read", description="1", code=code(1))

    def work(thread: int) -> list[Any]:
        rest = both[thread % 2]
        if thread < 2:
            for _ in range(WRITES):
                number = rest.json("/jobtypes/Read")["version"]
                rest.jobtype("Read", description=f"{thread} {number}")
            return []
        seen = [rest.json("/jobtypes/Read") for _ in range(WRITES * 4)]
        numbers = [one["version"] for one in seen]
        assert numbers == sorted(numbers)
        return seen

    seen = each_thread(work)

    newest = {one["version"]: one for one in seen}
    assert all(newest[one["version"]] == one for one in seen)
    for number, one in newest.items():
        assert both[1].json(f"/jobtypes/Read/versions/{number}") == one


def test_writes_over_http_and_commits_by_git_can_go_on_side_by_side(both, repo, clone):
    both[0].jobtype("Api")
    worktree = clone(repo)
    worktree.git("checkout", "--quiet", "-B", "main", "origin/main")

    def work(thread: int) -> list[Any]:
        if thread:
            rest = both[thread % 2]
            return [rest.jobtype("Api", code=code((thread, n)))["version"] for n in range(WRITES)]
        for n in range(3):
            worktree.write("jobtypes/Git/code.py", code(n))
            worktree.write("jobtypes/Git/meta.yaml", "classname: Job\n")
            worktree.commit()
            while worktree.push().returncode:
                worktree.git("pull", "--quiet", "--rebase", "origin", "main")
        return []

    made = each_thread(work)

    assert sorted(made) == list(range(2, 2 + (THREADS - 1) * WRITES))
    assert both[1].json("/jobtypes/Git/versions/") == [1, 2, 3]
    assert both[1].json("/jobtypes/Git")["code"] == code(2)
    assert_served_as_built(both)


def test_pushes_over_http_and_writes_race_and_each_is_numbered_once(empty, serve, clone):
    server = serve(empty, "--workers", "2", "--git-places", "8")
    rest = Rest(server)
    rest.jobtype("Raced")
    clones = [clone(f"{server.url}/jobtypes.git") for _ in range(2)]

    def push(thread: int) -> list[int]:
        made = []
        for n in range(2):
            clones[thread].write(f"jobtypes/Raced/td{thread}.txt", f"{n}\n")
            result = clones[thread].push()
            while result.returncode:
                clones[thread].git("pull", "--quiet", "--rebase")
                result = clones[thread].push()
            made += [int(found) for found in re.findall(r"Raced: version (\d+)", result.stderr)]
        return made

    def work(thread: int) -> list[int]:
        if thread < len(clones):
            return push(thread)
        return [rest.jobtype("Raced", code=code((thread, n)))["version"] for n in range(WRITES)]

    made = each_thread(work)

    assert sorted(made) == list(range(2, len(made) + 2))
    assert len(made) == 2 * len(clones) + (THREADS - len(clones)) * WRITES
    assert rest.json("/jobtypes/Raced/versions/") == [1, *sorted(made)]
    for thread, one in enumerate(clones):
        head = one.git("rev-parse", "HEAD").strip()
        git(server.repo, "merge-base", "--is-ancestor", head, "main")
        assert git(server.repo, "show", f"main:jobtypes/Raced/td{thread}.txt") == "1\n"
