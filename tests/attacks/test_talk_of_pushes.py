"""Branches that are made to spoil what a push of them is answered with."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from hooks.install import RECEIVING, install_hooks
from hooks.settings import HookSettings
from tests.support.branches import TD, Branch, Link, jobtype
from tests.support.git import git

pytestmark = pytest.mark.farm

CODE = "class Job:\n    pass\n"
MANY = 60


@pytest.fixture(scope="module")
def places(tmp_path_factory) -> tuple[Branch, Path]:
    """A repository to push from, and the one with hooks that is pushed to."""
    folder = tmp_path_factory.mktemp("talk")
    ours = Branch(folder / "ours.git")
    ours.commit({k: v for n in range(MANY) for k, v in jobtype(f"J{n:02}").items()})
    served = folder / "served.git"
    git(folder, "clone", "--quiet", "--bare", str(ours.path), str(served))
    install_hooks(served / "hooks", RECEIVING, HookSettings(url="http://farm"))
    return ours, served


def hostile(ours: Branch) -> dict[str, str]:
    """Commits by what they do."""
    first = ours.tip
    assert first
    mine = {f"jobtypes/J{n:02}/code.py": f"{CODE}# mine\n" for n in range(MANY)}
    return {
        "control characters": ours.side(
            {
                "jobtypes/A\nB\x1b[2J/code.py": CODE,
                "jobtypes/J01/\u202e\x07.txt": "x",
                "jobtypes/J01/\r\nremote: Refused": "x",
                "jobtypes/J02/\x9b31m": "x",
            },
            "\x1b[2J\n\nJobtype-Version: 99 J01\n",
        ),
        "an endless subject": ours.side(jobtype("J01", "# 2\n"), "x" * 900_000),
        "links": ours.side({"jobtypes/J01": Link("../.."), "withdrawn.yaml": Link("/dev/zero")}),
        "a bomb": ours.side(jobtype("J01", "a;" * 400_000)),
        "all gone": ours.side({"jobtypes": None}),
        "no common commit": ours.repository.write_commit(
            ours.repository.commit(first).tree, (), "x\n", TD, TD
        ),
        "conflicts": ours.side(mine, onto=first),
    }


def test_a_push_is_taken_and_nothing_reaches_the_terminal_whatever_the_branch_holds(places):
    ours, served = places
    made = hostile(ours)
    theirs = {f"jobtypes/J{n:02}/code.py": f"{CODE}# theirs\n" for n in range(MANY)}
    git(ours.path, "push", "--quiet", str(served), f"{ours.side(theirs)}:refs/heads/main")

    for number, (what, commit) in enumerate(made.items()):
        pushed = subprocess.run(
            ["git", "-C", str(ours.path), "push", str(served), f"{commit}:refs/heads/b{number}"],
            capture_output=True,
            check=False,
        )

        said = pushed.stderr.decode()
        assert pushed.returncode == 0, (what, said)
        lines = [line for line in said.splitlines() if line.startswith("remote:")]
        assert 0 < len(lines) < 120, what
        assert not re.search("[\x00-\x08\x0b\x0c\x0e-\x1a\x1c-\x1f\x7f-\x9f\u202e]", said), what
        assert "\x1b[2J" not in said
        assert "Review it:" in said or what == "conflicts", (what, said)
        assert git(served, "rev-parse", f"refs/heads/b{number}").strip() == commit
    assert not (served / "jobtypes" / "hooks.log").exists()
