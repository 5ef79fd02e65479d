"""The store and the catalogue of the repository and branch that a command's options name."""

from __future__ import annotations

from pathlib import Path

from api.config import Config
from gitstore.branch.changes import HEADS
from gitstore.branch.store import Store
from gitstore.catalogue.catalogue import Catalogue
from gitstore.checks.settings import Checks
from gitstore.errors import NotFound


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


def read_catalogue(repo: Path, branch: str | None) -> Catalogue:
    """The catalogue of that branch's tip."""
    return open_store(repo, branch).catalogue()
