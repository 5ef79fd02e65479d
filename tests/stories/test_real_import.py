"""Moving away from a released master: from its tables, and over its API."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from gitstore.branch.store import Store
from tests.support.commands import jobtypes
from tests.support.master import OLDEST, Master
from tests.support.odd_master import CODE, RENAMES, odd_master
from tests.support.real_pyfarm import RealMaster

pytestmark = pytest.mark.farm

OPTIONS = [word for rename in RENAMES for word in ("--rename", rename)]


@pytest.fixture(scope="module")
def real(tmp_path_factory) -> Iterator[RealMaster]:
    """A released master, with what old databases hold, and with a job."""
    master = RealMaster(tmp_path_factory.mktemp("import") / "master")
    try:
        master.make_tables()
        odd_master(Master(master.database, OLDEST), is_released=True)
        master.start()
        master.submit("Blender", {}, jobtype_version=4)
        yield master
    finally:
        master.stop()


def test_all_of_the_tables_comes_and_the_mirror_has_little_to_do(real, tmp_path):
    repo = tmp_path / "repo.git"
    rows = Master(real.database, OLDEST).rows("jobtype_versions")

    done = jobtypes("import", real.database, "--into", repo, *OPTIONS)

    assert done.returncode == 0, done.stderr
    catalogue = Store(repo).catalogue()
    versions = {(j.id, v.number): v for j in catalogue.jobtypes() for v in catalogue.versions(j)}
    assert versions.keys() == {(row["jobtype_id"], row["version"]) for row in rows}
    compared = jobtypes("compare", real.database, "--repo", repo, *OPTIONS)
    assert compared.returncode == 0, compared.stdout
    assert "equal" in compared.stdout
    # The mirror makes rows for what got another name, and overwrites no code.
    mirrored = jobtypes("mirror", real.database, "--repo", repo, "--dry-run")
    inserted = re.findall(r"jobtypes: insert (.*)", mirrored.stdout)
    assert inserted == [rename.partition("=")[2] for rename in RENAMES]
    assert "code" not in mirrored.stdout
    assert "left as it is" not in mirrored.stdout


def test_over_the_api_all_comes_but_what_it_does_not_tell(real, tmp_path):
    repo = tmp_path / "repo.git"

    done = jobtypes("import", real.url, "--into", repo, *OPTIONS)

    assert done.returncode == 0, done.stderr
    untold = re.search(r"the REST API doesn't tell (.*); the database does", done.stdout)
    assert untold
    assert untold[1] == "default, no_automatic_start_time, supports_tiling"
    assert jobtypes("compare", real.url, "--repo", repo, *OPTIONS).returncode == 0
    # The tables know what the API does not.
    compared = jobtypes("compare", real.database, "--repo", repo, *OPTIONS)
    assert re.search(r"(?s)\n *differs: (.*)compared ", compared.stdout)[1] == (
        "1\n  software maya 2013: default is true in the master and false in the repository\n"
    )
    assert Store(repo).catalogue().newest("Maya 2014").meta.classname == "Job"
    assert CODE in Store(repo).catalogue().code(Store(repo).catalogue().newest("Maya"))
