"""HTTP around the API: ETags, preconditions, commit messages, and errors of every layer."""

from __future__ import annotations

import http.client
import json

import pytest

from tests.support.git import git, tip
from tests.support.rest import NOWHERE, Rest, body, error, item

READS = (
    "/jobtypes/",
    "/jobtypes/schema",
    "/jobtypes/Made",
    "/jobtypes/Made/versions/",
    "/jobtypes/Made/versions/1",
    "/jobtypes/Made/versions/1/code",
    "/jobtypes/Made/versions/1/software_requirements/",
    "/jobtypes/Made/software_requirements/",
    "/jobtypes/Made/software_requirements/blender",
    "/software/",
    "/software/schema",
    "/software/blender",
    "/software/blender/versions/",
    "/software/blender/versions/2.69",
    "/software/blender/versions/3/discovery_code",
)
ABOUT_NO_VERSION = tuple(
    p for p in READS if p.startswith("/software") or p in READS[:2] or p.endswith("Made/versions/")
)
ABOUT_A_VERSION = tuple(p for p in READS if p not in ABOUT_NO_VERSION)


def message(rest: Rest) -> str:
    return git(rest.server.repo, "log", "-1", "--format=%B", "main")


# Reading


@pytest.mark.parametrize("path", READS)
def test_a_read_has_a_strong_etag_that_gives_304(rest, path):
    answer = rest.get(path)
    tag = answer.headers["etag"]

    known = rest.get(path, {"If-None-Match": tag})
    listed = rest.get(path, {"If-None-Match": f'"other", {tag}'})
    weak = rest.get(path, {"If-None-Match": f"W/{tag}"})
    anything = rest.get(path, {"If-None-Match": "*"})
    other = rest.get(path, {"If-None-Match": '"other"'})

    assert tag.startswith('"')
    assert answer.headers["cache-control"] == "no-cache"
    for again in (known, listed, weak, anything):
        assert (again.status, again.body) == (304, b"")
        assert again.headers["etag"] == tag
        assert again.headers["cache-control"] == "no-cache"
        assert "content-type" not in again.headers
    assert (other.status, other.body) == (200, answer.body)


@pytest.mark.parametrize("path", READS)
def test_a_head_says_what_a_get_says_without_its_body(rest, path):
    got, head = rest.get(path), rest("HEAD", path)

    per_request = {"date": "", "x-request-id": ""}
    assert (head.status, head.body) == (200, b"")
    assert {**head.headers, **per_request} == {**got.headers, **per_request}
    assert int(head.headers["content-length"]) == len(got.body)
    assert rest("HEAD", path, headers={"If-None-Match": got.headers["etag"]}).status == 304


def test_a_head_of_what_is_not_there_is_404_without_a_body(rest):
    answer = rest("HEAD", "/jobtypes/Nowhere")

    assert (answer.status, answer.body) == (404, b"")


def test_the_etag_changes_with_what_it_is_about_and_with_nothing_else(rest):
    paths = ("/jobtypes/Stable", "/jobtypes/Stable/versions/1", "/jobtypes/Stable/versions/")
    rest.jobtype("Stable")
    before = [rest.get(path).headers["etag"] for path in paths]
    rest.jobtype("Unrelated")
    between = [rest.get(path).headers["etag"] for path in paths]
    rest.jobtype("Stable")
    after = [rest.get(path).headers["etag"] for path in paths]

    assert between == before
    assert [a == b for a, b in zip(after, before, strict=True)] == [False, True, False]


@pytest.mark.parametrize("path", ABOUT_A_VERSION)
def test_what_is_about_a_version_names_the_commit_that_made_it(rest, path):
    number = 1 if "/versions/1" in path else 2
    form = "--format=%H %(trailers:key=Jobtype-Version,valueonly)"
    log = dict(
        line.split(" ", 1) for line in git(rest.server.repo, "log", form).splitlines() if line
    )

    assert log[rest.get(path).headers["x-git-commit"]] == f"{number} Made"


@pytest.mark.parametrize("path", ABOUT_NO_VERSION)
def test_what_is_about_no_version_names_no_commit(rest, path):
    assert "x-git-commit" not in rest.get(path).headers


