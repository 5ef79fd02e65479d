"""The attacks that docs/security.md lists, where no other test tries them."""

from __future__ import annotations

import importlib
import json
import os
import pkgutil
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from commands import jobtypes
from conftest import Server, git, wait_for
from rest import CODE, Rest, body, error

import api
import gitstore
import hooks
from api.config import Config
from gitstore.setup import create_repository, sample_path

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs/security.md").read_text()


@pytest.fixture(scope="module")
def farm(tmp_path_factory) -> Iterator[Server]:
    repo = tmp_path_factory.mktemp("farm") / "farm.git"
    create_repository(repo, "main", sample_path())
    server = Server(repo, "--workers", "1")
    yield server
    server.stop()


def test_every_attack_names_tests_that_there_are():
    rows = [line for line in PAGE.splitlines() if line.startswith("| ") and "::" in line]

    assert len(rows) > 20
    for file, name in re.findall(r"`(test_\w+\.py)::(\w+)`", "\n".join(rows)):
        assert f"\ndef {name}(" in (ROOT / "tests" / file).read_text(), (file, name)


# Paths

RULES = sorted(rule.rule for rule in api.create_app(Config(ROOT)).url_map.iter_rules())
OUTSIDE = (
    *("..", "%2e%2e", "..%2f..%2f..%2fetc%2fpasswd", "%2fetc%2fpasswd", "%00", "a%00b"),
    *("-x", "--upload-pack=x", "%0d%0aX-Evil:%201", "HEAD", "main:jobtypes", "@%7b0%7d", "%ff%fe"),
    *("9" * 5000, "%f0%9f%92%a9", "a" * 5000, "refs%2fupstream%2fx", "main..main", "%252e%252e"),
)


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
    assert "x-evil" not in answer.headers
    assert "\nX-Evil" not in "\n".join(answer.headers.values())


def test_no_header_forges_a_line_of_the_log(farm):
    hostile = "\x9b31m 2026-01-01T00:00:00Z 200 forged"  # a control sequence in Latin-1

    farm.request(
        "GET",
        "/api/v1/jobtypes/Blender%1b%5b31m%0aforged",
        headers={"User-Agent": hostile, "Referer": hostile, "X-Forwarded-For": hostile},
    )

    wait_for(lambda: "\\x1b" in farm.log.read_text(), "the request's line")
    assert farm.log.read_text().isascii()
    assert "\x1b" not in farm.log.read_text()
    assert not any(line.startswith("forged") for line in farm.log.read_text().splitlines())


@pytest.mark.parametrize("form", ["plain", "json"])
def test_no_secret_of_a_request_is_in_a_log(empty, serve, form):
    server = serve(empty, "--workers", "1", "--log-format", form, "--webhook-secret", "hush-hush")
    secrets = {
        "X-Gitlab-Token": "hush-hush",
        "Authorization": "Basic bWU6aHVzaC1odXNo",
        "Cookie": "hush-hush",
        "X-Request-Id": "the-last",
    }

    for path in ("/webhooks/gitlab", "/api/v1/jobtypes/", "/jobtypes.git/info/refs"):
        server.request("POST", path, b"{}", secrets)

    wait_for(lambda: server.log.read_text().count("the-last") >= 3, "the requests' lines")
    assert "hush-hush" not in server.log.read_text()
    assert "bWU6aHVzaC1odXNo" not in server.log.read_text()


# Git


@pytest.mark.parametrize("ref", ["-x", "--upload-pack=touch ran", "--output=ran", "-"])
def test_a_ref_that_looks_like_an_option_is_no_option(farm, ref, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for path in (f"/preview/{quote(ref)}/api/v1/jobtypes/", f"/api/v1/changes/{quote(ref)}"):
        assert farm.get(path).status == 404
    assert not list(tmp_path.rglob("ran"))


def test_a_branch_that_looks_like_an_option_is_a_branch(farm, clone):
    worktree = clone(f"{farm.url}/jobtypes.git")

    assert worktree.push_head("origin", "HEAD:refs/heads/-x").returncode == 0

    assert farm.get("/api/v1/changes/-x").status == 200
    assert farm.get("/preview/-x/api/v1/jobtypes/").status == 200
    assert farm.request("DELETE", "/api/v1/changes/-x").status == 204


@pytest.mark.parametrize(
    "url", ["--upload-pack=touch ran", "-oProxyCommand=touch ran", "ext::touch ran", "ext::sh -c x"]
)
def test_an_upstream_that_would_run_a_program_is_refused(tmp_path, url, monkeypatch):
    repo = tmp_path / "copy.git"

    monkeypatch.chdir(tmp_path)

    done = jobtypes("serve", "--repo", repo, f"--upstream={url}", "--read-only")

    assert done.returncode in (1, 3), done.stderr
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.rglob("ran"))


