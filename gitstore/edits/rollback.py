"""The edit that makes an old version of a jobtype the newest one again."""

from __future__ import annotations

from dataclasses import replace

from gitstore.catalogue.catalogue import Catalogue
from gitstore.catalogue.entries import Jobtype, Version
from gitstore.edits.edit import Edit, Edited
from gitstore.edits.jobtypes import edited_version
from gitstore.errors import Exists, NotFound
from gitstore.format import layout
from gitstore.git.tree_edit import Graft
from gitstore.git.trees import DIRECTORY, Entry


def roll_back(key: str, number: int) -> Edit:
    """A new version of the jobtype *key* with the whole directory of its version *number*.

    The validator has to accept that directory as it would a new one.

    Raises:
        NotFound: there is no such version in service; the message says what to do.
        Exists: it is the newest one, and the branch has its files.
    """

    def edit(catalogue: Catalogue) -> Edited | None:
        jobtype = catalogue.jobtype(key)
        version = catalogue.version(jobtype, number)
        _require_in_service(catalogue, jobtype, version)
        name, newest = jobtype.name, catalogue.find_newest(jobtype)
        # Behind a newer one that is broken, the branch has other files than the newest in service.
        if newest is not None and newest.version == version and jobtype.tree == version.tree:
            raise Exists(f"version {number} is the newest of {name} already; name an older one")
        files = {layout.jobtype_path(name): Graft(Entry(DIRECTORY, version.tree))}
        edited = edited_version(catalogue, name, files, f"roll back to version {number}")
        return replace(edited, keeps_subject=True)

    return edit


def _require_in_service(catalogue: Catalogue, jobtype: Jobtype, version: Version) -> None:
    fault = catalogue.fault(jobtype, version)
    if fault is None:
        return
    is_withdrawn = catalogue.history.is_withdrawn(jobtype.name, version.number)
    advice = "restore it first, or name another version" if is_withdrawn else "name another version"
    raise NotFound(f"{fault}; {advice}")
