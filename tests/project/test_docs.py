"""What the documentation names exists, and what exists is documented."""

from __future__ import annotations

import ast
import re
import subprocess
from dataclasses import fields
from enum import Enum
from pathlib import Path
from urllib.parse import unquote

import click
import pytest

from api.app import create_app
from api.cli.later import loaded
from api.cli.main import main
from api.cli.options import Setting
from api.config import PREFIX, Config
from api.telemetry.requests import METRICS_PATH
from gitstore.pyfarm.fitting import REASONS
from gitstore.rules import RULES
from tests.support.commands import commands
from tests.support.project import ROOT

DOCS = ROOT / "docs"


def pages() -> list[Path]:
    """All Markdown of the project."""
    listed = ["git", "-C", str(ROOT), "ls-files", "-z", "-c", "-o", "--exclude-standard", "*.md"]
    done = subprocess.run(listed, capture_output=True, text=True, check=True)
    found = sorted({ROOT / name for name in done.stdout.split("\0") if name})
    return [page for page in found if page.is_file()]


def page_id(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def prose(text: str) -> str:
    """*text* without its blocks and spans of code."""
    text = re.sub(r"^```.*?^```$", "", text, flags=re.M | re.S)
    return re.sub(r"`[^`\n]*`", "", text)


def anchors(page: Path) -> set[str]:
    """The anchors of the page's headings, as forges make them."""
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)
    heads = re.findall(r"^#+ +(.*?) *$", text, re.M)
    plain = [
        re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", head).replace("&lt;", "").replace("&gt;", "")
        for head in heads
    ]
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in plain}


def rows(page: str) -> list[list[str]]:
    """The cells of all rows of tables of *page*; within code, ``|`` parts no cells."""
    text = (DOCS / page).read_text(encoding="utf-8")
    lines = [line.strip().strip("|") for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.split("|")] for line in lines]


@pytest.mark.parametrize("page", pages(), ids=page_id)
def test_relative_links_lead_somewhere(page):
    for link in re.findall(r"\]\(([^)\s]+)\)", prose(page.read_text(encoding="utf-8"))):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / unquote(path)).resolve() if path else page

        assert target.exists(), link
        assert target.is_relative_to(ROOT), link
        assert not anchor or anchor in anchors(target), link


PARTS = "api|gitstore|hooks|tests|benchmarks|deploy|sample_repo"


@pytest.mark.parametrize("page", pages(), ids=page_id)
def test_files_that_a_page_names_exist(page):
    # A name in angle brackets stands for any.
    for name in re.findall(rf"`((?:{PARTS})/[^`\s<]*)`", page.read_text(encoding="utf-8")):
        assert (ROOT / name).exists(), name


@pytest.mark.parametrize("page", pages(), ids=page_id)
def test_no_page_has_the_marks_of_a_conflict(page):
    assert not re.findall(r"^(?:<{7}|={7}|>{7})(?: |$)", page.read_text("utf-8"), re.M)


@pytest.mark.parametrize("page", pages(), ids=page_id)
def test_no_empty_line_parts_a_table(page):
    text = re.sub(r"^```.*?^```$", "", page.read_text("utf-8"), flags=re.M | re.S)

    # A table begins with the names of its columns and a line below them.
    assert not re.findall(r"(?<=\n\n)\|.*\n(?!\|-).*", text)


@pytest.mark.parametrize("page", pages(), ids=page_id)
def test_no_page_names_a_place_of_one_machine(page):
    found = re.findall(r"(?<![\w.])/(?:work|home|root|Users|tmp)/\S*", page.read_text("utf-8"))

    assert not found


@pytest.mark.parametrize("page", pages(), ids=page_id)
def test_python_blocks_compile(page):
    for block in re.findall(r"^```python\n(.*?)^```$", page.read_text("utf-8"), re.M | re.S):
        ast.parse(block)


def shown_default(value: object) -> str:
    """How docs/settings.md writes a default."""
    if value is None or value == ():
        return "none"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    return f"`{value.value if isinstance(value, Enum) else value}`"


ELSEWHERE = {"repo": "`.`", "branch": "the branch that `HEAD` names"}
"""The defaults that Config leaves to others."""


def test_settings_are_those_of_config_with_their_defaults():
    documented = {
        row[0].strip("`"): (row[1].split(",")[0], row[2], row[3])
        for row in rows("settings.md")
        if len(row) == 5 and "JOBTYPES_" in row[2]
    }

    assert documented == {
        field.name: (
            f"`--{field.name.replace('_', '-')}`",
            f"`JOBTYPES_{field.name.upper()}`",
            ELSEWHERE.get(field.name) or shown_default(field.default),
        )
        for field in fields(Config)
    }


def test_settings_have_the_subjects_of_the_help():
    documented = {}
    for section in (DOCS / "settings.md").read_text("utf-8").split("\n## ")[1:]:
        heading = section.partition("\n")[0]
        names = re.findall(r"^\| `(\w+)` \| `--", section, re.M)
        documented |= dict.fromkeys(names, heading)

    found = {
        str(param.name): str(param.subject)
        for param in loaded(main.commands["serve"]).params
        if isinstance(param, Setting)
    }
    assert documented == found
    assert list(documented) == list(found)


def test_rules_are_those_of_the_validator():
    documented = {row[0].strip("`"): row[1] for row in rows("rules.md") if row[0].startswith("`")}

    assert documented == {rule: str(RULES[rule].severity) for rule in RULES}


def test_reasons_for_differences_are_documented():
    assert {row[0].strip("`") for row in rows("migrating.md")} >= set(REASONS)


def routes(repo: Path) -> set[str]:
    """The application's routes as docs/api.md writes them."""
    app = create_app(Config(repo))
    found = {rule.rule for rule in app.url_map.iter_rules()}
    bare = {
        re.sub(r"<\w+(\(.*?\))?:", "<", route.removeprefix(PREFIX)).rstrip("/") for route in found
    }
    return {route or "/" for route in bare}


def documented_routes() -> set[str]:
    cells = [row[0] for row in rows("api.md")]
    named = [name for cell in cells for name in re.findall(r"`(/[^`]*)`", cell)]
    return {name.removeprefix(PREFIX).rstrip("/") or "/" for name in named}


def test_routes_are_those_of_the_application(empty):
    assert documented_routes() == routes(empty) | {METRICS_PATH}


def command_lines() -> list[str]:
    """The commands that are no groups, as they are written."""
    return [
        " ".join(("jobtypes", *words))
        for words, command in commands().items()
        if not isinstance(command, click.Group)
    ]


def documentation() -> str:
    return "\n".join(page.read_text(encoding="utf-8") for page in pages())


def test_commands_are_those_of_the_command_line():
    documented = [
        row[0].strip("`") for row in rows("settings.md") if row[0].startswith("`jobtypes")
    ]

    assert sorted(documented) == sorted(command_lines())


def test_documented_commands_exist():
    known = command_lines()
    groups = {command.rsplit(" ", 1)[0] for command in known}
    text = documentation()
    named = re.findall(r"(?:^ {4}|`|^\.venv/bin/)jobtypes ((?:[a-z]+ ?){1,2})", text, re.M)

    assert len(named) > 20
    for words in named:
        path = f"jobtypes {words.strip()}"
        assert any(path.startswith(command) or path in groups for command in known), path
