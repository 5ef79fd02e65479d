"""The tables of PyFarm's master, older and newer, for tests to fill."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import sqlalchemy as sa

OLD = {"jobtype_versions": ("no_automatic_start_time", "supports_tiling"), "software_versions": ()}
"""The columns that a master lacks which is older than the last one."""
OLDEST = {**OLD, "software_versions": ("discovery_code", "discovery_function_name")}
"""Those that the released one lacks."""
NEW: dict[str, tuple[str, ...]] = {}


def _id() -> sa.Column[Any]:
    kind = sa.BigInteger().with_variant(sa.Integer, "sqlite")
    return sa.Column("id", kind, primary_key=True, autoincrement=True)


def _to(name: str, table: str, **more: Any) -> sa.Column[Any]:
    kind = sa.BigInteger().with_variant(sa.Integer, "sqlite")
    return sa.Column(name, kind, sa.ForeignKey(f"{table}.id"), **more)


def _texts(*names: str) -> list[sa.Column[Any]]:
    return [sa.Column(name, sa.Text) for name in names]


def _tables() -> dict[str, list[Any]]:
    return {
        "jobtypes": [
            _id(),
            sa.Column("name", sa.String(64), nullable=False, unique=True),
            *_texts("description", "success_subject", "success_body", "fail_subject", "fail_body"),
        ],
        "jobtype_versions": [
            _id(),
            _to("jobtype_id", "jobtypes", nullable=False),
            sa.Column("version", sa.Integer, nullable=False),
            sa.Column("max_batch", sa.Integer),
            sa.Column("batch_contiguous", sa.Boolean),
            sa.Column("classname", sa.String(64)),
            sa.Column("code", sa.Text, nullable=False),
            sa.Column("no_automatic_start_time", sa.Boolean, nullable=False, default=False),
            sa.Column("supports_tiling", sa.Boolean),
            sa.UniqueConstraint("jobtype_id", "version"),
        ],
        "software": [_id(), sa.Column("software", sa.String(64), nullable=False, unique=True)],
        "software_versions": [
            _id(),
            _to("software_id", "software", nullable=False),
            sa.Column("version", sa.String(64), nullable=False),
            sa.Column("rank", sa.Integer, nullable=False),
            sa.Column("default", sa.Boolean, nullable=False, default=False),
            *_texts("discovery_code"),
            sa.Column("discovery_function_name", sa.String(255)),
            sa.UniqueConstraint("software_id", "version"),
        ],
        "jobtype_software_requirements": [
            _to("software_id", "software", primary_key=True),
            _to("jobtype_version_id", "jobtype_versions", primary_key=True),
            _to("min_version_id", "software_versions"),
            _to("max_version_id", "software_versions"),
        ],
        "jobs": [
            _id(),
            sa.Column("title", sa.String(255), nullable=False),
            _to("jobtype_version_id", "jobtype_versions", nullable=False),
        ],
        "job_software_requirements": [
            _id(),
            _to("software_id", "software", nullable=False),
            _to("job_id", "jobs", nullable=False),
            _to("min_version_id", "software_versions"),
            _to("max_version_id", "software_versions"),
        ],
        "agent_software_version_associations": [
            sa.Column("agent_id", sa.String(36), primary_key=True),
            _to("software_version_id", "software_versions", primary_key=True),
        ],
    }


class Master:
    """A master's database, made at *url* without the columns *lacking*."""

    def __init__(
        self, url: str, lacking: dict[str, tuple[str, ...]] = NEW, unique_rank: bool = True
    ) -> None:
        self.url = url
        self.engine = sa.create_engine(url, poolclass=sa.pool.NullPool)
        if self.engine.dialect.name == "sqlite":
            sa.event.listen(self.engine, "connect", _without_flushing)
        metadata = sa.MetaData()
        for name, columns in _tables().items():
            kept = [
                column
                for column in columns
                if getattr(column, "name", None) not in lacking.get(name, ())
            ]
            if unique_rank and name == "software_versions":
                kept.append(sa.UniqueConstraint("software_id", "rank"))
            sa.Table(name, metadata, *kept)
        self.tables = metadata.tables
        metadata.create_all(self.engine)

    def add(self, table: str, **values: object) -> int:
        """Insert a row; its id."""
        with self.engine.begin() as connection:
            made = connection.execute(self.tables[table].insert().values(values))
            key = made.inserted_primary_key
            return key[0] if key and isinstance(key[0], int) else 0

    def change(self, table: str, id: int, **values: object) -> None:
        """Change the row of that id."""
        rows = self.tables[table]
        with self.engine.begin() as connection:
            done = connection.execute(rows.update().where(rows.c.id == id).values(values))
            assert done.rowcount == 1

    def rows(self, table: str) -> list[dict[str, Any]]:
        """All rows, by id where there is one."""
        with self.engine.begin() as connection:
            found = [dict(r._mapping) for r in connection.execute(self.tables[table].select())]
        return sorted(found, key=lambda row: row.get("id") or 0)

    def jobtype(self, name: str, *codes: str, **texts: object) -> int:
        """A jobtype with a version for each of *codes*, from 1 on; its id."""
        id = self.add("jobtypes", name=name, **texts)
        for number, code in enumerate(codes, 1):
            self.version(id, number, code)
        return id

    def version(self, jobtype: int, number: int, code: str, **fields: object) -> int:
        """A version of the jobtype of that id; the id of its row."""
        values: dict[str, object] = {"max_batch": 1, "batch_contiguous": True, "classname": "Job"}
        values |= fields
        return self.add("jobtype_versions", jobtype_id=jobtype, version=number, code=code, **values)

    def software(self, name: str, *versions: str) -> dict[str, int]:
        """A software with *versions*, ranked in their order; ids by version, its own at ""."""
        id = self.add("software", software=name)
        return {"": id} | {
            text: self.add("software_versions", software_id=id, version=text, rank=rank)
            for rank, text in enumerate(versions, 1)
        }

    def need(self, version: int, software: int, low: int | None, high: int | None = None) -> None:
        """Have the version row require a software, from version row *low* to *high*."""
        self.add(
            "jobtype_software_requirements",
            jobtype_version_id=version,
            software_id=software,
            min_version_id=low,
            max_version_id=high,
        )

    def job(self, version: int) -> int:
        """A job that names the version row."""
        return self.add("jobs", title="shot", jobtype_version_id=version)


def _without_flushing(connection: Any, record: object) -> None:
    connection.execute("PRAGMA synchronous = OFF")


def sqlite_url(path: Path) -> str:
    """The URL of a database file."""
    return f"sqlite:///{path}"
