"""The master's tables in memory, and every change to them: made, or only written down."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, Any

from gitstore.format.layout import escaped
from gitstore.pyfarm.database import (
    JOBTYPES,
    NEEDS,
    SOFTWARE,
    SOFTWARE_VERSIONS,
    TABLES,
    VERSIONS,
    Database,
    ValueRefused,
)
from gitstore.pyfarm.tables import Row

if TYPE_CHECKING:
    from sqlalchemy import Connection, CursorResult, Executable, NestedTransaction, Table

_SHOWN = 60
_REFERRED = (JOBTYPES, VERSIONS, SOFTWARE, SOFTWARE_VERSIONS)


class Editor:
    """The rows of the tables, which changes with what is done to them.

    *referred* are the ids of rows, by table, that jobs or agents name. Where *connection* is
    None nothing is executed; *log* has a sentence for each change in both cases.
    """

    def __init__(
        self,
        database: Database,
        tables: Mapping[str, Table],
        rows: Mapping[str, list[Row]],
        referred: Mapping[str, set[int]],
        connection: Connection | None,
    ) -> None:
        self._database = database
        self._tables = tables
        self._connection = connection
        self._savepoint: NestedTransaction | None = None
        self._undo: list[Callable[[], object]] | None = None
        self._made = count(-1_000_000_000, -1)
        self.referred = referred
        self.log: list[str] = []
        self.rows: dict[str, dict[int, dict[str, Any]]] = {
            name: {row["id"]: dict(row) for row in rows[name]} for name in TABLES if name != NEEDS
        }
        self.needs: dict[int, dict[int, dict[str, Any]]] = {}
        for row in rows[NEEDS]:
            self.needs.setdefault(row["jobtype_version_id"], {})[row["software_id"]] = dict(row)

    @contextmanager
    def together(self) -> Iterator[None]:
        """Changes of which the tables and the rows have all, or none if a value is refused.

        Raises:
            ValueRefused: the database can't hold one of the values.
        """
        logged, undo = len(self.log), list[Callable[[], object]]()
        self._undo = undo
        try:
            yield
            if self._savepoint is not None:
                self._savepoint.commit()
        except ValueRefused:
            if self._savepoint is not None:
                self._savepoint.rollback()
            del self.log[logged:]
            for back in reversed(undo):
                back()
            raise
        finally:
            self._undo = self._savepoint = None

    def _execute(self, statement: Executable) -> CursorResult[Any] | None:
        if self._connection is None:
            return None
        if self._undo is not None and self._savepoint is None:
            self._savepoint = self._connection.begin_nested()
        with self._database.refusing():
            done: CursorResult[Any] = self._connection.execute(statement)
        return done

    def _done(self, back: Callable[[], object]) -> None:
        """Note what undoes a change of the rows."""
        if self._undo is not None:
            self._undo.append(back)

    def columns(self, table: str) -> set[str]:
        """The columns that this master's *table* has."""
        return {column.name for column in self._tables[table].columns}

    def limit_bytes(self, table: str, column: str) -> int | None:
        """How much a text may have in that column; None: more than a version can have."""
        kind = self._tables[table].c[column].type
        is_short = type(kind).__module__.endswith("mysql.types") and type(kind).__name__ == "TEXT"
        return 65_535 if is_short else None

    def versions_of(self, jobtype: int) -> list[dict[str, Any]]:
        """The version rows of a jobtype row, by number."""
        found = (row for row in self.rows[VERSIONS].values() if row["jobtype_id"] == jobtype)
        return sorted(found, key=lambda row: int(row["version"]))

    def software_versions_of(self, software: int) -> dict[str, dict[str, Any]]:
        """The version rows of a software row, by version."""
        rows = self.rows[SOFTWARE_VERSIONS].values()
        return {row["version"]: row for row in rows if row["software_id"] == software}

    def named(self, table: str, name: str) -> dict[str, Any] | None:
        """The row of that name, of jobtypes or software."""
        column = "name" if table == JOBTYPES else "software"
        return next((row for row in self.rows[table].values() if row[column] == name), None)

    def insert(self, table: str, values: dict[str, Any], what: str) -> int:
        """Insert a row with those of *values* that the table has columns for; its id."""
        kept = {key: value for key, value in values.items() if key in self.columns(table)}
        self.log.append(f"{table}: insert {escaped(what)}")
        made = self._execute(self._tables[table].insert().values(kept))
        if made is None:
            id = int(kept.get("id", next(self._made)))
        else:
            key = made.inserted_primary_key
            id = int(kept["id"] if "id" in kept else key[0] if key else 0)
        empty = dict.fromkeys(self.columns(table))
        self.rows[table][id] = {**empty, **kept, "id": id}
        self._done(lambda: self.rows[table].pop(id))
        return id

    def update(self, table: str, id: int, values: Mapping[str, Any], what: str) -> bool:
        """Have the row say *values*, as far as it has the columns; whether that changes it."""
        row = self.rows[table][id]
        changed = {key: value for key, value in values.items() if key in row and row[key] != value}
        if not changed:
            return False
        for key, value in changed.items():
            says = f"{key} is {_shown(row[key])} in the table and becomes {_shown(value)}"
            self.log.append(f"{table} row {id} ({escaped(what)}): {says}")
        table_ = self._tables[table]
        self._execute(table_.update().where(table_.c.id == id).values(changed))
        before = {key: row[key] for key in changed}
        row.update(changed)
        self._done(lambda: row.update(before))
        return True

    def delete(self, table: str, id: int, what: str) -> None:
        """Delete the row, with its requirements if it is a version."""
        if table == VERSIONS:
            for software in list(self.needs.get(id, ())):
                self._delete_need(id, software)
        self.log.append(f"{table} row {id} ({escaped(what)}): delete")
        table_ = self._tables[table]
        self._execute(table_.delete().where(table_.c.id == id))
        row = self.rows[table].pop(id)
        self._done(lambda: self.rows[table].update({id: row}))

    def set_needs(self, version: int, wanted: Mapping[int, tuple[Any, Any]], what: str) -> None:
        """Have the version row require just *wanted*: bounds by software row."""
        known = self.needs.setdefault(version, {})
        for software in [id for id in known if id not in wanted]:
            self.log.append(f"{NEEDS} of {escaped(what)}: delete software {software}")
            self._delete_need(version, software)
        for software, (low, high) in wanted.items():
            row = known.get(software)
            if row is not None and (row["min_version_id"], row["max_version_id"]) == (low, high):
                continue
            self.log.append(f"{NEEDS} of {escaped(what)}: software {software} from {low} to {high}")
            if row is not None:
                self._delete_need(version, software)
            values = {
                "jobtype_version_id": version,
                "software_id": software,
                "min_version_id": low,
                "max_version_id": high,
            }
            self._execute(self._tables[NEEDS].insert().values(values))
            known[software] = values
            self._done(partial(known.pop, software))

    def _delete_need(self, version: int, software: int) -> None:
        needs = self._tables[NEEDS]
        mine = (needs.c.jobtype_version_id == version) & (needs.c.software_id == software)
        self._execute(needs.delete().where(mine))
        row = self.needs[version].pop(software)
        self._done(lambda: self.needs[version].update({software: row}))

    def is_referred(self, table: str, id: int) -> bool:
        """Whether something refers to the row, so that it can't be deleted."""
        if id in self.referred[table]:
            return True
        if table == JOBTYPES:
            return bool(self.versions_of(id))
        return table != VERSIONS and id in self._needed(table)

    def _needed(self, table: str) -> Iterator[int]:
        for needs in self.needs.values():
            for software, row in needs.items():
                if table == SOFTWARE:
                    yield software
                else:
                    yield from (row["min_version_id"], row["max_version_id"])
        if table == SOFTWARE:
            yield from (row["software_id"] for row in self.rows[SOFTWARE_VERSIONS].values())


def _shown(value: object) -> str:
    text = ascii(value)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 3]}..."
