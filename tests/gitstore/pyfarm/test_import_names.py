"""Names and values that the format can't hold: all are listed, and nothing is written."""

from __future__ import annotations

import re

from gitstore.branch.store import Store
from tests.support.commands import jobtypes
from tests.support.master import Master, sqlite_url
from tests.support.odd_master import CODE, odd_master


def test_names_that_cannot_be_are_listed_together_and_nothing_is_written(tmp_path):
    master = odd_master(Master(sqlite_url(tmp_path / "m.db"), unique_rank=False))
    repo = tmp_path / "repo.git"

    done = jobtypes("import", master.url, "--into", repo)

    assert done.returncode == 1
    for wish in ("'a/b=a-b'", "'Maya (2014)=Maya 2014'", "'12=_12'", "'maya=maya 2'"):
        assert f"--rename {wish}" in done.stderr
    assert "'Maya' and 'maya'" in done.stderr
    assert not repo.exists()


def test_no_two_names_get_one_proposal(tmp_path):
    master = Master(sqlite_url(tmp_path / "m.db"))
    for name in ("a/b", "a:b", "A\\B"):
        master.jobtype(name, CODE)

    done = jobtypes("import", master.url, "--into", tmp_path / "repo.git")

    wishes = re.findall(r"--rename '(.*)'", done.stderr)
    words = [word for wish in wishes for word in ("--rename", wish.replace("\\\\", "\\"))]
    again = jobtypes("import", master.url, "--into", tmp_path / "repo.git", *words)
    assert (len(wishes), again.returncode) == (3, 0), again.stderr


def test_a_name_with_a_tilde_is_the_farms_own_unless_a_mirror_gives_such(tmp_path):
    master = Master(sqlite_url(tmp_path / "m.db"))
    for name in ("Blender~old", "Nuke~", "~/x", "~~7"):
        master.jobtype(name, CODE)

    done = jobtypes("import", master.url, "--into", tmp_path / "repo.git")

    assert done.returncode == 1
    for wish in ("'Blender~old=Blender_old'", "'Nuke~=Nuke_'"):
        assert f"--rename {wish}" in done.stderr
    assert done.stderr.count("holds '~'") == 4


def test_values_that_no_file_can_hold_are_listed_and_nothing_is_written(tmp_path):
    master = Master(sqlite_url(tmp_path / "m.db"), unique_rank=False)
    master.version(master.jobtype("A", CODE), 2, CODE, classname="C" * 65)
    maya, nuke = master.software("maya", "1", "2"), master.software("nuke", "", "2")
    for version in ("1", "2"):
        master.change("software_versions", maya[version], rank=2**31 - 1)
    assert nuke

    done = jobtypes("import", master.url, "--into", tmp_path / "repo.git", "--rename", "=2")

    assert done.returncode == 1
    for says in (
        "jobtype 'A' version 2: classname is too long; 64 characters is the limit",
        "software 'maya': rank is 2147483648; at most 2147483647 is allowed",
        "software 'nuke': versions lists the version 2 twice",
    ):
        assert f"{says}; " in done.stderr
    assert not (tmp_path / "repo.git").exists()


def test_a_rename_of_nothing_and_one_without_a_name_are_refused(tmp_path):
    master = Master(sqlite_url(tmp_path / "m.db"))
    for given, says in (("x=y", "no name in the source"), ("x", "not of the form")):
        done = jobtypes("import", master.url, "--into", tmp_path / "r.git", "--rename", given)

        assert done.returncode == 1
        assert says in done.stderr


def test_a_name_that_differs_in_case_from_the_repository_is_refused(tmp_path, sample):
    master = Master(sqlite_url(tmp_path / "m.db"))
    master.jobtype("BLENDER", CODE)
    tip = Store(sample).catalogue().history.tip

    done = jobtypes("import", master.url, "--into", sample)

    assert done.returncode == 1
    assert "BLENDER and Blender" in done.stderr
    assert Store(sample).catalogue().history.tip == tip
