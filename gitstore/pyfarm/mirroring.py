"""Bringing the master's tables in step with the branch, in one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gitstore.catalogue.catalogue import Catalogue
from gitstore.errors import FarmFailed
from gitstore.git.repository import Repository
from gitstore.pyfarm.database import Database
from gitstore.pyfarm.editing import Editor
from gitstore.pyfarm.mirror_jobtypes import MirrorJobtypes
from gitstore.pyfarm.mirror_software import drop_software, put_software
from gitstore.pyfarm.tables import read_rows
from gitstore.pyfarm.wanted import wanted_rows

if TYPE_CHECKING:
    from sqlalchemy import Connection


class Behind(FarmFailed):
    """Tables that are at a later step of the branch than the service that wants to write them."""


@dataclass(frozen=True, slots=True)
class Mirrored:
    """What a run came to: the *changes* it made, or would make.

    *conflicts* has, by name, why a jobtype or software was left as it is; *drift* what the
    tables have and the branch doesn't.
    """

    tip: str | None
    steps: int
    changes: tuple[str, ...]
    conflicts: dict[str, str]
    drift: tuple[str, ...]


class Mirror:
    """The tables of *database*, and the branch of *repository* that they follow."""

    def __init__(self, database: Database, repository: Repository) -> None:
        self.database = database
        self._repository = repository

    def run(
        self, catalogue: Catalogue, previews: Sequence[Catalogue] = (), is_pruning: bool = False
    ) -> Mirrored:
        """Bring the tables in step with *catalogue*, all or nothing.

        Raises:
            Behind: they were brought in step with a later commit already.
            FarmFailed: the database is away, refuses, or follows another repository.
        """
        self.database.make_state_table()
        with self.database.writing() as connection:
            self._require_first(connection, catalogue)
            done = self._edit(connection, catalogue, previews, is_pruning, True)
            self._note(connection, catalogue)
            self.database.move_sequences(connection)
        return done

    def look(
        self, catalogue: Catalogue, previews: Sequence[Catalogue] = (), is_pruning: bool = False
    ) -> Mirrored:
        """What ``run`` would do; nothing is written.

        Raises:
            FarmFailed: as run does.
        """
        with self.database.reading() as connection:
            if self.database.has_state(connection):
                self._require_first(connection, catalogue)
            return self._edit(connection, catalogue, previews, is_pruning, False)

    def _edit(
        self,
        connection: Connection,
        catalogue: Catalogue,
        previews: Sequence[Catalogue],
        is_pruning: bool,
        is_executed: bool,
    ) -> Mirrored:
        database, wanted = self.database, wanted_rows(catalogue, previews)
        tables = database.tables(connection)
        referred, rows = database.referred(connection), read_rows(tables, connection)
        editor = Editor(database, tables, rows, referred, connection if is_executed else None)
        software, refused = put_software(editor, wanted)
        jobtypes = MirrorJobtypes(editor, wanted, software, is_pruning)
        jobtypes.run()
        drift = [*jobtypes.drift, *drop_software(editor, wanted, is_pruning)]
        history = catalogue.history
        return Mirrored(
            history.tip,
            history.counters.steps,
            tuple(editor.log),
            {**refused, **jobtypes.conflicts},
            tuple(drift),
        )

    def _require_first(self, connection: Connection, catalogue: Catalogue) -> None:
        """Refuse to take the tables back, or away from another repository."""
        state = connection.execute(self.database.state_table().select()).first()
        tip = catalogue.history.tip
        if state is None or state.tip == tip:
            return
        is_known = tip is not None and self._repository.has(state.tip)
        if is_known and self._repository.is_ancestor(state.tip, str(tip)):
            return
        if state.steps > catalogue.history.counters.steps:
            raise Behind(
                f"the tables are in step with the later commit {state.tip[:10]}; nothing is"
                " written until the branch has it, too"
            )
        raise FarmFailed(
            f"the tables follow another history, at {state.tip[:10]}; to have them follow this"
            " one, delete the row of the table jobtype_repository"
        )

    def _note(self, connection: Connection, catalogue: Catalogue) -> None:
        table, history = self.database.state_table(), catalogue.history
        values = {"tip": history.tip or "", "steps": history.counters.steps}
        state = connection.execute(table.select()).first()
        if state is None:
            connection.execute(table.insert().values(id=1, **values))
        elif state.tip != values["tip"]:
            connection.execute(table.update().values(values))
