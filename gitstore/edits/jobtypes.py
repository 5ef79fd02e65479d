"""The edits of jobtypes as pure functions: a catalogue and what is wanted go in, an Edit comes out.

An Edit says which paths change and how the commit is called. Nothing is written here;
store.py does that, again on a newer catalogue where somebody else was faster.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from gitstore.catalogue.catalogue import Catalogue, Release
from gitstore.catalogue.contents import read_yaml
from gitstore.catalogue.history import TRAILER_VERSION, Jobtype, trailer
from gitstore.checks.code import check_source
from gitstore.checks.past import case_fault, other_spellings
from gitstore.checks.settings import Checks
from gitstore.errors import BadRequest, Exists, Problem
from gitstore.format import layout
from gitstore.format.schema import JobtypeMeta, Requirement, Withdrawn, parse_meta
from gitstore.format.yaml_editor import Plain, edit_yaml
from gitstore.git.tree_edit import Changes, Content, Graft, Wanted
from gitstore.git.trees import DIRECTORY, REGULAR_FILE, Entry


@dataclass(frozen=True, slots=True)
class Edit:
    """A change to the tree, the subject of its commit, and its trailers.

    *checked* False is for one that another follows, which says what becomes of it.
    """

    changes: Changes
    subject: str
    trailers: tuple[str, ...] = ()
    checked: bool = True

    @property
    def jobtypes(self) -> frozenset[str]:
        """The names of the jobtypes that it writes, even where nothing differs."""
        parts = (path.split("/") for path in self.changes)
        return frozenset(part[1] for part in parts if part[0] == layout.JOBTYPES)


Change = Callable[[Catalogue], Edit | None]
"""What a writer wants, put against a catalogue; None where there is nothing to do."""

_SHOWN_FIRST = ("classname", "description", "max_batch")
"""The fields that a new meta.yaml has even where they are the defaults; an old one need not."""


@dataclass(frozen=True, slots=True)
class JobtypeWish:
    """What a jobtype is to become. *meta.requirements* count only if *requirements_given*;
    otherwise those of the newest version stay. *id* None says nothing."""

    name: str
    code: str
    meta: JobtypeMeta
    requirements_given: bool = True
    id: int | None = None


# Jobtypes


def check_wish(wish: JobtypeWish, checks: Checks) -> Iterator[Problem]:
    """What is wrong with *wish* whatever the catalogue holds."""
    fault = layout.jobtype_name_fault(wish.name)
    if fault:
        path = layout.jobtype_path(layout.shown(wish.name))
        yield Problem("name-invalid", path, f"the jobtype's name {fault}", None, "name")
    yield from check_source(wish.name, wish.code.encode(), wish.meta, checks)


def create_jobtype(wish: JobtypeWish) -> Change:
    """A new jobtype, or (under a name used before) its next version."""

    def change(catalogue: Catalogue) -> Edit | None:
        if wish.name in catalogue.history.jobtypes:
            raise Exists(f"the jobtype {wish.name} exists; PUT a new version of it")
        if wish.id is not None:
            raise BadRequest(f"the jobtype {wish.name} is new and has no id yet", "id")
        return _put(catalogue, wish)

    return change


def put_jobtype(key: str, wish: JobtypeWish) -> tuple[Change, ...]:
    """A new version of the jobtype *key*, or a new jobtype; a new name renames it first."""

    def rename(catalogue: Catalogue) -> Edit | None:
        found = _jobtype_to_put(catalogue, key, wish)
        return _rename(catalogue, found, wish.name) if found and found.name != wish.name else None

    def put(catalogue: Catalogue) -> Edit | None:
        return _put(catalogue, wish)

    return rename, put


def _jobtype_to_put(catalogue: Catalogue, key: str, wish: JobtypeWish) -> Jobtype | None:
    found = catalogue.jobtype(key) if layout.is_id(key) else catalogue.find_jobtype(key)
    if found is None and wish.name != key:
        says = f"a new jobtype has the name in the path, {layout.shown(key)}"
        raise BadRequest(f"{says}, not {layout.shown(wish.name)}", "name")
    if wish.id is not None and (found is None or wish.id != found.id):
        has = "is new and has none yet" if found is None else f"has the id {found.id}"
        raise BadRequest(f"the id is {wish.id}, but {layout.shown(key)} {has}", "id")
    return found


def _rename(catalogue: Catalogue, jobtype: Jobtype, name: str) -> Edit:
    if name in catalogue.history.numbers:
        raise Exists(f"the name {layout.shown(name)} is or was in use; choose one never used")
    twins = other_spellings(catalogue.history, name)
    if twins:
        raise Exists(f"the name {layout.shown(name)} {case_fault(twins[0])}")
    fault = layout.jobtype_name_fault(name)
    if fault:
        raise BadRequest(f"the jobtype's name {fault}", "name")
    changes = {
        layout.jobtype_path(jobtype.name): None,
        layout.jobtype_path(name): Graft(Entry(DIRECTORY, jobtype.tree)),
        **_withdrawn_changes(catalogue, jobtype.name, rename_to=name),
    }
    return Edit(changes, f"{jobtype.name}: rename to {name}", checked=False)


def _put(catalogue: Catalogue, wish: JobtypeWish) -> Edit:
    fault = layout.jobtype_name_fault(wish.name)
    if fault:
        raise BadRequest(f"the jobtype's name {fault}", "name")
    jobtype = catalogue.history.jobtypes.get(wish.name)
    newest = catalogue.find_newest(jobtype) if jobtype else None
    meta = wish.meta
    if newest and not wish.requirements_given:
        meta = meta.model_copy(update={"requirements": newest.meta.requirements})
    changes = {
        layout.code_path(wish.name): wish.code.encode(),
        layout.meta_path(wish.name): _meta_file(catalogue, jobtype, meta),
    }
    return _version_edit(catalogue, wish.name, changes, "change" if jobtype else "new jobtype")


def _version_edit(catalogue: Catalogue, name: str, changes: Changes, what: str) -> Edit:
    number = catalogue.history.next_number(name)
    made = trailer(TRAILER_VERSION, number, name)
    return Edit(changes, f"{name}: {what}, version {number}", (made,))


def delete_jobtype(key: str) -> Change:
    """The end of the jobtype *key*, if there is one."""

    def change(catalogue: Catalogue) -> Edit | None:
        jobtype = catalogue.find_jobtype(key)
        if jobtype is None:
            return None
        changes = {
            layout.jobtype_path(jobtype.name): None,
            **_withdrawn_changes(catalogue, jobtype.name),
        }
        return Edit(changes, f"{jobtype.name}: delete the jobtype")

    return change


def withdraw(key: str, number: int) -> Change:
    """Version *number* of the jobtype *key* out of service, if it is in service.

    Where it is the newest, the directory goes back to the version that then is.
    """

    def change(catalogue: Catalogue) -> Edit | None:
        jobtype = catalogue.find_jobtype(key)
        if jobtype is None or number not in {v.number for v in jobtype.versions}:
            return None
        name, history = jobtype.name, catalogue.history
        kept = [v for v in jobtype.versions if not history.is_withdrawn(name, v.number)]
        if number not in {v.number for v in kept}:
            return None
        changes = dict(_withdrawn_changes(catalogue, name, rename_to=name, add=number))
        if kept[-1].number == number and len(kept) > 1:
            changes[layout.jobtype_path(name)] = Graft(Entry(DIRECTORY, kept[-2].tree))
        return Edit(changes, f"{name}: withdraw version {number}")

    return change


def _withdrawn_changes(
    catalogue: Catalogue, name: str, rename_to: str | None = None, add: int | None = None
) -> dict[str, Content]:
    """withdrawn.yaml with *name*'s list moved to *rename_to* (None: removed), *add* in it."""
    listed = {n: sorted(numbers) for n, numbers in catalogue.history.withdrawn.items()}
    numbers = listed.pop(name, [])
    if add is not None:
        numbers = sorted({*numbers, add})
    if rename_to is not None and numbers:
        listed[rename_to] = numbers
    if listed == {n: sorted(numbers) for n, numbers in catalogue.history.withdrawn.items()}:
        return {}
    if not listed:
        return {layout.WITHDRAWN: None}
    plain: dict[str, Plain] = {n: [*listed[n]] for n in sorted(listed)}
    data = edit_yaml(root_file(catalogue, layout.WITHDRAWN), plain)
    wanted = Withdrawn({n: frozenset(numbers) for n, numbers in listed.items()})
    return {layout.WITHDRAWN: Wanted(data, wanted)}


