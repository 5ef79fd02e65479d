"""The command completion, in the real bash."""

from __future__ import annotations

import os
import re
import shutil
import sys
from pathlib import Path

import pytest

from gitstore.branch.access import Role
from gitstore.branch.tokens import Tokens
from tests.support.branches import Branch, jobtype
from tests.support.commands import jobtypes
from tests.support.git import git
from tests.support.terminal import shown_in_terminal

needs_bash = pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")


@pytest.fixture(scope="module")
def places(tmp_path_factory) -> dict[str, Path]:
    """A bare repository with a change and a token, a clone of it, and a folder in the clone."""
    folder = tmp_path_factory.mktemp("completion")
    branch = Branch(folder / "farm.git")
    branch.commit(jobtype("Maya", "# 1\n") | jobtype("Mantra Two"))
    branch.commit(jobtype("Maya", "# 2\n") | jobtype("Blender"))
    for change in ("fix-tiles", "odd$(exit)'", "fix\x9b2J", "fix\u202ed"):
        git(branch.path, "branch", change, "main~1")
    Tokens(branch.path).create("alice", Role.WRITE, "alice@studio.example", ())
    git(folder, "clone", "-q", str(branch.path), "clone")
    script = folder / "completion.bash"
    script.write_text(jobtypes("completion", "bash").stdout)
    below = folder / "clone" / "jobtypes"
    return {"SCRIPT": script, "served": branch.path, "clone": folder / "clone", "below": below}


@pytest.fixture(scope="module")
def environment(places) -> dict[str, str]:
    """The variables with which a shell finds the command, and the script above."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return {**os.environ, "PATH": path, "SCRIPT": str(places["SCRIPT"])}


IN_CLONE = {
    "jobtypes compl": "completion",
    "jobtypes run Ma": r"Mantra\ Two|Maya",
    "jobtypes test Bl": "Blender",
    "jobtypes new --from Bl": "Blender",
    r"jobtypes log Mantra\ T": r"Mantra\ Two",
    'jobtypes show "Man': "Mantra Two",
    "jobtypes run Blender --exec": "--execute",
    "jobtypes show Maya@": "@2|@1",
    r"jobtypes show Mantra\ Two@": "@1",
    "jobtypes diff Maya 1": "1",
    "jobtypes rollback Maya ": "2|1",
    "jobtypes withdraw Maya@": "@2|@1",
    "jobtypes whose M": r"Mantra\ Two_Job_v1.py:|Maya_Job_v2.py:",
    "jobtypes changes show f": "fix-tiles",
    "jobtypes list --format=j": "json",
    "jobtypes show None@": "",
}
IN_SERVED = {
    "jobtypes show Ma": r"Mantra\ Two|Maya",
    "jobtypes changes merge f": "fix-tiles",
    "jobtypes changes comment f": "fix-tiles",
    "jobtypes changes approve fi": "fix-tiles",
    "jobtypes changes show 'o": r"odd$(exit)'\''",
    "jobtypes token revoke a": "alice",
    "jobtypes token rotate ": "alice",
    "jobtypes token": "token",
}


@pytest.mark.parametrize(
    ("place", "lines"), [("below", IN_CLONE), ("served", IN_SERVED)], ids=["clone", "served"]
)
def test_commands_options_and_names_are_completed_as_bash_has_them(
    places, monkeypatch, place, lines
):
    monkeypatch.chdir(places[place])
    asked = {"_JOBTYPES_COMPLETE": "bash_complete", "COMP_BREAKS": " \t\n\"'@><=;|&(:"}

    for line, found in lines.items():
        said = jobtypes(env={**asked, "COMP_WORDS": line}).stdout
        words = [row.partition(",")[2] for row in said.splitlines() if row]
        assert "|".join(words) == found, line


@pytest.mark.parametrize("repo", ["loop", "x" * 300, "file", "nowhere"])
@pytest.mark.parametrize("words", ["log", "log Maya@", "changes show", "token revoke", "whose"])
def test_what_can_be_no_repository_completes_to_nothing(tmp_path, monkeypatch, repo, words):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "file").touch()
    command, _, begun = words.partition(" ") if "Maya" in words else (words, "", "")

    line = f"jobtypes {command} --repo {repo} {begun}"
    done = jobtypes(env={"_JOBTYPES_COMPLETE": "bash_complete", "COMP_WORDS": line})

    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, "", "")


TYPED = r"""
. "$SCRIPT"
jobtypes() { printf '<%s>' "$@"; echo; }
jobtypes show Man	end
jobtypes show 'Man	end
jobtypes show Blender@	end
jobtypes whose Bl	3
jobtypes changes show f	end
jobtypes changes show "odd	end
jobtypes changes show odd	end
exit
"""
"""What somebody types, with the tab key. The function shows the words that the command gets."""


@needs_bash
def test_who_types_in_bash_gets_whole_words(places, environment):
    bash = ["bash", "--norc", "-i"]
    said = shown_in_terminal(80, bash, environment, cwd=places["clone"], typed=TYPED.encode())

    assert re.findall(r"^\S*\r(<.*>)$", said, re.M) == [
        "<show><Mantra Two><end>",
        "<show><Mantra Two><end>",
        "<show><Blender@1><end>",
        "<whose><Blender_Job_v1.py:3>",
        "<changes><show><fix-tiles><end>",
        "<changes><show><odd$(exit)'><end>",
        "<changes><show><odd$(exit)'><end>",
    ]


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_get_a_script_of_their_own(shell):
    done = jobtypes("completion", shell)

    assert done.returncode == 0
    assert f"{shell}_complete" in done.stdout
