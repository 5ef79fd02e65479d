"""docs/quickstart-td.md: the day of a TD, typed as it stands there."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.support.project import ROOT
from tests.support.rest import Rest

URL = "http://jobtypes.studio.example:8080"
COMMANDS_LIMIT = 12
FAILING = "jobtypes test Blender"
"""The command that shows a difference, which is a failed test."""

EDITOR = """\
#!{python}
import pathlib, sys
path = pathlib.Path(sys.argv[1])
text = path.read_text()
assert text.count("arguments += self._tile") == 1
path.write_text(text.replace("arguments += self._tile", 'arguments += ["--threads", 8]\\n'
    "        arguments += self._tile"))
"""


def steps() -> list[tuple[list[str], list[str]]]:
    """The commands of each block, and lines that they print."""
    text = (ROOT / "docs" / "quickstart-td.md").read_text("utf-8")
    found = re.findall(r"^```sh\n(.*?)^```\n(?:\n```text\n(.*?)^```$)?", text, re.M | re.S)
    return [(commands.splitlines(), shown.splitlines()) for commands, shown in found]


def test_the_day_takes_few_commands():
    commands = [command for block, _ in steps() for command in block]

    assert 0 < len(commands) <= COMMANDS_LIMIT


def test_the_day_of_a_td_from_the_clone_to_a_rollback(served, tmp_path, monkeypatch):
    rest = Rest(served)
    before = rest.get("/jobtypes/Blender/versions/1/code").body
    editor = tmp_path / "editor"
    editor.write_text(EDITOR.format(python=sys.executable))
    editor.chmod(0o755)
    monkeypatch.setenv("EDITOR", str(editor))
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    folder = tmp_path

    for commands, shown in steps():
        printed = ""
        for command in commands:
            if command.startswith("cd "):
                folder = folder / command.removeprefix("cd ")
                continue
            typed = command.replace(URL, served.url)
            done = subprocess.run(
                ["sh", "-c", typed],
                cwd=folder,
                capture_output=True,
                text=True,
                check=False,
            )
            printed += done.stdout + done.stderr
            assert done.returncode == (1 if command == FAILING else 0), printed
        for line in shown:
            assert line in [row.rstrip() for row in printed.splitlines()], printed

    assert rest.json("/jobtypes/Blender")["version"] == 3
    assert rest.get("/jobtypes/Blender/versions/3/code").body == before
    assert rest.get("/jobtypes/Blender/versions/2/code").body != before
