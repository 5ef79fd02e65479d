"""Repositories that lack a part of their history, or in which somebody works."""

from __future__ import annotations

import json

import pytest

from gitstore.branch.store import Store
from gitstore.branch.upstream import Upstream, open_follower
from gitstore.errors import NotWhole, Refused
from gitstore.git.command import run_git
from gitstore.git.commits import Signature
from gitstore.git.repository import Repository
from tests.support.commands import jobtypes
from tests.support.git import git

TD = Signature("Test TD", "td@studio.example")


@pytest.fixture
def farm(sample, clone):
    """A repository in which Blender has three versions."""
    worktree = clone(sample)
    for number in (2, 3):
        worktree.write("jobtypes/Blender/code.py", f"class Blender:\n    made = {number}\n")
        worktree.commit(f"Blender: {number}\n")
    assert worktree.push("-q", "origin", "HEAD:main").returncode == 0
    git(sample, "config", "uploadpack.allowFilter", "true")
    return sample


@pytest.fixture
def copy(farm, tmp_path):
    """Makes copies of the farm: ``copy("--bare", "--depth", "1")``."""

    def make(*options, source=None):
        path = tmp_path / f"copy{len(list(tmp_path.glob('copy*')))}"
        git(tmp_path, "clone", "-q", *options, f"file://{source or farm}", str(path))
        return path

    return make


def graft(path):
    (path / "info" / "grafts").write_text(f"{git(path, 'rev-parse', 'main')}")
    return path


LACKING = [
    (("--depth", "1"), "git fetch --unshallow"),
    (("--depth", "2"), "git fetch --unshallow"),
    (("--filter", "blob:none"), "without --filter"),
    (("--filter", "tree:0"), "without --filter"),
]


@pytest.mark.parametrize(("options", "advice"), LACKING)
def test_a_copy_without_its_whole_history_has_no_numbers(copy, options, advice):
    path = copy("--bare", *options)
    for command in ("serve", "list", "log Blender", "show Blender", "index"):
        done = jobtypes(*command.split(), "--repo", path)
        assert done.returncode == 1
        assert advice in done.stderr
        assert done.stdout == ""


def test_so_has_one_of_the_older_form_and_one_with_grafts(copy):
    older, grafted = copy("--bare"), graft(copy("--bare"))
    git(older, "config", "core.repositoryFormatVersion", "1")
    git(older, "config", "extensions.partialClone", "origin")
    for path, advice in ((older, "without --filter"), (grafted, "info/grafts")):
        done = jobtypes("serve", "--repo", path)
        assert done.returncode == 1
        assert advice in done.stderr


def test_a_history_that_is_cut_off_under_a_store_is_named_as_that(copy):
    path = copy("--bare")
    shallow = copy("--bare", "--depth", "1")
    store = Store(Repository(shallow))
    with pytest.raises(NotWhole, match="--unshallow"):
        store.catalogue()
    assert Store(path).catalogue().newest("Blender").version.number == 3


def test_replaced_commits_change_no_number(farm, tmp_path):
    old, new = git(farm, "rev-parse", "main~1", "main").split()
    git(farm, "replace", "--graft", new)
    assert old not in git(farm, "rev-list", "main")
    assert old in run_git(farm, ["rev-list", "main"]).decode()
    assert Store(farm).catalogue().newest("Blender").version.number == 3
    follower = Store(open_follower(tmp_path / "follower.git", str(farm), "main"))
    assert Upstream(follower, str(farm)).fetch().name == "following"
    assert follower.catalogue().newest("Blender").version.number == 3


def test_in_a_shallow_checkout_commands_say_what_they_cannot_tell(copy):
    path = copy("--depth", "1")
    before = git(path, "count-objects", "-v")
    for command in (("summary", "origin/main"), ("log", "Blender")):
        done = jobtypes(*command, "--repo", path)
        assert done.returncode == 1
        assert "git fetch --unshallow" in done.stderr
    done = jobtypes("check", path)
    assert done.returncode == 0, done.stderr
    assert "git fetch --unshallow" in done.stderr
    (path / "jobtypes" / "Nuke" / "meta.yaml").write_text("nothing: good\n")
    done = jobtypes("check", path)
    assert done.returncode == 1
    assert "Nuke/meta.yaml:1" in done.stdout
    assert git(path, "count-objects", "-v") == before


