"""What people see in terminals of 80 and of 40 columns, and what a pipe gets."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest

from api.config import Config
from gitstore.branch.access import Role
from gitstore.branch.tokens import Tokens
from gitstore.git.commits import Signature
from tests.support.branches import Branch, jobtype
from tests.support.commands import jobtypes
from tests.support.git import git
from tests.support.terminal import columns, in_terminal

ADA = Signature("Ada Lovelace of the Analytical Engine", "ada@studio.example")
BO = Signature("Bo\x1b[31m", "bo@studio.example")
LONG = "A subject that is much longer than any terminal is wide, " + "and goes on " * 20 + "to here"
NAME = "Houdini_Karma_and_Other_Renderers_of_Long_Names"
WIDE = "レンダー"

COMMANDS = {
    "list": ["list"],
    "log": ["log", "Maya"],
    "story": ["log", "Maya@1"],
    "show": ["show", "Maya"],
    "diff": ["diff", "Maya", "1..2"],
    "changes": ["changes", "list"],
    "change": ["changes", "show", "a-topic"],
    "tokens": ["token", "list"],
    "whose": ["whose", "Maya_Job_v2.py:1"],
    "summary": ["summary", "main", "a-topic"],
    "check": ["check"],
    "help": ["--help"],
    "serve": ["serve", "--help"],
}
"""Commands whose output people read, but for those that run code."""

TABLES = ("list", "log", "changes", "tokens")


@pytest.fixture(scope="module")
def repo(tmp_path_factory) -> Path:
    """A bare repository with long names and subjects, and with control characters."""
    path: Path = tmp_path_factory.mktemp("terminal") / "jobtypes.git"
    branch = Branch(path)
    branch.commit(jobtype("Maya", "# \x1b[2J1\n") | jobtype(NAME) | jobtype(WIDE), LONG, author=ADA)
    branch.commit(
        jobtype("Maya", "# \x9b2\n\tpass\n"), "Second\x1b]0;x\x07\n", author=BO, committer=BO
    )
    side = branch.side(jobtype("Maya", "# 3\n") | {"jobtypes/\x1bA": "x"}, LONG, author=BO)
    git(path, "branch", "a-topic", side)
    Tokens(path).create("continuous-integration", Role.WRITE, "ci@studio.example", ("Maya*",))
    return path


@pytest.fixture(scope="module", params=[80, 40])
def seen(request, repo) -> tuple[int, dict[str, str]]:
    """What each of COMMANDS prints in a terminal, and how wide that is."""
    commands = [
        [*words, *(["--repo", repo] if "--help" not in words else [])]
        for words in COMMANDS.values()
    ]
    said = in_terminal(request.param, commands)
    return request.param, dict(zip(COMMANDS, said, strict=True))


def test_no_line_of_a_table_is_wider_than_the_terminal(seen):
    width, said = seen

    for name in TABLES:
        for line in said[name].splitlines():
            assert columns(line) <= width or NAME in line, (name, line)


def test_help_fits_the_terminal_and_breaks_no_name(seen):
    width, said = seen

    for name in ("help", "serve"):
        assert max(map(len, said[name].splitlines())) <= width
    for setting in fields(Config):
        assert f"JOBTYPES_{setting.name.upper()}" in said["serve"]


def test_names_are_whole_and_long_subjects_are_cut(seen):
    _, said = seen

    assert NAME in said["list"]
    assert WIDE in said["list"]
    assert "a-topic" in said["changes"]
    assert "continuous-integration" in said["tokens"]
    assert "in service" in said["log"]
    for name in ("log", "changes", "change", "whose"):
        assert "to here" not in said[name]
        assert re.search(r"A subj[\w, ]*…$", said[name], re.M), said[name]
    assert LONG in said["story"].replace("\n", "")


def test_a_table_that_does_not_fit_becomes_blocks(seen):
    width, said = seen

    if width == 80:
        assert re.match(r"VERSION  COMMIT      DATE +AUTHORS +STATE +SUBJECT\n2  ", said["log"])
        assert re.search(r"^2  .*  Bo\\x1b\[31m +in service  Second", said["log"], re.M)
    else:
        assert re.match(r"VERSION  2\nCOMMIT   [0-9a-f]{10}\nDATE     20", said["log"])
        assert re.search(r"\n\nVERSION  1\n(.*\n){2}AUTHORS  Ada Lovelace of the", said["log"])


def test_control_characters_do_not_reach_a_terminal(seen):
    _, said = seen

    for name, text in said.items():
        found = re.findall("[\x00-\x08\x0b-\x1f\x7f-\x9f]", _without_colours(text))
        assert not found, (name, text)
    assert "# \\x9b2\n\tpass\n" in said["show"].expandtabs(1).replace("\n pass", "\n\tpass")
    assert "-# \\x1b[2J1\n" in said["diff"]


def _without_colours(text: str) -> str:
    return re.sub(r"\x1b\[\d*m", "", text)


def test_a_table_without_rows_has_its_headings(empty):
    (said,) = in_terminal(40, [["token", "list", "--repo", empty]])

    assert said == "NAME  ROLE  ONLY  EMAIL  CREATED  ENDS  USED\n"


def test_only_check_has_colours_and_not_with_no_color(seen, repo):
    width, said = seen

    assert {name for name, text in said.items() if "\x1b[" in text} == {"check"}
    plain, forced = in_terminal(
        width,
        [["check", "--repo", repo], ["check", "--repo", repo, "--color", "always"]],
        {"NO_COLOR": "1"},
    )
    assert "\x1b" not in plain
    assert "\x1b[" in forced


@pytest.mark.parametrize("name", COMMANDS)
def test_a_pipe_gets_full_lines_without_colours_however_wide_the_terminal_is(repo, name):
    words = [*COMMANDS[name], *(["--repo", repo] if "help" not in COMMANDS[name][-1] else [])]

    narrow, wide = (jobtypes(*words, env={"COLUMNS": width}) for width in ("40", "200"))

    if name not in ("help", "serve"):
        assert narrow == wide
        assert "…" not in wide.stdout
        assert "\x1b[31m" not in wide.stdout
    if name in ("log", "changes", "change", "whose"):
        assert "to here" in wide.stdout
