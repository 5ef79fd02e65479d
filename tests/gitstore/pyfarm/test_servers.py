"""Import and mirror with the servers that real masters use."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa

from gitstore.branch.store import Store
from gitstore.errors import FarmFailed
from gitstore.pyfarm import database
from gitstore.pyfarm.database import Database
from gitstore.pyfarm.mirroring import Mirror
from tests.support.branches import Branch, jobtype
from tests.support.commands import jobtypes
from tests.support.databases import SERVERS, new_database
from tests.support.histories import Life
from tests.support.master import NEW, OLD, OLDEST, Master, sqlite_url
from tests.support.mirrors import check_history, in_service, mirrored, row_of, said
from tests.support.odd_master import compared, imported, odd_master
from tests.support.project import ROOT

pytestmark = pytest.mark.farm


@pytest.fixture(scope="module", params=SERVERS)
def server(request) -> Iterator[str]:
    with SERVERS[request.param]() as url:
        yield url


@pytest.fixture
def master(server) -> Master:
    return Master(new_database(server))


@pytest.mark.parametrize("lacking", [NEW, OLDEST], ids=["newest", "released"])
def test_import_from_a_server_is_equal(server, tmp_path, lacking):
    master = Master(new_database(server), lacking, unique_rank=False)
    odd_master(master, nul=False)
    repo = tmp_path / "repo.git"

    assert imported(master, repo).returncode == 0
    assert compared(master, repo).returncode == 0


@pytest.mark.parametrize("seed", range(5))
def test_random_history_on_a_server(server, tmp_path, seed):
    check_history(tmp_path, seed, [new_database(server), new_database(server)], NEW)


@pytest.mark.parametrize("seed", range(200))
def test_two_hundred_random_histories(tmp_path, seed):
    urls = [sqlite_url(tmp_path / f"{name}.db") for name in "ab"]
    check_history(tmp_path, seed, urls, [NEW, OLD, OLDEST][seed % 3], 12)


def test_master_goes_on_counting_after_a_mirror(master, tmp_path):
    branch = Branch(tmp_path / "b.git")
    branch.commit({**jobtype("Blender"), "software/x.yaml": "versions: [{version: a, rank: 1}]\n"})
    mirrored(master, branch)

    made = master.jobtype("Mine", "x\n")

    assert made == 2
    assert master.software("mine", "1")["1"] > 1


def test_set_aside_and_back_on_a_server(master, tmp_path):
    branch = Branch(tmp_path / "b.git")
    branch.commit(jobtype("Blender"))
    branch.commit(jobtype("Blender", "# 2\n"))
    mirrored(master, branch)
    row = row_of(master, "Blender", 2)
    master.job(row)
    branch.commit({"withdrawn.yaml": "Blender: [2]\n"})
    mirrored(master, branch)
    assert in_service(master) == [("Blender", 1)]
    branch.commit({"withdrawn.yaml": None})
    mirrored(master, branch)
    assert row_of(master, "Blender", 2) == row


_KILLED = """
import os, signal, sys
import sqlalchemy as sa
from tests.support.mirrors import Database, Mirror, Store
from pathlib import Path
left = int(sys.argv[3])
def before(*rest):
    global left
    left -= 1
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
sa.event.listen(sa.Engine, "before_cursor_execute", before)
store = Store(Path(sys.argv[2]))
Mirror(Database(sys.argv[1]), store.repository).run(store.catalogue())
"""


def test_killed_between_two_statements_it_comes_to_the_same(server, tmp_path):
    slow, fast = Master(new_database(server)), Master(new_database(server))
    life = Life(tmp_path / "life.git", 3)
    for _ in range(25):
        life.step()
    before, killed = said(slow), 0
    for number in range(20, 500, 7):
        command = [sys.executable, "-c", _KILLED, slow.url, str(life.branch.path), str(number)]
        if subprocess.run(command, cwd=ROOT, check=False).returncode == 0:
            break
        killed += 1
        assert said(slow) == before
    mirrored(slow, life.branch)
    mirrored(fast, life.branch)

    assert killed > 3
    assert said(slow) == said(fast)


def test_two_mirrors_at_once_come_to_the_same(master, tmp_path):
    branch = Branch(tmp_path / "b.git")
    for mark in range(8):
        branch.commit(jobtype(f"Job {mark % 3}", f"# {mark}\n"))
    command = [sys.executable, "-m", "api", "mirror", master.url, "--repo", str(branch.path)]
    running = [subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL) for _ in range(3)]

    assert [process.wait(120) for process in running] == [0, 0, 0]
    assert len(in_service(master)) == 8


def test_tables_that_somebody_keeps_locked_are_not_waited_for_without_end(
    master, tmp_path, monkeypatch
):
    monkeypatch.setattr(database, "_LOCK_WAIT_S", 1)
    branch = Branch(tmp_path / "b.git")
    branch.commit(jobtype("Blender"))
    mirrored(master, branch)
    branch.commit(jobtype("Blender", "# 2\n"))
    how = "LOCK TABLE jobtypes" if "postgresql" in master.url else "LOCK TABLES jobtypes WRITE"
    engine = sa.create_engine(Database(master.url)._engine.url)

    with engine.connect() as holder:
        holder.execute(sa.text(how))
        with pytest.raises(FarmFailed, match=r"(?i)lock"):
            mirrored(master, branch)
    engine.dispose()

    mirrored(master, branch)
    assert ("Blender", 2) in in_service(master)


def test_mirrors_that_all_miss_the_state_table_make_it_once(server):
    for _ in range(5):
        url, together = new_database(server), threading.Barrier(8)

        class Missing(Database):
            def has_state(self, connection, together=together):
                found = super().has_state(connection)
                together.wait(120)
                return found

        with ThreadPoolExecutor(together.parties) as threads:
            made = [threads.submit(Missing(url).make_state_table) for _ in range(together.parties)]

        assert [each.exception() for each in made] == [None] * together.parties


def test_a_url_without_a_driver_gets_ours(master, tmp_path):
    branch = Branch(tmp_path / "b.git")
    branch.commit(jobtype("Blender"))
    for url in (
        master.url.replace("+psycopg", "").replace("+pymysql", ""),
        master.url.replace("postgresql+psycopg", "postgres").replace("mysql+pymysql", "mariadb"),
    ):
        assert jobtypes("mirror", url, "--repo", branch.path).returncode == 0


def test_a_database_without_a_charset_is_read_as_utf8(server, tmp_path):
    if not server.startswith("postgresql"):
        pytest.skip("MariaDB's databases have a charset")
    engine = sa.create_engine(f"{server}/postgres", isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        sql = "CREATE DATABASE plain ENCODING 'SQL_ASCII' TEMPLATE template0"
        connection.execute(sa.text(sql))
    engine.dispose()
    utf8, latin = (f"{server}/plain?client_encoding={name}" for name in ("utf8", "latin1"))
    Master(utf8).jobtype("A", "# é\n")
    repo = tmp_path / "repo.git"

    assert jobtypes("import", f"{server}/plain", "--into", repo).returncode == 0

    assert jobtypes("compare", utf8, "--repo", repo).returncode == 0
    Master(latin).jobtype("B", "# é\n")
    refused = jobtypes("import", f"{server}/plain", "--into", repo)
    assert (refused.returncode, "invalid byte sequence" in refused.stderr) == (3, True)


def test_more_code_than_the_column_holds_stops_that_jobtype_alone(server, tmp_path):
    if not server.startswith("mysql"):
        pytest.skip("PostgreSQL's text has no limit")
    master = Master(new_database(server))
    branch = Branch(tmp_path / "b.git")
    branch.commit(jobtype("Large", "#" * 70_000))
    branch.commit(jobtype("Small"))
    store = Store(branch.path)

    done = Mirror(Database(master.url), store.repository).run(store.catalogue())

    assert "MEDIUMTEXT" in done.conflicts["Large"]
    assert in_service(master) == [("Small", 1)]


def test_text_that_is_too_long_or_in_no_charset_stops_that_jobtype_alone(server, tmp_path):
    if not server.startswith("mysql"):
        pytest.skip("PostgreSQL's databases are in UTF-8")
    url = new_database(server)
    engine = sa.create_engine(url, poolclass=sa.pool.NullPool)
    with engine.begin() as connection:
        connection.execute(sa.text("ALTER DATABASE CHARACTER SET latin1 COLLATE latin1_swedish_ci"))
        connection.execute(sa.text("SET GLOBAL sql_mode = ''"))
    master = Master(url)
    branch = Branch(tmp_path / "b.git")
    branch.commit(jobtype("Long", meta=f"description: {'x' * 70_000}\n"))
    branch.commit({**jobtype("Snow", "# ☃\n"), **jobtype("Cafe"), **jobtype("Café")})

    try:
        done = mirrored(master, branch)
    finally:
        with engine.begin() as connection:
            connection.execute(sa.text("SET GLOBAL sql_mode = DEFAULT"))

    assert done.conflicts.keys() == {"Long", "Snow", "Café"}
    assert in_service(master) == [("Cafe", 1)]
