"""Publishing versions as annotated tags, for people (docs/format.md, section 4).

A projection: made after the fact, safe to delete, never read back.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice, takewhile

from gitstore.catalogue.entries import Version
from gitstore.catalogue.history import History
from gitstore.catalogue.steps import Progress
from gitstore.format import layout
from gitstore.git.command import run_git
from gitstore.git.commits import Commit
from gitstore.git.repository import Repository

_MANY = 1000
"""Tags whose looking up leaves so much in libgit2's caches that a new handle is worth it."""


_TOGETHER = 500
"""Tags that one run of git makes."""


def publish(
    repository: Repository, history: History, since: int, progress: Progress | None = None
) -> int:
    """Tag the versions made after step *since* that have no tag; how many there were.

    A tag never moves: where two names would share one, the first to come keeps it. One
    whose object is gone is made again: a repack may drop what a killed process had written
    and no ref reached yet, just when its tag is made.
    """
    wanted = dict(reversed(list(_wanted(history, since))))
    missing = {tag: item for tag, item in wanted.items() if not _has(repository, tag)}
    if len(wanted) > _MANY:
        repository.release()
    done = 0
    while part := dict(islice(missing.items(), done, done + _TOGETHER)):
        if progress:
            progress(done, len(missing))
        stream = b"".join(
            _stream(tag, name, version, repository.commit(version.commit))
            for tag, (name, version) in part.items()
        )
        run_git(repository.git_dir, ["fast-import", "--quiet"], stream)
        done += len(part)
    return len(missing)


def _wanted(history: History, since: int) -> Iterator[tuple[str, tuple[str, Version]]]:
    for jobtype in (*history.ended, *history.jobtypes.values()):
        later = [*takewhile(lambda version: version.step > since, reversed(jobtype.versions))]
        if later and not layout.jobtype_name_fault(jobtype.name):
            for version in later:
                yield layout.tag_name(jobtype.name, version.number), (jobtype.name, version)


def _has(repository: Repository, tag: str) -> bool:
    target = repository.tip(f"refs/tags/{tag}")
    return target is not None and repository.has(target)


def _stream(tag: str, name: str, version: Version, commit: Commit) -> bytes:
    """One tag in the language of git fast-import, the same in every replica."""
    message = f"{name} version {version.number}\n".encode()
    when = commit.author.when
    seconds = int(when.timestamp()) if when else 0
    return (
        (
            f"tag {tag}\nfrom {commit.id}\n"
            f"tagger Jobtype repository <jobtypes@localhost> {seconds} +0000\n"
            f"data {len(message)}\n"
        ).encode()
        + message
        + b"\n"
    )