def test_gits_variables_are_not_inherited(sample, serve, clone, tmp_path):
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": "core.hooksPath",
            "GIT_CONFIG_VALUE_0": str(evil_hook(tmp_path / "evil")),
            "GIT_DIR": str(tmp_path / "nowhere"),
            "GIT_OBJECT_DIRECTORY": str(tmp_path / "objects"),
        }.items():
            patch.setenv(name, value)
        server = serve(sample)
    worktree = clone(f"{server.url}/jobtypes.git")
    worktree.write("jobtypes/Maya/meta.yaml", "max_batch: ten\n")

    assert "jobtypes/Maya/meta.yaml:1" in worktree.push().stderr
    assert not list(tmp_path.rglob("ran"))


def evil_hook(folder: Path) -> Path:
    """A folder with a hook that lets everything pass, and leaves a trace."""
    folder.mkdir(parents=True, exist_ok=True)
    hook = folder / "pre-receive"
    hook.write_text(f"#!/bin/sh\ntouch '{folder}/ran'\n")
    hook.chmod(0o755)
    return folder


def test_the_repositorys_own_settings_switch_no_check_off(sample, serve, clone, tmp_path):
    git(sample, "config", "core.hooksPath", str(evil_hook(tmp_path / "evil")))
    git(sample, "config", "receive.fsckObjects", "false")
    git(sample, "config", "receive.denyNonFastForwards", "false")
    server = serve(sample)
    worktree = clone(f"{server.url}/jobtypes.git")
    worktree.write("jobtypes/Maya/meta.yaml", "max_batch: ten\n")

    assert "jobtypes/Maya/meta.yaml:1" in worktree.push().stderr
    assert not (tmp_path / "evil/ran").exists()


def test_what_is_pushed_configures_nothing(farm, clone, tmp_path):
    worktree = clone(f"{farm.url}/jobtypes.git")
    evil_hook(worktree.path / "hooks")
    evil_hook(worktree.path / "jobtypes/Maya/hooks")
    config = f"[core]\n\thooksPath = {worktree.path}/hooks\n\tfsmonitor = touch {tmp_path}/ran\n"
    for name in ("config", ".gitconfig", "jobtypes/Maya/config"):
        worktree.write(name, config)
    worktree.write(".gitattributes", "*.py filter=evil diff=evil merge=evil\n")

    assert worktree.push().returncode == 0
    worktree.write("jobtypes/Maya/meta.yaml", "max_batch: ten\n")

    assert "jobtypes/Maya/meta.yaml:1" in worktree.push().stderr
    assert not list(tmp_path.rglob("ran"))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a repository to another user")
def test_a_repository_of_another_owner_is_refused_with_advice(sample):
    subprocess.run(["chown", "-R", "65534:65534", str(sample)], check=True)

    done = jobtypes("serve", "--repo", sample)

    assert done.returncode == 1
    assert "run this as its owner, or add it to Git's safe.directory" in done.stderr


def test_a_push_can_not_borrow_objects_from_elsewhere(farm, clone, tmp_path):
    other = tmp_path / "other.git"
    create_repository(other, "main", sample_path())
    secret = git(other, "hash-object", "-w", "--stdin", input=CODE).strip()
    worktree = clone(f"{farm.url}/jobtypes.git")
    # The TD's clone has the object by its alternates; the pack that is sent lacks it.
    (worktree.path / ".git/objects/info").mkdir(exist_ok=True)
    (worktree.path / ".git/objects/info/alternates").write_text(f"{other}/objects\n")
    worktree.git("update-index", "--add", "--cacheinfo", f"100644,{secret},jobtypes/Maya/extra.py")
    worktree.git("commit", "--quiet", "-m", "borrowed")
    names = worktree.git("rev-list", "--objects", "--no-object-names", "origin/main..HEAD").split()
    kept = "\n".join(name for name in names if name != secret) + "\n"
    pack = subprocess.run(
        ["git", "-C", str(worktree.path), "pack-objects", "--stdout", "-q"],
        input=kept.encode(),
        capture_output=True,
        check=True,
    ).stdout
    tip, head = (worktree.git("rev-parse", name).strip() for name in ("origin/main", "HEAD"))
    line = f"{tip} {head} refs/heads/main\0report-status\n".encode()
    packet = f"{len(line) + 4:04x}".encode() + line + b"0000"

    answer = farm.request(
        "POST",
        "/jobtypes.git/git-receive-pack",
        packet + pack,
        {"Content-Type": "application/x-git-receive-pack-request"},
    )

    assert b"ng refs/heads/main" in answer.body
    assert git(farm.repo, "rev-parse", "main").strip() == tip
    assert not (farm.repo / "objects/info/alternates").exists()


