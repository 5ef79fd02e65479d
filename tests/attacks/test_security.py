"""The attacks that docs/threats.md lists, where no other test tries them."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from base64 import b64encode
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import quote

import pytest

from api.app import create_app
from api.config import Config
from gitstore.branch.setup import create_repository, sample_path
from gitstore.git.repository import init_repository
from tests.support.commands import jobtypes
from tests.support.forge import Forge
from tests.support.git import git
from tests.support.project import ROOT
from tests.support.rest import CODE, Rest, body, error
from tests.support.server import Server
from tests.support.waiting import wait_for

PAGE = (ROOT / "docs/threats.md").read_text()


def test_every_threat_names_tests_that_exist():
    rows = [line for line in PAGE.splitlines() if line.startswith("| ")][1:]

    assert len(rows) > 20
    files = {path.name for path in (ROOT / "tests").rglob("test_*.py")}
    for row in rows:
        named = re.findall(r"`(test_\w+\.py)`", row)
        assert named, row
        assert files.issuperset(named), row


# Paths


def rules() -> list[str]:
    """The paths of all routes, with their parameters' names."""
    with TemporaryDirectory() as folder:
        git_dir = init_repository(Path(folder), "main").git_dir
        return sorted(rule.rule for rule in create_app(Config(git_dir)).url_map.iter_rules())


RULES = rules()
OUTSIDE = (
    *("..", "%2e%2e", "..%2f..%2f..%2fetc%2fpasswd", "%2fetc%2fpasswd", "%00", "a%00b"),
    *("-x", "--upload-pack=x", "%0d%0aX-Evil:%201", "HEAD", "main:jobtypes", "@%7b0%7d", "%ff%fe"),
    *("9" * 5000, "%f0%9f%92%a9", "a" * 5000, "refs%2fupstream%2fx", "main..main", "%252e%252e"),
)


@pytest.mark.farm
@pytest.mark.parametrize("rule", [rule for rule in RULES if "<" in rule])
def test_no_parameter_of_a_path_leads_out(farm, rule):
    before = git(farm.repo, "for-each-ref", "refs/heads")

    for outside in OUTSIDE:
        path = re.sub(r"<[^>]+>", lambda _: outside, rule)  # noqa: B023
        for method in ("GET", "POST", "PUT", "DELETE"):
            answer = farm.request(method, path, b"{}", {"Content-Type": "application/json"})

            assert answer.status < 500 or answer.status == 503, (method, path, answer)
            assert b"root:" not in answer.body
            assert "x-evil" not in answer.headers
    assert git(farm.repo, "for-each-ref", "refs/heads") == before


# Headers, and the log


@pytest.mark.parametrize("text", ["a\r\nX-Evil: 1", "a\nX-Evil: 1", "a\rb"])
def test_no_line_end_of_a_request_becomes_a_header(farm, text):
    rest = Rest(farm)

    answer = rest("POST", "/jobtypes/", body(text))

    error(answer, 400)
    assert "x-evil" not in answer.headers
    message = "UTF-8''" + "".join(f"%{byte:02x}" for byte in text.encode())
    answer = rest("PUT", "/jobtypes/Fine", body("Fine"), {"X-Commit-Message": message})
    error(answer, 400)
    assert "x-evil" not in answer.headers


@pytest.fixture(params=["plain", "json"])
def logging(request, empty, serve) -> Server:
    """A service on an empty repository that logs in either form."""
    started: Server = serve(empty, "--workers", "1", "--log-format", request.param)
    return started


def test_no_header_forges_a_line_of_the_log(logging):
    hostile = "\x9b31m 2026-01-01T00:00:00Z 200 forged"  # a control sequence in Latin-1
    path = "/api/v1/jobtypes/Blender%1b%5b31m%0aforged"
    names = ("User-Agent", "Referer", "X-Forwarded-For", "X-Request-Id")

    answer = logging.request("GET", path, headers=dict.fromkeys(names, hostile))

    id = answer.headers["x-request-id"]
    assert re.fullmatch("[0-9a-f]+", id)
    wait_for(lambda: id in logging.log.read_text(), "the request's line")
    text = logging.log.read_text()
    assert text.isascii()
    assert "\x1b" not in text
    assert not any(line.startswith("forged") for line in text.splitlines())
    assert "2026-01-01" not in text


