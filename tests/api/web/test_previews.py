"""/preview/<ref>/api/v1/...: the API as it would be with a change merged."""

from __future__ import annotations

import re
from urllib.parse import quote

import pytest
from flask.testing import FlaskClient

from api.app import create_app
from api.config import Config
from tests.support.branches import Branch, jobtype, propose
from tests.support.commands import jobtypes
from tests.support.git import git
from tests.support.rest import Json, body
from tests.support.versions import PREVIEW_FIRST, preview_number

SOFTWARE = """\
versions:
  - version: "3.6"
    rank: 100
    discovery_code: |
      def found():
          return True
    discovery_function_name: found
"""
REQUIRES = 'requirements:\n  - {software: blender, min_version: "3.6", max_version: null}\n'


@pytest.fixture
def served(branch) -> Branch:
    """A served branch: two versions of Blender, one of Nuke, and software."""
    branch.commit({"software/blender.yaml": SOFTWARE, **jobtype("Blender", meta=REQUIRES)})
    branch.commit({**jobtype("Blender", "    two = 2\n", REQUIRES), **jobtype("Nuke")})
    return branch


@pytest.fixture
def client(served) -> FlaskClient:
    """A client of the application on it."""
    return create_app(Config(served.path)).test_client()


def preview(client: FlaskClient, ref: str, path: str, status: int = 200) -> Json:
    answer = client.get(f"/preview/{ref}/api/v1{path}")
    assert answer.status_code == status, answer.data
    assert answer.headers["Content-Type"] == "application/json"
    return answer.json


THREE = jobtype("Blender", "    three = 3\n", REQUIRES)


@pytest.mark.parametrize(
    ("ref", "asked"),
    [
        ("heads/topic", "topic"),
        ("heads/jobtypes/Blender/1234abc", "jobtypes/Blender/1234abc"),
        ("heads/caméra", "cam%C3%A9ra"),
        ("heads/pull/12", "pull/12"),
        ("heads/fix/api/v1/x", "fix/api/v1/x"),
        ("heads/fix/api/v1", "fix/api/v1"),
        ("heads/a/api/v1/b/api/v1/c", "a/api/v1/b/api/v1/c"),
        ("upstream/heads/topic", "topic"),
        ("upstream/pull/7/head", "pull/7"),
        ("pull/7/head", "pull/7"),
        ("upstream/merge-requests/8/head", "merge-requests/8"),
        ("upstream/pull-requests/9/from", "pull-requests/9"),
        ("upstream/pull/10/merge", "pull/10"),
        ("tags/v1.0-rc", "v1.0-rc"),
        ("upstream/tags/v1.0-rc", "v1.0-rc"),
    ],
)
def test_branches_pull_requests_and_tags_have_previews(served, client, ref, asked):
    commit = served.side(THREE)
    git(served.path, "update-ref", f"refs/{ref}", commit)

    shown = preview(client, asked, "/jobtypes/Blender")

    assert shown["version"] == preview_number(served, commit)
    assert "three = 3" in shown["code"]
    assert preview(client, asked, "/jobtypes/Blender/versions/") == [1, 2, shown["version"]]


@pytest.mark.parametrize("length", [7, 12, 40])
def test_commits_have_previews(served, client, length):
    commit = propose(served, "topic", THREE)

    shown = preview(client, commit[:length], "/jobtypes/Blender")

    assert shown["version"] == preview_number(served, commit)


def test_annotated_tags_have_previews(served, client):
    commit = propose(served, "topic", THREE)
    who = ("-c", "user.name=Test TD", "-c", "user.email=td@studio.example")
    git(served.path, *who, "tag", "-a", "-m", "try", "try", commit)

    assert preview(client, "try", "/jobtypes/Blender")["version"] == preview_number(served, commit)


@pytest.mark.parametrize(
    "ref",
    [
        *("none", "pull/9", "HEAD", "main~1", "main^", "@", "@%7B0%7D", "..", "a..b", "-x", "dead"),
        *("refs/heads/topic", "heads/topic", "topic.lock", "topic/", "%00", "a%0Ab", "%FF"),
        *("0" * 40, "x" * 300, "x/" * 2500 + "x"),
    ],
    ids=lambda ref: ref[:20],
)
def test_what_is_no_change_is_404(served, client, ref):
    propose(served, "topic", THREE)

    preview(client, ref, "/jobtypes/", 404)


