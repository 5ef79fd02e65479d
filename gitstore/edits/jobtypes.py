"""The edits of jobtypes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from gitstore.catalogue.catalogue import Catalogue, Release
from gitstore.catalogue.contents import read_yaml
from gitstore.catalogue.entries import Jobtype
from gitstore.catalogue.trailers import TRAILER_VERSION, trailer
from gitstore.catalogue.withdrawals import withdrawal_subject
from gitstore.checks.code import check_source
from gitstore.checks.past import case_fault, other_spellings
from gitstore.checks.settings import Checks
from gitstore.edits.edit import Edit, Edited
from gitstore.edits.files import meta_content, requirement_files, root_file
from gitstore.errors import BadRequest, Exists, NotFound
from gitstore.format import layout
from gitstore.format.schema import JobtypeMeta, Requirement, Withdrawn
from gitstore.format.yaml_editor import Plain, edit_yaml
from gitstore.git.tree_edit import Changes, Content, Graft, Wanted
from gitstore.git.trees import DIRECTORY, Entry
from gitstore.rules import Problem


@dataclass(frozen=True, slots=True)
class JobtypeWish:
    """What a jobtype is to become.

    *meta.requirements* count only if *requirements_given*; else those of the newest version
    stay. *id* None says nothing.
    """

    name: str
    code: str
    meta: JobtypeMeta
    requirements_given: bool = True
    id: int | None = None


# Jobtypes


def check_wish(wish: JobtypeWish, checks: Checks) -> Iterator[Problem]:
    """What is wrong with *wish*, without a look at the catalogue."""
    fault = layout.jobtype_name_fault(wish.name)
    if fault:
        path = layout.jobtype_path(layout.shown(wish.name))
        yield Problem("name-invalid", path, f"the jobtype's name {fault}", None, "name")
    yield from check_source(wish.name, wish.code.encode(), wish.meta, checks)


def create_jobtype(wish: JobtypeWish) -> Edit:
    """A new jobtype, or (under a name used before) its next version."""

    def edit(catalogue: Catalogue) -> Edited | None:
        if wish.name in catalogue.history.jobtypes:
            raise Exists(f"the jobtype {wish.name} exists; PUT a new version of it")
        if wish.id is not None:
            raise BadRequest(f"the jobtype {wish.name} is new and has no id yet", "id")
        return _put(catalogue, wish)

    return edit


def put_jobtype(key: str, wish: JobtypeWish) -> tuple[Edit, ...]:
    """A new version of the jobtype *key*, or a new jobtype; a new name renames it first."""

    def rename(catalogue: Catalogue) -> Edited | None:
        jobtype = _jobtype_to_put(catalogue, key, wish)
        if jobtype is None or jobtype.name == wish.name:
            return None
        return _rename(catalogue, jobtype, wish.name)

    def put(catalogue: Catalogue) -> Edited | None:
        return _put(catalogue, wish)

    return rename, put


def _jobtype_to_put(catalogue: Catalogue, key: str, wish: JobtypeWish) -> Jobtype | None:
    jobtype = catalogue.jobtype(key) if layout.is_id(key) else catalogue.find_jobtype(key)
    if jobtype is None and wish.name != key:
        names = f"{layout.shown(key)}, not {layout.shown(wish.name)}"
        raise BadRequest(f"a new jobtype has the name in the path, {names}", "name")
    if wish.id is not None and (jobtype is None or wish.id != jobtype.id):
        has = "is new and has none yet" if jobtype is None else f"has the id {jobtype.id}"
        raise BadRequest(f"the id is {wish.id}, but {layout.shown(key)} {has}", "id")
    return jobtype


def _rename(catalogue: Catalogue, jobtype: Jobtype, name: str) -> Edited:
    if name in catalogue.history.numbers:
        raise Exists(f"the name {layout.shown(name)} is or was in use; choose one never used")
    twins = other_spellings(catalogue.history, name)
    if twins:
        raise Exists(f"the name {layout.shown(name)} {case_fault(twins[0])}")
    _require_name(name)
    files = {
        layout.jobtype_path(jobtype.name): None,
        layout.jobtype_path(name): Graft(Entry(DIRECTORY, jobtype.tree)),
        **_withdrawn_files(catalogue, jobtype.name, rename_to=name),
    }
    return Edited(files, f"{jobtype.name}: rename to {name}", is_checked=False)


def _require_name(name: str) -> None:
    fault = layout.jobtype_name_fault(name)
    if fault:
        raise BadRequest(f"the jobtype's name {fault}", "name")


def _put(catalogue: Catalogue, wish: JobtypeWish) -> Edited:
    _require_name(wish.name)
    jobtype = catalogue.history.jobtypes.get(wish.name)
    newest = catalogue.find_newest(jobtype) if jobtype else None
    meta = wish.meta
    if newest and not wish.requirements_given:
        meta = meta.model_copy(update={"requirements": newest.meta.requirements})
    files = {
        layout.code_path(wish.name): wish.code.encode(),
        layout.meta_path(wish.name): _meta_file(catalogue, jobtype, meta),
    }
    return edited_version(catalogue, wish.name, files, "change" if jobtype else "new jobtype")


def edited_version(catalogue: Catalogue, name: str, files: Changes, what: str) -> Edited:
    """The next version of the jobtype *name*, also where *files* are what it has already."""
    number = catalogue.history.next_number(name)
    made = trailer(TRAILER_VERSION, number, name)
    return Edited(files, f"{name}: {what}, version {number}", (made,))


def delete_jobtype(key: str) -> Edit:
    """Delete the jobtype *key*, if there is one."""

    def edit(catalogue: Catalogue) -> Edited | None:
        jobtype = catalogue.find_jobtype(key)
        if jobtype is None:
            return None
        files = {
            layout.jobtype_path(jobtype.name): None,
            **_withdrawn_files(catalogue, jobtype.name),
        }
        return Edited(files, f"{jobtype.name}: delete the jobtype")

    return edit


def withdraw(key: str, number: int) -> Edit:
    """Withdraw version *number* of the jobtype *key*, if it is in service.

    If it is the newest, the directory goes back to the newest version that is left.
    """

    def edit(catalogue: Catalogue) -> Edited | None:
        jobtype = catalogue.find_jobtype(key)
        if jobtype is None or number not in {v.number for v in jobtype.versions}:
            return None
        name, history = jobtype.name, catalogue.history
        kept = [v for v in jobtype.versions if not history.is_withdrawn(name, v.number)]
        if number not in {v.number for v in kept}:
            return None
        files = dict(_withdrawn_files(catalogue, name, rename_to=name, add=number))
        if kept[-1].number == number and len(kept) > 1:
            files[layout.jobtype_path(name)] = Graft(Entry(DIRECTORY, kept[-2].tree))
        return Edited(files, withdrawal_subject(name, number))

    return edit


def restore(key: str, number: int) -> Edit:
    """Put version *number* of the jobtype *key* back into service, if it was withdrawn.

    If it is the newest then, the directory becomes that version's again.
    """

    def edit(catalogue: Catalogue) -> Edited | None:
        jobtype = catalogue.jobtype(key)
        version = catalogue.version(jobtype, number)
        name, history = jobtype.name, catalogue.history
        if not history.is_withdrawn(name, number):
            return None
        problem = catalogue.why_broken(jobtype, version)
        if problem:
            raise NotFound(f"version {number} of {name} can't come back: it is broken: {problem}")
        files = dict(_withdrawn_files(catalogue, name, rename_to=name, remove=number))
        kept = [v.number for v in jobtype.versions if not history.is_withdrawn(name, v.number)]
        if number > max(kept, default=0):
            files[layout.jobtype_path(name)] = Graft(Entry(DIRECTORY, version.tree))
        return Edited(files, f"{name}: restore version {number}")

    return edit


def _withdrawn_files(
    catalogue: Catalogue,
    name: str,
    rename_to: str | None = None,
    add: int | None = None,
    remove: int | None = None,
) -> dict[str, Content]:
    """withdrawn.yaml with *name*'s list moved to *rename_to* (None: removed).

    *add* is in it then, and *remove* is not.
    """
    listed = {n: sorted(numbers) for n, numbers in catalogue.history.withdrawn.items()}
    numbers = listed.pop(name, [])
    if add is not None:
        numbers = sorted({*numbers, add})
    numbers = [number for number in numbers if number != remove]
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


def add_requirement(key: str, requirement: Requirement) -> Edit:
    """A new version of the jobtype *key*, its newest with one more requirement."""

    def edit(catalogue: Catalogue) -> Edited | None:
        newest = catalogue.newest(key)
        required = newest.meta.requirements
        if any(r.software == requirement.software for r in required):
            message = f"{newest.jobtype.name} requires {requirement.software} already"
            raise Exists(f"{message}; remove that requirement first, or PUT the jobtype")
        return _edited_requirements(
            catalogue, newest, (*required, requirement), requirement.software
        )

    return edit


def remove_requirement(key: str, software: str) -> Edit:
    """A new version of the jobtype *key* without the requirement, if its newest has it.

    *software* is a name, or the id of a software.
    """

    def edit(catalogue: Catalogue) -> Edited | None:
        newest = catalogue.newest(key)
        requirement = find_requirement(catalogue, newest, software)
        if requirement is None:
            return None
        left = tuple(r for r in newest.meta.requirements if r != requirement)
        return _edited_requirements(catalogue, newest, left, requirement.software, "no longer ")

    return edit


def find_requirement(catalogue: Catalogue, release: Release, key: str) -> Requirement | None:
    """The requirement of *release* for the software of that name or id, or None."""
    if layout.is_id(key):
        id = layout.parse_id(key)
        for requirement in release.meta.requirements:
            if catalogue.requirement_ids(release.version, requirement).software == id:
                return requirement
    return next((r for r in release.meta.requirements if r.software == key), None)


def _edited_requirements(
    catalogue: Catalogue,
    release: Release,
    requirements: tuple[Requirement, ...],
    software: str,
    no_longer: str = "",
) -> Edited:
    name = release.jobtype.name
    files = requirement_files(catalogue, release, requirements)
    return edited_version(catalogue, name, files, f"{no_longer}requires {software}")


# Files


def _meta_file(catalogue: Catalogue, jobtype: Jobtype | None, meta: JobtypeMeta) -> Wanted | Graft:
    """The meta.yaml of *jobtype* with the values of *meta*; None: a new file."""
    if jobtype is None:
        return meta_content(None, meta)
    contents = catalogue.contents
    directory = contents.directory(jobtype.tree)
    if directory.meta == meta:
        return Graft(contents.objects.entries(jobtype.tree)[layout.META])
    old = read_yaml(contents.objects, directory.meta_blob) if directory.meta_blob else None
    # A file that is too large to be read is replaced.
    return meta_content(old if isinstance(old, bytes) else None, meta)
