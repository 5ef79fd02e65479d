"""Hooks that are there already when ``jobtypes hooks install`` comes."""

from __future__ import annotations

import os

import pytest

from tests.support.git import Worktree
from tests.support.installing import hooks_in, install

FOREIGN = "#!/bin/sh\necho foreign hook\n"


@pytest.fixture
def clone_with_hook(worktree) -> Worktree:
    """A clone with our hook."""
    done = install(worktree.path)
    assert done.returncode == 0, done.stderr
    return worktree


@pytest.mark.parametrize("name", ["pre-receive", "post-receive"])
def test_a_hook_of_somebody_else_stays_and_nothing_is_installed(empty, name):
    foreign = empty / "hooks" / name
    foreign.parent.mkdir(exist_ok=True)
    foreign.write_text(FOREIGN)

    done = install(empty)

    assert (done.returncode, done.stdout) == (1, "")
    assert f"{foreign} is another hook; move it away, or call this one from it" in done.stderr
    assert foreign.read_text() == FOREIGN
    assert hooks_in(foreign.parent) == [name]


def test_a_hook_of_somebody_else_in_a_clone_stays(worktree):
    foreign = worktree.path / ".git" / "hooks" / "pre-push"
    foreign.parent.mkdir(exist_ok=True)
    foreign.write_bytes(b"\x7fELF\xff")

    done = install(worktree.path)

    assert done.returncode == 1
    assert foreign.read_bytes() == b"\x7fELF\xff"


def test_a_link_to_a_hook_that_is_not_there_now_stays(worktree):
    link = worktree.path / ".git" / "hooks" / "pre-push"
    link.parent.mkdir(exist_ok=True)
    link.symlink_to("/mnt/away/pre-push")

    done = install(worktree.path)

    assert done.returncode == 1
    assert f"{link} is another hook" in done.stderr
    assert link.is_symlink()


@pytest.mark.parametrize("line", [b"./notify.sh\n", b"echo \xff\n"])
def test_lines_that_somebody_added_to_our_hook_stay(clone_with_hook, line):
    hook = clone_with_hook.path / ".git" / "hooks" / "pre-push"
    hook.write_bytes(hook.read_bytes().replace(b"exec", line + b"exec", 1))
    before = hook.read_bytes()

    done = install(clone_with_hook.path, "--code-checks", "off")

    assert done.returncode == 1
    assert f"{hook} has a line that was not made here: " in done.stderr
    assert hook.read_bytes() == before


def test_installing_again_makes_a_hook_executable_that_was_not(clone_with_hook):
    hook = clone_with_hook.path / ".git" / "hooks" / "pre-push"
    hook.chmod(0o644)

    done = install(clone_with_hook.path)

    assert done.returncode == 0, done.stderr
    assert os.access(hook, os.X_OK)


def test_a_folder_whose_name_is_no_text_gets_the_hook(worktree):
    folder = worktree.path / "hooks\udcff"
    worktree.git("config", "core.hooksPath", str(folder))

    done = install(worktree.path)

    assert done.returncode == 0, done.stderr
    assert os.access(folder / "pre-push", os.X_OK)


def test_installing_again_changes_nothing_and_other_options_replace(empty):
    install(empty)
    folder = empty / "hooks"
    before = {p: (p.stat().st_ino, p.read_bytes()) for p in folder.iterdir()}

    again = install(empty)

    assert again.returncode == 0
    assert {p: (p.stat().st_ino, p.read_bytes()) for p in folder.iterdir()} == before
    assert install(empty, "--code-checks", "off").returncode == 0
    hook = folder / "pre-receive"
    assert hook.read_bytes() != before[hook][1]
    assert os.access(hook, os.X_OK)
    assert len(list(folder.iterdir())) == len(before)
