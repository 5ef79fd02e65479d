"""What is looked at before a ref moves to commits that somebody else made."""

from __future__ import annotations

from gitstore.format.layout import Sizes
from gitstore.git.repository import Repository


def check_incoming(repository: Repository, new: str, known: str | None, sizes: Sizes) -> None:
    """Refuse commit *new* if it, or a commit that comes with it, is out of bounds.

    *known* is the commit that was accepted last; what its history has is not looked at. How
    large files are counts in the tree of *new* alone, and depth and paths in all the others.

    Raises:
        OutOfBounds: the message names the path, or the commit.
        NotFound: *new* is no commit.
    """
    check_shapes(repository, new, known)
    old = repository.commit(known).tree if known else None
    repository.bounds.check_files(old, repository.commit(new).tree, sizes)


def check_shapes(repository: Repository, new: str, known: str | None) -> None:
    """Like check_incoming, without the sizes of files."""
    repository.bounds.extent(repository.commit(new).tree)
    for commit in repository.new_commits(new, known):
        parent = commit.parents[0] if commit.parents else None
        old = repository.commit(parent).tree if parent else None
        if commit.tree != old:
            repository.bounds.check_step(old, commit.tree)
