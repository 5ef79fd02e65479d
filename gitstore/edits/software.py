"""The edits of the software catalogue, in the same form as those of jobtypes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from gitstore.catalogue.catalogue import Catalogue
from gitstore.catalogue.contents import read_yaml
from gitstore.catalogue.history import TRAILER_VERSION, Software, trailer
from gitstore.checks.code import check_discovery_code, make_sources
from gitstore.checks.settings import Checks
from gitstore.edits.jobtypes import Change, Edit, kept_item, requirement_changes
from gitstore.errors import BadRequest, Exists, NotFound, Problem
from gitstore.format import layout
from gitstore.format.schema import SoftwareFile, SoftwareVersion, parse_software
from gitstore.format.yaml_editor import Plain, edit_yaml
from gitstore.git.tree_edit import Content, Graft, Wanted
from gitstore.git.trees import REGULAR_FILE, Entry


@dataclass(frozen=True, slots=True)
class SoftwareWish:
    """What a software is to become; *versions* None leaves those that there are.

    Of a version that stays, the rank alone is taken from here.
    """

    name: str
    versions: tuple[SoftwareVersion, ...] | None = None


def check_wish(wish: SoftwareWish) -> Iterator[Problem]:
    """What is wrong with *wish* whatever the catalogue holds."""
    path = f"{layout.SOFTWARE}/{layout.shown(wish.name)}"
    fault = layout.software_name_fault(wish.name)
    if fault:
        yield Problem("software-name", path, f"the software's name {fault}", None, "software")


def check_version(software: str, version: SoftwareVersion, checks: Checks) -> Iterator[Problem]:
    """What is wrong with *version*, one more of *software*, whatever the catalogue holds."""
    path = f"{layout.SOFTWARE}/{layout.shown(software)}"
    fault = layout.software_version_fault(version.version)
    if fault:
        yield Problem("software-version", path, f"the version {fault}", None, "version")
    yield from check_discovery_code(
        path, version, checks, make_sources(checks), None, "discovery_code"
    )


def create_software(wish: SoftwareWish) -> Change:
    """A new software."""

    def change(catalogue: Catalogue) -> Edit | None:
        if wish.name in catalogue.history.software:
            raise Exists(f"the software {layout.shown(wish.name)} exists; PUT to change it")
        return _put_software(catalogue, wish)

    return change


def put_software(key: str, wish: SoftwareWish) -> tuple[Change, ...]:
    """The software *key* as wished; a new name renames it first, in all newest versions too."""

    def rename(catalogue: Catalogue) -> Edit | None:
        found = catalogue.find_software(key)
        if layout.is_id(key):
            found = catalogue.software_entry(key)
        elif wish.name != key:
            says = f"the path names the software {layout.shown(key)}, the body another"
            raise BadRequest(f"{says}; rename by id", "software")
        return _rename_software(catalogue, found, wish.name) if found else None

    def put(catalogue: Catalogue) -> Edit | None:
        return _put_software(catalogue, wish)

    return rename, put


def _rename_software(catalogue: Catalogue, software: Software, name: str) -> Edit | None:
    if name == software.name:
        return None
    if name in catalogue.history.software_ids:
        raise Exists(f"the name {layout.shown(name)} is or was in use; choose one never used")
    _check_software_name(name)
    changes: dict[str, Content] = {
        layout.software_path(software.name): None,
        layout.software_path(name): Graft(Entry(REGULAR_FILE, software.file)),
    }
    trailers = []
    for jobtype, _ in catalogue.users(software.name):
        newest = catalogue.newest(jobtype.name)
        renamed = tuple(
            r.model_copy(update={"software": name}) if r.software == software.name else r
            for r in newest.meta.requirements
        )
        changes |= requirement_changes(catalogue, newest, renamed)
        number = catalogue.history.next_number(jobtype.name)
        trailers.append(trailer(TRAILER_VERSION, number, jobtype.name))
    return Edit(changes, f"software: rename {software.name} to {name}", tuple(trailers))


def _check_software_name(name: str) -> None:
    fault = layout.software_name_fault(name)
    if fault:
        raise BadRequest(f"the software's name {fault}", "software")


def _put_software(catalogue: Catalogue, wish: SoftwareWish) -> Edit | None:
    _check_software_name(wish.name)
    old = catalogue.history.software.get(wish.name)
    if old and wish.versions is None:
        return None
    what = "change the versions" if old else "new software"
    known = catalogue.software_file(old) if old else SoftwareFile()
    versions = tuple(
        before.model_copy(update={"rank": v.rank}) if (before := known.find(v.version)) else v
        for v in wish.versions or ()
    )
    return _software_edit(catalogue, wish.name, versions, what)


def _software_edit(
    catalogue: Catalogue, name: str, versions: tuple[SoftwareVersion, ...], what: str
) -> Edit:
    old = catalogue.history.software.get(name)
    known = read_yaml(catalogue.contents.objects, old.file) if old else None
    data = known if isinstance(known, bytes) else None  # Too large to be one: replaced.
    changes = {layout.software_path(name): software_content(data, SoftwareFile(versions=versions))}
    return Edit(changes, f"software {name}: {what}")


def delete_software(key: str) -> Change:
    """The end of the software *key*, if there is one."""

    def change(catalogue: Catalogue) -> Edit | None:
        found = catalogue.find_software(key)
        if found is None:
            return None
        return Edit({layout.software_path(found.name): None}, f"software {found.name}: delete")

    return change


def add_software_version(
    key: str, make: Callable[[SoftwareFile], SoftwareVersion]
) -> Change:  # fmt: skip
    """One version more of the software *key*; *make* is given those that there are."""

    def change(catalogue: Catalogue) -> Edit | None:
        software = catalogue.software_entry(key)
        file = catalogue.software_file(software)
        version = make(file)
        fault = layout.software_version_fault(version.version)
        if fault:
            raise BadRequest(f"the version {fault}", "version")
        if file.find(version.version):
            raise Exists(f"{software.name} has a version {version.version} already")
        if any(v.rank == version.rank for v in file.versions):
            raise BadRequest(f"the rank {version.rank} is taken; ranks are unique", "rank")
        versions = (*file.versions, version)
        return _software_edit(catalogue, software.name, versions, f"add {version.version}")

    return change


def delete_software_version(key: str, version: str) -> Change:
    """The software *key* without that version, if it has it."""

    def change(catalogue: Catalogue) -> Edit | None:
        software = catalogue.software_entry(key)
        found = find_software_version(catalogue, software, version)
        if found is None:
            return None
        file = catalogue.software_file(software)
        left = tuple(v for v in file.versions if v.version != found.version)
        return _software_edit(catalogue, software.name, left, f"remove {found.version}")

    return change


def find_software_version(
    catalogue: Catalogue, software: Software, key: str
) -> SoftwareVersion | None:
    """The version of that string, else, where *key* consists of digits, of that id."""
    file = catalogue.software_file(software)
    found = file.find(key)
    if found is None and layout.is_id(key):
        id = layout.parse_id(key)
        text = next((text for text, number in software.versions if number == id), None)
        found = file.find(text) if text is not None else None
    return found


def software_version(catalogue: Catalogue, software: Software, key: str) -> SoftwareVersion:
    """As find_software_version.

    Raises:
        NotFound: there is none.
    """
    found = find_software_version(catalogue, software, key)
    if found is None:
        raise NotFound(f"{software.name} has no version {layout.shown(key)}")
    return found


def software_content(old: bytes | None, file: SoftwareFile) -> Wanted:
    """The software file *old*, edited so that it says what *file* does; None: a new file."""
    before = parse_software(old).document if old is not None else None
    written = before.value if before and isinstance(before.value, dict) else {}
    listed = written.get("versions")
    known = listed if isinstance(listed, list) else []
    items: list[Plain] = [kept_item(v.model_dump(), known, "version") for v in file.versions]
    return Wanted(edit_yaml(old, {"versions": items}), file)