# Requirements of jobtypes


def add_requirement(key: str, requirement: Requirement) -> Change:
    """A new version of the jobtype *key*, its newest with one requirement more."""

    def change(catalogue: Catalogue) -> Edit | None:
        newest = catalogue.newest(key)
        required = newest.meta.requirements
        if any(r.software == requirement.software for r in required):
            says = f"{newest.jobtype.name} requires {requirement.software} already"
            raise Exists(f"{says}; remove that requirement first, or PUT the jobtype")
        return _require(catalogue, newest, (*required, requirement), requirement.software)

    return change


def remove_requirement(key: str, software: str) -> Change:
    """A new version of the jobtype *key* without the requirement, if its newest has it.

    *software* is a name, or the id of a software.
    """

    def change(catalogue: Catalogue) -> Edit | None:
        newest = catalogue.newest(key)
        found = find_requirement(catalogue, newest, software)
        if found is None:
            return None
        left = tuple(r for r in newest.meta.requirements if r != found)
        return _require(catalogue, newest, left, found.software, "no longer ")

    return change


def find_requirement(catalogue: Catalogue, release: Release, key: str) -> Requirement | None:
    """The requirement of *release* for the software of that name or id, or None."""
    if layout.is_id(key):
        id = layout.parse_id(key)
        for requirement in release.meta.requirements:
            if catalogue.requirement_ids(release.version, requirement).software == id:
                return requirement
    return next((r for r in release.meta.requirements if r.software == key), None)


