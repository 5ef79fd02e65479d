"""The page that compares two versions of a jobtype, or a version with a change."""

from __future__ import annotations

from dataclasses import dataclass

from flask import Response, request

from api.pages.patches import VIEWS, tables, view_of_query
from api.pages.rendering import page
from api.web.parts import parts, store
from gitstore.catalogue.catalogue import Catalogue
from gitstore.catalogue.entries import Jobtype
from gitstore.catalogue.meta_changes import meta_changes
from gitstore.errors import NotFound
from gitstore.format import layout


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two that are compared: a version, by *number*, or what a *branch* has.

    *key* is what the query calls it, and *name* what the page does.
    """

    key: str
    name: str
    tree: str
    commit: str
    number: int | None = None
    branch: str | None = None


def compare(jobtype: str) -> Response:
    """Show what differs between two versions, withdrawn and broken ones too."""
    catalogue = store().catalogue()
    found = catalogue.jobtype(jobtype)
    last = found.versions[-1].number if found.versions else 0
    new = _side(catalogue, found, request.args.get("to", "") or str(last))
    before = request.args.get("from", "") or str(_before(catalogue, found, new))
    old = _side(catalogue, found, before)
    view = view_of_query()
    metas = [catalogue.contents.meta(side.tree) for side in (old, new)]
    patches = store().repository.file_diffs(old.tree, new.tree)
    return page(
        "compare.html",
        commit=new.commit,
        name=found.name,
        numbers=[version.number for version in reversed(found.versions)],
        old=old,
        new=new,
        view=view,
        views=VIEWS,
        said=[str(c) for c in meta_changes(metas[0], metas[1])] if metas[0] and metas[1] else [],
        files=tables(store().repository, patches, view == "split"),
    )


def _before(catalogue: Catalogue, jobtype: Jobtype, new: Side) -> int:
    """The version that *new* is compared with unless the query says another.

    For a change, it is what agents get.
    """
    release = catalogue.find_newest(jobtype)
    if new.number is None and release is not None:
        return release.version.number
    earlier = [v.number for v in jobtype.versions if new.number is None or v.number < new.number]
    return earlier[-1] if earlier else new.number or 0


def _side(catalogue: Catalogue, jobtype: Jobtype, key: str) -> Side:
    """The version of number *key*, or else what the branch *key* has of the jobtype.

    Raises:
        NotFound: there is no such version or branch, or the branch does not have the jobtype.
    """
    if layout.is_id(key):
        version = catalogue.version(jobtype, layout.parse_number(key))
        number = version.number
        return Side(str(number), f"version {number}", version.tree, version.commit, number=number)
    commit = parts().reviews.change(key).commit
    entries = store().repository.entries
    root = entries(commit.tree).get(layout.JOBTYPES)
    entry = entries(root.id).get(jobtype.name) if root and root.is_tree else None
    if entry is None or not entry.is_tree:
        raise NotFound(f"the branch {layout.shown(key)} does not have {jobtype.name}")
    return Side(key, f"the change {key}", entry.id, commit.id, branch=key)