def test_an_object_that_is_no_commit_is_404(served, client):
    tree = git(served.path, "rev-parse", "main^{tree}").strip()

    preview(client, tree, "/jobtypes/", 404)


# Numbers


def test_the_same_code_has_the_same_number_and_other_code_another(served, client):
    propose(served, "one", THREE)
    propose(served, "same", {**THREE, **jobtype("Nuke", "    more = 1\n")})
    propose(served, "other", jobtype("Blender", "    other = 3\n", REQUIRES))

    one, same, other = (
        preview(client, ref, "/jobtypes/Blender")["version"] for ref in ("one", "same", "other")
    )

    assert one == same != other
    assert min(one, other) >= PREVIEW_FIRST
    served.commit(jobtype("Nuke", "    moved = 1\n"))
    assert preview(client, "one", "/jobtypes/Blender")["version"] == one


def test_what_a_change_does_not_touch_keeps_its_numbers(served, client):
    propose(served, "topic", THREE)

    assert preview(client, "topic", "/jobtypes/Nuke")["version"] == 1
    assert preview(client, "topic", "/jobtypes/Blender/versions/2")["version"] == 2


def test_a_new_jobtype_has_a_number_above_the_released_too(served, client):
    commit = propose(served, "topic", jobtype("Houdini"))

    shown = preview(client, "topic", "/jobtypes/Houdini")

    assert shown["version"] == preview_number(served, commit, "Houdini")
    assert shown["id"] == 3


def test_a_trailer_forces_no_number_in_a_preview(served, client):
    commit = served.side(THREE, "three\n\nJobtype-Version: 50 Blender\n")
    git(served.path, "update-ref", "refs/heads/topic", commit)

    versions = preview(client, "topic", "/jobtypes/Blender/versions/")

    assert versions == [1, 2, preview_number(served, commit)]


def test_what_is_merged_already_shows_what_is_released(served, client):
    for ref in ("main", served.tip, "main"):
        assert preview(client, ref, "/jobtypes/Blender")["version"] == 2


# All of the API


PATHS = (
    *("/jobtypes/", "/jobtypes", "/jobtypes/schema", "/jobtypes/Blender", "/jobtypes/Blender/"),
    *("/jobtypes/1", "/jobtypes/Blender/versions/", "/jobtypes/Blender/versions/1"),
    *("/jobtypes/Blender/versions/N", "/jobtypes/Blender/versions/N/code"),
    *("/jobtypes/1/versions/N", "/jobtypes/Blender/software_requirements/"),
    *("/jobtypes/Blender/software_requirements/blender",),
    *("/jobtypes/Blender/versions/N/software_requirements/", "/software/", "/software/schema"),
    *("/software/blender", "/software/1", "/software/blender/versions/"),
    *("/software/blender/versions/3.6", "/software/blender/versions/4.2"),
    *("/software/blender/versions/3.6/discovery_code", "/software/blender/versions/3.6/code"),
)


def test_the_whole_api_says_what_it_will_say_when_the_change_is_merged(served, client):
    more = SOFTWARE + '  - {version: "4.2", rank: 200}\n'
    requires = REQUIRES.replace("3.6", "4.2")
    changes = jobtype("Blender", "    three = 3\n", requires)
    propose(served, "topic", {"software/blender.yaml": more, **changes})
    number = preview(client, "topic", "/jobtypes/Blender")["version"]

    def get(prefix: str, number: int) -> dict[str, tuple[int, str | None, bytes]]:
        answers = {path: client.get(prefix + path.replace("N", str(number))) for path in PATHS}
        return {
            path: (a.status_code, a.headers["Content-Type"], a.data) for path, a in answers.items()
        }

    previewed = get("/preview/topic/api/v1", number)
    merged = client.post("/api/v1/changes/topic/merge", json={})
    released = get("/api/v1", 3)

    assert merged.status_code == 200
    assert {status for status, _, _ in previewed.values()} == {200}
    tree = git(served.path, "rev-parse", "main:jobtypes/Blender").strip()
    own = {f"Job_{tree} = Job\\n": "", f"Job_{tree}": "Job", str(number): "3"}
    for path, (status, kind, data) in previewed.items():
        said = data.decode()
        for would_be, is_then in own.items():
            said = said.replace(would_be, is_then)
        assert (status, kind, said.encode()) == released[path], path


