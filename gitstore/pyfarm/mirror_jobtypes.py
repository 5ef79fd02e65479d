"""Bringing the tables of jobtypes in step with the branch.

What is out of service and no job names is deleted. What a job names can't be: such a version
goes to the jobtype row ``~/<id>``, where nothing finds it, and comes back with its number.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gitstore.pyfarm.branch import DAMAGED
from gitstore.pyfarm.database import JOBTYPES, VERSIONS, ValueRefused
from gitstore.pyfarm.editing import Editor
from gitstore.pyfarm.farm import FarmVersion, is_preview, park_name, parked_id
from gitstore.pyfarm.wanted import Wanted, WantedJobtype


class MirrorJobtypes:
    """One run over the tables of jobtypes. *software* has the ids of software rows by name."""

    def __init__(
        self, editor: Editor, wanted: Wanted, software: Mapping[str, int], is_pruning: bool
    ) -> None:
        self._editor = editor
        self._wanted = wanted
        self._software = software
        self._is_pruning = is_pruning
        self._limit_bytes = editor.limit_bytes(VERSIONS, "code")
        self.conflicts: dict[str, str] = {}
        self.drift: list[str] = []

    def run(self) -> None:
        """Make every change that is needed."""
        current = (*self._wanted.jobtypes, *self._wanted.previews)
        rows = self._matched(current)
        taken = {row for row in rows.values() if row is not None}
        for id in sorted(self._editor.rows[JOBTYPES].keys() - taken, reverse=True):
            if id in self._editor.rows[JOBTYPES]:  # Else it went with the row that it was for.
                self._unmatched(self._editor.rows[JOBTYPES][id])
        self._rename(current, rows)
        for jobtype in current:
            if jobtype.name not in self.conflicts:
                try:
                    with self._editor.together():
                        self._put(jobtype, rows[jobtype.name])
                except ValueRefused as error:
                    self.conflicts[jobtype.name] = str(error)
        for row in list(self._editor.rows[JOBTYPES].values()):
            self._tidy(row)

    # Which row is which

    def _matched(self, current: tuple[WantedJobtype, ...]) -> dict[str, int | None]:
        """The ids of the rows that jobtypes have, by name; None where one is to be made."""
        rows = self._editor.rows[JOBTYPES]
        found: dict[str, int | None] = {}
        for jobtype in current:
            row = rows.get(jobtype.id)
            if row is not None and row["name"] in jobtype.names:
                found[jobtype.name] = row["id"]
        names = {jobtype.name for jobtype in current}
        for jobtype in current:
            for name in jobtype.names:
                row = self._editor.named(JOBTYPES, name)
                is_free = row is not None and row["id"] not in found.values()
                if row is not None and is_free and (name == jobtype.name or name not in names):
                    found.setdefault(jobtype.name, row["id"])
            found.setdefault(jobtype.name, None)
        return found

    def _unmatched(self, row: dict[str, Any]) -> None:
        """A row that no jobtype of the branch has: a deleted one's, an old preview's, or drift."""
        name = row["name"]
        if parked_id(name) is not None:
            return
        if is_preview(name):
            self._end(row, None)
            return
        ended = [old for old in self._wanted.ended if name in old.names]
        if ended:
            gone = {number: v for old in ended for number, v in old.gone.items()}
            self._end(row, gone)
            return
        if self._is_pruning:
            for version in self._editor.versions_of(row["id"]):
                self._prune(version, name)
            if not self._editor.is_referred(JOBTYPES, row["id"]):
                self._editor.delete(JOBTYPES, row["id"], name)
                return
        self.drift.append(f"{JOBTYPES} row {row['id']} ({name}): is not in the branch")

    def _end(self, row: dict[str, Any], gone: Mapping[int, FarmVersion] | None) -> None:
        """Take a deleted jobtype's row away, or aside; *gone* None knows all its versions."""
        editor, id, name = self._editor, row["id"], row["name"]
        strange = False
        for version in editor.versions_of(id):
            known = gone is None or _is_same(version, gone.get(version["version"]))
            if not known and self._is_pruning:
                self._prune(version, name)
            elif not known:
                strange = True
                self._report(version, name)
            elif not editor.is_referred(VERSIONS, version["id"]):
                editor.delete(VERSIONS, version["id"], f"{name} {version['version']}")
        if strange:
            return
        aside = editor.named(JOBTYPES, park_name(id))
        there = {version["version"] for version in editor.versions_of(id)}
        for version in editor.versions_of(aside["id"]) if aside else ():
            if version["version"] not in there:
                self._move(version, id, name)
        if aside and not editor.is_referred(JOBTYPES, aside["id"]):
            editor.delete(JOBTYPES, aside["id"], aside["name"])
        if not editor.is_referred(JOBTYPES, id):
            editor.delete(JOBTYPES, id, name)
        elif editor.named(JOBTYPES, park_name(id)) is None:
            editor.update(JOBTYPES, id, {"name": park_name(id)}, name)

    def _rename(self, current: tuple[WantedJobtype, ...], rows: dict[str, int | None]) -> None:
        """Give each row its jobtype's name; no two may have one at any time."""
        editor = self._editor
        changing = {
            jobtype.name: id
            for jobtype in current
            if (id := rows[jobtype.name]) is not None
            and editor.rows[JOBTYPES][id]["name"] != jobtype.name
        }
        while (name := self._refused(changing)) is not None:
            del changing[name]

    def _refused(self, changing: Mapping[str, int]) -> str | None:
        """Give rows their new names, all or none; a name that can't be given, if there is one."""
        editor, name = self._editor, next(iter(changing), "")
        there = [(name, row) for name in changing if (row := editor.named(JOBTYPES, name))]
        for name, row in there:
            if row["id"] not in changing.values():
                self.conflicts[name] = "the tables have another jobtype of that name; rename it"
                return name
        try:
            with editor.together():
                for name, row in there:
                    editor.update(JOBTYPES, row["id"], {"name": f"~~{row['id']}"}, name)
                for name, id in changing.items():
                    editor.update(JOBTYPES, id, {"name": name}, name)
        except ValueRefused as error:
            self.conflicts[name] = str(error)
            return name
        return None

    # Versions

    def _put(self, jobtype: WantedJobtype, id: int | None) -> None:
        """Have the row *id* and its versions say what *jobtype* does."""
        editor = self._editor
        aside = editor.named(JOBTYPES, park_name(id)) if id is not None else None
        mine = {v["version"]: v for v in editor.versions_of(id)} if id is not None else {}
        parked = {v["version"]: v for v in editor.versions_of(aside["id"])} if aside else {}
        conflict = self._conflict(jobtype, mine, parked)
        if conflict:
            self.conflicts[jobtype.name] = conflict
            return
        if id is None:
            values = {**jobtype.texts, "name": jobtype.name}
            if jobtype.id and jobtype.id not in editor.rows[JOBTYPES]:
                values["id"] = jobtype.id
            id = editor.insert(JOBTYPES, values, jobtype.name)
        else:
            editor.update(JOBTYPES, id, jobtype.texts, jobtype.name)
        for number, version in sorted(jobtype.versions.items()):
            if number not in mine and number in parked:
                self._move(parked[number], id, jobtype.name)
            self._put_version(jobtype.name, id, version, mine.get(number) or parked.get(number))
        for number, row in mine.items():
            if number not in jobtype.versions:
                self._set_aside(jobtype, id, row, number in parked)

    def _conflict(
        self, jobtype: WantedJobtype, mine: Mapping[int, Any], parked: Mapping[int, Any]
    ) -> str:
        for number, version in jobtype.versions.items():
            missing = [n.software for n in version.needs if n.software not in self._software]
            if missing:
                return f"version {number} requires {missing[0]}, which the tables can't hold"
            if self._limit_bytes and len(version.code.encode()) > self._limit_bytes:
                return (
                    f"version {number} has more code than the column holds, {self._limit_bytes}"
                    " bytes; ALTER TABLE jobtype_versions MODIFY code MEDIUMTEXT NOT NULL"
                )
            row = mine.get(number) or parked.get(number)
            if row is not None and not _is_same(row, version):
                return (
                    f"the tables have another version {number}; withdraw it here and go on with"
                    f" {max(jobtype.versions) + 1} (jobtype_versions row {row['id']})"
                )
        return ""

    def _put_version(
        self, name: str, id: int, version: FarmVersion, row: dict[str, Any] | None
    ) -> None:
        editor, what = self._editor, f"{name} {version.number}"
        if row is None:
            values = {"jobtype_id": id, "version": version.number, "code": version.code}
            made = editor.insert(VERSIONS, {**values, **version.fields}, what)
        else:
            made = row["id"]
            editor.update(VERSIONS, made, version.fields, what)
        needs = {}
        for need in version.needs:
            software = self._software[need.software]
            rows = editor.software_versions_of(software)
            bounds = [rows[bound]["id"] if bound is not None else None for bound in need[1:]]
            needs[software] = (bounds[0], bounds[1])
        editor.set_needs(made, needs, what)

    def _set_aside(
        self, jobtype: WantedJobtype, id: int, row: dict[str, Any], is_taken: bool
    ) -> None:
        """Take a version out of service that the branch doesn't have in service."""
        editor, name = self._editor, jobtype.name
        gone = jobtype.gone.get(row["version"])
        if not _is_same(row, gone) or is_taken:
            is_damaged = gone is not None and gone.fault == DAMAGED  # Its row is a good copy.
            if is_damaged or not self._is_pruning or not self._prune(row, name):
                self._report(row, name)
        elif editor.is_referred(VERSIONS, row["id"]):
            aside = editor.named(JOBTYPES, park_name(id))
            values = {"id": -id, "name": park_name(id)}
            made = aside["id"] if aside else editor.insert(JOBTYPES, values, park_name(id))
            self._move(row, made, name)
        else:
            editor.delete(VERSIONS, row["id"], f"{name} {row['version']}")

    def _move(self, row: dict[str, Any], to: int, name: str) -> None:
        self._editor.update(VERSIONS, row["id"], {"jobtype_id": to}, f"{name} {row['version']}")

    def _prune(self, row: dict[str, Any], name: str) -> bool:
        """Delete a version that is not the branch's, if no job names it; whether it is gone."""
        if self._editor.is_referred(VERSIONS, row["id"]):
            return False
        self._editor.delete(VERSIONS, row["id"], f"{name} {row['version']}")
        return True

    def _report(self, row: dict[str, Any], name: str) -> None:
        where = f"{VERSIONS} row {row['id']} ({name} {row['version']})"
        self.drift.append(f"{where}: is not in the branch")

    def _tidy(self, row: dict[str, Any]) -> None:
        """Take away what was set aside and no job names any more."""
        editor, name = self._editor, row["name"]
        if parked_id(name) is None:
            return
        for version in editor.versions_of(row["id"]):
            if not editor.is_referred(VERSIONS, version["id"]):
                editor.delete(VERSIONS, version["id"], f"{name} {version['version']}")
        if not editor.is_referred(JOBTYPES, row["id"]):
            editor.delete(JOBTYPES, row["id"], name)


def _is_same(row: Mapping[str, Any], version: FarmVersion | None) -> bool:
    """Whether a row's code is that of *version*; line ends don't count."""
    if version is None:
        return False
    code = (row["code"] or "").replace("\r\n", "\n").replace("\r", "\n")
    return bool(code == version.code.replace("\r\n", "\n").replace("\r", "\n"))
