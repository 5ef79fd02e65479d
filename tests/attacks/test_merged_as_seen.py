"""What is merged is what was looked at, though the branch is pushed over meanwhile."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from flask.testing import FlaskClient

from api.app import create_app
from api.config import Config
from gitstore.branch.reviews import Reviews
from gitstore.branch.store import Store
from gitstore.branch.writing import Writer
from gitstore.errors import Moved
from tests.support.branches import Branch, jobtype
from tests.support.commands import jobtypes
from tests.support.git import git
from tests.support.waiting import wait_for

CHANGE = "/api/v1/changes/fix"
MERGE = f"{CHANGE}/merge"
GOOD = jobtype("Blender", "    good = 1\n")
EVIL = jobtype("Blender", "    evil = 1\n")


@pytest.fixture
def farm(branch) -> Branch:
    branch.commit(jobtype("Blender"))
    return branch


@pytest.fixture
def seen(farm) -> str:
    """The commit that the reviewer looked at."""
    return push(farm, GOOD, "good\n")


@pytest.fixture(params=[False, True], ids=["open", "protected"])
def client(request, farm) -> FlaskClient:
    return create_app(Config(farm.path, protect=request.param)).test_client()


@pytest.fixture
def protected(farm) -> FlaskClient:
    return create_app(Config(farm.path, protect=True)).test_client()


def push(farm: Branch, files: dict[str, object], message: str, onto: str | None = None) -> str:
    commit = farm.side(files, message, onto)  # type: ignore[arg-type]
    git(farm.path, "update-ref", "refs/heads/fix", commit)
    return commit


def served(farm: Branch) -> str:
    return git(farm.path, "rev-parse", "main").strip()


def refused(answer: object, status: int = 409) -> str:
    assert answer.status_code == status, answer.data  # type: ignore[attr-defined]
    said: str = answer.json["error"]  # type: ignore[attr-defined]
    return said


def test_a_branch_that_was_pushed_over_is_not_merged_and_what_moved_is_said(farm, seen, client):
    tag = client.get(CHANGE).headers["ETag"]
    evil = push(farm, EVIL, "good, as before\n")
    before = served(farm)

    by_commit = refused(client.post(MERGE, json={"commit": seen}))
    by_tag = refused(client.post(MERGE, json={}, headers={"If-Match": tag}))
    by_both = client.post(MERGE, json={"commit": evil}, headers={"If-Match": tag})

    assert f"the branch fix moved: look again. You looked at {seen}; it is at {evil}" in by_commit
    assert "1 commit that is new to you, and what you saw is not in it" in by_commit
    assert "look again" in by_tag
    assert evil in by_tag
    for said in (by_commit, by_tag):
        assert "good, as before" in said
    refused(by_both)
    assert served(farm) == before


def test_a_branch_that_went_on_is_not_merged_and_its_commits_are_counted(farm, seen, client):
    last = seen
    for n in range(7):
        last = push(farm, {"notes.txt": f"{n}\n"}, f"note {n}\n", onto=last)

    said = refused(client.post(MERGE, json={"commit": seen}))

    assert "7 commits that are new to you: note 6; note 5; note 4; note 3; note 2" in said
    assert "not in it" not in said
    assert "note 1" not in said


def test_what_moved_commands_no_terminal_and_has_an_end(farm, seen):
    push(farm, EVIL, "\x1b[2J\u202e" + "x" * 10_000)

    done = jobtypes("changes", "merge", "fix", "--commit", seen, "--repo", farm.path)

    assert done.returncode == 1
    assert done.stderr.isascii()
    assert "\x1b" not in done.stderr
    assert len(done.stderr) < 1000


@pytest.mark.parametrize("kind", ["unknown", "blob", "main"])
def test_what_was_never_on_the_branch_is_409(farm, seen, client, kind):
    blob = git(farm.path, "rev-parse", f"{seen}:jobtypes/Blender/code.py").strip()
    other = {"unknown": "0123456789" * 4, "blob": blob, "main": served(farm)}[kind]

    refused(client.post(MERGE, json={"commit": other}))


@pytest.mark.parametrize("commit", ["", "fix", "HEAD", "abcdef0", "A" * 40, "a" * 41, 7])
def test_only_a_whole_id_says_what_was_seen(farm, seen, client, commit):
    refused(client.post(MERGE, json={"commit": commit}), 400)
    done = jobtypes("changes", "merge", "fix", f"--commit={commit}", "--repo", farm.path)
    assert done.returncode == 2

    assert "fix" in git(farm.path, "branch", "--no-merged", "main")


@pytest.mark.parametrize("weak", [False, True])
def test_what_was_seen_is_merged(farm, seen, client, weak):
    by_tag = client.get(CHANGE).headers["ETag"]
    tag = f"W/{by_tag}" if weak else by_tag

    merged = client.post(MERGE, json={"commit": seen}, headers={"If-Match": tag})

    assert merged.status_code == 200
    assert git(farm.path, "rev-parse", "main^2").strip() == seen


def test_the_tag_alone_is_enough(farm, seen, protected):
    tag = protected.get(CHANGE).headers["ETag"]

    assert protected.post(MERGE, json={}, headers={"If-Match": tag}).status_code == 200
    assert git(farm.path, "rev-parse", "main^2").strip() == seen


@pytest.mark.parametrize("headers", [{}, {"If-Match": "*"}], ids=["none", "any"])
def test_on_a_protected_branch_a_merge_says_what_was_seen(farm, seen, protected, headers):
    before = served(farm)

    for sent in ({}, {"delete_branch": True}, {"commit": None}):
        said = refused(protected.post(MERGE, json=sent, headers=headers), 428)
        assert "commit" in said
        assert "If-Match" in said
    assert served(farm) == before


def test_without_protection_a_merge_need_not_say_what_was_seen(farm, seen):
    client = create_app(Config(farm.path)).test_client()

    assert client.post(MERGE, json={}).status_code == 200


@pytest.mark.parametrize("delete", [False, True])
def test_a_repeated_click_gives_the_same_answer(farm, seen, client, delete):
    click = {"commit": seen, "delete_branch": delete}

    first = client.post(MERGE, json=click).json

    assert first["deleted"] is delete
    assert client.post(MERGE, json=click).json == first
    push(farm, EVIL, "another\n")
    refused(client.post(MERGE, json=click))


def test_a_branch_that_was_merged_and_deleted_was_not_merged_as_another(farm, seen, client):
    client.post(MERGE, json={"commit": seen, "delete_branch": True})

    said = refused(client.post(MERGE, json={"commit": "0123456789" * 4}))

    assert "was merged in" in said
    assert seen in said


def test_a_branch_that_is_pushed_over_while_a_merge_waits_for_its_turn_is_not_merged(farm, seen):
    store = Store(farm.path)
    reviews = Reviews(store)
    before = served(farm)
    entered, go_on = threading.Event(), threading.Event()

    def hold() -> bool:
        entered.set()
        return go_on.wait(120)

    with ThreadPoolExecutor(2) as pool:
        holder = pool.submit(store.writing.land, hold)
        assert entered.wait(120)
        merge = pool.submit(reviews.merge, "fix", Writer(), False, seen)
        wait_for(merge.running, "the merge to begin")
        push(farm, EVIL, "evil\n")
        go_on.set()
        assert holder.result()
        with pytest.raises(Moved, match="look again"):
            merge.result()

    assert served(farm) == before


def test_a_branch_that_is_pushed_over_between_two_attempts_is_not_merged(farm, seen):
    store = Store(farm.path)
    attempts = iter(range(10))

    def lose_once(old: str | None, new: str) -> None:
        """What upstream is to a service, when somebody was faster there."""
        if next(attempts) == 0:
            farm.commit({"notes.txt": "faster\n"})
            push(farm, EVIL, "evil\n", onto=seen)
            raise Moved("upstream's main was moved by somebody else")

    store.writing.outlet = lose_once
    with pytest.raises(Moved, match="look again"):
        Reviews(store).merge("fix", Writer(), False, seen)

    assert served(farm) == farm.tip


def test_the_command_line_merges_what_it_showed(farm, seen):
    shown = jobtypes("changes", "show", "fix", "--repo", farm.path).stdout
    words = f"changes merge fix --commit {seen} --repo {farm.path}"
    line = f"merge what is shown here:  jobtypes {words}\n"
    assert line in shown
    push(farm, EVIL, "evil\n")

    command = line.split(":  jobtypes ")[1].split()
    refusal = jobtypes(*command)
    assert refusal.returncode == 1
    assert "the branch fix moved: look again" in refusal.stderr

    git(farm.path, "update-ref", "refs/heads/fix", seen)
    assert jobtypes(*command).returncode == 0
    assert git(farm.path, "rev-parse", "main^2").strip() == seen
    assert jobtypes(*command).returncode == 0


def test_the_page_says_which_commit_it_shows(seen, client):
    text = client.get("/changes/fix").text
    assert f'at <code class="id" title="{seen}">{seen[:10]}</code>' in text
    assert f'name="commit" value="{seen}"' in text


def test_the_command_that_is_shown_runs_nothing_of_the_branchs_name(farm, seen):
    name = "a;touch$IFS(x)`id`'"
    git(farm.path, "update-ref", f"refs/heads/{name}", seen)

    shown = jobtypes("changes", "show", name, "--repo", farm.path).stdout

    assert """merge 'a;touch$IFS(x)`id`'"'"'' --commit""" in shown
