"""``jobtypes whose``: from a traceback to an author, in a clone and in a bare repository."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from gitstore.git.commits import Signature
from tests.support.branches import Branch
from tests.support.commands import jobtypes
from tests.support.git import git

ADA, BO = Signature("Ada", "ada@studio.example"), Signature("Bo\x1b[31m", "bo@studio.example")
META = {"jobtypes/Maya/meta.yaml": "classname: MayaJob\n"}
CODE = "jobtypes/Maya/code.py"

TRACEBACK = """\
Traceback (most recent call last):
  File "/usr/lib/python2.7/site.py", line 3, in run
  File "/var/cache/Maya_MayaJob_v2.py", line 3, in start
  File "/var/cache/Maya_MayaJob_v2.py", line 99, in start
ValueError: \xff
"""


@pytest.fixture(scope="module")
def repo(tmp_path_factory) -> Path:
    """A bare repository: Maya of three versions; Bo merged the second, which Ada wrote."""
    branch = Branch(tmp_path_factory.mktemp("whose-command") / "jobtypes.git")
    branch.commit(
        META | {CODE: "class MayaJob:\n    a = 1\n"}, "First\n", author=ADA, committer=ADA
    )
    two = {CODE: "class MayaJob:\n    a = 1\n    b = 2\n"}
    side = branch.side(two, "Add b\x1b[2J\n", author=ADA, committer=ADA)
    message = "Merge pull request #12 from ada/b\n"
    branch.commit(two, message, (side,), author=BO, committer=BO)
    branch.commit({CODE: "class MayaJob:\n    a = 1\n    b = 3\n"}, "Better b\n", author=BO)
    return branch.path


def whose(*args: object, **options: object) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "api", "whose", *map(str, args)]
    return subprocess.run(command, capture_output=True, check=False, **options)  # type: ignore[call-overload]


def test_a_line_has_its_author_its_version_and_what_became_of_it(repo):
    done = jobtypes("whose", "Maya_MayaJob_v2.py:3", "--repo", repo)

    wrote = git(repo, "rev-parse", "main~1^2")[:10]
    date = git(repo, "log", "-1", "--format=%ad", "--date=format:%Y-%m-%d %H:%M", "main~1^2")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == (
        "Maya version 2, line 3\n"
        "    b = 2\n"
        f"  written by Ada <ada@studio.example>, {date.strip()}\n"
        f"  commit {wrote}: Add b\\x1b[2J\n"
        "  came in version 2, merged by Bo\\x1b[31m <bo@studio.example>, #12\n"
        "  changed in version 3 by Bo\\x1b[31m: Better b\n"
    )


def test_a_traceback_on_standard_input_has_all_its_lines(repo):
    done = whose("-", "--repo", repo, input=TRACEBACK.encode("latin-1"))

    first, second = done.stdout.decode().split("\n\n")
    assert first.startswith("Maya version 2, line 3\n")
    assert second.startswith("Maya version 2, line 99\n  there is no line 99; code.py has 3\n")
    assert whose("--repo", repo, input=TRACEBACK.encode("latin-1")).stdout == done.stdout


def test_json_has_all_fields_in_each_answer(repo):
    text = "Maya_MayaJob_v2.py:3 Maya_MayaJob_v1.py:2 Maya_MayaJob_v1.py:9"

    done = jobtypes("whose", text, "--format", "json", "--repo", repo)

    first, second, third = json.loads(done.stdout)
    assert list(first) == list(second) == list(third)
    assert first["author"] == {"name": "Ada", "email": "ada@studio.example"}
    assert (first["came_in"], first["changed_in"], first["fault"]) == (2, 3, None)
    assert first["changed_by"] == [{"name": "Bo\x1b[31m", "email": "bo@studio.example"}]
    assert (second["text"], second["changed_in"], second["merged_by"]) == ("    a = 1", None, None)
    assert third["author"] is None
    assert "code.py has 2" in third["fault"]


def test_in_a_clone_the_branch_counts_that_it_came_from(repo, clone):
    worktree = clone(repo)
    worktree.write(CODE, "class MayaJob:\n    mine = 1\n")
    git(worktree.path, "commit", "-qam", "mine, and not pushed")

    done = jobtypes("whose", "Maya_MayaJob_v3.py:2", "--repo", worktree.path)
    unknown = jobtypes("whose", "Maya_MayaJob_v4.py:2", "--repo", worktree.path)
    own = jobtypes("whose", "Maya_MayaJob_v4.py:2", "--repo", worktree.path, "--branch", "main")

    assert "written by Ada" in done.stdout
    assert done.stdout.endswith("  the newest version still has it\n")
    assert (unknown.returncode, unknown.stdout) == (1, "")
    assert "If the version is new, fetch first" in unknown.stderr
    assert "mine, and not pushed" in own.stdout


def test_a_text_without_a_jobtype_exits_with_1(repo):
    done = jobtypes("whose", "site.py:3", "--repo", repo)

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("jobtypes: no line of a jobtype")
