"""What the client of a push reads: lines of at most 72 columns, after Git's ``remote: ``."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING
from urllib.parse import quote

from gitstore.format.columns import columns
from gitstore.format.layout import escaped
from gitstore.rules import Problem, Severity

if TYPE_CHECKING:
    from gitstore.catalogue.difference import Difference, NewVersions

_COLUMNS = 72
PROBLEMS_SHOWN = 20
LINES_SHOWN = 30

PULL_ADVICE = (
    "The served branch only grows, because version numbers are counted along it."
    " Put your commits on top of it and push again:",
    "    git pull --rebase",
    "    git push",
)
BRANCH_ADVICE = (
    "Push a branch instead, and have it merged:",
    "    git switch -c my-change",
    "    git push -u origin my-change",
)
NAME_ADVICE = (
    "Put your commits on top of what is there (git pull --rebase), or push another branch:",
    "    git push origin HEAD:refs/heads/another-name",
)
TAGS_ADVICE = ("Push without them:", "    git push --no-follow-tags")
FIX_ADVICE = "Fix it, git commit --amend, and push again."
FETCH_FIRST = (
    "Refused: fetch first: somebody else was faster. Put your commits on top of theirs"
    " and push again:",
    *PULL_ADVICE[1:],
)
NOTHING_TAKEN = "Nothing of this push was taken."
DRY_RUN = ("Dry run: nothing was taken. Push without -o dry-run to make it so.",)


_UNBROKEN = re.compile(r"\(?(?:git|jobtypes check)(?: [^\s,;)]+)+\S*|\S+")
"""What stays on one line: a command of the messages, or a word."""


def wrap(lines: Iterable[str]) -> Iterator[str]:
    """Yield *lines*, the long ones broken at spaces and the rest indented.

    Paths, URLs and commands are not broken, so that users can copy them. A terminal breaks
    those that are longer than a line.
    """
    for line in lines:
        yield from _wrapped(line)


def _wrapped(line: str) -> Iterator[str]:
    current = line[: len(line) - len(line.lstrip())]
    indent, gap = current + "  ", ""
    for match in _UNBROKEN.finditer(line):
        if gap and columns(current + gap + match[0]) > _COLUMNS:
            yield current
            current, gap = indent, ""
        current += gap + match[0]
        gap = " "
    yield current


def problem_lines(problems: Sequence[Problem], limit: int = PROBLEMS_SHOWN) -> Iterator[str]:
    """Yield each problem as ``path:line: sentence``, errors first, and the number of the rest.

    *limit* is how many are shown.
    """
    ordered = sorted(problems, key=lambda p: p.severity is Severity.WARNING)
    for problem in ordered[:limit]:
        label = "warning: " if problem.severity is Severity.WARNING else ""
        yield f"{label}{escaped(problem.where)}: {problem.message}"
    if len(ordered) > limit:
        yield f"... and {len(ordered) - limit} more; see them all with: jobtypes check"


def difference_lines(made: Difference, url: str, notes: Mapping[str, str]) -> Iterator[str]:
    """Yield sentences on what a push makes, with links to diffs if the service has a *url*.

    *notes* are those of Difference.sentences.
    """
    yield from made_lines(made.sentences(notes), LINES_SHOWN)
    if url:
        links = (_link(version, url) for version in made.versions[:LINES_SHOWN])
        yield from (link for link in links if link)


def made_lines(sentences: Iterable[str], limit: int, indent: str = "") -> Iterator[str]:
    """Yield the first *limit* of *sentences*, and the number of the rest."""
    lines = list(sentences) or ["no jobtype changes"]
    yield from (f"{indent}{escaped(line)}" for line in lines[:limit])
    if len(lines) > limit:
        yield f"{indent}... and {len(lines) - limit} more"


def _link(version: NewVersions, url: str) -> str | None:
    if version.before is None or not version.numbers:
        return None
    return f"  {url}/diff/{quote(version.name)}/{version.before}..{version.numbers[-1]}"
