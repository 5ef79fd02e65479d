"""The edits of the software catalogue."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from gitstore.catalogue.catalogue import Catalogue
from gitstore.catalogue.entries import Software
from gitstore.catalogue.trailers import TRAILER_VERSION, trailer
from gitstore.checks.code import check_discovery_code, make_sources
from gitstore.checks.settings import Checks
from gitstore.edits.edit import Edit, Edited
from gitstore.edits.files import requirement_files, software_content, software_data
from gitstore.errors import BadRequest, Exists, NotFound
from gitstore.format import layout
from gitstore.format.schema import SoftwareFile, SoftwareVersion
from gitstore.format.spelling import did_you_mean
from gitstore.git.tree_edit import Content, Graft
from gitstore.git.trees import REGULAR_FILE, Entry
from gitstore.rules import Problem


@dataclass(frozen=True, slots=True)
class SoftwareWish:
    """What a software is to become; *versions* None keeps its versions.

    A version that stays gets only its rank from here.
    """

    name: str
    versions: tuple[SoftwareVersion, ...] | None = None


def check_wish(wish: SoftwareWish) -> Iterator[Problem]:
    """What is wrong with *wish* without a look at the catalogue."""
    path = f"{layout.SOFTWARE}/{layout.shown(wish.name)}"
    fault = layout.software_name_fault(wish.name)
    if fault:
        yield Problem("software-name", path, f"the software's name {fault}", None, "software")


def check_version(software: str, version: SoftwareVersion, checks: Checks) -> Iterator[Problem]:
    """What is wrong with *version*, one more of *software*, without a look at the catalogue."""
    path = f"{layout.SOFTWARE}/{layout.shown(software)}"
    fault = layout.software_version_fault(version.version)
    if fault:
        yield Problem("software-version", path, f"the version {fault}", None, "version")
    yield from check_discovery_code(
        path, version, checks, make_sources(checks), None, "discovery_code"
    )


def create_software(wish: SoftwareWish) -> Edit:
    """A new software."""

    def edit(catalogue: Catalogue) -> Edited | None:
        if wish.name in catalogue.history.software:
            raise Exists(f"the software {layout.shown(wish.name)} exists; PUT to change it")
        return _put_software(catalogue, wish)

    return edit


def put_software(key: str, wish: SoftwareWish) -> tuple[Edit, ...]:
    """The software *key* as wished; a new name renames it first, in all newest versions too."""

    def rename(catalogue: Catalogue) -> Edited | None:
        software = catalogue.find_software(key)
        if layout.is_id(key):
            software = catalogue.software_entry(key)
        elif wish.name != key:
            message = f"the path names the software {layout.shown(key)}, the body another"
            raise BadRequest(f"{message}; rename by id", "software")
        return _rename_software(catalogue, software, wish.name) if software else None

    def put(catalogue: Catalogue) -> Edited | None:
        return _put_software(catalogue, wish)

    return rename, put


def _rename_software(catalogue: Catalogue, software: Software, name: str) -> Edited | None:
    if name == software.name:
        return None
    if name in catalogue.history.software_ids:
        raise Exists(f"the name {layout.shown(name)} is or was in use; choose one never used")
    _require_name(name)
    files: dict[str, Content] = {
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
        files |= requirement_files(catalogue, newest, renamed)
        number = catalogue.history.next_number(jobtype.name)
        trailers.append(trailer(TRAILER_VERSION, number, jobtype.name))
    return Edited(files, f"software: rename {software.name} to {name}", tuple(trailers))


def _require_name(name: str) -> None:
    fault = layout.software_name_fault(name)
    if fault:
        raise BadRequest(f"the software's name {fault}", "software")


def _put_software(catalogue: Catalogue, wish: SoftwareWish) -> Edited | None:
    _require_name(wish.name)
    old = catalogue.history.software.get(wish.name)
    if old and wish.versions is None:
        return None
    what = "change the versions" if old else "new software"
    file = catalogue.software_file(old) if old else SoftwareFile()
    versions = tuple(
        before.model_copy(update={"rank": v.rank}) if (before := file.find(v.version)) else v
        for v in wish.versions or ()
    )
    return _edited_software(catalogue, wish.name, versions, what)


def _edited_software(
    catalogue: Catalogue, name: str, versions: tuple[SoftwareVersion, ...], what: str
) -> Edited:
    data = software_data(catalogue, name)  # A file that is too large is replaced.
    files = {layout.software_path(name): software_content(data, SoftwareFile(versions=versions))}
    return Edited(files, f"software {name}: {what}")


def write_software(name: str, file: SoftwareFile) -> Edit:
    """The software *name*, new or not, with the versions of *file* as they are there."""

    def edit(catalogue: Catalogue) -> Edited | None:
        _require_name(name)
        old = catalogue.history.software.get(name)
        if old and catalogue.software_file(old) == file:
            return None
        what = "change the versions" if old else "new software"
        return _edited_software(catalogue, name, file.versions, what)

    return edit


def delete_software(key: str) -> Edit:
    """Delete the software *key*, if there is one."""

    def edit(catalogue: Catalogue) -> Edited | None:
        software = catalogue.find_software(key)
        if software is None:
            return None
        name = software.name
        return Edited({layout.software_path(name): None}, f"software {name}: delete")

    return edit


def add_software_version(
    key: str, make: Callable[[SoftwareFile], SoftwareVersion]
) -> Edit:  # fmt: skip
    """Add a version to the software *key*; *make* makes it from the software's file."""

    def edit(catalogue: Catalogue) -> Edited | None:
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
        return _edited_software(catalogue, software.name, versions, f"add {version.version}")

    return edit


def delete_software_version(key: str, version: str) -> Edit:
    """The software *key* without that version, if it has it."""

    def edit(catalogue: Catalogue) -> Edited | None:
        software = catalogue.software_entry(key)
        removed = find_software_version(catalogue, software, version)
        if removed is None:
            return None
        file = catalogue.software_file(software)
        left = tuple(v for v in file.versions if v.version != removed.version)
        return _edited_software(catalogue, software.name, left, f"remove {removed.version}")

    return edit


def find_software_version(
    catalogue: Catalogue, software: Software, key: str
) -> SoftwareVersion | None:
    """The version of that string, else, where *key* consists of digits, of that id."""
    file = catalogue.software_file(software)
    version = file.find(key)
    if version is None and layout.is_id(key):
        id = layout.parse_id(key)
        text = next((text for text, number in software.versions if number == id), None)
        version = file.find(text) if text is not None else None
    return version


def software_version(catalogue: Catalogue, software: Software, key: str) -> SoftwareVersion:
    """Like find_software_version.

    Raises:
        NotFound: there is none.
    """
    version = find_software_version(catalogue, software, key)
    if version is None:
        near = did_you_mean(key, (text for text, _ in software.versions))
        raise NotFound(f"{software.name} has no version {layout.shown(key)}{near}")
    return version
