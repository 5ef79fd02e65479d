"""A tree that is checked, and the one it came from: what differs, and what then holds."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from functools import cached_property

from gitstore.catalogue.catalogue import Catalogue
from gitstore.catalogue.contents import Contents, Directory, read_yaml
from gitstore.catalogue.difference import others
from gitstore.catalogue.history import Blob, History
from gitstore.checks.parsing import Sources
from gitstore.checks.past import Past
from gitstore.format import layout
from gitstore.format.schema import (
    Fault,
    Parsed,
    SoftwareFile,
    parse_software,
)
from gitstore.git.trees import Entry, Objects

SUGGESTIONS_LIMIT = 20
"""Suggestions in one check. Each takes long."""


class Comparison:
    """A tree and the one it came from: what differs, and what then holds."""

    def __init__(
        self,
        objects: Objects,
        tree: str,
        base: Catalogue,
        everything: bool,
        touched: Collection[str],
        sources: Sources,
        after: History | None,
        only: Collection[str] | None = None,
    ) -> None:
        self.objects = objects
        self.check_time = sources.check_time
        self.suggestions = iter(range(SUGGESTIONS_LIMIT))
        self.base = base
        self._touched = touched
        self._only = only
        # What *base* has parsed is cached by id, so it is reused here.
        known = base.contents
        self.contents = known if known.objects is objects else Contents(objects)
        self._new = objects.entries(tree)
        came_from = base.history.tree
        self._old = {} if came_from is None or everything else objects.entries(came_from)
        self._after = after

    @cached_property
    def past(self) -> Past:
        """The names and numbers of the past."""
        entry = self.withdrawn
        is_file = entry is not None and entry.is_file
        blob = Blob(entry.id, read_yaml(self.objects, entry.id)) if entry and is_file else None
        return Past(self.base, self.jobtypes, blob, self._after)

    @cached_property
    def jobtypes(self) -> Mapping[str, Entry]:
        """What stands under jobtypes/."""
        return self._below(self._new, layout.JOBTYPES)

    @cached_property
    def jobtypes_before(self) -> Mapping[str, Entry]:
        """What stood under jobtypes/."""
        return self._below(self._old, layout.JOBTYPES)

    @cached_property
    def software(self) -> Mapping[str, Entry]:
        """What stands under software/."""
        return self._below(self._new, layout.SOFTWARE)

    @cached_property
    def withdrawn(self) -> Entry | None:
        """withdrawn.yaml."""
        return self._new.get(layout.WITHDRAWN)

    @cached_property
    def changed_jobtypes(self) -> dict[str, Entry]:
        """The entries under jobtypes/ that are new, differ, or were touched."""
        if self._only is not None:
            return {name: self.jobtypes[name] for name in self._only if name in self.jobtypes}
        differing = differing_entries(self.jobtypes_before, self.jobtypes)
        return differing | {n: self.jobtypes[n] for n in self._touched if n in self.jobtypes}

    @cached_property
    def changed_software(self) -> dict[str, Entry]:
        """The entries under software/ that are new or differ."""
        return differing_entries(self._below(self._old, layout.SOFTWARE), self.software)

    @cached_property
    def changed_root(self) -> dict[str, Entry]:
        """The entries of the root that are new or differ."""
        return differing_entries(self._old, self._new)

    def _below(self, root: Mapping[str, Entry], name: str) -> Mapping[str, Entry]:
        entry = root.get(name)
        return self.objects.entries(entry.id) if entry and entry.is_tree else {}

    def directory(self, name: str) -> Directory:
        """The directory of jobtype *name*, which isn't a file."""
        return self.contents.directory(self.jobtypes[name].id)

    @cached_property
    def _parsed_software(self) -> dict[str, tuple[str, Parsed[SoftwareFile]]]:
        """The changed software files: their path and what they hold, by software name."""
        files = {}
        for file_name, entry in self.changed_software.items():
            name = layout.software_name(file_name)
            if name and entry.is_file:
                self.check_time()
                parsed = parse_software(read_yaml(self.objects, entry.id))
                files[name] = (f"{layout.SOFTWARE}/{file_name}", parsed)
        return files

    def software_changes(self) -> Iterator[tuple[str, str, Parsed[SoftwareFile]]]:
        """Yield (name, path, content) for each changed software file with a valid name."""
        for name, (path, parsed) in self._parsed_software.items():
            yield name, path, parsed

    @cached_property
    def software_names(self) -> dict[str, str]:
        """The software of the new tree: file names by software name."""
        names = ((layout.software_name(file), file) for file in self.software)
        return {name: file for name, file in names if name}

    def software_file(self, name: str) -> SoftwareFile | None:
        """The software *name* in the new tree; None if there is none."""
        if name not in self.software_names:
            return None
        if name in self._parsed_software:
            parsed = self._parsed_software[name][1]
            if parsed.value is not None:
                return parsed.value
        known = self.base.history.software.get(name)
        return self.base.software_file(known) if known else None


def differing_entries(old: Mapping[str, Entry], new: Mapping[str, Entry]) -> dict[str, Entry]:
    """The entries of *new* that *old* lacks, or has otherwise."""
    # Nearly all are the same object, as Repository.entries() gives them.
    return {name: entry for name, entry in others(new, old) if old.get(name) != entry}


def field_of(fault: Fault) -> str:
    """The place of *fault* in its file as a Problem names it, with dots."""
    return ".".join(str(part) for part in fault.place)
