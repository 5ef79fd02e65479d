"""The store and the catalogue of the repository and branch that a command's options name."""

from __future__ import annotations

from pathlib import Path

from api.config import Config
from gitstore.branch.store import Store
from gitstore.catalogue.catalogue import Catalogue
from gitstore.checks.settings import Checks
from gitstore.errors import NotFound

_HEADS = "refs/heads/"


def open_store(repo: Path, branch: str | None, checks: Checks | None = None) -> Store:
    """The store of the repository and branch that the options name.

    Raises:
        NotFound: the branch was named, and there are others, but not that one.
        NotWhole: a part of the history is missing.
    """
    store = Store(repo, Config(repo, branch).ref, checks)
    store.repository.require_whole()
    if branch is None or store.repository.tip(store.ref) is not None:
        return store
    store.catalogue()  # Which has another word for a branch that was there.
    others = sorted(ref.removeprefix(_HEADS) for ref in store.repository.refs(_HEADS))
    if others:
        says = f"there is no branch {branch} in {repo}; its branches are {', '.join(others)}"
        raise NotFound(says)
    return store


def read_catalogue(repo: Path, branch: str | None) -> Catalogue:
    """The catalogue of that branch's tip."""
    return open_store(repo, branch).catalogue()
