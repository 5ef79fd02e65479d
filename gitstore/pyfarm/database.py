"""Opening the master's database: drivers, passwords, transactions, and its tables as they are."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from gitstore.errors import BadRequest, FarmFailed
from gitstore.git.remote_url import parse_remote_url

if TYPE_CHECKING:
    from sqlalchemy import URL, Connection, Table

_DRIVERS = {
    "postgres": "postgresql+psycopg",
    "postgresql": "postgresql+psycopg",
    "mysql": "mysql+pymysql",
    "mariadb": "mariadb+pymysql",
}
"""The drivers that come with the extra, for URLs that name none."""

JOBTYPES = "jobtypes"
VERSIONS = "jobtype_versions"
SOFTWARE = "software"
SOFTWARE_VERSIONS = "software_versions"
NEEDS = "jobtype_software_requirements"
TABLES = (JOBTYPES, VERSIONS, SOFTWARE, SOFTWARE_VERSIONS, NEEDS)
"""The master's tables that are about jobtypes and software, parents first."""
STATE = "jobtype_repository"
LOCK = 7_206_158
"""The number of our lock in PostgreSQL: nothing but a number that nobody else has."""
_LOCK_WAIT_S = 30
"""How long to wait for locks of others, whatever the server's default is."""
_ANSWER_WAIT_S = 300
"""How long a server may say nothing. Nobody else mirrors meanwhile."""
_STRICT = "sql_mode = CONCAT(@@sql_mode, ',STRICT_ALL_TABLES')"
"""Have MySQL refuse what a column can't hold. By older servers' defaults, it cuts that off."""
_ALIVE = {"keepalives_idle": 60, "keepalives_interval": 15, "keepalives_count": 4}
"""When to ask whether the machine of PostgreSQL is still there, in seconds."""


class ValueRefused(FarmFailed):
    """A value that the tables can't hold, such as a name that is equal to another one there."""


def is_database(source: str) -> bool:
    """Whether *source* is the URL of a database, and not of a REST API."""
    return not re.match(r"https?://", source, re.IGNORECASE)


def _sqlalchemy() -> Any:
    try:
        return importlib.import_module("sqlalchemy")
    except ImportError:
        raise FarmFailed(
            "SQLAlchemy is missing, which talks to databases; install it with"
            " pip install 'jobtype-repository[pyfarm]'"
        ) from None


