"""The objects of a trial merge. They are only in memory, on top of a repository's objects."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol, TypeVar

from gitstore.format.layout import CODE_LIMIT_BYTES
from gitstore.git.trees import Entry, Header, RawObjects, Tree, parse_header, without_header

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Merge:
    """The result of a merge: a *tree*, and those of its *objects* that the repository lacks.

    Those are by id, each with its header.
    """

    tree: str
    objects: Mapping[str, bytes]


class Below(RawObjects, Protocol):
    """What lies below: a repository."""

    def parsed(self, id: str, data: bytes) -> Tree:
        """The tree *id*, whose raw form is *data*."""
        ...


class Overlay:
    """The objects of a repository, *below*, and a merge's on top of them."""

    def __init__(self, below: Below, objects: Mapping[str, bytes]) -> None:
        self._below = below
        self._objects = objects

    def __contains__(self, id: str) -> bool:
        return id in self._objects

    def either(self, own: Callable[[str], T], below: Callable[[str], T]) -> Callable[[str], T]:
        """A function that calls *own* for ids of the merge's objects, and *below* for others."""
        return lambda id: own(id) if id in self._objects else below(id)

    def header(self, id: str) -> Header | None:
        """The kind and the size of object *id*, None where it is missing."""
        own = self._objects.get(id)
        return self._below.header(id) if own is None else parse_header(own)

    def read_raw(self, id: str) -> bytes:
        """The bytes of object *id*."""
        own = self._objects.get(id)
        return self._below.read_raw(id) if own is None else without_header(own)

    def read_blob(self, id: str, limit_bytes: int = CODE_LIMIT_BYTES) -> bytes:
        """The content of blob *id*; the limit is for those below."""
        return self.read_raw(id) if id in self else self._below.read_blob(id, limit_bytes)

    def tree(self, id: str) -> Tree:
        """The tree *id*."""
        return self._below.parsed(id, self.read_raw(id)) if id in self else self._below.tree(id)

    def entries(self, tree: str) -> Mapping[str, Entry]:
        """The entries of tree *tree*, by name."""
        return self.tree(tree).entries
