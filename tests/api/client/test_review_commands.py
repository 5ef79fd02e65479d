"""Merging, comments and approvals from the command line: at a service, and in its repository."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gitstore.git.commits import Signature
from gitstore.git.repository import Repository
from tests.support.asked import REVIEWED, Farm
from tests.support.commands import jobtypes
from tests.support.git import git

CODE = f"jobtypes/{REVIEWED}/code.py"
BY = Signature("Ada", "ada@x")


def propose(farm: Farm, branch: str, code: str = "class Job:\n    y = 1\n") -> str:
    """The commit of a new change on *branch*."""
    repository = Repository(farm.server.repo)
    parent = repository.tip("refs/heads/main")
    tree = repository.write_tree(repository.commit(parent).tree, {CODE: code.encode()})
    commit = repository.write_commit(tree, (parent,), "A change\n", BY, BY)
    repository.move(f"refs/heads/{branch}", None, commit, BY, "push")
    return commit


@pytest.fixture(params=["service", "repository"])
def asked(request, farm) -> tuple[list[object], dict[str, str]]:
    """Where a command asks, and the variables of the person who does: Wes."""
    if request.param == "service":
        return ["--url", farm.url], farm.token("wes")
    who = {"GIT_AUTHOR_NAME": "wes", "GIT_AUTHOR_EMAIL": "wes@studio.example"}
    return ["--repo", farm.server.repo], who


def test_a_comment_stands_where_it_was_made(farm, asked):
    where, who = asked
    branch = f"talk-{where[0][2:]}"
    tip = propose(farm, branch)

    done = jobtypes("changes", "comment", branch, "-m", "Why?\nSay", *where, env=who)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"comment 1 on {branch} at {tip[:10]}\n"
    words = ("-m", "Here", "--path", CODE, "--line", 2, "--commit", tip)
    done = jobtypes("changes", "comment", branch, *words, *where, env=who)
    assert done.stdout == f"comment 2 on {branch} at {tip[:10]} {CODE}:2\n"

    shown = jobtypes("changes", "show", branch, "--format", "json", "--url", farm.url)
    comments = json.loads(shown.stdout)["comments"]
    assert [(c["author"], c["email"], c["text"], c["line"]) for c in comments] == [
        ("wes", "wes@studio.example", "Why?\nSay", None),
        ("wes", "wes@studio.example", "Here", 2),
    ]


def test_the_command_that_merges_names_the_service_without_its_password(farm):
    propose(farm, "named")
    words = ["changes", "show", "named"]
    secret = farm.url.replace("//", "//ada:jtr_secret@")

    typed = jobtypes(*words, "--url", f"{secret}/api/v1").stdout
    variable = jobtypes(*words, env={"JOBTYPES_URL": farm.url}).stdout

    assert typed.splitlines()[0].endswith(f" --url {farm.url}")
    assert "jtr_secret" not in typed
    assert "--url" not in variable.splitlines()[0]


REFUSED = {
    "nothing to say": (["comment", "{0}", "-m", " "], "the comment is empty"),
    "no text": (["comment", "{0}", "-m", "x\udcff"], "no text"),
    "two lines of a subject": (["merge", "{0}", "-m", "a\nb"], "holds a control character"),
    "no such line": (["comment", "{0}", "-m", "x", "--path", CODE, "--line", "9"], "no line 9"),
    "a line of no file": (["comment", "{0}", "-m", "x", "--line", "1"], "needs the path"),
    "no such file": (["comment", "{0}", "-m", "x", "--path", "y"], "no file y"),
    "no such change": (["comment", "{0}x", "-m", "x"], "did you mean {0}?"),
    "another commit": (["comment", "{0}", "-m", "x", "--commit", "1" * 40], "1" * 40),
    "approval of another commit": (["approve", "{0}", "--commit", "1" * 40], "1" * 40),
    "merge of another commit": (["merge", "{0}", "--commit", "1" * 40], "1" * 40),
}


@pytest.fixture(scope="module")
def refused_change(farm) -> str:
    """A change that stays as it is."""
    propose(farm, "stays")
    return "stays"


@pytest.mark.parametrize(("command", "words"), REFUSED.values(), ids=REFUSED)
def test_what_can_not_be_said_is_refused_with_a_sentence(asked, refused_change, command, words):
    where, who = asked
    filled = [word.replace("{0}", refused_change) for word in command]

    done = jobtypes("changes", *filled, *where, env=who)

    assert (done.returncode, done.stdout) == (1, ""), done.stderr
    assert words.format(refused_change) in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_an_approval_counts(farm, asked):
    where, who = asked
    branch = f"good-{where[0][2:]}"
    tip = propose(farm, branch)

    done = jobtypes("changes", "approve", branch, "--commit", tip, *where, env=who)

    assert (done.returncode, done.stdout) == (0, f"approved {branch} at {tip[:10]}\n")
    shown = jobtypes("changes", "show", branch, "--repo", farm.server.repo).stdout
    assert "approved by wes, " in shown


def test_a_merge_is_made_once(farm, asked):
    where, who = asked
    branch = f"merged-{where[0][2:]}"
    tip = propose(farm, branch, f"class Job:\n    z = {branch!r}\n")
    words = ("changes", "merge", branch, "--commit", tip, "--delete-branch", "-m", "Für alle")

    done = jobtypes(*words, *where, env=who)
    again = jobtypes(*words, *where, env=who)

    assert (done.returncode, done.stderr) == (0, "")
    assert again.stdout == done.stdout
    made = git(farm.server.repo, "log", "-1", "--format=%h %s", "--abbrev=10", "main").split(" ", 1)
    assert done.stdout == f"merged {branch} in {made[0]}\n"
    assert made[1] == "Für alle\n"


def test_a_merge_without_a_commit_takes_what_is_there(farm, asked):
    where, who = asked
    branch = f"tip-{where[0][2:]}"
    propose(farm, branch, f"class Job:\n    z = {branch!r}\n")

    done = jobtypes("changes", "merge", branch, *where, env=who)

    assert done.stdout.startswith(f"merged {branch} in ")


def test_a_reader_may_not_write(farm):
    tip = propose(farm, "readers")
    for words in (["comment", "readers", "-m", "x"], ["approve", "readers", "--commit", tip]):
        done = jobtypes("changes", *words, "--url", farm.url, env=farm.token("ann"))

        assert done.returncode == 1
        assert "role write" in done.stderr
    done = jobtypes("changes", "merge", "readers", "--url", farm.url)
    assert "writing needs a token; set JOBTYPES_TOKEN" in done.stderr


def test_a_faulty_change_is_not_merged(farm, asked):
    where, who = asked
    branch = f"bad-{where[0][2:]}"
    propose(farm, branch, "class Job:\n    z =\n")

    done = jobtypes("changes", "merge", branch, *where, env=who)

    assert done.returncode == 1
    assert f"{CODE}:2: " in done.stderr


def test_settings_of_the_service_are_no_options_of_a_remote_merge(farm):
    for words in (["--require-approvals", "1"], ["--code-checks", "off"]):
        done = jobtypes("changes", "merge", "x", *words, "--url", farm.url)

        assert done.returncode == 2
        assert "a service has its own settings" in done.stderr
    variables = {"JOBTYPES_REQUIRE_APPROVALS": "1", **farm.token("wes")}
    done = jobtypes("changes", "merge", "x", "--url", farm.url, env=variables)
    assert "no change on a branch x" in done.stderr


def test_a_service_that_asks_for_the_commit_and_approvals(farm, serve):
    other = serve(farm.server.repo, "--workers", "1", "--protect", "--require-approvals", "1")
    tip = propose(farm, "approved")
    words = ("changes", "merge", "approved", "--url", other.url)

    done = jobtypes(*words, env=farm.token("wes"))
    assert done.returncode == 1
    assert "has 0 of 1 approvals" in done.stderr
    approve = ("changes", "approve", "approved", "--commit", tip, "--url", other.url)
    assert jobtypes(*approve, env=farm.token("wes")).returncode == 0
    assert jobtypes(*words, env=farm.token("wes")).returncode == 0


def test_a_short_commit_is_a_wrong_option(farm):
    for words in (["approve", "x"], ["merge", "x"], ["comment", "x", "-m", "x"]):
        done = jobtypes("changes", *words, "--commit", "abc", "--url", farm.url)

        assert (done.returncode, "no whole commit id" in done.stderr) == (2, True)


def test_a_clone_has_no_changes_to_talk_about(farm, clone):
    worktree = clone(farm.server.repo)

    for words in (["comment", "x", "-m", "x"], ["merge", "x"]):
        done = jobtypes("changes", *words, "--repo", worktree.path)

        assert done.returncode == 1
        assert "is a clone" in done.stderr


def test_in_a_clone_of_a_service_the_service_merges(farm, clone, kept, monkeypatch):
    farm.keep("wes", kept)
    worktree = clone(f"{farm.url}/jobtypes.git")
    monkeypatch.chdir(Path(worktree.path))
    propose(farm, "from-a-clone", "class Job:\n    z = 'clone'\n")

    done = jobtypes("changes", "merge", "from-a-clone")

    assert done.returncode == 0
    assert done.stdout.startswith("merged from-a-clone in ")