class Database:
    """The database at an SQLAlchemy *url*; nothing is asked of it before it is used.

    Raises:
        BadRequest: *url* is none.
        FarmFailed: a library for it is missing.
    """

    def __init__(self, url: str) -> None:
        self._sa = _sqlalchemy()
        self._secret = url
        try:
            url.encode()  # What is no text is no URL.
            parsed = self._sa.make_url(url)
        except (self._sa.exc.ArgumentError, ValueError):
            raise BadRequest(
                "the database's URL can't be read; write it as"
                " postgresql://user@host/pyfarm, mysql://user@host/pyfarm or sqlite:////path"
            ) from None
        parsed = parsed.set(drivername=_DRIVERS.get(parsed.drivername, parsed.drivername))
        # Drivers take a password behind the question mark, too.
        plain = parsed.set(drivername=parsed.get_backend_name(), query={})
        self.shown = plain.render_as_string(hide_password=True)
        hidden = (str(value) for key, value in parsed.query.items() if "pass" in key.lower())
        self._passwords = [text for text in (parsed.password, *hidden) if text]
        # No pool: between two runs lies most of the time, and databases end idle connections.
        try:
            self._engine = self._sa.create_engine(
                parsed,
                poolclass=self._sa.pool.NullPool,
                connect_args=_options(parsed),
            )
        except (ImportError, self._sa.exc.NoSuchModuleError) as error:
            raise FarmFailed(
                f"the driver of {self.shown} is missing ({error}); install it with"
                " pip install 'jobtype-repository[pyfarm]'"
            ) from None
        if self.is_sqlite:
            self._begin_by_ourselves()

    @property
    def is_sqlite(self) -> bool:
        """Whether it is a file of SQLite."""
        return bool(self._engine.dialect.name == "sqlite")

    def _begin_by_ourselves(self) -> None:
        """Have one transaction be one, which Python's driver for SQLite doesn't promise.

        https://docs.sqlalchemy.org/en/20/dialects/sqlite.html#serializable-isolation-savepoints-transactional-ddl
        """

        def connected(connection: Any, record: object) -> None:
            connection.isolation_level = None
            # Python 2 wrote what it liked.
            connection.text_factory = _decoded
            connection.execute("PRAGMA foreign_keys = ON")

        def begun(connection: Any) -> None:
            connection.exec_driver_sql("BEGIN IMMEDIATE")

        self._sa.event.listen(self._engine, "connect", connected)
        self._sa.event.listen(self._engine, "begin", begun)

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection whose reads see one state.

        Raises:
            FarmFailed: the database is away, or refuses.
        """
        with self._translated():
            self._check_file()
            options = {} if self.is_sqlite else {"isolation_level": "REPEATABLE READ"}
            with self._connected(**options) as connection:
                self._limit_waits(connection)
                yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A connection with one transaction, which is the only one of our kind.

        It is committed at the end, and rolled back where anything is raised.

        Raises:
            FarmFailed: the database is away, or refuses.
        """
        with self._translated():
            self._check_file()
            with (
                self._connected() as connection,
                self._lock(connection),
                connection.begin(),
            ):
                self._limit_waits(connection)
                if connection.dialect.name == "postgresql":
                    lock = self._sa.func.pg_advisory_xact_lock(LOCK)
                    connection.execute(self._sa.select(lock))
                yield connection

    def _limit_waits(self, connection: Connection) -> None:
        """Have PostgreSQL wait for locks no longer than the others do, in this transaction."""
        if connection.dialect.name == "postgresql":
            connection.execute(self._sa.text(f"SET LOCAL lock_timeout = '{_LOCK_WAIT_S}s'"))

    @contextmanager
    def _lock(self, connection: Connection) -> Iterator[None]:
        """Hold the lock by which runs of the mirror wait for each other, in MySQL."""
        if connection.dialect.name not in ("mysql", "mariadb"):
            yield
            return
        func, select = self._sa.func, self._sa.select
        # The lock is the connection's, and it is had before the transaction looks at anything.
        got = connection.scalar(select(func.get_lock("jobtype_repository", _LOCK_WAIT_S)))
        connection.rollback()
        if got != 1:
            raise FarmFailed(f"another mirror holds the lock on {self.shown}; try again")
        yield

    def _check_file(self) -> None:
        """Refuse a file that is not there: SQLite would make it."""
        file = self._engine.url.database
        if self.is_sqlite and file and not file.startswith("file:"):
            try:
                with open(file, "rb"):
                    return
            except OSError as error:
                raise FarmFailed(f"{self.shown} can't be opened: {error.strerror}") from None

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except self._sa.exc.SQLAlchemyError as error:
            raise FarmFailed(f"{self.shown}: {self._said(error)}") from None
        except UnicodeDecodeError as error:
            says = f"a text is not in {error.encoding}; name its charset in the URL"
            raise FarmFailed(f"{self.shown}: {says}") from None

    @contextmanager
    def _connected(self, **options: Any) -> Iterator[Connection]:
        try:
            connection = self._engine.execution_options(**options).connect()
        except TypeError as error:  # By which drivers refuse an option that they don't know.
            said = self.scrub(str(error))
            message = f"{self.shown}: {said}; correct what stands behind the ? of the URL"
            raise FarmFailed(message) from None
        with connection:
            yield connection

    @contextmanager
    def refusing(self) -> Iterator[None]:
        """Tell the values that the tables can't hold from everything else that may fail.

        Raises:
            ValueRefused: that is so.
        """
        try:
            yield
        except (self._sa.exc.DataError, self._sa.exc.IntegrityError) as error:
            raise ValueRefused(f"the tables can't hold it: {self._said(error)}") from None

    def _said(self, error: Exception) -> str:
        """What a driver said, in a line."""
        said = str(getattr(error, "orig", None) or error).strip().splitlines()
        return self.scrub(said[0] if said else "")

    def scrub(self, text: str) -> str:
        """*text* without the database's password."""
        clean = parse_remote_url(self._secret).scrub(text)
        for password in self._passwords:
            clean = clean.replace(password, "***")
        return clean

    def tables(self, connection: Connection) -> dict[str, Table]:
        """The tables of TABLES, with the columns that this master has.

        Raises:
            FarmFailed: one is missing.
        """
        metadata = self._sa.MetaData()
        there = set(self._sa.inspect(connection).get_table_names())
        missing = [name for name in TABLES if name not in there]
        if missing:
            raise FarmFailed(
                f"{self.shown} has no table {missing[0]}; name the database of PyFarm's master"
            )
        metadata.reflect(connection, only=TABLES)
        return {name: metadata.tables[name] for name in TABLES}

    def move_sequences(self, connection: Connection) -> None:
        """Have PostgreSQL count on from the highest id; the other databases do so themselves."""
        if connection.dialect.name != "postgresql":
            return
        for name in TABLES[:-1]:
            sql = (
                f"SELECT setval(s, m) FROM (SELECT pg_get_serial_sequence('{name}', 'id') AS s,"
                f" (SELECT max(id) FROM {name}) AS m) AS t"
                " WHERE s IS NOT NULL AND m > coalesce(pg_sequence_last_value(s::regclass), 0)"
            )
            connection.execute(self._sa.text(sql))

    def state_table(self) -> Table:
        """The table, of ours, that says which commit the others were brought in step with."""
        sa = self._sa
        table: Table = sa.Table(
            STATE,
            sa.MetaData(),
            sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
            sa.Column("tip", sa.String(64), nullable=False),
            sa.Column("steps", sa.Integer, nullable=False),
        )
        return table

    def make_state_table(self) -> None:
        """Make that table if it is missing, in a transaction of its own, which MySQL ends by it."""
        with self.reading() as connection:
            if self.has_state(connection):
                return
        # Two mirrors may be here at once, so the one that waited for the lock looks again.
        with self.writing() as connection:
            self.state_table().create(connection, checkfirst=True)

    def has_state(self, connection: Connection) -> bool:
        """Whether that table is there."""
        return bool(self._sa.inspect(connection).has_table(STATE))

    def referred(self, connection: Connection) -> dict[str, set[int]]:
        """The ids of rows that rows of other tables refer to, by the name of their table."""
        found: dict[str, set[int]] = {name: set() for name in TABLES}
        keys = self._sa.inspect(connection).get_multi_foreign_keys()
        for (_, other), key in ((table, key) for table in keys for key in keys[table]):
            if other in TABLES or key["referred_table"] not in found:
                continue
            name = key["constrained_columns"][0]
            column = self._sa.table(other, self._sa.column(name)).c[name]
            rows = connection.execute(self._sa.select(column).distinct())
            found[key["referred_table"]].update(id for (id,) in rows if id is not None)
        return found


def _decoded(data: bytes) -> str:
    return data.decode(errors="surrogateescape")


def _options(url: URL) -> dict[str, object]:
    """The options of a driver that *url* doesn't give, most of all how long it waits."""
    backend = url.get_backend_name()
    if backend == "sqlite":
        wanted: dict[str, object] = {"timeout": _LOCK_WAIT_S}
    elif backend == "postgresql":
        # Without an encoding, text of a database that has none comes as bytes.
        told = {"client_encoding": "utf8", "tcp_user_timeout": _ANSWER_WAIT_S * 1000}
        wanted = {"connect_timeout": 5, **told, **_ALIVE}
    else:
        waits = f"lock_wait_timeout = {_LOCK_WAIT_S}, innodb_lock_wait_timeout = {_LOCK_WAIT_S}"
        wanted = {
            "connect_timeout": 5,
            "read_timeout": _ANSWER_WAIT_S,
            "write_timeout": _ANSWER_WAIT_S,
            "init_command": f"SET SESSION {_STRICT}, {waits}",
        }
    return {key: value for key, value in wanted.items() if key not in url.query}
