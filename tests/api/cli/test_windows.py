"""The commands of TDs, with all hidden that Windows lacks."""

from __future__ import annotations

import json
import subprocess
import sys

import click
import pytest

from tests.support.commands import commands
from tests.support.git import git
from tests.support.master import Master, sqlite_url
from tests.support.windows import HIDE

RUN = """
from api.cli.main import main
for command in json.loads(sys.argv[1]):
    try:
        status = main(command, prog_name="jobtypes")
    except SystemExit as ended:
        status = ended.code
    print("ended with", status, "of", *command, flush=True)
"""

READING = (
    "--version",
    "init {new} --sample",
    "check {clone}",
    "check {clone} --staged",
    "check {served}",
    "list --repo {clone}",
    "log Nuke --repo {clone}",
    "show Nuke --repo {clone}",
    "run Command --frames 1 --data command=ls --repo {clone}",
    "diff Nuke 1 2 --repo {clone}",
    "test Command --repo {clone}",
    "new Karma --repo {clone}",
    "schema meta",
    "completion zsh",
    "changes list --repo {served}",
    "changes show topic --repo {served}",
    "summary main origin/topic --repo {clone}",
    "hooks install --repo {clone}",
    "index --repo {served} --rebuild",
    "whose Nuke_Nuke_v1.py:1 --repo {clone}",
    "token list --repo {served}",
    "import {master} --into {imported}",
    "compare {master} --repo {imported}",
    "mirror {master} --repo {imported}",
    "list --url {url}",
    "changes show topic --url {url}",
    "withdraw Nuke 1 --reason why --url {url}",
    "restore Nuke 1 --url {url}",
)
"""What reads, or writes at a service."""

WRITING = (
    "changes merge topic --repo {served}",
    "changes comment topic -m Why --repo {served}",
    "rollback Nuke 1 --reason why --repo {served}",
    "withdraw Nuke 1 --reason why --repo {served}",
    "restore Nuke 1 --repo {served}",
    "changes approve topic --commit {commit} --repo {served}",
    "token create bob --role write --repo {served}",
    "token rotate bob --repo {served}",
    "token revoke bob --repo {served}",
    "token off --repo {served}",
    "serve --repo {served}",
)
"""What writes into a served repository."""


def python(program, *args, cwd=None, input=None):
    return subprocess.run(
        [sys.executable, "-c", HIDE + program, *args],
        cwd=cwd,
        input=input,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def places(sample, clone, tmp_path):
    worktree = clone(sample)
    worktree.write("jobtypes/Nuke/code.py", "class Nuke:\n" + "    number = 1\n" * 2000)
    worktree.push()
    worktree.write("jobtypes/Nuke/code.py", "class Nuke:\n    pass\n")
    worktree.push("origin", "HEAD:topic")
    git(worktree.path, "reset", "-q", "--hard", "HEAD~1")
    return {
        "served": sample,
        "clone": worktree.path,
        "commit": git(sample, "rev-parse", "topic").strip(),
        "new": tmp_path / "new.git",
        "imported": tmp_path / "imported.git",
        "master": sqlite_url(tmp_path / "master.db"),
    }


def run(lines, places):
    words = [[word.format(**places) for word in line.split()] for line in lines]
    return python(RUN, json.dumps(words))


def test_every_command_is_tried_here():
    tried = [line.split() for line in (*READING, *WRITING)]
    wanted = [
        list(words) for words, command in commands().items() if not isinstance(command, click.Group)
    ]

    assert ["changes", "list"] in wanted
    assert [words for words in wanted if not any(t[: len(words)] == words for t in tried)] == []


def test_what_reads_runs_without_what_windows_lacks(places, serve):
    Master(places["master"]).jobtype("Blender", "class Job:\n    pass\n")
    url = serve(places["served"]).url

    done = run(READING, {**places, "url": url})

    assert "Traceback" not in done.stderr, done.stderr
    ends = [line for line in done.stdout.splitlines() if line.startswith("ended")]
    assert [line for line in ends if not line.startswith("ended with 0")] == [], done.stderr
    assert len(ends) == len(READING), done.stderr
    assert "Nuke: version 3 (was 2)" in done.stdout
    assert git(places["new"], "fsck", "--strict") == ""


def test_what_writes_says_where_it_runs(places, monkeypatch):
    monkeypatch.setenv("GIT_AUTHOR_NAME", "Bo")  # Who pushed a change can't approve it.

    done = run(WRITING, places)

    assert "Traceback" not in done.stderr, done.stderr
    assert done.stdout.count("ended with") == len(WRITING)
    assert "ended with 0" not in done.stdout
    assert done.stderr.count("Linux and macOS") == len(WRITING), done.stderr


def test_the_hook_of_a_clone_runs_without_it_too(places):
    path = places["clone"]
    (path / "jobtypes" / "Nuke" / "meta.yaml").write_text("nothing: good\n")
    git(path, "commit", "-qam", "bad")
    new, old = git(path, "rev-parse", "HEAD", "HEAD~1").split()
    program = (
        "import runpy; sys.argv[1:] = ['pre-push']; runpy.run_module('hooks', run_name='__main__')"
    )

    done = python(program, cwd=path, input=f"refs/heads/main {new} refs/heads/main {old}\n")

    assert "Traceback" not in done.stderr, done.stderr
    assert done.returncode == 1, done.stderr
    assert "jobtypes/Nuke/meta.yaml:1" in done.stdout