def test_a_would_be_version_has_a_class_of_its_own_and_the_code_defines_it(served, client):
    commit = propose(served, "topic", THREE)
    tree = git(served.path, "rev-parse", f"{commit}:jobtypes/Blender").strip()
    code = THREE["jobtypes/Blender/code.py"]
    number = preview_number(served, commit)

    newest = preview(client, "topic", "/jobtypes/Blender")
    version = preview(client, "topic", f"/jobtypes/Blender/versions/{number}")
    text = client.get(f"/preview/topic/api/v1/jobtypes/Blender/versions/{number}/code")

    assert newest == version
    assert (version["name"], version["version"]) == ("Blender", number)
    assert version["classname"] == f"Job_{tree}"
    assert version["code"] == f"{code}Job_{tree} = Job\n"
    assert text.text == code
    assert preview(client, "topic", "/jobtypes/Blender/versions/2")["classname"] == "Job"


def test_a_preview_that_is_put_back_is_refused_with_what_to_do(served, client):
    propose(served, "topic", THREE)
    shown = preview(client, "topic", "/jobtypes/Blender")

    answer = client.put("/api/v1/jobtypes/Blender", json=shown)

    assert answer.status_code == 400
    (detail,) = answer.json["details"]
    assert detail["path"] == "classname"
    assert "write the class's own name" in detail["message"]
    assert client.get("/api/v1/jobtypes/Blender").json["version"] == 2


def test_a_preview_answers_head_and_if_none_match(served, client):
    commit = propose(served, "topic", THREE)
    path = f"/preview/topic/api/v1/jobtypes/Blender/versions/{preview_number(served, commit)}"
    full = client.get(path)

    head = client.head(path)
    again = client.get(path, headers={"If-None-Match": full.headers["ETag"]})

    assert head.status_code == 200
    assert head.headers["Content-Length"] == full.headers["Content-Length"]
    assert head.data == b""
    assert again.status_code == 304
    assert full.headers["X-Git-Commit"] == commit


def test_a_path_with_very_many_beginnings_of_the_api_is_404(served, client):
    assert client.get("/preview/x" + "/api/v1" * 2000).status_code == 404
    assert client.get("/preview//api/v1/jobtypes/").status_code == 404


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
@pytest.mark.parametrize(
    "path", ["/jobtypes/", "/jobtypes/Blender", "/software/blender", "/changes/topic/merge"]
)
def test_writes_are_refused_and_change_nothing(served, client, method, path):
    propose(served, "topic", THREE)
    before = git(served.path, "for-each-ref")

    answer = client.open(f"/preview/topic/api/v1{path}", method=method, json=body("Blender"))

    assert answer.status_code == 405
    assert "error" in answer.json
    assert git(served.path, "for-each-ref") == before


def test_a_preview_moves_nothing_and_is_not_what_is_served(served, client):
    propose(served, "topic", THREE)
    before = git(served.path, "for-each-ref")

    number = preview(client, "topic", "/jobtypes/Blender")["version"]

    assert git(served.path, "for-each-ref") == before
    assert client.get("/api/v1/jobtypes/Blender").json["version"] == 2
    assert client.get(f"/api/v1/jobtypes/Blender/versions/{number}").status_code == 404


def test_a_preview_follows_the_served_branch_and_the_change(served, client):
    first = propose(served, "topic", THREE)
    before = preview(client, "topic", "/jobtypes/Blender")["version"]
    served.commit(jobtype("Houdini"))
    names = [row["name"] for row in preview(client, "topic", "/jobtypes/")]
    second = propose(served, "topic", jobtype("Blender", "    four = 4\n", REQUIRES), onto=first)

    after = preview(client, "topic", "/jobtypes/Blender")["version"]

    assert before == preview_number(served, first)
    assert names == ["Blender", "Houdini", "Nuke"]
    assert after == preview_number(served, second)


@pytest.mark.parametrize(
    "path", ["", "/", "/api/v1", "/api/v2/jobtypes/", "/jobtypes/", "/health/live"]
)
def test_outside_the_api_there_are_no_previews(served, client, path):
    propose(served, "topic", THREE)

    assert client.get(f"/preview/topic{path}").status_code == 404


