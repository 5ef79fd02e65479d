"""Bounds on commits that somebody else made, which are held before a ref moves to them."""

from __future__ import annotations

from gitstore.format.layout import Sizes
from gitstore.git.repository import Repository


def require_bounds(repository: Repository, new: str, accepted: str | None, sizes: Sizes) -> None:
    """Raise unless commit *new*, and each commit that comes with it, is within bounds.

    *accepted* is the commit that was accepted last: its history is not checked again. Depth
    and paths count in every new commit, sizes of files only in the tree of *new*.

    Raises:
        OutOfBounds: the message names the path, or the commit.
        NotFound: *new* is no commit.
    """
    require_shapes(repository, new, accepted)
    old = repository.commit(accepted).tree if accepted else None
    repository.bounds.check_files(old, repository.commit(new).tree, sizes)


def require_shapes(repository: Repository, new: str, accepted: str | None) -> None:
    """Like require_bounds, without the sizes of files."""
    repository.bounds.extent(repository.commit(new).tree)
    for commit in repository.new_commits(new, accepted):
        parent = commit.parents[0] if commit.parents else None
        old = repository.commit(parent).tree if parent else None
        if commit.tree != old:
            repository.bounds.check_step(old, commit.tree)