def test_a_follower_completes_a_shallow_copy(farm, copy):
    path = copy("--bare", "--depth", "1")
    store = Store(open_follower(path, str(farm), None))
    assert Upstream(store, f"file://{farm}").fetch().name == "following"
    assert store.catalogue().newest("Blender").version.number == 3
    assert git(path, "rev-parse", "--is-shallow-repository").strip() == "false"


def test_a_follower_takes_no_partial_copy(farm, copy):
    path = copy("--bare", "--filter", "blob:none")
    done = jobtypes("serve", "--repo", path, "--upstream", farm)
    assert done.returncode == 1
    assert "without --filter" in done.stderr


def test_a_shallow_upstream_is_named_as_what_it_is(copy, tmp_path):
    shallow = copy("--bare", "--depth", "1")
    done = jobtypes("serve", "--repo", tmp_path / "new.git", "--upstream", f"file://{shallow}")
    assert done.returncode == 1
    assert "is a shallow repository" in done.stderr
    store = Store(open_follower(tmp_path / "again.git", str(shallow), "main"))
    state = Upstream(store, str(shallow)).fetch()
    assert "git fetch --unshallow" in state.error
    assert json.loads((tmp_path / "again.git/jobtypes/upstream.json").read_text())["error"]


def test_only_bare_repositories_are_served(farm, copy, tmp_path):
    path = copy()
    linked = tmp_path / "linked"
    git(path, "worktree", "add", "-q", "--detach", str(linked))
    for repo, kind in ((path, "a clone"), (path / ".git", "a clone"), (linked, "a worktree of")):
        done = jobtypes("serve", "--repo", repo)
        assert done.returncode == 1
        assert kind in done.stderr
        assert "git clone --bare" in done.stderr
        assert jobtypes("log", "Blender", "--repo", repo).returncode == 0
    done = jobtypes("serve", "--repo", path, "--upstream", farm)
    assert done.returncode == 1
    assert "git clone --bare" in done.stderr


def test_a_merge_in_a_clone_is_refused_with_where_it_belongs(copy):
    path = copy()
    git(path, "branch", "topic")
    done = jobtypes("changes", "merge", "topic", "--repo", path)
    assert done.returncode == 1
    assert "is a clone, and the farm gets what its service has" in done.stderr
    assert "--url http" in done.stderr


def test_a_branch_that_a_worktree_has_checked_out_is_not_written_to(farm, tmp_path):
    store = Store(farm)
    tip = store.catalogue().history.tip
    copy = tmp_path / "linked"
    git(farm, "worktree", "add", "-q", str(copy), "main")
    done = jobtypes("serve", "--repo", farm)
    assert done.returncode == 1
    assert f"checked out in {copy}" in done.stderr
    with pytest.raises(Refused, match="checked out"):
        store.repository.move("refs/heads/main", tip, tip, TD, "test")
    git(copy, "checkout", "-q", "--detach")
    store.repository.move("refs/heads/main", tip, tip, TD, "test")


def test_a_detached_head_names_no_branch(farm):
    git(farm, "update-ref", "--no-deref", "HEAD", "main")
    done = jobtypes("serve", "--repo", farm)
    assert done.returncode == 1
    assert "is detached" in done.stderr
    assert "--branch" in done.stderr


def test_another_name_of_a_branch_is_not_served(farm):
    git(farm, "symbolic-ref", "refs/heads/alias", "refs/heads/main")
    done = jobtypes("serve", "--repo", farm, "--branch", "alias")
    assert done.returncode == 1
    assert "alias" in done.stderr
    assert "is only another name of main; serve that with --branch main" in done.stderr
