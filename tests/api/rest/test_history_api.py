"""The routes that tell what happened to versions: history, blame, and the reasons in a 404."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from api.app import create_app
from api.config import Config
from api.rest.stories import PAGE_LIMIT
from gitstore.branch.access import Role
from gitstore.branch.tokens import Tokens
from gitstore.git.commits import Signature
from tests.support.branches import Branch, jobtype
from tests.support.rest import Direct, Rest, error, item
from tests.support.server import Server

ADA, BO = Signature("Ada", "ada@x"), Signature("Bo", "bo@x")
NAME = "Ünï code +1"


@pytest.fixture(scope="module")
def rest(tmp_path_factory) -> Iterator[Rest]:
    """A service with a jobtype of four versions, of which the second was merged, and a change."""
    branch = Branch(tmp_path_factory.mktemp("history") / "served.git")
    path = f"jobtypes/{NAME}/code.py"
    branch.commit(jobtype(NAME), author=ADA)
    side = branch.side({path: "class Job:\n    x = 1\n    pass\n"}, "faster\n", author=ADA)
    message = "Merge pull request #7 from ada/fast\n\nFast\n"
    branch.commit({path: "class Job:\n    x = 1\n    pass\n"}, message, (side,), BO)
    branch.commit({path: None}, "break it\n")
    branch.commit({path: "class Job:\n    x = 2\n"})
    change = branch.side({path: "class Job:\n    x = 3\n"}, "A change\n", author=ADA)
    branch.repository.move("refs/heads/change", None, change, ADA, "push")
    server = Server(branch.path, "--workers", "1")
    rest = Rest(server)
    said = rest(
        "DELETE", item("jobtypes", NAME, "versions", 1), headers={"X-Commit-Message": "Too slow"}
    )
    assert said.status == 204
    yield rest
    server.stop()


def test_history_lists_the_stories_newest_first(rest):
    rows = rest.json(item("jobtypes", NAME, "history"))

    assert [(row["number"], row["state"]) for row in rows] == [
        *((4, "in service"), (3, "broken"), (2, "in service"), (1, "withdrawn"))
    ]
    merged = rows[2]
    assert merged["authors"] == [{"name": "Ada", "email": "ada@x"}]
    assert merged["merged_by"] == {"name": "Bo", "email": "bo@x"}
    assert (merged["pull_request"], merged["branch"]) == ("#7", "ada/fast")
    assert merged["files"] == [{"status": "M", "path": "code.py"}]
    assert merged["out_of_service"] is None
    assert merged["jobtype"] == NAME
    assert "code.py" in rows[1]["out_of_service"]["reason"]
    assert rows[3]["out_of_service"]["reason"] == "Too slow"
    assert rest.json(item("jobtypes", NAME, "versions", 2, "history")) == merged


def test_history_comes_in_parts_that_link_to_the_next(rest):
    path = item("jobtypes", NAME, "history")
    numbers, url = [], f"{path}?limit=3"
    while url:
        answer = rest.get(url)
        numbers.append([row["number"] for row in answer.json])
        link = answer.headers.get("link", "")
        assert link == "" or link.endswith('>; rel="next"')
        url = link[1:].partition(">")[0].removeprefix(f"{rest.server.url}/api/v1")

    assert numbers == [[4, 3, 2], [1]]
    assert rest.json(f"{path}?before=1") == []


def test_a_history_that_has_not_changed_is_a_304(rest):
    path = item("jobtypes", NAME, "history")
    tag = rest.get(path).headers["etag"]

    assert rest.get(path, {"If-None-Match": tag}).status == 304


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("befor=1", "there is no parameter befor; did you mean before?"),
        ("limit=0", "limit"),
        (f"limit={PAGE_LIMIT + 1}", "limit"),
        ("before=-1", "before"),
        ("before=x", "before"),
    ],
)
def test_what_history_does_not_take_is_refused(rest, query, says):
    answer = rest.get(f"{item('jobtypes', NAME, 'history')}?{query}")

    assert says in error(answer, 400)["error"]


def test_histories_that_are_not_there_are_404(rest):
    for path, says in (
        (item("jobtypes", "ünï code +2", "history"), f"did you mean {NAME}?"),
        (item("jobtypes", NAME, "versions", 9, "history"), "has no version 9"),
        (item("jobtypes", NAME, "versions", 9, "blame"), "has no version 9"),
        (item("jobtypes", NAME, "versions", 3, "blame"), "has no code.py"),
    ):
        assert says in error(rest.get(path), 404)["error"]


def test_the_404_of_a_withdrawn_version_has_the_reason(rest):
    answer = rest.get(item("jobtypes", NAME, "versions", 1))

    assert error(answer, 404)["error"] == f"version 1 of {NAME} was withdrawn: Too slow"


def test_a_preview_has_the_history_that_a_merge_would_give(rest):
    where = f"{rest.server.url}/preview/change/api/v1"
    path = f"/preview/change/api/v1{item('jobtypes', NAME, 'history')}"
    rows = rest.server.get(path).json
    number = rows[0]["number"]

    assert [row["number"] for row in rows[1:]] == [4, 3, 2, 1]
    assert rows[0]["authors"] == [{"name": "Ada", "email": "ada@x"}]
    assert (rows[0]["subject"], rows[0]["before"]) == ("A change", 4)
    one = item("jobtypes", NAME, "versions", number, "history")
    assert rest.server.get(f"/preview/change/api/v1{one}").json == rows[0]
    page = rest.server.get(f"{path}?limit=2")
    assert page.headers["link"].startswith(f"<{where}")
    blame = item("jobtypes", NAME, "versions", 2, "blame")
    assert rest.server.get(f"/preview/change/api/v1{blame}").status == 404


def test_blame_names_runs_of_lines_with_their_versions(rest):
    path = item("jobtypes", NAME, "versions", 2, "blame")
    rows = rest.json(path)

    assert [(r["first"], r["last"], r["came_in"], r["changed_in"]) for r in rows] == [
        *((1, 1, 1, None), (2, 2, 2, 4), (3, 3, 1, 4))
    ]
    assert [row["subject"] for row in rows] == ["change", "faster", "change"]
    assert rows[1]["author"] == {"name": "Ada", "email": "ada@x"}
    assert rest.json(f"{path}?lines=2-3") == rows[1:]
    assert rest.json(f"{path}?lines=2") == rows[1:2]


@pytest.mark.parametrize("lines", ["", "0-1", "3-2", "2-", "-2", "a", "1,2", "9" * 99, "4-5"])
def test_lines_that_are_no_lines_are_refused(rest, lines):
    answer = rest.get(f"{item('jobtypes', NAME, 'versions', 2, 'blame')}?lines={lines}")

    assert error(answer, 400)["details"][0]["path"] == "lines"


def test_pyfarms_own_routes_take_any_query(client):
    direct = Direct(client)

    assert direct.get("/jobtypes/?befor=1").status == 200


def test_whose_tells_where_lines_come_from(rest):
    text = (
        f"Traceback\n  File '/x/{NAME}_Job_v4.py', line 2, in run\n{NAME}_Job_v4.py:9 A_B_v1.py:1"
    )

    one, other = rest("POST", "/whose", {"text": text}).json

    assert (one["jobtype"], one["version"], one["line"]) == (NAME, 4, 2)
    assert (one["text"], one["came_in"], one["changed_in"]) == ("    x = 2", 4, None)
    assert one["author"] == {"name": "Test TD", "email": "td@studio.example"}
    assert one["fault"] is None
    assert other["author"] is None
    assert "code.py has 2" in other["fault"]
    assert rest("POST", "/whose", {"text": "nothing"}).json == []
    assert error(rest("POST", "/whose", {"text": "x" * 200_001}), 400)
    assert error(rest("POST", "/whose", {}), 400)


def test_whose_is_a_read_although_it_is_a_post(tmp_path):
    branch = Branch(tmp_path / "a.git")
    branch.commit(jobtype("A"))
    app = create_app(Config(branch.path, read_only=True, read_needs_token=False))
    elsewhere = Direct(app.test_client())
    headers = {"Host": "jobtypes.studio.example", "X-Forwarded-For": "192.0.2.1"}

    asked = elsewhere("POST", "/whose", {"text": "A_Job_v1.py:1"}, headers)
    assert (asked.status, len(asked.json)) == (200, 1)
    assert elsewhere("POST", "/jobtypes/", {}, headers).status == 403
    Tokens(branch.path).create("a", Role.READ, "a@b", ())
    asked = elsewhere("POST", "/whose", {"text": "A_Job_v1.py:1"}, headers)
    assert asked.status == 200
    guarded = Direct(create_app(Config(branch.path, read_needs_token=True)).test_client())
    assert guarded("POST", "/whose", {"text": "x"}).status == 401
    page = {"Origin": "https://evil.example"}
    assert elsewhere("POST", "/whose", {"text": "x"}, page).status == 403
