"""The forms in which ``jobtypes check`` prints problems: for people and for CI."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence

from gitstore.format.layout import escaped
from gitstore.rules import Problem, Severity


def _text(problems: Sequence[Problem]) -> str:
    return "".join(f"{escaped(str(problem))}\n" for problem in problems)


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


FORMATS: dict[str, Callable[[Sequence[Problem]], str]] = {
    "text": _text,
    "github": _github,
    "gitlab": _gitlab,
    "json": _json,
}


def count(problems: Sequence[Problem]) -> str:
    """How many problems there are of each severity, for a closing line."""
    errors = sum(1 for p in problems if p.severity is Severity.ERROR)
    return f"{_number(errors, 'error')}, {_number(len(problems) - errors, 'warning')}"


def _number(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
