"""The YAML files that edits write: the old file with its comments, and the new values in it."""

from __future__ import annotations

from gitstore.catalogue.catalogue import Catalogue, Release
from gitstore.catalogue.contents import read_yaml
from gitstore.format import layout
from gitstore.format.schema import (
    JobtypeMeta,
    Requirement,
    SoftwareFile,
    parse_meta,
    parse_software,
)
from gitstore.format.yaml_editor import Plain, edit_yaml
from gitstore.git.tree_edit import Content, Graft, Wanted
from gitstore.git.trees import REGULAR_FILE, Entry

_SHOWN_FIRST = ("classname", "description", "max_batch")
"""The fields that a new meta.yaml has even where they are the defaults."""


def root_file(catalogue: Catalogue, name: str) -> bytes | None:
    """The YAML file *name* of the top folder; None if there is none, or it is too large to read."""
    assert catalogue.history.tree is not None
    entry = catalogue.contents.objects.entries(catalogue.history.tree).get(name)
    return _yaml(catalogue, entry.id) if entry and entry.is_file else None


def software_data(catalogue: Catalogue, name: str) -> bytes | None:
    """The file of the software *name*; None if there is none, or it is too large to read."""
    software = catalogue.history.software.get(name)
    return _yaml(catalogue, software.file) if software else None


def _yaml(catalogue: Catalogue, blob: str) -> bytes | None:
    data = read_yaml(catalogue.contents.objects, blob)
    return data if isinstance(data, bytes) else None


def meta_content(old: bytes | None, meta: JobtypeMeta) -> Wanted:
    """The meta.yaml *old* with the values of *meta*; None: a new file."""
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
        items = _listed(written, "requirements")
        value["requirements"] = [
            _item(r.model_dump(), items, "software") for r in meta.requirements
        ]
    return Wanted(edit_yaml(old, value), meta)


def requirement_files(
    catalogue: Catalogue, release: Release, requirements: tuple[Requirement, ...]
) -> dict[str, Content]:
    """The files of *release* with other *requirements*."""
    meta = release.meta.model_copy(update={"requirements": requirements})
    old = catalogue.contents.objects.read_blob(release.directory.meta_blob)
    return {
        layout.code_path(release.jobtype.name): Graft(Entry(REGULAR_FILE, release.directory.code)),
        layout.meta_path(release.jobtype.name): meta_content(old, meta),
    }


def software_content(old: bytes | None, file: SoftwareFile) -> Wanted:
    """The software file *old* with the values of *file*; None: a new file."""
    before = parse_software(old).document if old is not None else None
    written = before.value if before and isinstance(before.value, dict) else {}
    listed = _listed(written, "versions")
    items: list[Plain] = [_item(v.model_dump(), listed, "version") for v in file.versions]
    return Wanted(edit_yaml(old, {"versions": items}), file)


def _listed(written: dict[str, object], key: str) -> list[object]:
    listed = written.get(key)
    return listed if isinstance(listed, list) else []


def _item(values: dict[str, Plain], listed: list[object], key: str) -> Plain:
    """*values* without the defaults that the item in the old file did not write either."""
    written = next((k for k in listed if isinstance(k, dict) and k.get(key) == values[key]), {})
    return {
        name: v
        for name, v in values.items()
        if name in written or (v is not None and v is not False)
    }
