"""The hot path: what is answered from memory is what the application answers."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from werkzeug.test import Client

from api.app import create_service
from api.cache.front import Hot
from api.config import PREFIX, Config
from api.web.parts import parts_of
from gitstore.branch.access import Role
from gitstore.branch.tokens import Tokens
from tests.support.branches import BLENDER, NEEDS_BLENDER, Branch, Content, jobtype
from tests.support.depth import examples
from tests.support.git import git
from tests.support.hot_pair import JOB, OTHER, Pair, in_view, make_pair

if TYPE_CHECKING:
    pass


@pytest.fixture
def pair(tmp_path) -> Pair:
    return make_pair(tmp_path / "pair.git")


# Kept


@pytest.mark.parametrize("path", [JOB, f"{JOB}/versions/1", f"{JOB}/versions/1/code", f"{JOB}/"])
def test_the_second_answer_comes_from_memory(pair, path):
    pair.get(path)
    assert not pair.was_hot

    pair.get(path)
    assert pair.was_hot


def test_a_head_and_a_condition_fetch_the_answer_that_a_get_needs(pair):
    pair.get(JOB, "HEAD")
    tag = pair.get(JOB).headers["ETag"]
    assert pair.was_hot

    assert pair.get(f"{JOB}/versions/1", If_None_Match=tag).status_code == 304
    assert pair.get(f"{JOB}/versions/1").status_code == 200
    assert pair.was_hot


@pytest.mark.parametrize(
    "path",
    [
        f"{PREFIX}/jobtypes/No",
        f"{JOB}/versions/9",
        f"{JOB}?a=b",
        f"{PREFIX}/jobtypes/",
        f"{PREFIX}/jobtypes/schema",
        f"{JOB}/versions/",
    ],
)
def test_what_is_not_found_or_about_more_than_a_jobtype_is_not_kept(pair, path):
    for _ in range(3):
        pair.get(path)
        assert not pair.was_hot


def test_a_change_of_one_jobtype_leaves_the_others_answers_in_memory(pair):
    pair.warm(JOB, OTHER)

    pair.branch.commit(jobtype("Job", "a = 1\n"))

    assert pair.get(OTHER).status_code == 200
    assert pair.was_hot
    assert pair.get(JOB).json["version"] == 2
    assert not pair.was_hot


def test_a_new_version_leaves_the_answers_about_the_older_ones_in_memory(pair):
    about_it = [f"{JOB}/versions/1", f"{JOB}/versions/1/code", f"{PREFIX}/jobtypes/1/versions/1"]
    pair.warm(*about_it)

    pair.branch.commit(jobtype("Job", "a = 1\n"))

    for path in about_it:
        assert pair.get(path).status_code == 200
        assert pair.was_hot


def test_a_jobtype_that_has_the_name_of_a_deleted_one_has_none_of_its_answers(pair):
    pair.warm(f"{JOB}/versions/1")
    pair.branch.commit({"jobtypes/Job/code.py": None, "jobtypes/Job/meta.yaml": None})
    assert pair.get(f"{JOB}/versions/1").status_code == 404

    pair.branch.commit(jobtype("Job"))

    assert pair.get(f"{JOB}/versions/1").status_code == 404
    assert pair.get(f"{JOB}/versions/2").json["id"] == 3


# Never stale


def test_a_write_of_this_process_is_seen_at_once(pair):
    for number in range(2, 6):
        pair.warm(JOB)
        body = {"name": "Job", "classname": "Job", "code": f"class Job:\n    n = {number}\n"}
        assert pair.hot.put(JOB, json=body).status_code == 201
        assert pair.get(JOB).json["version"] == number


def test_a_write_of_another_process_is_seen_at_once(pair):
    for number in range(2, 6):
        pair.warm(JOB)
        pair.branch.commit(jobtype("Job", f"n = {number}\n"))
        assert pair.get(JOB).json["version"] == number


def test_a_withdrawn_version_is_gone_at_once_and_comes_back(pair):
    pair.branch.commit(jobtype("Job", "a = 1\n"))
    paths = [JOB, f"{JOB}/versions/2", f"{JOB}/versions/2/code", "/api/v1/jobtypes/1/versions/2"]
    pair.warm(*paths)

    pair.branch.commit({"withdrawn.yaml": "Job: [2]\n"})
    assert [pair.get(path).status_code for path in paths] == [200, 404, 404, 404]
    assert pair.get(JOB).json["version"] == 1

    pair.branch.commit({"withdrawn.yaml": None})
    assert [pair.get(path).status_code for path in paths] == [200] * 4
    assert pair.get(JOB).json["version"] == 2


def test_a_deleted_jobtype_is_gone_at_once_and_comes_back_with_another_id(pair):
    paths = [JOB, f"{JOB}/versions/1", f"{JOB}/versions/1/code"]
    by_id = f"{PREFIX}/jobtypes/{pair.get(JOB).json['id']}"
    pair.warm(*paths, by_id)

    assert pair.hot.delete(JOB).status_code == 204
    assert [pair.get(path).status_code for path in (*paths, by_id)] == [404] * 4

    pair.branch.tip = git(pair.branch.path, "rev-parse", "main").strip()
    pair.branch.commit(jobtype("Job"))
    assert [pair.get(path).status_code for path in (*paths, by_id)] == [200, 404, 404, 404]
    assert pair.get(JOB).json["version"] == 2


def test_a_renamed_jobtype_has_its_new_name_at_once(pair):
    id = pair.get(JOB).json["id"]
    by_id = f"{PREFIX}/jobtypes/{id}"
    pair.warm(JOB, by_id, f"{by_id}/versions/1")

    moved = {path: None for path in jobtype("Job")}
    pair.branch.commit(moved | jobtype("Renamed"))

    assert pair.get(JOB).status_code == 404
    assert pair.get(f"{PREFIX}/jobtypes/Renamed").json["id"] == id
    assert pair.get(by_id).json["name"] == "Renamed"
    assert pair.get(f"{by_id}/versions/1").json["name"] == "Renamed"


def test_a_software_that_appears_gives_its_id_to_the_versions_that_named_it(pair):
    pair.branch.commit(jobtype("Job", meta="requirements:\n  - software: maya\n"))
    pair.warm(JOB)
    assert pair.get(JOB).json["software_requirements"][0]["software_id"] is None

    pair.branch.commit({"software/maya.yaml": "versions: []\n"})

    assert pair.get(JOB).json["software_requirements"][0]["software_id"] == 2


def test_a_software_version_that_appears_gives_its_id_to_the_versions_that_named_it(pair):
    needs = 'requirements:\n  - software: blender\n    min_version: "4.0"\n'
    pair.branch.commit(jobtype("Job", meta=needs))
    pair.warm(JOB)
    assert pair.get(JOB).json["software_requirements"][0]["min_version_id"] is None

    pair.branch.commit({"software/blender.yaml": 'versions:\n  - version: "4.0"\n    rank: 1\n'})

    assert pair.get(JOB).json["software_requirements"][0]["min_version_id"] == 2


def test_an_answer_of_a_moment_that_passed_while_it_was_made_is_not_kept(tmp_path):
    branch = Branch(tmp_path / "branch.git")
    branch.commit(jobtype("Job"))
    branch.commit(jobtype("Job", "a = 1\n"))
    service = create_service(Config(branch.path))
    app = service.app

    moments = iter(["Job: [2]\n"])

    def slow(environ, start_response):
        for moment in moments:
            branch.commit({"withdrawn.yaml": moment})
        chunks = app(environ, start_response)
        branch.commit({"withdrawn.yaml": None})
        return chunks

    client = Client(Hot(in_view(slow, app), service.cache, parts_of(app).hosts))
    assert [client.get(JOB).json["version"] for _ in range(2)] == [1, 2]


def test_a_rewritten_branch_is_seen_at_once(pair):
    pair.branch.commit(jobtype("Job", "a = 1\n"))
    pair.warm(JOB, f"{JOB}/versions/2")

    git(pair.branch.path, "update-ref", "refs/heads/main", "main~1")
    assert pair.get(JOB).json["version"] == 1
    assert pair.get(f"{JOB}/versions/2").status_code == 404

    git(pair.branch.path, "update-ref", "-d", "refs/heads/main")
    assert pair.get(JOB).status_code == 500


def test_a_branch_that_cannot_be_read_is_answered_as_it_is_without_the_hot_path(pair):
    pair.warm(JOB)
    (pair.branch.path / "refs/heads/main").write_text("nonsense\n")

    assert pair.get(JOB).status_code == 500


NAMES = ("Job", "Other", "Third")
FILES: tuple[dict[str, Content], ...] = (
    *(jobtype(name, f"a = {n}\n", NEEDS_BLENDER if n else "") for name in NAMES for n in range(3)),
    *(dict.fromkeys(jobtype(name)) for name in NAMES),
    {"jobtypes/Job/meta.yaml": "max_batch: none\n"},
    *({"withdrawn.yaml": f"{name}: [1, 2]\n"} for name in NAMES),
    {"withdrawn.yaml": None},
    BLENDER,
    {"software/blender.yaml": 'versions:\n  - version: "2.69"\n  - version: "2.70"\n'},
    {"software/blender.yaml": None},
)
ASKED = [
    f"{PREFIX}/jobtypes/{key}{rest}"
    for key in (*NAMES, "1", "2", "3")
    for rest in ("", "/versions/1", "/versions/2/code", "/versions/3")
]


@settings(max_examples=examples(3))
@given(st.lists(st.sampled_from(FILES), min_size=1, max_size=12))
def test_whatever_happens_to_the_branch_no_answer_is_stale(tmp_path_factory, changes):
    pair = make_pair(tmp_path_factory.mktemp("random") / "pair.git")
    for change in changes:
        for path in ASKED:
            pair.get(path)
        pair.branch.commit(change)
    for path in ASKED:
        pair.get(path)


def test_readers_next_to_a_writer_never_see_less_than_what_was_acknowledged(pair):
    acknowledged = 1
    failures: list[tuple[int, int]] = []
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            floor = acknowledged
            found = json.loads(pair.hot.get(JOB).data)["version"]
            if found < floor:
                failures.append((found, floor))

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    for number in range(2, 20):
        pair.branch.commit(jobtype("Job", f"n = {number}\n"))
        acknowledged = number
    done.set()
    for reader in readers:
        reader.join(120)
    assert failures == []
    assert pair.get(JOB).json["version"] == 19


def test_the_other_worker_serves_a_write_at_the_first_request(tmp_path, serve):
    branch = Branch(tmp_path / "jobtypes.git")
    branch.commit(jobtype("Job"))
    server = serve(branch.path, "--workers", "2")
    for number in range(2, 12):
        body = {"name": "Job", "classname": "Job", "code": f"class Job:\n    n = {number}\n"}
        assert server.request("PUT", JOB, body).status == 201
        # Each on a connection of its own, which either worker may take.
        versions = {json.loads(server.get(JOB).body)["version"] for _ in range(8)}
        assert versions == {number}


# Tokens


def test_a_wrong_token_is_refused_though_the_answer_is_in_memory(pair):
    secret = Tokens(pair.branch.path).create("td", Role.READ, "td@studio.example", ())
    pair.warm(JOB)

    assert pair.get(JOB, Authorization="Bearer jtr_wrong").status_code == 401
    assert not pair.was_hot
    assert pair.get(JOB, Authorization=f"Bearer {secret}").status_code == 200
    assert pair.was_hot


def test_where_reading_needs_a_token_memory_gives_nothing_without_one(tmp_path, serve):
    branch = Branch(tmp_path / "jobtypes.git")
    branch.commit(jobtype("Job"))
    server = serve(branch.path, "--workers", "1", "--read-needs-token")
    assert [server.get(JOB).status for _ in range(2)] == [200, 200]

    secret = Tokens(branch.path).create("td", Role.READ, "td@studio.example", ())

    assert server.get(JOB).status == 401
    assert server.get(JOB, Authorization=f"Bearer {secret}").status == 200
    assert server.get(JOB).status == 401


# Answers about all jobtypes

NEWEST = f"{PREFIX}/newest"


@pytest.mark.parametrize("path", [NEWEST, f"{NEWEST}/", f"{NEWEST}?code=true"])
def test_a_poll_of_the_newest_versions_is_hot_until_the_branch_moves(pair, path):
    pair.warm(path)
    tag = pair.get(path).headers["ETag"]
    assert pair.get(path, If_None_Match=tag).status_code == 304
    assert pair.was_hot

    pair.branch.commit(jobtype("Other", "x = 1\n"))

    after = pair.get(path, If_None_Match=tag)
    assert not pair.was_hot
    assert after.status_code == 200
    assert after.headers["ETag"] != tag
    pair.warm(path)


@pytest.mark.parametrize("path", [NEWEST, f"{NEWEST}?code=true", JOB, f"{PREFIX}/events"])
def test_a_poller_that_knows_the_answer_makes_a_new_worker_hot(pair, path):
    tag = pair.long.get(path).headers["ETag"]

    answers = [pair.get(path, If_None_Match=tag) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [304, 304]
    assert pair.was_hot


@pytest.mark.parametrize("query", ["code=1", "x=1", "code=true&code=true"])
def test_a_query_that_is_refused_is_refused_each_time(pair, query):
    pair.warm(NEWEST)
    for _ in range(2):
        assert pair.get(f"{NEWEST}?{query}").status_code == 400
        assert not pair.was_hot


@pytest.mark.parametrize("query", ["&code=true", "code=true&", "c%6fde=true"])
def test_a_query_in_an_unusual_form_takes_no_memory(pair, query):
    for _ in range(2):
        assert pair.get(f"{NEWEST}?{query}").status_code == 200
        assert not pair.was_hot


def test_a_list_that_is_too_large_for_memory_is_sent_whole_each_time(tmp_path):
    pair = make_pair(tmp_path / "large.git", 40 * 1024 * 1024)
    pair.branch.commit(jobtype("Large", "#" * 600_000) | jobtype("Long", "#" * 600_000))
    path = f"{NEWEST}?code=true"
    assert pair.get(path, "HEAD").status_code == 200
    for _ in range(2):
        answer = pair.get(path)
        assert len(answer.data) > 1_200_000
        assert not pair.was_hot
        assert pair.get(path, If_None_Match=answer.headers["ETag"]).status_code == 304


def test_a_path_that_looks_like_a_query_is_none(pair):
    pair.warm(f"{NEWEST}?code=true")

    assert pair.get(f"{NEWEST}%3Fcode=true").status_code == 404