def test_a_304_names_the_commit_too(rest):
    answer = rest.get("/jobtypes/Made")

    known = rest.get("/jobtypes/Made", {"If-None-Match": answer.headers["etag"]})

    assert known.headers["x-git-commit"] == answer.headers["x-git-commit"]


def test_the_body_of_a_json_answer_ends_with_a_line_end_and_is_ascii(rest):
    rest.jobtype("Caméra", description="日本")

    answer = rest.get(item("jobtypes", "Caméra"))

    assert answer.body.endswith(b"}\n")
    assert answer.body.isascii()


@pytest.mark.parametrize("kind", ["application/json", "text/plain", "x"])
def test_a_content_type_on_a_get_is_no_error(rest, kind):
    assert rest.get("/jobtypes/Made/versions/1", {"Content-Type": kind}).status == 200


def test_a_query_changes_nothing(rest):
    plain, asked = rest.get("/jobtypes/Made"), rest.get("/jobtypes/Made?x=1&name=%FF")

    assert (asked.status, asked.body) == (200, plain.body)


# Preconditions


def test_a_put_with_the_etag_of_the_get_lands_once(rest):
    rest.jobtype("Matched")
    tag = rest.get("/jobtypes/Matched").headers["etag"]
    sent = {"If-Match": tag}

    first = rest("PUT", "/jobtypes/Matched", body("Matched"), sent)
    second = rest("PUT", "/jobtypes/Matched", body("Matched"), sent)

    assert first.status == 201
    error(second, 412)
    assert rest.json("/jobtypes/Matched/versions/") == [1, 2]


def test_one_of_several_etags_is_enough_and_a_weak_one_never(rest):
    rest.jobtype("Several")
    tag = rest.get("/jobtypes/Several").headers["etag"]

    weak = rest("PUT", "/jobtypes/Several", body("Several"), {"If-Match": f"W/{tag}"})
    strong = rest("PUT", "/jobtypes/Several", body("Several"), {"If-Match": f'"x", {tag}'})

    error(weak, 412)
    assert strong.status == 201


GUARDED = {
    "a jobtype": ("PUT", "/jobtypes/{name}", {"name": "{name}", "code": ""}),
    "the end of a jobtype": ("DELETE", "/jobtypes/{name}", None),
    "a withdrawal": ("DELETE", "/jobtypes/{name}/versions/1", None),
    "a requirement": ("DELETE", "/jobtypes/{name}/software_requirements/{name}", None),
    "a software": ("PUT", "/software/{name}", {"software": "{name}", "versions": []}),
    "the end of a software": ("DELETE", "/software/{name}2", None),
    "the end of a version": ("DELETE", "/software/{name}/versions/1", None),
}


def guarded(rest: Rest, what: str, name: str) -> tuple[str, str, object]:
    """A request of GUARDED on a jobtype and a software of that *name*, which are made."""
    method, path, sent = GUARDED[what]
    rest.software(name, "1")
    rest.software(f"{name}2", "1")
    rest.jobtype(name, software_requirements=[{"software": name}])
    return method, path.format(name=name), json.loads(json.dumps(sent).replace("{name}", name))


@pytest.mark.parametrize("what", GUARDED)
def test_a_write_with_another_etag_is_412_and_nothing_is_written(rest, what):
    method, path, sent = guarded(rest, what, f"Guarded{list(GUARDED).index(what)}")
    tag = rest.get(path).headers["etag"]
    before = tip(rest.server.repo)

    error(rest(method, path, sent, {"If-Match": '"another"'}), 412)
    error(rest(method, path, sent, {"If-None-Match": "*"}), 412)
    error(rest(method, path, sent, {"If-None-Match": tag}), 412)

    assert tip(rest.server.repo) == before


@pytest.mark.parametrize("what", GUARDED)
@pytest.mark.parametrize("match", ["etag", "any"])
def test_a_write_with_the_right_etag_is_done(rest, what, match):
    method, path, sent = guarded(rest, what, f"Right{list(GUARDED).index(what)}{match}")
    tag = "*" if match == "any" else rest.get(path).headers["etag"]
    before = tip(rest.server.repo)

    answer = rest(method, path, sent, {"If-Match": tag})

    assert answer.status in (200, 201, 204), answer.body
    assert tip(rest.server.repo) != before


