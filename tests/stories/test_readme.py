"""Every command of README.md is run, in order, and what it prints is what README.md shows."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.project import ROOT
from tests.support.server import free_port
from tests.support.waiting import wait_for

AUTHOR = "Your Name"
BIN = Path(sys.prefix, "bin")
SERVE, TEST = "make serve\n", "make test\n"

missing = [name for name in ("make", "curl") if shutil.which(name) is None]
pytestmark = pytest.mark.skipif(bool(missing), reason=f"not installed: {' '.join(missing)}")


@dataclass(frozen=True)
class Block:
    """The commands of one ``sh`` block, and the ``text`` block after it; None if none is."""

    commands: str
    shown: str | None

    @property
    def refused(self) -> bool:
        """Whether its last command is one that README.md shows to fail."""
        return self.shown is not None and "[remote rejected]" in self.shown


def blocks() -> list[Block]:
    """The command blocks of README.md, in order."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    found = re.findall(r"^```sh\n(.*?)^```\n(?:\n```text\n(.*?)^```$)?", text, re.M | re.S)
    return [Block(commands, shown or None) for commands, shown in found]


DIFFERENT = (
    (r"(?<![0-9a-z])(?=[a-f]*[0-9])[0-9a-f]{7,10}(?![0-9a-z])", "[0-9a-f]+"),
    (r"\d{4}\\-\d\d\\-\d\dT\d\d:\d\d:\d\d\\\+00:00", r"[0-9T:+-]+"),
    (r"\\\.\\\.\\\.", ".*"),
)
"""What differs from run to run in an escaped output, and what matches it: commit ids, times,
and ``...``, which stands for anything."""


def pattern(shown: str) -> re.Pattern[str]:
    """What matches the output *shown*, of whichever run."""
    literal = re.escape(shown)
    for different, matching in DIFFERENT:
        literal = re.sub(different, lambda _, by=matching: by, literal)
    return re.compile(literal, re.S)


@dataclass
class Terminal:
    """A shell in *folder*, which remembers where ``cd`` went; the port 8080 is *port*."""

    folder: Path
    port: int

    def run(self, commands: str) -> tuple[int, str]:
        """The exit status of *commands*, which end at the first that fails, and what they print."""
        script = commands.replace("8080", str(self.port)).replace(".venv/bin/", f"{BIN}/")
        done = subprocess.run(
            ["bash", "-ec", f"trap 'pwd > {self._place}' EXIT\n{script}"],
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=120,
        )
        self.folder = Path(self._place.read_text().strip())
        printed = re.sub(r" +$", "", done.stdout, flags=re.M)  # Git pads the remote's lines.
        return done.returncode, printed.replace(str(self.port), "8080")

    @property
    def _place(self) -> Path:
        return Path(os.environ["HOME"], "place")


@pytest.fixture
def copy(tmp_path) -> Path:
    """The project as it stands, in a folder of its own and without what Git ignores."""
    listed = ["git", "-C", str(ROOT), "ls-files", "-z", "-c", "-o", "--exclude-standard"]
    done = subprocess.run(listed, capture_output=True, text=True, check=True)
    folder = tmp_path / "project"
    for name in filter(None, done.stdout.split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    return folder


@pytest.fixture
def terminal(copy, monkeypatch) -> Iterator[Terminal]:
    """A terminal next to one in which ``make serve`` runs, as README.md says."""
    for who in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{who}_NAME", AUTHOR)
    monkeypatch.setenv("PYTHONPATH", str(copy))
    # On a terminal, curl shows no progress of what it prints there.
    Path(os.environ["HOME"], ".curlrc").write_text("silent\n")
    port = free_port()
    command = ["make", "serve", f"VENV={sys.prefix}", f"PORT={port}"]
    log = copy.parent / "serve.log"
    with log.open("wb") as file:
        serving = subprocess.Popen(
            command, cwd=copy, stdout=file, stderr=file, start_new_session=True
        )

    def ready() -> bool:
        assert serving.poll() is None, log.read_text()
        asked = ["curl", "--silent", "--fail", f"http://127.0.0.1:{port}/health/ready"]
        return subprocess.run(asked, capture_output=True, check=False).returncode == 0

    try:
        wait_for(ready, "make serve to answer", 60)
        yield Terminal(copy, port)
    finally:
        os.killpg(serving.pid, 15)
        serving.wait(120)


def test_first_screen_has_a_service_and_a_push():
    first, second, *others = blocks()

    assert first == Block(SERVE, None)
    assert "git clone http://127.0.0.1:8080/jobtypes.git\n" in second.commands
    assert "remote: Blender: version 2 (was 1)\n" in (second.shown or "")
    assert others[-1] == Block(TEST, None)


def test_every_command_stands_in_a_block_that_is_run():
    commands = [line for block in blocks() for line in block.commands.splitlines()]
    text = (ROOT / "README.md").read_text(encoding="utf-8")

    assert len(blocks()) >= 10
    assert len(commands) >= 25
    assert text.count("```") == 2 * len(blocks()) + 2 * sum(b.shown is not None for b in blocks())
    assert not re.search(r"^(    |\t)\S", re.sub(r"^```.*?^```", "", text, flags=re.M | re.S), re.M)


def test_every_command_prints_what_is_shown(terminal):
    for block in blocks():
        if block.commands in (SERVE, TEST):
            continue

        status, output = terminal.run(block.commands)

        assert (status != 0) == block.refused, f"{block.commands}{output}"
        if block.shown is not None:
            assert pattern(block.shown).fullmatch(output), f"{block.commands}{output}"


def test_make_test_runs_the_tests():
    done = subprocess.run(
        ["make", "-n", "test", f"VENV={sys.prefix}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )

    assert "python -m pytest" in done.stdout
