"""Versions that are withdrawn, restored and rolled back to on this machine's disk."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from api.client.writing import clone_fault, local_writer
from gitstore.branch.store import Store
from gitstore.catalogue.catalogue import Catalogue
from gitstore.catalogue.difference import difference
from gitstore.edits.edit import Edit
from gitstore.format import layout


def write_version(
    store: Store, edit: Edit, key: str, number: int, reason: str | None, is_checked: bool = True
) -> list[str]:
    """What *edit* of a version makes, by the person at this machine, as sentences.

    Raises:
        Refused: the repository is a clone.
        ReadOnly: it follows another one.
        NotFound: there never was such a version, or Git knows no name of the person.
    """
    writer = local_writer(store, reason)

    def require_version(catalogue: Catalogue) -> None:
        catalogue.version(catalogue.jobtype(key), number)

    written = store.write([edit], writer, require_version, is_checked)
    if written.after is not written.before:
        return list(difference(written.before, written.after).sentences())
    name = written.after.jobtype(key).name
    return [unchanged(name, number, written.after.history.is_withdrawn(name, number))]


def unchanged(name: str, number: int, is_withdrawn: bool) -> str:
    """What to say of a version that is already what it was to be."""
    return f"{name}: version {number} is {'withdrawn' if is_withdrawn else 'in service'} already"


def rollback_advice(store: Store, key: str, number: int, reason: str) -> Iterator[str]:
    """Yield what to type in the clone *store* to roll back without a service.

    Raises:
        NotFound: the clone has no such version in service.
    """
    release = store.catalogue().release(key, number)
    yield f"{clone_fault(store)}. Or push the old files from here:"
    name, version = release.jobtype.name, release.version
    subject = f"{name}: roll back to version {number}"
    path = f":/{layout.jobtype_path(name)}"
    source = f"--source={version.commit[:12]}"
    for words in (
        ("git", "restore", source, "--staged", "--worktree", "--", path),
        ("git", "commit", "-m", subject, "-m", reason),
        ("git", "push"),
    ):
        yield f"  {shlex.join(words)}"