def _require(
    catalogue: Catalogue,
    release: Release,
    requirements: tuple[Requirement, ...],
    software: str,
    no_longer: str = "",
) -> Edit:
    name = release.jobtype.name
    changes = requirement_changes(catalogue, release, requirements)
    return _version_edit(catalogue, name, changes, f"{no_longer}requires {software}")


def requirement_changes(
    catalogue: Catalogue, release: Release, requirements: tuple[Requirement, ...]
) -> dict[str, Content]:
    """The files of *release* with other *requirements*."""
    meta = release.meta.model_copy(update={"requirements": requirements})
    old = catalogue.contents.objects.read_blob(release.directory.meta_blob)
    return {
        layout.code_path(release.jobtype.name): Graft(Entry(REGULAR_FILE, release.directory.code)),
        layout.meta_path(release.jobtype.name): meta_content(old, meta),
    }


# Files


def _meta_file(catalogue: Catalogue, jobtype: Jobtype | None, meta: JobtypeMeta) -> Wanted | Graft:
    """The meta.yaml of *jobtype*, edited so that it says *meta*; None: a new file."""
    if jobtype is None:
        return meta_content(None, meta)
    contents = catalogue.contents
    known = contents.directory(jobtype.tree)
    if known.meta == meta:
        return Graft(contents.objects.entries(jobtype.tree)[layout.META])
    old = read_yaml(contents.objects, known.meta_blob) if known.meta_blob else None
    # A file that is too large to be one is replaced.
    return meta_content(old if isinstance(old, bytes) else None, meta)


def root_file(catalogue: Catalogue, path: str) -> bytes | None:
    """The YAML file at *path*, None where there is none or it is too large to be one."""
    assert catalogue.history.tree is not None
    objects = catalogue.contents.objects
    entry = objects.entries(catalogue.history.tree).get(path)
    data = read_yaml(objects, entry.id) if entry and entry.is_file else None
    return data if isinstance(data, bytes) else None


def meta_content(old: bytes | None, meta: JobtypeMeta) -> Wanted:
    """The meta.yaml *old*, edited so that it says *meta*; None: a new file."""
    before = parse_meta(old).document if old is not None else None
    written = before.value if before and isinstance(before.value, dict) else {}
    shown = () if before else _SHOWN_FIRST
    values = meta.model_dump(exclude={"requirements"})
    defaults = JobtypeMeta().model_dump()
    value: dict[str, Plain] = {
        key: value
        for key, value in values.items()
        if key in written or key in shown or value != defaults[key]
    }
    if meta.requirements or "requirements" in written:
        listed = written.get("requirements")
        known = listed if isinstance(listed, list) else []
        value["requirements"] = [
            kept_item(r.model_dump(), known, "software") for r in meta.requirements
        ]
    return Wanted(edit_yaml(old, value), meta)


def kept_item(values: dict[str, Plain], known: list[object], key: str) -> Plain:
    """*values* less the defaults that the item's last form in the file did not write out."""
    written = next((k for k in known if isinstance(k, dict) and k.get(key) == values[key]), {})
    return {
        name: v
        for name, v in values.items()
        if name in written or (v is not None and v is not False)
    }
