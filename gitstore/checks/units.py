"""What a change is made of: a jobtype's directory, a software's file, anything else of the root."""

from __future__ import annotations

from collections.abc import Mapping

from gitstore.format import layout
from gitstore.git.trees import Entry, Objects

_FOLDERS = (layout.JOBTYPES, layout.SOFTWARE)


def unit_of(path: str) -> str:
    """The unit that the file at *path* belongs to: ``jobtypes/Blender`` for its code.py."""
    folder, _, rest = path.partition("/")
    return f"{folder}/{rest.partition('/')[0]}" if rest and folder in _FOLDERS else folder


def differing_units(objects: Objects, old: str | None, new: str) -> frozenset[str]:
    """The units that differ between the trees *old* and *new*."""
    before, after = units_of(objects, old), units_of(objects, new)
    return frozenset(u for u in before.keys() | after.keys() if before.get(u) != after.get(u))


def units_of(objects: Objects, tree: str | None) -> Mapping[str, Entry]:
    """The units of *tree*, and what stands there; None is for a tree without any."""
    root = objects.entries(tree) if tree else {}
    units = {name: entry for name, entry in root.items() if name not in _FOLDERS}
    for folder in _FOLDERS:
        entry = root.get(folder)
        if entry is not None and entry.is_tree:
            below = objects.entries(entry.id)
            units.update({f"{folder}/{name}": entry for name, entry in below.items()})
        elif entry is not None:
            units[folder] = entry
    return units
