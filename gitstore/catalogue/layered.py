"""A mapping that differs from another in a few places, and shares the rest with it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import TypeVar

T = TypeVar("T")


class Layered(Mapping[str, T]):
    """*base* without the names in *gone*, and with *new* added."""

    def __init__(self, base: Mapping[str, T], gone: Collection[str], new: Mapping[str, T]) -> None:
        self._base = base
        self._gone = frozenset(gone)
        self._new = new
        added = sum(name not in base for name in new)
        self._length = len(base) - len(self._gone) + added

    def __getitem__(self, name: str) -> T:
        """The value of *name*."""
        if name in self._new:
            return self._new[name]
        if name in self._gone:
            raise KeyError(name)
        return self._base[name]

    def __iter__(self) -> Iterator[str]:
        """Yield the names, those of the base first."""
        yield from (name for name in self._base if name not in self._gone)
        yield from (name for name in self._new if name not in self._base)

    def __len__(self) -> int:
        """How many names there are."""
        return self._length
