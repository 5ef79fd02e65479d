"""What the message of a commit names: a pull request, a branch, and people who wrote it together.

The forges have their own words for a merge. A message that has none of them names nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from gitstore.git.commits import Commit, Person, trimmed

MERGED = "Merged-Branch: "
"""Begins a merge's trailer with the name of the branch, which may be deleted later."""

_CO_AUTHORS_LIMIT = 100
_NAME_LIMIT = 500
"""Characters of a branch's or a person's name, of an address or of a title."""

_SUBJECTS = (
    # Gitea and Forgejo
    r"Merge pull request '(?P<title>.*)' \((?P<pull>[#!][0-9]{1,18})\) from (?P<branch>\S+) .*",
    # Bitbucket Server, the older form, and GitHub
    r"Merge pull request (?P<pull>#[0-9]{1,18}) in \S+ from (?P<branch>\S+) to .*",
    r"Merge pull request (?P<pull>#[0-9]{1,18}) from (?P<branch>\S+).*",
    # Bitbucket Server and Bitbucket Cloud
    r"Pull request (?P<pull>#[0-9]{1,18}): (?P<title>.*)",
    r"Merged in (?P<branch>\S+) \(pull request (?P<pull>#[0-9]{1,18})\)",
    # Azure DevOps
    r"Merged PR (?P<azure>[0-9]{1,18}): (?P<title>.*)",
    # Git and GitLab
    r"Merge (?:remote-tracking )?branch '(?P<branch>[^']+)'.*",
    r"Merge (?:remote-tracking )?branches (?P<branches>'[^']+'(?:(?:, | and )'[^']+')*).*",
    # Squashes of GitHub, Gitea and Forgejo
    r"(?P<title>.*\S) \((?P<pull>#[0-9]{1,18})\)",
)
_FORMS = tuple(re.compile(subject) for subject in _SUBJECTS)
_GITLAB = re.compile(r"^See merge request \S*?(![0-9]{1,18})\s*$", re.MULTILINE)
_BITBUCKET = re.compile(r"^Merge in \S+ from (\S+) to \S+\s*$", re.MULTILINE)
_OURS = re.compile(rf"^{MERGED}(.*)$", re.MULTILINE)
_NO_TITLE = re.compile(r"See merge request |Merge in |[A-Za-z-]+: |\* |# Conflicts|\s*$")
"""Lines of a merge's body that are no title."""

_CO_AUTHOR = re.compile(r"^co-authored-by:([^<\n]*)(?:<([^>\n]*)>)?", re.MULTILINE | re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class MergeNote:
    """What a message names: a pull request as its forge writes it (``#7``, ``!7``), a branch.

    *title* is what the pull request is called; each is None where the message doesn't say it.
    """

    pull_request: str | None = None
    branch: str | None = None
    title: str | None = None


def merge_note(commit: Commit) -> MergeNote:
    """What the message of *commit* names."""
    subject, _, body = commit.message.strip().partition("\n")
    match = next(filter(None, (form.fullmatch(commit.subject) for form in _FORMS)), None)
    named = match.groupdict() if match else {}
    pull = named.get("pull") or (f"!{named['azure']}" if named.get("azure") else None)
    branch = named.get("branch")
    if named.get("branches"):
        branch = ", ".join(re.findall(r"'([^']+)'", named["branches"]))
    for form, is_pull in ((_GITLAB, True), (_BITBUCKET, False), (_OURS, False)):
        found = form.search(body)
        if found and is_pull:
            pull = pull or found[1]
        elif found:
            branch = found[1].strip() or branch
    title = named.get("title")
    if title is None and (pull or branch):
        title = _title(subject, body, branch)
    return MergeNote(pull, _cut(branch), _cut(title))


def _title(subject: str, body: str, branch: str | None) -> str | None:
    """The title of a pull request, in the *body* of its merge or behind our own words."""
    ours = f"Merge {branch}: "
    if branch and subject.startswith(ours):
        return subject.removeprefix(ours)
    lines = (line.strip() for line in body.split("\n", 20)[:20])
    return next((line for line in lines if not _NO_TITLE.match(line)), None)


def _cut(text: str | None) -> str | None:
    return text[:_NAME_LIMIT] if text else None


def co_authors(commit: Commit) -> Iterator[Person]:
    """Yield the people that the lines ``Co-authored-by`` of the message name."""
    for name, email in islice(_CO_AUTHOR.findall(commit.message), _CO_AUTHORS_LIMIT):
        person = Person(trimmed(name)[:_NAME_LIMIT], trimmed(email)[:_NAME_LIMIT])
        if person.name or person.email:
            yield person
