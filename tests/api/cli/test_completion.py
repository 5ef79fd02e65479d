"""The command completion, in the real bash."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.commands import jobtypes

COMPLETE = """\
eval "$(jobtypes completion bash)"
COMP_WORDS=({words}) COMP_CWORD={at}
_jobtypes_completion jobtypes
printf '%s\\n' "${{COMPREPLY[@]}}"
"""


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("jobtypes compl", ["completion"]),
        ("jobtypes run Ma", ["Maya", "Mantra Two"]),
        ("jobtypes log Bl", ["Blender"]),
        ("jobtypes run Nuke --exec", ["--execute"]),
    ],
)
def test_bash_completes_commands_options_and_names(tmp_path, words, found):
    for name in ("Maya", "Mantra Two", "Blender"):
        (tmp_path / "jobtypes" / name).mkdir(parents=True)
    (tmp_path / "below").mkdir()
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"

    done = subprocess.run(
        ["bash", "--norc", "-c", COMPLETE.format(words=words, at=words.count(" "))],
        cwd=tmp_path / "below",
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert sorted(done.stdout.splitlines()) == sorted(found)


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_get_a_script_of_their_own(shell):
    done = jobtypes("completion", shell)

    assert done.returncode == 0
    assert f"{shell}_complete" in done.stdout
