"""Git's own hooks, put in place by ``jobtypes hooks install``; and the one for pre-commit."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.support.branches import jobtype, write_jobtype
from tests.support.forms import forms
from tests.support.git import Worktree, git
from tests.support.installing import hooks_in, install


def said(result: subprocess.CompletedProcess[str]) -> str:
    """What a push said, on one line: the clone's hook on one stream, the other's on the other."""
    return " ".join((result.stdout + result.stderr).replace("remote: ", "").split())


@pytest.fixture
def receiving(empty, worktree) -> Path:
    """A bare repository with our hooks, which has a jobtype."""
    write_jobtype(worktree, "First")
    assert worktree.push().returncode == 0
    done = install(empty)
    assert done.returncode == 0, done.stderr
    return empty


@pytest.fixture
def pushing(empty, worktree) -> Worktree:
    """A clone with our hook, of a repository without one, which has a jobtype."""
    write_jobtype(worktree, "First")
    assert worktree.push().returncode == 0
    done = install(worktree.path)
    assert done.returncode == 0, done.stderr
    worktree.git("fetch", "--quiet")
    return worktree


# A bare repository


def test_installing_says_what_is_where_and_for_which_branch(empty):
    done = install(empty)

    assert done.returncode == 0
    folder = empty / "hooks"
    assert done.stdout == f"installed pre-receive, post-receive in {folder}, for refs/heads/main\n"
    assert hooks_in(folder) == ["post-receive", "pre-receive"]
    assert all(os.access(folder / name, os.X_OK) for name in hooks_in(folder))


def test_a_bad_push_by_path_is_refused_with_its_line(receiving, worktree):
    before = git(receiving, "for-each-ref")
    write_jobtype(worktree, "First", meta="max_batch: ten\n")

    result = worktree.push()

    assert result.returncode != 0
    assert "jobtypes/First/meta.yaml:2: max_batch" in said(result)
    assert "Refused: 1 error." in said(result)
    assert git(receiving, "for-each-ref") == before
    assert not list((receiving / "objects").glob("tmp_objdir-*"))


def test_a_good_push_by_path_says_what_it_makes_and_publishes_tags(receiving, worktree):
    write_jobtype(worktree, "First", code="    new = True\n")
    write_jobtype(worktree, "Second")

    result = worktree.push()

    assert result.returncode == 0, result.stderr
    assert "First: version 2 (was 1)" in said(result)
    assert "Second: new jobtype, version 1" in said(result)
    assert "/diff/" not in result.stderr
    tags = git(receiving, "tag", "--list").split()
    assert set(tags) >= {"First/v1", "First/v2", "Second/v1"}


def test_a_forced_push_by_path_is_refused_with_the_way_out(receiving, worktree):
    worktree.git("commit", "--quiet", "--amend", "-m", "other")

    result = worktree.push("--force", "origin", "HEAD:main")

    assert "would take published steps off main" in said(result)
    assert "git pull --rebase" in said(result)


def test_who_pushes_by_path_pushes_past_warnings_and_sees_them(receiving, worktree):
    for path, content in jobtype("Blender").items():
        worktree.write(path, content)
    worktree.write("jobtypes/Blender/code.py", "class Blender:\n    name = 'é'\n")
    worktree.write("jobtypes/Blender/meta.yaml", "classname: Blender\n")

    result = worktree.push()

    assert result.returncode == 0, result.stderr
    assert "warning: jobtypes/Blender/code.py:2: " in said(result)


def test_tags_pushed_by_path_are_refused_in_one_line_but_for_those_that_are_there(
    receiving, worktree
):
    write_jobtype(worktree, "First", code="    new = True\n")
    assert worktree.push().returncode == 0
    before = git(receiving, "for-each-ref", "refs/tags")
    worktree.git("fetch", "--quiet", "--tags")
    write_jobtype(worktree, "First", code="    new = 2\n")
    assert worktree.push("--follow-tags", "origin", "HEAD:main").returncode == 0

    for name in ("mine", "other"):
        worktree.git("tag", "-m", name, name)
    result = worktree.push("--tags", "origin", "HEAD:main")

    assert result.returncode != 0
    assert "2 tags not taken: the service makes them. Push without them:" in said(result)
    assert git(receiving, "for-each-ref", "refs/tags").startswith(before)
    assert git(receiving, "tag", "--list", "mine", "other") == ""


@pytest.fixture
def many(worktree) -> Worktree:
    """A clone with a commit of 3,000 jobtypes that are not pushed."""
    write_jobtype(worktree, "First")
    worktree.commit()
    tree = worktree.git("rev-parse", "HEAD:jobtypes/First").strip()
    rows = "".join(f"M 040000 {tree} jobtypes/Many{n}\n" for n in range(3000))
    head = "commit refs/heads/many\ncommitter TD <td@studio.example> 1 +0000\ndata 1\nx\n"
    worktree.git("fast-import", "--quiet", input=f"{head}from refs/heads/main^0\n{rows}")
    return worktree


@pytest.mark.parametrize(
    ("branch", "says"),
    [
        ("main", "Refused: the push changes 3000 jobtypes; 2000 is the limit. Push it in parts."),
        ("mine", "jobtypes: the change changes 3000 jobtypes; 2000 is the limit. Bring it in par"),
    ],
)
def test_more_jobtypes_than_a_push_may_change_are_counted_and_not_checked(
    receiving, many, branch, says
):
    command = ["git", "-C", str(many.path), "push", "origin", f"many:refs/heads/{branch}"]

    # Checked, they would take minutes.
    result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)

    assert says in said(result)


def test_a_dry_run_by_path_works_as_the_docs_set_it_up(receiving, worktree):
    git(receiving, "config", "receive.advertisePushOptions", "true")
    write_jobtype(worktree, "Second")

    result = worktree.push("-o", "dry-run", "origin", "HEAD:main")

    assert "Second: new jobtype, version 1" in said(result)
    assert "Dry run: nothing was taken" in said(result)
    assert git(receiving, "tag", "--list", "Second/*") == ""


@pytest.mark.parametrize(
    ("options", "code"),
    forms(
        {
            "syntax": (("--code-checks", "syntax"), b"x = 1\n"),
            "off": (("--code-checks", "off"), b"class Job(:\n"),
            "ignore": (("--ignore", "agent-ascii"), "class Job:\n    name = 'é'\n".encode()),
        },
        1,
    ),
)
def test_the_checks_are_those_that_it_was_installed_with(empty, worktree, options, code):
    write_jobtype(worktree, "First")
    worktree.write("jobtypes/First/code.py", code)
    assert install(empty).returncode == 0
    assert "jobtypes/First/code.py" in worktree.push("origin", "HEAD:refs/heads/try").stderr

    assert install(empty, *options).returncode == 0

    result = worktree.push()
    assert result.returncode == 0, result.stderr
    assert "jobtypes/First/code.py" not in result.stderr


def test_the_branch_that_it_was_installed_for_is_the_one_that_is_checked(empty, worktree):
    assert "for refs/heads/farm" in install(empty, "--branch", "farm").stdout
    write_jobtype(worktree, "First", meta="max_batch: ten\n")

    assert worktree.push("origin", "HEAD:main").returncode == 0
    refused = worktree.push("origin", "HEAD:farm")

    assert refused.returncode != 0
    assert "jobtypes/First/meta.yaml:2: max_batch" in said(refused)


# A clone


def test_a_clone_gets_a_hook_of_its_own_kind(pushing):
    assert hooks_in(pushing.path / ".git" / "hooks") == ["pre-push"]


def test_a_bad_change_does_not_leave_the_clone(empty, pushing):
    before = git(empty, "for-each-ref")
    write_jobtype(pushing, "First", meta="max_batch: ten\n")

    result = pushing.push()

    assert result.returncode != 0
    assert "jobtypes/First/meta.yaml:2: max_batch" in said(result)
    assert "Not pushed. Fix, commit, and push again" in said(result)
    assert git(empty, "for-each-ref") == before


def test_a_good_change_leaves_the_clone_and_the_advice_to_skip_the_check_is_true(empty, pushing):
    write_jobtype(pushing, "First", code="    new = True\n")
    assert pushing.push().returncode == 0

    write_jobtype(pushing, "First", meta="max_batch: ten\n")
    assert pushing.push("--no-verify", "origin", "HEAD:main").returncode == 0
    assert "max_batch" in git(empty, "show", "main:jobtypes/First/meta.yaml")


def test_a_clone_pushes_its_own_branches_unchecked(pushing):
    write_jobtype(pushing, "First", meta="max_batch: ten\n")

    assert pushing.push("origin", "HEAD:refs/heads/mine").returncode == 0
    assert pushing.push("origin", "--delete", "mine").returncode == 0


def test_the_first_push_of_all_is_checked_too(worktree):
    assert install(worktree.path).returncode == 0
    write_jobtype(worktree, "First", meta="max_batch: ten\n")

    result = worktree.push()

    assert result.returncode != 0
    assert "jobtypes/First/meta.yaml:2: max_batch" in said(result)


def test_a_linked_working_copy_is_checked_by_the_hook_that_it_installed(pushing, tmp_path):
    (pushing.path / ".git" / "hooks" / "pre-push").unlink()
    pushing.git("worktree", "add", "--quiet", "-b", "side", str(tmp_path / "linked"))
    linked = Worktree(tmp_path / "linked")

    done = install(linked.path, "--branch", "main")

    assert done.returncode == 0, done.stderr
    write_jobtype(linked, "First", meta="max_batch: ten\n")
    assert "Not pushed" in said(linked.push())


def test_where_git_uses_another_folder_for_hooks_ours_goes_there(pushing):
    (pushing.path / ".git" / "hooks" / "pre-push").unlink()
    pushing.git("config", "core.hooksPath", ".githooks")

    done = install(pushing.path)

    assert done.returncode == 0, done.stderr
    write_jobtype(pushing, "First", meta="max_batch: ten\n")
    pushing.git("add", "jobtypes")
    pushing.git("commit", "--quiet", "-m", "bad")
    assert "Not pushed" in said(pushing.push())


def test_a_folder_of_hooks_that_other_repositories_share_is_left_alone(pushing, isolated):
    shared = isolated / "hooks"
    pushing.git("config", "--global", "core.hooksPath", str(shared))

    done = install(pushing.path)

    assert (done.returncode, done.stdout) == (1, "")
    assert f"Git takes hooks from {shared} (core.hooksPath)" in done.stderr
    assert not shared.exists()
    pushing.git(*done.stderr.strip().rsplit("git ", 1)[1].split())
    assert install(pushing.path).returncode == 0
    write_jobtype(pushing, "First", meta="max_batch: ten\n")
    assert "Not pushed" in said(pushing.push())


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--ignore", "code-syntax"), "code-syntax can't be ignored"),
        (("--ignore", "nothing"), "there is no rule nothing"),
        (("--code-checks", "lax"), "'lax' is not one of"),
    ],
)
def test_checks_that_do_not_exist_install_nothing(empty, options, says):
    before = hooks_in(empty / "hooks") if (empty / "hooks").exists() else []

    done = install(empty, *options)

    assert done.returncode != 0
    assert says in done.stderr
    assert (hooks_in(empty / "hooks") if (empty / "hooks").exists() else []) == before


def test_a_folder_that_is_no_repository_is_refused(tmp_path):
    done = install(tmp_path)

    assert done.returncode == 1
    assert f"{tmp_path} can't be opened as a Git repository" in done.stderr


def test_a_mistake_of_ours_is_said_in_a_line_and_written_down(receiving, worktree):
    hook = receiving / "hooks" / "pre-receive"
    lines = [line for line in hook.read_text().splitlines() if "JOBTYPES_HOOK" not in line]
    lines.insert(2, "export JOBTYPES_HOOK='{}'")
    hook.write_text("\n".join(lines) + "\n")
    write_jobtype(worktree, "Second")

    result = worktree.push()

    assert result.returncode != 0
    assert "The service made a mistake; jobtypes/hooks.log in its repository says more" in said(
        result
    )
    assert "Traceback" not in result.stderr
    assert "KeyError" in (receiving / "jobtypes" / "hooks.log").read_text()


def test_a_mistake_of_the_check_in_a_clone_leaves_the_working_copy_alone(pushing):
    hook = pushing.path / ".git" / "hooks" / "pre-push"
    hook.write_text(re.sub("HOOK=.*", "HOOK='{}'", hook.read_text()))
    write_jobtype(pushing, "Second")

    result = pushing.push()

    assert result.returncode != 0
    assert "The check made a mistake; " in said(result)
    assert "jobtypes/hooks.log says more. Push without it: git push --no-verify" in said(result)
    assert "KeyError" in (pushing.path / ".git" / "jobtypes" / "hooks.log").read_text()
    assert pushing.git("status", "--porcelain") == ""