# Changes that make trouble


def test_a_change_that_conflicts_is_409_and_names_the_files(served, client):
    propose(served, "topic", jobtype("Blender", "    theirs = 3\n"))
    served.commit(jobtype("Blender", "    ours = 3\n"))

    said = preview(client, "topic", "/jobtypes/", 409)["error"]

    assert re.search(r"conflicts in .*jobtypes/Blender/code\.py", said)
    assert client.get("/api/v1/jobtypes/").status_code == 200


def test_files_that_only_one_side_touches_are_no_conflict(served, client):
    propose(served, "topic", jobtype("Nuke", "    theirs = 2\n"))
    served.commit(THREE)

    assert preview(client, "topic", "/jobtypes/Blender")["version"] == 3
    assert preview(client, "topic", "/jobtypes/Nuke")["version"] >= PREVIEW_FIRST


@pytest.mark.parametrize(
    "changes",
    [
        {"jobtypes/Blender/meta.yaml": "max_batch: [\n"},
        {"jobtypes/Blender/code.py": None},
        {"jobtypes/Blender/code.py": b"\xff\xfe"},
    ],
    ids=["meta", "missing", "encoding"],
)
def test_a_broken_change_leaves_the_released_version_the_newest(served, client, changes):
    commit = propose(served, "topic", changes)
    number = preview_number(served, commit)

    assert preview(client, "topic", "/jobtypes/Blender")["version"] == 2
    assert preview(client, "topic", "/jobtypes/Blender/versions/") == [1, 2]
    said = preview(client, "topic", f"/jobtypes/Blender/versions/{number}", 404)["error"]
    assert "jobtypes/Blender/" in said


def test_a_change_that_deletes_a_jobtype_shows_it_gone(served, client):
    propose(served, "topic", {"jobtypes/Blender": None})

    preview(client, "topic", "/jobtypes/Blender", 404)
    preview(client, "topic", "/jobtypes/1", 404)
    preview(client, "topic", "/jobtypes/Blender/versions/1", 404)
    assert [row["name"] for row in preview(client, "topic", "/jobtypes/")] == ["Nuke"]
    assert client.get("/api/v1/jobtypes/Blender/versions/1").status_code == 200


def test_a_change_that_renames_a_jobtype_carries_its_id_and_versions(served, client):
    files = jobtype("Blender", "    two = 2\n", REQUIRES)
    moved = {path.replace("Blender", "Cycles"): content for path, content in files.items()}
    propose(served, "topic", {**moved, "jobtypes/Blender": None})

    shown = preview(client, "topic", "/jobtypes/Cycles")

    assert (shown["id"], shown["version"]) == (1, 2)
    preview(client, "topic", "/jobtypes/Blender", 404)


def test_a_change_that_withdraws_shows_the_version_gone(served, client):
    propose(served, "topic", {"withdrawn.yaml": "Blender: [1]\n"})

    preview(client, "topic", "/jobtypes/Blender/versions/1", 404)
    assert preview(client, "topic", "/jobtypes/Blender")["version"] == 2


def test_a_change_that_shares_no_history_is_merged_all_the_same(served, client, tmp_path):
    other = Branch(tmp_path / "other.git")
    other.commit(jobtype("Other"))
    git(served.path, "fetch", "--quiet", str(other.path), "main:refs/heads/other")

    assert [row["name"] for row in preview(client, "other", "/jobtypes/")] == [
        "Blender",
        "Nuke",
        "Other",
    ]


def test_on_a_branch_without_a_commit_a_change_is_all_there_is(branch, tmp_path):
    other = Branch(tmp_path / "other.git")
    commit = other.commit(jobtype("Other"))
    git(branch.path, "fetch", "--quiet", str(other.path), "main:refs/heads/topic")
    client = create_app(Config(branch.path)).test_client()

    shown = preview(client, "topic", "/jobtypes/Other")

    assert shown["version"] == preview_number(other, commit, "Other")


def test_previews_need_a_token_where_reads_do(served):
    jobtypes("token", "create", "alice", "--role", "read", "--repo", served.path)
    client = create_app(Config(served.path, read_needs_token=True)).test_client()

    preview(client, "main", "/jobtypes/", 401)
    preview(client, quote("no such"), "/jobtypes/", 401)