def test_if_match_of_anything_asks_that_it_exists(rest):
    error(rest("PUT", "/jobtypes/Absent", body("Absent"), {"If-Match": "*"}), 412)
    error(rest("DELETE", "/jobtypes/Absent", None, {"If-Match": "*"}), 412)
    error(rest("DELETE", "/jobtypes/Made/versions/99", None, {"If-Match": "*"}), 412)
    error(rest("PUT", "/software/absent", {"software": "absent"}, {"If-Match": "*"}), 412)

    error(rest.get("/jobtypes/Absent"), 404)


def test_if_none_match_of_anything_makes_what_is_not_there(rest):
    sent = {"If-None-Match": "*"}

    assert rest("PUT", "/jobtypes/Made%20once", body("Made once"), sent).status == 201
    error(rest("PUT", "/jobtypes/Made%20once", body("Made once"), sent), 412)
    assert rest("PUT", "/software/once", {"software": "once"}, sent).status == 201
    error(rest("PUT", "/software/once", {"software": "once"}, sent), 412)


def test_a_body_that_does_not_fit_is_400_before_its_precondition(rest):
    error(rest("PUT", "/jobtypes/Made", {}, {"If-Match": '"another"'}), 400)


# Commits


def test_a_write_is_a_commit_with_a_subject_a_trailer_and_an_author(rest):
    made = rest("PUT", "/jobtypes/Committed", body("Committed"))

    assert made.headers["x-git-commit"] == tip(rest.server.repo)
    assert message(rest) == "Committed: new jobtype, version 1\n\nJobtype-Version: 1 Committed\n\n"
    who = git(rest.server.repo, "log", "-1", "--format=%an <%ae>", "main")
    assert who == "Jobtype repository <jobtypes@localhost>\n"


WRITES = {
    "change": ("PUT", "/jobtypes/Talk", body("Talk"), "Talk: change, version {n}"),
    "requirement": (
        "POST",
        "/jobtypes/Talk/software_requirements",
        {"software": "blender"},
        "Talk: requires blender, version {n}",
    ),
    "software": ("PUT", "/software/talk", {"software": "talk"}, "software talk: new software"),
    "version": (
        "POST",
        "/software/talk/versions",
        {"version": "1"},
        "software talk: add 1",
    ),
}


@pytest.mark.parametrize("given", [None, "Ready for show 42"])
def test_each_kind_of_write_has_its_subject_or_the_one_it_was_given(rest, given):
    rest("DELETE", "/software/talk")
    rest("DELETE", "/jobtypes/Talk")
    rest.jobtype("Talk")
    headers = {"X-Commit-Message": given} if given else {}

    for method, path, sent, subject in WRITES.values():
        assert rest(method, path, sent, headers).status == 201
        said = message(rest).splitlines()[0]
        number = max(rest.json("/jobtypes/Talk/versions"))
        assert said == (given or subject.format(n=number))
    assert rest("DELETE", "/jobtypes/Talk/versions/99", None, headers).status == 204
    assert rest("DELETE", "/jobtypes/Talk", None, headers).status == 204
    assert message(rest).splitlines()[0] == (given or "Talk: delete the jobtype")


MESSAGES = {
    "plain": ("Fix the tiles", "Fix the tiles"),
    "a tab": ("before\tafter", "before\tafter"),
    "spaces around": ("  inner  space ", "inner  space"),
    "the limit": ("x" * 1000, "x" * 1000),
    "a comment": ("# not a comment", "# not a comment"),
    "a trailer": ("Jobtype-Version: 99 Messages", "Jobtype-Version: 99 Messages"),
    "percent signs": ("100%20 of it", "100%20 of it"),
    "UTF-8": ("UTF-8''Cam%C3%A9ra%3A%20%E6%97%A5%E6%9C%AC fixed", "Caméra: 日本 fixed"),
    "UTF-8 with a language": ("utf-8'fr'%C3%A9t%C3%A9", "été"),
    "the limit in UTF-8": ("UTF-8''" + "%C3%A9" * 1000, "é" * 1000),
    "bytes that are no UTF-8": ("UTF-8''caf%E9", "caf\ufffd"),
}