def test_what_the_service_says_itself_commands_no_terminal():
    program = (
        "import logging; from api.config import LogFormat; from api.telemetry.logs import set_up\n"
        "set_up(LogFormat.PLAIN)\n"
        "logging.getLogger('api').warning('%s', 'remote: \\x1b[2J\\x9b\\u202e\\nforged')"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)

    assert done.stderr.endswith("api: remote: \\x1b[2J\\x9b\\u202e\\nforged\n")


def test_what_was_pushed_commands_no_terminal(branch):
    hostile = "red \x1b[31m\x9b"
    commit = branch.side({"jobtypes/Job/code.py": CODE}, f"{hostile}\n")
    git(branch.path, "update-ref", "refs/heads/main", commit)
    git(branch.path, "update-ref", "refs/heads/mine", branch.side({"x": "y"}, hostile, commit))

    for command in (("changes", "list"), ("changes", "show", "mine"), ("log", "Job")):
        done = jobtypes(*command, "--repo", branch.path)

        assert r"red \x1b[31m\x9b" in done.stdout, done.stderr
        assert done.stdout.replace("\n", "").isprintable()


def test_a_file_name_forges_no_line_of_a_check(tmp_path):
    folder = tmp_path / "jobtypes/Bad\n::error::forged\x1b[31m"
    folder.mkdir(parents=True)
    (folder / "code.py").write_text("def\n")

    for form in ("text", "github", "gitlab", "json"):
        done = jobtypes("check", tmp_path, "--format", form)

        assert done.returncode == 1
        assert "forged" in done.stdout
        assert not any(line.startswith("::error::") for line in done.stdout.splitlines())
        assert "\x1b" not in done.stdout


@pytest.mark.parametrize("form", ["plain", "json"])
def test_no_secret_of_any_kind_is_in_a_log(tmp_path, serve, form):
    repo, origin = tmp_path / "copy.git", tmp_path / "origin.git"
    create_repository(repo, "main", None)
    create_repository(origin, "main", sample_path())
    made = jobtypes("token", "create", "alice", "--role", "write", "--repo", repo).stdout
    token = re.search(r"jtr_\S+", made)[0]
    secrets = [token, "jtr_wrong", "pass-of-upstream", "hush-webhook", "crumb-of-a-cookie"]
    with Forge(origin) as forge:
        forge.password = "another"
        upstream = forge.url_for("bot:pass-of-upstream@")
        options = ("--upstream", upstream, "--fetch-pause-s", "0", "--log-format", form)
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("JOBTYPES_WEBHOOK_SECRET", "hush-webhook")
            server = serve(repo, "--workers", "1", *options)
        basic = [b64encode(f"alice:{secret}".encode()).decode() for secret in secrets]
        given = [f"Bearer {secret}" for secret in secrets] + [f"Basic {row}" for row in basic]
        for method, path in (
            ("PUT", "/api/v1/jobtypes/X"),
            ("GET", f"/api/v1/jobtypes/?token={token}"),
            ("GET", "/jobtypes.git/info/refs?service=git-receive-pack"),
            ("POST", "/webhooks/gitlab"),
            ("POST", "/nowhere"),
        ):
            for value in given:
                headers = {"Authorization": value, "Cookie": f"c={secrets[-1]}"}
                for secret in ("hush-webhook", "hush-wrong"):
                    headers |= {"X-Gitlab-Token": secret, "X-Gitlab-Event": "Push Hook"}
                    server.request(method, path, body("X"), headers)
        server.request("GET", "/nowhere", headers={"X-Request-Id": "the-last"})
        wait_for(lambda: "the-last" in server.log.read_text(), "the requests' lines")
        wait_for(lambda: "Authentication failed" in server.log.read_text(), "a fetch to fail")
        server.stop()

    text = server.log.read_text()
    assert "alice" in text
    assert [secret for secret in (*secrets, *basic, "hush-wrong") if secret in text] == []


