"""What differs between two versions of a jobtype: files, fields and requirements."""

from __future__ import annotations

from dataclasses import dataclass

from gitstore.catalogue.catalogue import Catalogue
from gitstore.catalogue.meta_changes import FieldChange, field_changes
from gitstore.format.schema import Requirement
from gitstore.git.repository import Repository
from gitstore.git.tree_diff import FileDiff


@dataclass(frozen=True, slots=True)
class VersionComparison:
    """What differs from version *old* to version *new*, which *commit* made.

    A requirement with other bounds is removed and added. *is_readable* is false where the
    meta.yaml of one of the two can't be read, so nothing is known of its fields.
    """

    jobtype: str
    old: int
    new: int
    commit: str
    files: tuple[FileDiff, ...]
    fields: tuple[FieldChange, ...]
    added: tuple[Requirement, ...]
    removed: tuple[Requirement, ...]
    is_readable: bool


def compare_versions(
    repository: Repository, catalogue: Catalogue, key: str, old: int, new: int
) -> VersionComparison:
    """What differs between two versions of the jobtype of that name or id, in service or not.

    Raises:
        NotFound: there is no such jobtype or version.
        OutOfBounds: they are too large to be compared.
    """
    jobtype = catalogue.jobtype(key)
    before, after = (catalogue.version(jobtype, number) for number in (old, new))
    one, other = (catalogue.contents.meta(version.tree) for version in (before, after))
    files = repository.file_diffs(before.tree, after.tree)
    known = (jobtype.name, old, new, after.commit, files)
    if one is None or other is None:
        return VersionComparison(*known, (), (), (), is_readable=False)
    return VersionComparison(
        *known,
        fields=tuple(field_changes(one, other)),
        added=tuple(r for r in other.requirements if r not in one.requirements),
        removed=tuple(r for r in one.requirements if r not in other.requirements),
        is_readable=True,
    )
