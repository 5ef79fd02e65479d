"""Bringing the tables of software in step with the branch."""

from __future__ import annotations

from itertools import count

from gitstore.pyfarm.database import SOFTWARE, SOFTWARE_VERSIONS, ValueRefused
from gitstore.pyfarm.editing import Editor
from gitstore.pyfarm.wanted import Wanted, WantedSoftware


def put_software(editor: Editor, wanted: Wanted) -> tuple[dict[str, int], dict[str, str]]:
    """Insert and change rows until all that is *wanted* is there.

    This gives the rows' ids by name, and why a software was left as it is.
    """
    names = {software.name for software in wanted.software}
    ids: dict[str, int] = {}
    refused: dict[str, str] = {}
    for software in wanted.software:
        try:
            with editor.together():
                ids[software.name] = _put(editor, software, names)
        except ValueRefused as error:
            refused[f"software {software.name}"] = str(error)
    return ids, refused


def _put(editor: Editor, software: WantedSoftware, names: set[str]) -> int:
    """Have the row of *software* and its versions say what it does; the row's id."""
    row, what = editor.named(SOFTWARE, software.name), f"software {software.name}"
    for former in software.names[1:]:
        row = row or (editor.named(SOFTWARE, former) if former not in names else None)
    values = {"software": software.name}
    id = int(row["id"]) if row else editor.insert(SOFTWARE, values, what)
    editor.update(SOFTWARE, id, values, what)
    _put_versions(editor, id, software)
    return id


def _put_versions(editor: Editor, id: int, software: WantedSoftware) -> None:
    there = editor.software_versions_of(id)
    ranks = {text: int(fields["rank"] or 0) for text, fields in software.versions.items()}
    _free_ranks(editor, software.name, there, ranks)
    for text, fields in software.versions.items():
        what = f"software {software.name} {text}"
        row = there.get(text)
        if row is None:
            values = {"software_id": id, "version": text, **fields}
            editor.insert(SOFTWARE_VERSIONS, values, what)
        else:
            editor.update(SOFTWARE_VERSIONS, row["id"], fields, what)


def _free_ranks(
    editor: Editor, name: str, there: dict[str, dict[str, int]], ranks: dict[str, int]
) -> None:
    """Move rows off the ranks that others are to have: no two may have one at any time.

    A row that the branch doesn't have keeps the rank that it is given here.
    """
    taken = {row["rank"] for row in there.values()} | set(ranks.values())
    free = (rank for rank in count(min(taken, default=0) - 1, -1) if rank not in taken)
    owners = {rank: text for text, rank in ranks.items()}
    for text, row in sorted(there.items()):
        owner = owners.get(row["rank"])
        if owner is not None and owner != text:
            values = {"rank": next(free)}
            editor.update(SOFTWARE_VERSIONS, row["id"], values, f"software {name} {text}")


def drop_software(editor: Editor, wanted: Wanted, is_pruning: bool) -> list[str]:
    """Delete what was in the branch once and nothing names; sentences on what else is left.

    *is_pruning* is whether what never was in the branch goes, too.
    """
    keep = {software.name: software.versions for software in wanted.software}
    drift: list[str] = []
    for row in list(editor.rows[SOFTWARE].values()):
        name = row["software"]
        kept = keep.get(name, {})
        for text, version in sorted(editor.software_versions_of(row["id"]).items()):
            if text not in kept:
                is_ours = (name, text) in wanted.software_versions
                where = f"software {name} {text}"
                _drop(editor, SOFTWARE_VERSIONS, version["id"], where, is_ours or is_pruning, drift)
        if name not in keep:
            is_ours = name in wanted.software_names
            _drop(editor, SOFTWARE, row["id"], f"software {name}", is_ours or is_pruning, drift)
    return drift


def _drop(editor: Editor, table: str, id: int, where: str, may_go: bool, drift: list[str]) -> None:
    if may_go and not editor.is_referred(table, id):
        editor.delete(table, id, where)
    else:
        why = "and is still named by jobs, agents or versions" if may_go else "was never there"
        drift.append(f"{table} row {id} ({where}): is not in the branch, {why}")