# Files next to the repository


@pytest.mark.parametrize("link", [Path.symlink_to, Path.hardlink_to], ids=["symbolic", "hard"])
def test_no_file_is_written_through_a_link(sample, tmp_path, link):
    ours = sample / "jobtypes"
    jobtypes("index", "--rebuild", "--repo", sample)
    jobtypes("token", "create", "first", "--role", "read", "--repo", sample)
    files = {path: path.read_bytes() for path in ours.iterdir() if path.is_file()}
    assert {"tokens.json", "tokens.lock"} < {path.name for path in files}
    assert any(path.suffix == ".index" for path in files)
    files[ours / "tokens.new"] = b"left by a process that was killed"
    victims = tmp_path / "victims"
    victims.mkdir()
    for path, content in files.items():
        (victims / path.name).write_bytes(content or b"precious")
        path.unlink(missing_ok=True)
        link(path, victims / path.name)

    jobtypes("index", "--rebuild", "--repo", sample)
    jobtypes("token", "create", "second", "--role", "read", "--repo", sample)

    for path, content in files.items():
        assert (victims / path.name).read_bytes() == (content or b"precious"), path
    assert (ours / "tokens.json").stat().st_mode & 0o777 == 0o600
    assert b"second" in (ours / "tokens.json").read_bytes()


# Values


@pytest.mark.parametrize(
    "sent",
    [
        b"[" * 100_000,
        b'{"a":' * 50_000 + b"1" + b"}" * 50_000,
        b'{"name": "A", "max_batch": ' + b"9" * 10_000 + b"}",
        b'{"name": "A", "max_batch": 1e999}',
        b'{"name": "A", "max_batch": NaN}',
        b'{"name": "A", "max_batch": -Infinity}',
        b"\xff\xfe{\x00}\x00",
        b"\xef\xbb\xbf{}",
        b'"' + b"\\" * 1001,
    ],
    ids=["brackets", "braces", "digits", "exponent", "NaN", "Infinity", "UTF-16", "BOM", "escapes"],
)
def test_json_without_end_is_400(farm, sent):
    answer = farm.request("POST", "/api/v1/jobtypes/", sent, {"Content-Type": "application/json"})

    error(answer, 400)


def bomb() -> str:
    rows = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    rows += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 9)]
    return "\n".join(rows) + "\n"


@pytest.mark.parametrize(
    ("kind", "status"), [("application/yaml", 415), ("text/x-yaml", 415), ("application/json", 400)]
)
@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_yaml_is_no_body(farm, method, kind, status):
    path = "/api/v1/jobtypes/" + ("Bomb" if method == "PUT" else "")

    error(farm.request(method, path, bomb().encode(), {"Content-Type": kind}), status)


def test_a_yaml_bomb_on_another_branch_is_reported_and_never_unfolds(farm, clone):
    worktree = clone(f"{farm.url}/jobtypes.git")
    worktree.write("jobtypes/Maya/meta.yaml", bomb())
    worktree.write("software/maya.yaml", bomb())

    assert worktree.push("origin", "HEAD:refs/heads/bomb").returncode == 0

    review = farm.get("/api/v1/changes/bomb")
    assert review.status == 200
    assert "jobtypes/Maya/meta.yaml" in {row["path"] for row in review.json["problems"]}
    assert farm.get("/preview/bomb/api/v1/jobtypes/Maya").status == 200
    assert farm.get("/preview/bomb/api/v1/jobtypes/Blender").status == 200
    assert farm.request("POST", "/api/v1/changes/bomb/merge", {}).status == 400
    assert farm.request("DELETE", "/api/v1/changes/bomb").status == 204


