"""The dictionaries that a tried jobtype gets: they note what it reads, and refuse writes."""

from __future__ import annotations

from collections.abc import ItemsView, Iterator, KeysView, ValuesView
from typing import NoReturn


class Data(dict[str, object]):
    """A job's ``data``, which notes the keys that are *read*, and those that are *missed*."""

    def __init__(self, values: dict[str, object]) -> None:
        super().__init__(values)
        self.read: set[str] = set()
        self.missed: set[str] = set()

    def _note(self, key: object) -> None:
        there = self.read if super().__contains__(key) else self.missed
        there.add(str(key))

    def __getitem__(self, key: str) -> object:
        self._note(key)
        return super().__getitem__(key)

    def __contains__(self, key: object) -> bool:
        self._note(key)
        return super().__contains__(key)

    def get(self, key: str, default: object = None) -> object:
        """The value of *key*, or *default*."""
        self._note(key)
        return super().get(key, default)

    def __iter__(self) -> Iterator[str]:
        self.read.update(super().keys())
        return super().__iter__()

    def keys(self) -> KeysView[str]:  # type: ignore[override]  # a view, if not dict's own
        """All keys, which count as read."""
        self.read.update(super().keys())
        return super().keys()

    def values(self) -> ValuesView[object]:  # type: ignore[override]  # as keys
        """All values, whose keys count as read."""
        self.read.update(super().keys())
        return super().values()

    def items(self) -> ItemsView[str, object]:  # type: ignore[override]  # as keys
        """All pairs, whose keys count as read."""
        self.read.update(super().keys())
        return super().items()


class ReadOnly(dict[str, object]):
    """A dictionary that can't be changed, as the agent's assignment can't."""

    def _refuse(self, *args: object, **kwargs: object) -> NoReturn:
        raise RuntimeError("Cannot modify a read-only dictionary.")

    __setitem__ = __delitem__ = _refuse
    clear = pop = popitem = setdefault = update = _refuse
    __ior__ = _refuse
