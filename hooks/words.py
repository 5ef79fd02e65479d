"""What a push is told: lines of at most 72 columns, which Git sets ``remote: `` before."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Sequence
from urllib.parse import quote

from gitstore import Problem, Severity
from gitstore.difference import Difference, NewVersions
from gitstore.layout import escaped

_COLUMNS = 72
_PROBLEMS_SHOWN = 20
_LINES_SHOWN = 30

PULL_ADVICE = (
    "The served branch only grows: the version numbers of what is published hang on it."
    " Put your commits on top of it and push again:",
    "    git pull --rebase",
    "    git push",
)
BRANCH_ADVICE = (
    "Push a branch instead, and have it merged:",
    "    git switch -c my-change",
    "    git push -u origin my-change",
)
TAGS_ADVICE = ("Push without them:", "    git push --no-follow-tags")
MEND_ADVICE = "Mend it, git commit --amend, and push again."
FETCH_FIRST = (
    "Refused: fetch first: somebody else was faster. Put your commits on top of theirs"
    " and push again:",
    *PULL_ADVICE[1:],
)
NOTHING_TAKEN = "Nothing of this push was taken."
DRY_RUN = ("Dry run: nothing was taken. Push without -o dry-run to make it so.",)


def wrap(lines: Iterable[str]) -> Iterator[str]:
    """Yield *lines*, the long ones broken at spaces and their rest set in."""
    for line in lines:
        indent = line[: len(line) - len(line.lstrip())] + "  "
        yield from textwrap.wrap(
            line,
            _COLUMNS,
            subsequent_indent=indent,
            break_long_words=False,
            break_on_hyphens=False,
            drop_whitespace=True,
        ) or [""]


def problem_lines(problems: Sequence[Problem]) -> Iterator[str]:
    """Yield each problem as path:line: sentence, errors first; very many are counted."""
    ordered = sorted(problems, key=lambda p: p.severity is Severity.WARNING)
    for problem in ordered[:_PROBLEMS_SHOWN]:
        where = problem.path if problem.line is None else f"{problem.path}:{problem.line}"
        label = "warning: " if problem.severity is Severity.WARNING else ""
        yield f"{label}{escaped(where)}: {problem.message}"
    if len(ordered) > _PROBLEMS_SHOWN:
        yield f"... and {len(ordered) - _PROBLEMS_SHOWN} more; see them all with: jobtypes check"


def difference_lines(made: Difference, url: str) -> Iterator[str]:
    """Yield what a push makes, with links to the differences where there is a service."""
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