@pytest.mark.parametrize(
    ("name", "twin"), [("Stra\xdfe", "STRASSE"), ("\xc9mile", "\xe9mile"), ("\ufb01lm", "Film")]
)
def test_names_that_a_file_system_takes_for_one_are_409(farm, name, twin):
    assert farm.request("PUT", f"/api/v1/jobtypes/{quote(name)}", body(name)).status == 201

    error(farm.request("PUT", f"/api/v1/jobtypes/{quote(twin)}", body(twin)), 409)
    error(farm.request("POST", "/api/v1/jobtypes/", body(twin)), 409)


@pytest.mark.parametrize("name", ["e\u0301mile", "\u212aelvin", "A\u200bB", "A\u202eB", "\uff21?"])
def test_names_that_only_look_composed_or_hide_something_are_400(farm, name):
    error(farm.request("POST", "/api/v1/jobtypes/", body(name)), 400)


def test_a_look_alike_name_is_another_jobtype_and_is_warned_about(farm, clone):
    alike = "Bl\u0435nder"  # with a Cyrillic e
    assert Rest(farm)("PUT", f"/jobtypes/{quote(alike)}", body(alike)).status == 201
    worktree = clone(f"{farm.url}/jobtypes.git")

    found = json.loads(jobtypes("check", "--all", "--format", "json", str(worktree.path)).stdout)

    assert "agent-name" in {problem["rule"] for problem in found}
    assert (
        Rest(farm).json("/jobtypes/Blender")["id"]
        != Rest(farm).json("/jobtypes/Bl%D0%B5nder")["id"]
    )


# Browsers


@pytest.mark.farm
def test_no_browser_runs_what_was_sent(farm):
    script = "<script>alert(1)</script>"
    rest = Rest(farm)
    code = f'class Job:\n    """{script}"""\n'
    rest("PUT", "/jobtypes/Page", body("Page", code=code, description=script))
    rest("PUT", "/jobtypes/Page", body("Page", code=code + "#\n", description=script))
    paths = ["/", "/diff/Page/1..2", f"/{script}", "/metrics", "/health/ready", "/jobtypes.git/x"]
    paths += ["/preview/main/api/v1/jobtypes/Page", "/api/v1/changes/", "/api/v1/openapi.json"]
    paths += [f"/api/v1/jobtypes/{rest}" for rest in ("Page", "Page/versions/1/code", script)]
    for rule in RULES:
        for text, number in (("Page", "1"), ("main", "9"), (quote(script), quote(script))):
            path = re.sub(r"<(?:\w+\([^)]*\):|slashed:)?\w+>", lambda _: text, rule)  # noqa: B023
            paths.append(re.sub(r"<number:\w+>", lambda _: number, path))  # noqa: B023
    paths.append("/jobtypes.git/info/refs?service=git-upload-pack")

    quoted = [path.replace("<", "%3C").replace(">", "%3E") for path in paths]
    # The second time, what can be comes from memory.
    for turn, path in [(turn, path) for turn in (1, 2) for path in quoted]:
        answer = farm.get(path, Accept="text/html")
        kind = answer.headers["content-type"]

        if kind == "text/html; charset=utf-8":
            assert answer.headers["content-security-policy"].startswith("default-src 'none'; style")
            scripts = re.findall(rb"<script[^>]*>", answer.body)
            assert [s for s in scripts if not s.startswith(b'<script src="/static/')] == []
        else:
            assert kind.startswith(("text/plain", "text/css", "text/x-", "application/")), path
            assert "html" not in kind
            assert "xml" not in kind
        assert answer.headers["x-content-type-options"] == "nosniff"
        known = {"If-None-Match": answer.headers.get("etag", '"none"')}
        others = (("GET", known), ("HEAD", {}), ("PATCH", {}), ("TRACE", {}))
        for method, headers in others if turn == 1 else others[:1]:
            again = farm.request(method, path, headers=headers)
            assert again.headers["x-content-type-options"] == "nosniff", (method, path)
            # A page with a form has another proof each time, and so no 304.
            if method != "HEAD" and answer.headers.get("cache-control") != "no-store":
                assert "html" not in again.headers.get("content-type", ""), (method, path)