@pytest.mark.parametrize(("given", "kept"), MESSAGES.values(), ids=MESSAGES)
def test_the_message_of_the_commit_can_be_given(rest, given, kept):
    answer = rest("PUT", "/jobtypes/Messages", body("Messages"), {"X-Commit-Message": given})

    number = answer.json["version"]
    assert message(rest) == f"{kept}\n\nJobtype-Version: {number} Messages\n\n"
    assert number <= len(MESSAGES)


@pytest.mark.parametrize(
    "given",
    [
        "",
        "   ",
        "x" * 1001,
        "Caméra",
        "日本".encode().decode("latin-1"),
        "UTF-8''",
        "UTF-8''" + "%C3%A9" * 1001,
        "UTF-8''two%0Alines",
        "UTF-8''bell%07",
        "UTF-8''nothing%00",
        "UTF-8''%C2%85",
        "UTF-8''%E2%80%A8",
        "UTF-8''%E2%80%AE",
    ],
)
def test_a_message_that_can_not_be_kept_is_400_and_nothing_is_written(rest, given):
    before = tip(rest.server.repo)

    said = error(rest("PUT", "/jobtypes/Messages", body("M"), {"X-Commit-Message": given}), 400)

    assert "X-Commit-Message" in said["error"]
    assert tip(rest.server.repo) == before


def test_a_message_that_looks_like_a_trailer_is_none(rest):
    made = rest.jobtype("Trailers")
    for sent in ("Jobtype-Version: 99 Trailers", "Jobtype-Id: 99 Trailers"):
        headers = {"X-Commit-Message": sent}
        rest("PUT", "/software/trailers", {"software": "trailers"}, headers)
        rest("DELETE", "/software/trailers", None, headers)

    assert rest.json("/jobtypes/Trailers") == made
    assert rest.jobtype("Trailers")["version"] == 2


# Errors of every layer


@pytest.mark.parametrize("path", NOWHERE)
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE", "PATCH", "BREW"])
def test_a_path_that_is_not_there_is_404_in_json(rest, method, path):
    error(rest.server.request(method, path, None if method == "GET" else {}), 404)


@pytest.mark.parametrize("method", ["PATCH", "TRACE", "PROPFIND", "BREW"])
def test_a_method_that_nobody_takes_is_405_in_json(rest, method):
    answer = rest(method, "/jobtypes/Made")

    error(answer, 405)
    assert {"GET", "PUT", "DELETE"} <= set(answer.headers["allow"].split(", "))


def test_the_sentence_of_an_error_quotes_no_raw_bytes(rest):
    said = rest.get("/jobtypes/a%0d%0aX-Evil:%201%1b[31m")

    assert "x-evil" not in said.headers
    assert "\x1b" not in error(said, 404)["error"]


def test_an_error_has_no_etag(rest):
    assert "etag" not in rest.get("/jobtypes/Nowhere").headers


def test_many_requests_share_a_connection(rest):
    connection = http.client.HTTPConnection("127.0.0.1", rest.server.port, timeout=120)
    statuses, ports = [], set()
    for name in ("Made", "Nowhere", "Made"):
        connection.request("GET", f"/api/v1/jobtypes/{name}")
        answer = connection.getresponse()
        answer.read()
        statuses.append(answer.status)
        ports.add(connection.sock and connection.sock.getsockname()[1])
    connection.close()

    assert statuses == [200, 404, 200]
    assert len(ports) == 1
    assert None not in ports


def test_an_error_before_the_body_was_read_leaves_the_service_working(rest):
    for _ in range(5):
        rest("PUT", "/jobtypes/Made/versions/1", b"x" * 100_000, {"Content-Type": "text/plain"})

    assert rest.get("/jobtypes/Made").status == 200


# Other protocols


@pytest.mark.parametrize("path", ["/jobtypes/Made/versions/1", "/jobtypes/"])
@pytest.mark.parametrize("protocol", ["websocket", "h2c"])
def test_who_would_rather_speak_another_protocol_is_answered_in_http(rest, dial, path, protocol):
    raw = dial(rest.server.port)
    key = {"Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA=="}

    raw.head(f"GET /api/v1{path}", {"Connection": "Upgrade", "Upgrade": protocol, **key})

    assert raw.status == 200
