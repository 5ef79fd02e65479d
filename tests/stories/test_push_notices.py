"""What a push says in addition to what it makes: options, junk, pointers, other files."""

from __future__ import annotations

import shutil

import pytest

from tests.support.commands import Done, jobtypes
from tests.support.git import Worktree, said

# Push options


def test_options_for_another_forge_are_ignored_with_one_line(td):
    td.git("config", "--add", "push.pushOption", "ci.skip")
    td.git("config", "--add", "push.pushOption", "merge_request.create\x1b[31m")
    td.write("jobtypes/Maya/code.py", (td.path / "jobtypes/Maya/code.py").read_text() + "# x\n")

    result = td.push()

    assert result.returncode == 0
    assert "Maya: version 2" in said(result)
    assert said(result).count("ignored") == 1
    assert "ci.skip" in said(result)
    assert "\x1b[31m" not in result.stderr


def test_they_do_not_hide_the_one_that_is_known(td):
    td.write("jobtypes/Nuke/notes.txt", "x\n")

    result = td.push("-o", "ci.skip", "-o", "dry-run", "origin", "HEAD:main")

    assert result.returncode != 0
    assert "Dry run: nothing was taken" in said(result)


@pytest.mark.parametrize("option", ["dryrun", "Dry_Run", "dry-run=true", "--dry-run"])
def test_a_misspelt_dry_run_takes_nothing(td, option):
    td.write("jobtypes/Nuke/notes.txt", "x\n")

    result = td.push("-o", option, "origin", "HEAD:main")

    assert result.returncode != 0
    assert "is not known; dry-run is" in said(result)


# What lies next to code.py


def code_of(td: Worktree, name: str) -> str:
    return (td.path / "jobtypes" / name / "code.py").read_text()


def test_junk_is_warned_of_with_the_command_that_removes_it_and_is_counted(td):
    td.write("jobtypes/Houdini/__pycache__/code.cpython-311.pyc", "x\n")
    td.write("jobtypes/Houdini/code.py~", "x\n")
    td.git("add", "--force", ".")

    pushed = td.push()

    assert pushed.returncode == 0
    assert "Houdini: version 2 (was 1)" in said(pushed)
    assert "agents get" not in said(pushed)
    for command in ("rm -r --cached jobtypes/Houdini/__pycache__", "rm --cached 'jobtypes/Houdi"):
        assert command in said(pushed)
    # Once: what is there already is no news.
    td.write("jobtypes/Houdini/code.py", code_of(td, "Houdini") + "# x\n")
    assert "warning" not in said(td.push())
    td.git("rm", "-r", "--quiet", "--cached", "jobtypes/Houdini/__pycache__")
    td.git("rm", "--quiet", "--cached", "jobtypes/Houdini/code.py~")
    assert "warning" not in said(td.push())


def test_a_change_of_mode_alone_is_a_version_and_a_warning(td):
    td.git("update-index", "--chmod=+x", "jobtypes/FFmpeg/code.py")
    td.git("commit", "--quiet", "-m", "mode")

    alone = td.push_head()
    td.git("update-index", "--chmod=-x", "jobtypes/FFmpeg/code.py")
    td.write("jobtypes/FFmpeg/notes.md", "x\n")
    with_another = td.push()

    assert "FFmpeg: version 2 (was 1)" in said(alone)
    assert "git update-index --chmod=-x jobtypes/FFmpeg/code.py" in said(alone)
    assert "FFmpeg: version 3 (was 2)" in said(with_another)
    assert "warning" not in said(with_another)


def test_files_that_no_agent_sees_are_named_once(td):
    for name in ("a.py", "b.py", "lib/c.py", "d.py", "README.md"):
        td.write(f"jobtypes/Command/{name}", "x = 1\n")

    first = said(td.push())
    td.write("jobtypes/Command/a.py", "x = 2\n")
    second = said(td.push())
    td.git("mv", "jobtypes/Command", "jobtypes/Shell")
    renamed = said(td.push())

    assert (
        "Command: agents get code.py alone, not a.py, b.py, d.py and 1 more (see /files/)" in first
    )
    assert "README" not in first
    assert "agents get" not in second
    assert "agents get" not in renamed


# Git LFS

POINTER = f"version https://git-lfs.github.com/spec/v1\noid sha256:{'4d7a2146' * 8}\nsize 12345\n"


def test_a_pointer_is_refused_as_code_and_warned_of_elsewhere(td):
    td.write("jobtypes/Blender/icon.png", POINTER)
    warned = td.push()
    td.write("jobtypes/Blender/code.py", POINTER)
    refused = td.push()

    assert warned.returncode == 0
    assert "warning: jobtypes/Blender/icon.png: is a pointer of Git LFS" in said(warned)
    assert refused.returncode != 0
    assert "jobtypes/Blender/code.py: is a pointer of Git LFS" in said(refused)


@pytest.mark.skipif(shutil.which("git-lfs") is None, reason="needs git-lfs")
def test_the_client_of_git_lfs_shows_why_nothing_is_taken(td):
    td.git("lfs", "install", "--local")
    td.git("lfs", "track", "*.png")
    td.write("jobtypes/Nuke/icon.png", b"\x89PNG" * 10)

    pushed = td.push()

    assert pushed.returncode != 0
    assert "this repository takes no LFS objects" in pushed.stderr


# The working copy as Git would store it


def check(td: Worktree) -> Done:
    return jobtypes("check", td.path)


def test_check_sees_line_ends_as_git_would_store_them(td):
    path = td.path / "jobtypes/Maya/code.py"
    td.git("rm", "--quiet", ".gitattributes")
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))

    as_they_are = check(td)
    td.git("config", "core.autocrlf", "true")
    converted = check(td)

    assert as_they_are.returncode == 1
    assert "ends lines with CR" in as_they_are.stdout
    assert converted.returncode == 0
    assert "ends lines with CR" not in converted.stdout


def test_check_changes_nothing_and_sees_what_is_new_gone_and_ignored(td):
    td.write("jobtypes/New/code.py", "class New:\n  pass\n")
    td.write("jobtypes/Maya/__pycache__/x.pyc", "x")
    td.write("jobtypes/Maya/notes.bak", "x")
    td.git("rm", "-r", "--quiet", "--cached", "jobtypes/Nuke")
    shutil.rmtree(td.path / "software")
    before = td.git("status", "--porcelain"), td.git("count-objects", "-v")

    done = check(td)

    assert "jobtypes/New/meta.yaml: error: is missing" in done.stdout
    assert "is not in the catalogue" in done.stdout
    assert "__pycache__" not in done.stdout
    assert "notes.bak" not in done.stdout
    assert (td.git("status", "--porcelain"), td.git("count-objects", "-v")) == before


def test_check_says_what_git_can_not_read(td):
    td.write(".gitattributes", "*.py filter=none\n")
    td.git("config", "filter.none.required", "true")
    td.git("config", "filter.none.clean", "false")
    td.write("jobtypes/Maya/code.py", "class Maya:\n  pass\n")

    done = check(td)

    assert done.returncode == 1
    assert "Git can't read the working copy" in done.stderr


def test_a_new_repository_ignores_what_tools_leave_behind(td):
    names = ["__pycache__/x.pyc", "code.pyc", ".DS_Store", "code.py~", ".code.py.swp", "._code.py"]

    ignored = td.git("check-ignore", *(f"jobtypes/Maya/{name}" for name in names)).splitlines()

    assert len(ignored) == len(names)
    assert td.git("check-attr", "eol", "jobtypes/Maya/code.py").endswith("eol: lf\n")
