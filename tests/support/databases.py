"""Real servers of PostgreSQL and MariaDB, in a folder, without the machine's own."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import sqlalchemy as sa

from tests.support.server import free_port
from tests.support.waiting import wait_for

_names = count()


def find_program(name: str) -> str:
    """The path of a program, or the running test is skipped with the reason."""
    places = [Path("/usr/sbin"), *sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)]
    found = next((str(p / name) for p in places if (p / name).exists()), None) or shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not here")
    return found


def _owner() -> dict[str, object]:
    """The user that a server runs as, because it refuses to run as root."""
    if os.getuid() != 0:
        return {}
    for name in ("postgres", "mysql", "nobody"):
        with suppress(KeyError):
            user = pwd.getpwnam(name)
            return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
    return {}


@contextmanager
def _folder() -> Iterator[Path]:
    with TemporaryDirectory(prefix="db") as path:
        owner = _owner()
        if owner:
            os.chown(path, int(str(owner["user"])), int(str(owner["group"])))
        yield Path(path)


@contextmanager
def _running(command: Sequence[str], url: str, folder: Path) -> Iterator[str]:
    """Start a server, wait until it answers at *url*, and stop it at the end."""
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, cwd=folder, **_owner())  # type: ignore[call-overload]
        try:
            wait_for(lambda: process.poll() is not None or _answers(url), "the database")
            assert process.poll() is None, (folder / "log").read_text()
            yield url
        finally:
            process.terminate()
            process.wait(120)


def _answers(url: str) -> bool:
    try:
        with sa.create_engine(url, poolclass=sa.pool.NullPool).connect():
            return True
    except sa.exc.OperationalError:
        return False


@contextmanager
def postgresql() -> Iterator[str]:
    """The URL of an empty server of PostgreSQL."""
    initdb, postgres = find_program("initdb"), find_program("postgres")
    with _folder() as folder:
        data, port = folder / "data", free_port()
        init = [
            initdb,
            "-D",
            str(data),
            "-U",
            "td",
            "-A",
            "trust",
            "-N",
            "--no-locale",
            "-E",
            "UTF8",
        ]
        subprocess.run(init, check=True, capture_output=True, cwd=folder, **_owner())  # type: ignore[call-overload]
        command = [postgres, "-D", str(data), "-p", str(port), "-h", "127.0.0.1", "-F", "-k", ""]
        url = f"postgresql+psycopg://td@127.0.0.1:{port}"
        with _running(command, f"{url}/postgres", folder):
            yield url


@contextmanager
def mariadb() -> Iterator[str]:
    """The URL of an empty server of MariaDB."""
    server, install = find_program("mariadbd"), find_program("mariadb-install-db")
    with _folder() as folder:
        data, port = folder / "data", free_port()
        # A server that starts removes the temporary tables of all that have the same tmpdir.
        common = ["--no-defaults", f"--datadir={data}", f"--tmpdir={folder}"]
        init = [install, *common, "--auth-root-authentication-method=normal"]
        subprocess.run(init, check=True, capture_output=True, cwd=folder, **_owner())  # type: ignore[call-overload]
        options = [f"--port={port}", "--bind-address=127.0.0.1", f"--socket={folder}/socket"]
        command = [server, *common, *options, "--innodb-flush-log-at-trx-commit=0"]
        with _running(command, f"mysql+pymysql://root@127.0.0.1:{port}/mysql", folder):
            yield f"mysql+pymysql://root@127.0.0.1:{port}"


SERVERS = {"postgresql": postgresql, "mariadb": mariadb}


def new_database(server: str) -> str:
    """The URL of a new database on the server at the URL *server*."""
    name = f"farm{next(_names)}"
    home = "postgres" if server.startswith("postgresql") else "mysql"
    engine = sa.create_engine(f"{server}/{home}", poolclass=sa.pool.NullPool)
    charset = "" if home == "postgres" else " CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(sa.text(f"CREATE DATABASE {name}{charset}"))
    return f"{server}/{name}"
