"""The forms in which ``jobtypes check`` prints problems: for people and for CI."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from urllib.parse import quote

import click

from gitstore.format.layout import escaped
from gitstore.rules import RULES, Problem, Severity


def _text(problems: Sequence[Problem]) -> str:
    return "".join(text_line(str(problem), problem.rule) for problem in problems)


def text_line(problem: str, rule: str) -> str:
    """The line for a person about *problem*, which breaks *rule*."""
    return f"{escaped(f'{problem} [{rule}]')}\n"


_COLOURS = {Severity.ERROR: "red", Severity.WARNING: "yellow"}


def coloured(problems: Sequence[Problem]) -> str:
    """The text for people, with colours for a terminal."""
    return "".join(map(_coloured, problems))


def _coloured(problem: Problem) -> str:
    line = "" if problem.line is None else f":{problem.line}"
    where = click.style(escaped(f"{problem.path}{line}"), bold=True)
    severity = click.style(str(problem.severity), fg=_COLOURS[problem.severity])
    rule = click.style(f"[{problem.rule}]", dim=True)
    return f"{where}: {severity}: {escaped(problem.message)} {rule}\n"


def _github(problems: Sequence[Problem]) -> str:
    """GitHub's workflow commands (also read by Gitea), one annotation a line."""
    lines = []
    for problem in problems:
        line = f",line={problem.line}" if problem.line else ""
        place = f"file={_property(problem.path)}{line},title={_property(problem.rule)}"
        lines.append(f"::{problem.severity} {place}::{_data(problem.message)}\n")
    return "".join(lines)


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def _gitlab(problems: Sequence[Problem]) -> str:
    """GitLab's code quality report."""
    severities = {Severity.ERROR: "critical", Severity.WARNING: "minor"}
    report = [
        {
            "description": problem.message,
            "check_name": problem.rule,
            "fingerprint": hashlib.sha256(f"{problem.rule} {problem}".encode()).hexdigest(),
            "severity": severities[problem.severity],
            "location": {"path": problem.path, "lines": {"begin": problem.line or 1}},
        }
        for problem in problems
    ]
    return json.dumps(report, indent=2) + "\n"


def _json(problems: Sequence[Problem]) -> str:
    rows = [
        {
            "path": problem.path,
            "line": problem.line,
            "severity": problem.severity,
            "rule": problem.rule,
            "message": problem.message,
        }
        for problem in problems
    ]
    return json.dumps(rows, indent=2) + "\n"


_LEVELS = {Severity.ERROR: "error", Severity.WARNING: "warning"}


def _sarif(problems: Sequence[Problem]) -> str:
    """SARIF 2.1.0, as GitHub's code scanning, Azure DevOps and editors read it."""
    rules = sorted({problem.rule for problem in problems})
    driver = {
        "name": "jobtypes check",
        "rules": [{"id": r, "shortDescription": {"text": RULES[r].summary}} for r in rules],
    }
    results = [
        {
            "ruleId": problem.rule,
            "level": _LEVELS[problem.severity],
            "message": {"text": problem.message},
            "locations": [{"physicalLocation": _location(problem)}],
        }
        for problem in problems
    ]
    run = {"tool": {"driver": driver}, "results": results}
    log = {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [run],
    }
    return json.dumps(log, indent=2) + "\n"


def _location(problem: Problem) -> dict[str, object]:
    # A path in a tree may have bytes that are no text.
    uri = quote(Path(problem.path).as_posix(), errors="surrogateescape")
    return {"artifactLocation": {"uri": uri}, "region": {"startLine": problem.line or 1}}


FORMATS: dict[str, Callable[[Sequence[Problem]], str]] = {
    "text": _text,
    "github": _github,
    "gitlab": _gitlab,
    "json": _json,
    "sarif": _sarif,
}


def counted(errors: int, warnings: int) -> str:
    """How many problems there are of each severity, for a closing line."""
    return f"{_number(errors, 'error')}, {_number(warnings, 'warning')}"


def _number(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