# Files beside the repository


@pytest.mark.parametrize("kind", ["symbolic", "hard"])
def test_no_file_is_written_through_a_link(sample, tmp_path, kind):
    victim = tmp_path / "victim"
    victim.write_text("precious")
    ours = sample / "jobtypes"
    jobtypes("index", "--rebuild", "--repo", sample)
    jobtypes("token", "create", "first", "--role", "read", "--repo", sample)
    files = [
        path for path in ours.iterdir() if path.is_file() and path.suffix in (".json", ".index")
    ]
    assert len(files) == 2
    tokens = (ours / "tokens.json").read_text()
    for path in files:
        path.unlink()
        if kind == "symbolic":
            path.symlink_to(victim)
        else:
            path.hardlink_to(victim)

    jobtypes("index", "--rebuild", "--repo", sample)
    (ours / "tokens.json").unlink()
    (ours / "tokens.json").write_text(tokens)
    linked = tmp_path / "tokens"
    shutil.copy(ours / "tokens.json", linked)
    (ours / "tokens.json").unlink()
    (ours / "tokens.json").hardlink_to(linked)
    jobtypes("token", "create", "second", "--role", "read", "--repo", sample)

    assert victim.read_text() == "precious"
    assert linked.read_text() == tokens


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


def test_a_look_alike_name_is_another_jobtype_and_is_warned_about(farm, clone):
    alike = "Bl\u0435nder"  # with a Cyrillic e
    assert Rest(farm)("PUT", f"/jobtypes/{quote(alike)}", body(alike)).status == 201
    worktree = clone(f"{farm.url}/jobtypes.git")

    found = json.loads(jobtypes("check", "--format", "json", str(worktree.path)).stdout)

    assert "agent-name" in {problem["rule"] for problem in found}
    assert (
        Rest(farm).json("/jobtypes/Blender")["id"]
        != Rest(farm).json("/jobtypes/Bl%D0%B5nder")["id"]
    )


def modules() -> Iterator[object]:
    for package in (api, gitstore, hooks):
        for found in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
            if not found.name.endswith("__main__"):
                yield importlib.import_module(found.name)


PATTERNS = sorted(
    {
        (value.pattern, value.flags)
        for module in modules()
        for value in vars(module).values()
        if isinstance(value, re.Pattern) and isinstance(value.pattern, str)
    }
)
SEEDS = ("a", "0", " ", "/", "-", ".", "a.", "0.", "a ", "a/", "\n", ":", "'", "%41", "a:b,", "é")

HANGS = """
import re, sys, json
pattern, flags, seeds = json.loads(sys.stdin.read())
compiled = re.compile(pattern, flags)
for seed in seeds:
    for end in ("", "!", "\\0"):
        text = seed * (20_000 // len(seed)) + end
        compiled.fullmatch(text), compiled.match(text)
        # Searching is quadratic for any pattern that may begin anywhere.
        compiled.search(text[-2000:])
"""


def test_there_are_patterns():
    assert len(PATTERNS) > 10


def test_no_pattern_takes_for_ever():
    for pattern, flags in PATTERNS:
        subprocess.run(
            [sys.executable, "-S", "-c", HANGS],
            input=json.dumps([pattern, flags, SEEDS]),
            text=True,
            check=True,
            timeout=30,
        )


# Browsers


def test_nothing_is_served_as_a_page(farm):
    script = "<script>alert(1)</script>"
    rest = Rest(farm)
    code = f'class Job:\n    """{script}"""\n'
    rest("PUT", "/jobtypes/Page", body("Page", code=code, description=script))
    rest("PUT", "/jobtypes/Page", body("Page", code=code + "#\n", description=script))
    paths = ["/", "/diff/Page/1..2", f"/{script}", "/metrics", "/health/ready", "/jobtypes.git/x"]
    paths += ["/preview/main/api/v1/jobtypes/Page", "/api/v1/changes/", "/api/v1/openapi.json"]
    paths += [f"/api/v1/jobtypes/{rest}" for rest in ("Page", "Page/versions/1/code", script)]

    for path in paths:
        answer = farm.get(path.replace("<", "%3C").replace(">", "%3E"), Accept="text/html")
        kind = answer.headers["content-type"]

        assert kind.startswith(("text/plain", "text/x-", "application/")), (path, kind)
        assert "html" not in kind
        assert "xml" not in kind
        assert answer.headers["x-content-type-options"] == "nosniff"
