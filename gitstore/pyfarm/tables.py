"""Reading a master's tables: what they say of jobtypes and software, as a Farm."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from gitstore.pyfarm.database import (
    JOBTYPES,
    NEEDS,
    SOFTWARE,
    SOFTWARE_VERSIONS,
    VERSIONS,
    Database,
)
from gitstore.pyfarm.farm import (
    FIELDS,
    SOFTWARE_FIELDS,
    SWITCHES,
    TEXTS,
    Farm,
    FarmJobtype,
    FarmSoftware,
    FarmSoftwareVersion,
    FarmVersion,
    Need,
    Value,
    is_ours,
    parked_id,
)

if TYPE_CHECKING:
    from sqlalchemy import Connection, Table

Progress = Callable[[int, int], None]
Row = Mapping[str, Any]


def read_farm(database: Database, progress: Progress = lambda done, total: None) -> Farm:
    """What the master's tables in *database* say.

    Versions that a mirror has put aside come back as withdrawn ones, so that their numbers
    stay used; what else only a mirror makes is left out.

    Raises:
        FarmFailed: the database is away, or no master's.
    """
    with database.reading() as connection:
        rows = read_rows(database.tables(connection), connection)
        jobs = database.referred(connection)[VERSIONS]
    total = len(rows[VERSIONS])
    notes: list[str] = []
    software = list(_software(rows, notes))
    known = _Names(rows, notes)
    versions: dict[int, list[FarmVersion]] = defaultdict(list)
    names = {row["id"]: row["name"] for row in rows[JOBTYPES]}
    for done, row in enumerate(rows[VERSIONS], 1):
        if row["jobtype_id"] not in names:
            notes.append(f"a version {row['version']} belongs to no jobtype; it is left out")
            continue
        name = names[row["jobtype_id"]]
        version = known.version(name, row)
        parked = parked_id(name)
        fault = "was withdrawn" if parked is not None else None
        home = row["jobtype_id"] if parked is None else parked
        versions[home].append(replace(version, fault=fault))
        progress(done, total)
    lost = len(jobs - {row["id"] for row in rows[VERSIONS]})
    if lost:
        notes.append(
            f"jobs name {lost} versions whose rows are gone; declare their numbers: --next"
        )
    jobtypes = tuple(
        FarmJobtype(
            row["id"], row["name"], _dressed(versions[row["id"]], texts := _some(row, TEXTS)), texts
        )
        for row in sorted(rows[JOBTYPES], key=lambda row: int(row["id"]))
        if not is_ours(row["name"])
    )
    return Farm(jobtypes, tuple(software), tuple(notes))


def read_rows(tables: Mapping[str, Table], connection: Connection) -> dict[str, list[Row]]:
    """All rows of *tables*, by name, with the columns that there are."""
    return {
        name: [dict(row._mapping) for row in connection.execute(table.select())]
        for name, table in tables.items()
    }


def _dressed(
    versions: Iterable[FarmVersion], texts: Mapping[str, Value]
) -> tuple[FarmVersion, ...]:
    """*versions* by number, with the *texts* of their jobtype."""
    return tuple(
        replace(version, texts=texts) for version in sorted(versions, key=lambda v: v.number)
    )


def _some(row: Row, keys: Iterable[str]) -> dict[str, Value]:
    return {key: _value(key, row[key]) for key in keys if key in row}


def _value(key: str, value: Value) -> Value:
    """*value* with its type: MySQL has numbers for truth values."""
    return bool(value) if key in SWITCHES and value is not None else value


def _software(rows: Mapping[str, list[Row]], notes: list[str]) -> Iterator[FarmSoftware]:
    versions: dict[int, list[FarmSoftwareVersion]] = defaultdict(list)
    for row in sorted(rows[SOFTWARE_VERSIONS], key=lambda row: int(row["id"])):
        entry = FarmSoftwareVersion(row["version"], _some(row, SOFTWARE_FIELDS))
        versions[row["software_id"]].append(entry)
    for row in sorted(rows[SOFTWARE], key=lambda row: int(row["id"])):
        yield FarmSoftware(row["software"], tuple(versions.pop(row["id"], ())))
    for entry in (entry for entries in versions.values() for entry in entries):
        notes.append(f"a version {entry.version} belongs to no software; it is left out")


class _Names:
    """Names of software by id, and requirements by version, to make versions of rows."""

    def __init__(self, rows: Mapping[str, list[Row]], notes: list[str]) -> None:
        self._notes = notes
        self._software = {row["id"]: row["software"] for row in rows[SOFTWARE]}
        self._versions = {row["id"]: row["version"] for row in rows[SOFTWARE_VERSIONS]}
        self._needs: dict[int, list[Row]] = defaultdict(list)
        for row in sorted(rows[NEEDS], key=lambda row: int(row["software_id"])):
            self._needs[row["jobtype_version_id"]].append(row)

    def version(self, name: str, row: Row) -> FarmVersion:
        """The version that a row of the table of versions is, of the jobtype *name*."""
        needs = (
            Need(
                self._software.get(need["software_id"], f"of the id {need['software_id']}"),
                *(self._bound(name, row, need, key) for key in ("min_version", "max_version")),
            )
            for need in self._needs[row["id"]]
        )
        code = row["code"] if row["code"] is not None else ""
        return FarmVersion(row["version"], code, _some(row, FIELDS), tuple(needs))

    def _bound(self, name: str, row: Row, need: Row, key: str) -> str | None:
        id = need[f"{key}_id"]
        if id is not None and id not in self._versions:
            says = f"a requirement's {key} is the id {id}, which no software version has"
            self._notes.append(f"{name} {row['version']}: {says}; the bound is left out")
        return self._versions.get(id)
