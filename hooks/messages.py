"""What the client of a push reads: lines of at most 72 columns, after Git's ``remote: ``."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING
from urllib.parse import quote

from gitstore.format.layout import escaped
from gitstore.rules import Problem, Severity

if TYPE_CHECKING:
    from gitstore.catalogue.difference import Difference, NewVersions

_COLUMNS = 72
_PROBLEMS_SHOWN = 20
_LINES_SHOWN = 30

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


def wrap(lines: Iterable[str]) -> Iterator[str]:
    """Yield *lines*, the long ones broken at spaces and the rest indented.

    A word that is longer than a line is broken, after a slash if it has one. A URL is not
    broken, so that users can click it.
    """
    for line in lines:
        yield from _wrapped(line)


def _wrapped(line: str) -> Iterator[str]:
    current = line[: len(line) - len(line.lstrip())]
    indent, gap = current + "  ", ""
    for word in line.split():
        if gap and _columns(current + gap + word) > _COLUMNS:
            yield current
            current, gap = indent, ""
        current += gap + word
        gap = " "
        while _columns(current) > _COLUMNS and "://" not in word:
            place = _place_to_break(current, len(indent))
            yield current[:place]
            current = indent + current[place:]
    yield current


def _place_to_break(text: str, least: int) -> int:
    """Where to break *text*, which has no space past *least* and fits up to there."""
    place = least + 1
    while _columns(text[: place + 1]) <= _COLUMNS:
        place += 1
    slash = text.rfind("/", least + 1, place)
    return place if slash < 0 else slash + 1


def _columns(text: str) -> int:
    """How many columns a terminal needs for *text*."""
    return sum(_width(character) for character in text)


def _width(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def problem_lines(problems: Sequence[Problem]) -> Iterator[str]:
    """Yield each problem as ``path:line: sentence``, errors first, and the number of the rest."""
    ordered = sorted(problems, key=lambda p: p.severity is Severity.WARNING)
    for problem in ordered[:_PROBLEMS_SHOWN]:
        label = "warning: " if problem.severity is Severity.WARNING else ""
        yield f"{label}{escaped(problem.where)}: {problem.message}"
    if len(ordered) > _PROBLEMS_SHOWN:
        yield f"... and {len(ordered) - _PROBLEMS_SHOWN} more; see them all with: jobtypes check"


def difference_lines(made: Difference, url: str) -> Iterator[str]:
    """Yield sentences on what a push makes, with links to diffs if the service has a *url*."""
    sentences = list(made.sentences())
    yield from sentences[:_LINES_SHOWN]
    if len(sentences) > _LINES_SHOWN:
        yield f"... and {len(sentences) - _LINES_SHOWN} more"
    if not sentences:
        yield "no jobtype changes"
    if url:
        links = (_link(version, url) for version in made.versions[:_LINES_SHOWN])
        yield from (link for link in links if link)


def _link(version: NewVersions, url: str) -> str | None:
    if version.before is None or not version.numbers:
        return None
    return f"  {url}/diff/{quote(version.name)}/{version.before}..{version.numbers[-1]}"
