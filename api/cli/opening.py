"""The store and the catalogue of the repository and branch that a command's options name."""

from __future__ import annotations

import os
from pathlib import Path

from api.config import Config
from gitstore.branch.changes import HEADS
from gitstore.branch.store import Store
from gitstore.catalogue.catalogue import Catalogue
from gitstore.checks.folder import NAMED
from gitstore.checks.settings import Checks
from gitstore.errors import NotFound
from gitstore.git.repository import Repository

UPSTREAM = "refs/remotes/origin/HEAD"
"""The branch that a clone came from."""


def open_store(repo: Path, branch: str | None, checks: Checks | None = None) -> Store:
    """The store of the repository and branch that the options name.

    Raises:
        NotFound: the named branch does not exist, but others do.
        NotWhole: a part of the history is missing.
    """
    store = Store(repo, Config(repo, branch).ref, checks)
    store.repository.require_whole()
    if branch is None or store.repository.tip(store.ref) is not None:
        return store
    store.catalogue()  # It raises another error for a branch that was lost.
    others = sorted(ref.removeprefix(HEADS) for ref in store.repository.refs(HEADS))
    if others:
        message = f"there is no branch {branch} in {repo}; its branches are {', '.join(others)}"
        raise NotFound(message)
    return store


def open_served(repo: Path, branch: str | None) -> Store:
    """Like open_store; in a clone without *branch*, of the branch that it came from."""
    repository = Repository(repo)
    if branch is not None or repository.is_bare or repository.tip(UPSTREAM) is None:
        return open_store(repo, branch)
    repository.require_whole()
    return Store(repository, UPSTREAM)


def read_catalogue(repo: Path, branch: str | None) -> Catalogue:
    """The catalogue of that branch's tip."""
    return open_store(repo, branch).catalogue()


def root_of(where: Path) -> Path:
    """The folder with the jobtypes: *where*, or the root of the working copy around it.

    Raises:
        NotFound: there are no jobtypes.
    """
    if not os.path.isdir(where):  # Also for a name that is too long to be one.
        raise NotFound(f"{where} is no folder; name a working copy or a bare repository")
    if is_repository(where) or any((where / name).exists() for name in NAMED):
        return where
    around = find_repository(where)
    if around is not None:
        return around
    message = f"{where} has neither jobtypes/ nor software/ and lies in no repository"
    raise NotFound(f"{message}; name a working copy or a bare repository")


def find_repository(where: Path) -> Path | None:
    """The root of the repository that the folder *where* is in, None if it is in none."""
    if is_repository(where):
        return where
    around = next(filter(is_repository, where.resolve().parents), None)
    return around and Path(os.path.relpath(around))


def is_repository(folder: Path) -> bool:
    """Whether *folder* is the root of a repository, bare or not."""
    return (folder / ".git").exists() or (folder / "objects").is_dir()


def is_bare(folder: Path) -> bool:
    """Whether *folder* is a bare repository, whose folder jobtypes/ is the service's own."""
    return is_repository(folder) and not (folder / ".git").exists()


def store_of(where: Path) -> Store | None:
    """The store of the repository whose root is *where*, None for any other folder."""
    return Store(where) if is_repository(where) else None
