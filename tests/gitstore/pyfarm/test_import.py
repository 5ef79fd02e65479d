"""A master's tables, with what old databases hold, become a branch that says the same."""

from __future__ import annotations

import subprocess
import sys

import pytest
import sqlalchemy as sa

from gitstore.branch.store import Store
from gitstore.git.repository import Repository
from gitstore.pyfarm.branch import branch_farm
from gitstore.pyfarm.fitting import REASONS
from tests.support.commands import jobtypes
from tests.support.git import git
from tests.support.master import NEW, OLD, OLDEST, Master, sqlite_url
from tests.support.odd_master import CODE, FOUND, RENAMES, compared, imported, odd_master
from tests.support.project import ROOT


@pytest.fixture(params=[NEW, OLD, OLDEST], ids=["newest", "older", "released"])
def master(request, tmp_path) -> Master:
    """An old database with everything odd in it."""
    return odd_master(Master(sqlite_url(tmp_path / "m.db"), request.param, unique_rank=False))


def test_import_keeps_every_value(master, tmp_path):
    repo = tmp_path / "repo.git"

    done = imported(master, repo)

    assert done.returncode == 0, done.stderr
    new = dict(rename.split("=") for rename in RENAMES)
    catalogue = Store(repo).catalogue()
    for row in master.rows("jobtypes"):
        jobtype = catalogue.jobtype(new.get(row["name"], row["name"]))
        assert jobtype.id == row["id"]
        for version in master.rows("jobtype_versions"):
            if version["jobtype_id"] == row["id"]:
                release = catalogue.release(jobtype.name, version["version"])
                code = version["code"].replace("\r\n", "\n").replace("\r", "\n")
                assert catalogue.code(release) == code
                assert release.meta.classname == version["classname"]
                assert release.meta.max_batch == (version["max_batch"] or None)
                assert release.meta.batch_contiguous is (version["batch_contiguous"] is not False)
                assert release.meta.supports_tiling is bool(version.get("supports_tiling"))
                description = row["description"]
                assert release.meta.description == (description and description.replace("\0", ""))
    assert release.meta.success_subject is None
    blender = catalogue.newest("Blender")
    assert blender.meta.success_subject == "Done é"
    assert blender.meta.fail_body == "a\nb\n"
    needs = {r.software: (r.min_version, r.max_version) for r in blender.meta.requirements}
    assert needs["maya"] == ("2015", "2013")
    assert needs["/bin/touch"] == ("2014", None)
    assert [v.number for v in catalogue.versions(blender.jobtype)] == [1, 2, 4, 9]


def test_import_keeps_software(master, tmp_path):
    repo = tmp_path / "repo.git"
    imported(master, repo)

    catalogue = Store(repo).catalogue()

    maya = catalogue.software_file(catalogue.software_entry("maya")).versions
    assert [(v.version, v.rank, v.default) for v in maya] == [
        ("2013", -5, True),
        ("2014", 2, False),
        ("2015", 3, False),
    ]
    touch = catalogue.software_file(catalogue.software_entry("/bin/touch"))
    slash = catalogue.software_file(catalogue.software_entry("Maya")).versions[0]
    if "discovery_code" in master.tables["software_versions"].columns:
        assert touch.versions[0].discovery_code == slash.discovery_code == FOUND
        assert touch.versions[1].discovery_code == ""
        assert touch.versions[1].discovery_function_name == "nothing"
    assert catalogue.software_entry("Twelve").name == "Twelve"


def test_the_report_names_what_differs_and_what_strict_refuses(master, tmp_path):
    done = imported(master, tmp_path / "repo.git")

    for reason in ("line-ends", "characters", "max-batch", "contiguous", "rank", "no-version"):
        assert f"[{reason}: {REASONS[reason]}]" in done.stdout
    assert "Blender/meta.yaml" in done.stdout.partition("would say")[2]


def test_compare_finds_an_import_equal_but_for_documented_reasons(master, tmp_path):
    repo = tmp_path / "repo.git"
    imported(master, repo)

    done = compared(master, repo)

    assert done.returncode == 0, done.stdout
    assert "equal" in done.stdout


@pytest.mark.parametrize(
    ("table", "column", "value", "says"),
    [
        ("jobtype_versions", "code", f"{CODE}\n", "Blender 2: code differs from line 3 on"),
        ("jobtype_versions", "classname", "Jib", "Blender 2: classname is 'Jib'"),
        ("jobtypes", "fail_subject", "no", "Blender: fail_subject is 'no'"),
        ("software_versions", "rank", 3, "software maya 2014: rank is 3"),
        ("software_versions", "default", True, "software maya 2014: default is true"),
        ("software_versions", "version", "x", "software maya x: is not in the repository"),
        ("software", "software", "y", "software y: is not in the repository"),
        ("jobtypes", "name", "z", "z: is not in the repository"),
    ],
)
def test_compare_finds_one_planted_difference(tmp_path, table, column, value, says):
    master = Master(sqlite_url(tmp_path / "m.db"))
    master.jobtype("Blender", CODE, CODE)
    row = master.software("maya", "2013", "2014")["2014"]
    ids = {"jobtype_versions": 2, "jobtypes": 1, "software_versions": row, "software": 1}
    repo = tmp_path / "repo.git"
    jobtypes("import", master.url, "--into", repo)
    assert jobtypes("compare", master.url, "--repo", repo).returncode == 0

    master.change(table, ids[table], **{column: value})
    done = jobtypes("compare", master.url, "--repo", repo)

    assert done.returncode == 1
    assert says in done.stdout


def test_what_names_a_row_that_is_gone_is_told(tmp_path):
    master = Master(sqlite_url(tmp_path / "m.db"))
    master.jobtype("A", CODE)
    master.need(1, master.software("maya", "1")[""], 99)
    master.add("software_versions", software_id=77, version="x", rank=1)

    done = jobtypes("import", master.url, "--into", tmp_path / "repo.git")

    assert done.returncode == 0
    assert "a version x belongs to no software; it is left out" in done.stdout
    assert "A 1: a requirement's min_version is the id 99, which no" in done.stdout


def test_a_declared_number_is_never_given_again(tmp_path):
    master = Master(sqlite_url(tmp_path / "m.db"))
    master.jobtype("Blender", CODE)
    master.add("jobtypes", name="Empty")
    repo = tmp_path / "repo.git"

    done = jobtypes(
        *("import", master.url, "--into", repo, "--next", "Blender=9", "--next", "Empty=4")
    )

    assert done.returncode == 0, done.stderr
    store = Store(repo)
    history = store.catalogue().history
    assert (history.next_number("Blender"), history.next_number("Empty")) == (9, 4)
    assert store.catalogue().newest("Blender").version.number == 1
    again = jobtypes("import", master.url, "--into", repo, "--next", "Blender=9")
    assert (again.returncode, "0 versions" in again.stdout) == (0, True)
    late = jobtypes("import", master.url, "--into", repo, "--next", "Blender=5")
    assert late.returncode == 1
    assert "8 is used already" in late.stderr


def test_imported_repository_passes_the_check_where_the_code_does(tmp_path):
    master = Master(sqlite_url(tmp_path / "m.db"))
    master.jobtype("Blender", CODE)
    master.add("jobtypes", name="Empty")
    repo = tmp_path / "repo.git"
    jobtypes("import", master.url, "--into", repo)

    assert jobtypes("check", repo).returncode == 0


def test_second_import_brings_only_what_is_new(tmp_path):
    master = Master(sqlite_url(tmp_path / "m.db"))
    first = master.jobtype("Blender", CODE)
    maya = master.software("maya", "2013")
    repo = tmp_path / "repo.git"
    jobtypes("import", master.url, "--into", repo)
    before = Store(repo).catalogue().history
    same = jobtypes("import", master.url, "--into", repo)
    assert Store(repo).catalogue().history.tip == before.tip, same.stdout

    master.version(first, 2, f"{CODE}# 2\n")
    master.jobtype("Nuke", CODE)
    master.add("software_versions", software_id=maya[""], version="2014", rank=9, default=False)
    done = jobtypes("import", master.url, "--into", repo)

    assert "brought 1 jobtypes, 2 versions and 1 software" in done.stdout
    assert jobtypes("compare", master.url, "--repo", repo).returncode == 0


def test_a_version_that_is_broken_here_does_not_hide_another_in_the_master(tmp_path):
    master = Master(sqlite_url(tmp_path / "m.db"))
    master.jobtype("A", f"{CODE}{'#' * 2**20}")
    master.version(1, 2, CODE)
    with master.engine.begin() as connection:
        sql = "UPDATE jobtype_versions SET code = CAST(x'2320e90a' AS TEXT) WHERE version = 2"
        connection.execute(sa.text(sql))
    repo = tmp_path / "repo.git"
    assert "out of service: 2" in jobtypes("import", master.url, "--into", repo).stdout
    assert jobtypes("import", master.url, "--into", repo).returncode == 0
    assert jobtypes("compare", master.url, "--repo", repo).returncode == 0

    master.change("jobtype_versions", 2, code=CODE)

    for command in (("import", "--into"), ("compare", "--repo")):
        done = jobtypes(command[0], master.url, command[1], repo)
        assert (done.returncode, "A 2: code differs from line 1 on" in done.stdout) == (1, True)


def test_an_id_that_is_taken_takes_no_other_jobtypes_id(tmp_path):
    first, second = (Master(sqlite_url(tmp_path / f"{name}.db")) for name in "ab")
    for name in "AB":
        first.jobtype(name, CODE)
    for id, name in ((1, "X"), (3, "Y"), (7, "Z")):
        second.jobtype(name, CODE, id=id)
    repo = tmp_path / "repo.git"
    jobtypes("import", first.url, "--into", repo)

    done = jobtypes("import", second.url, "--into", repo)

    assert (done.returncode, "X: its id 1 can't be kept: 7 is used" in done.stdout) == (1, True)
    ids = {jobtype.name: jobtype.id for jobtype in Store(repo).catalogue().jobtypes()}
    assert ids == {"A": 1, "B": 2, "X": 8, "Y": 3, "Z": 7}


def test_second_import_says_what_conflicts_and_leaves_it(tmp_path):
    master = Master(sqlite_url(tmp_path / "m.db"))
    first = master.jobtype("Blender", CODE)
    master.version(first, 3, CODE)
    repo = tmp_path / "repo.git"
    jobtypes("import", master.url, "--into", repo)
    master.change("jobtype_versions", 1, code="other\n")
    master.version(first, 2, "late\n")
    master.version(first, 4, "new\n")

    done = jobtypes("import", master.url, "--into", repo)

    assert done.returncode == 1
    assert "Blender 1: code differs from line 1 on" in done.stdout
    assert "Blender 2: can't come any more" in done.stdout
    catalogue = Store(repo).catalogue()
    assert catalogue.code(catalogue.release("Blender", 1)) == CODE
    assert catalogue.code(catalogue.release("Blender", 4)) == "new\n"


def test_second_import_keeps_what_people_wrote_into_a_software_file(tmp_path, clone):
    master = Master(sqlite_url(tmp_path / "m.db"))
    master.jobtype("Blender", CODE)
    master.software("blender", "4.1")
    repo = tmp_path / "repo.git"
    jobtypes("import", master.url, "--into", repo)
    td = clone(repo)
    path = "software/blender.yaml"
    td.write(path, f"# Ask Ana before.\n{(td.path / path).read_text()}")
    assert td.push().returncode == 0
    id = master.rows("software")[0]["id"]
    master.add("software_versions", software_id=id, version="4.2", rank=200, default=False)

    done = jobtypes("import", master.url, "--into", repo)

    assert done.returncode == 0, done.stdout
    file = git(repo, "show", f"main:{path}")
    assert file.startswith("# Ask Ana before.\n")
    assert "4.2" in file


def test_rows_that_a_mirror_put_aside_stay_out_of_use(tmp_path):
    master = Master(sqlite_url(tmp_path / "m.db"))
    first = master.jobtype("Blender", CODE)
    aside = master.add("jobtypes", name=f"~/{first}")
    master.version(aside, 2, f"{CODE}# gone\n")
    master.jobtype("Blender~0123456789ab", CODE)
    repo = tmp_path / "repo.git"

    done = jobtypes("import", master.url, "--into", repo)

    assert done.returncode == 0, done.stderr
    catalogue = Store(repo).catalogue()
    assert [jobtype.name for jobtype in catalogue.jobtypes()] == ["Blender"]
    assert catalogue.newest("Blender").version.number == 1
    assert catalogue.history.next_number("Blender") == 3
    assert jobtypes("check", repo).returncode == 0


def test_the_branch_shows_what_is_in_service_after_a_later_import_of_what_was_put_aside(tmp_path):
    master = Master(sqlite_url(tmp_path / "m.db"))
    first = master.jobtype("Blender", CODE)
    repo = tmp_path / "repo.git"
    jobtypes("import", master.url, "--into", repo)
    aside = master.add("jobtypes", name=f"~/{first}")
    master.version(aside, 2, f"{CODE}# gone\n")

    done = jobtypes("import", master.url, "--into", repo)

    assert done.returncode == 0, done.stderr
    assert git(repo, "show", "main:jobtypes/Blender/code.py") == CODE
    catalogue = Store(repo).catalogue()
    assert [v.number for v in catalogue.jobtype("Blender").versions] == [1, 2]
    assert catalogue.newest("Blender").version.number == 1
    assert catalogue.history.next_number("Blender") == 3


def test_an_import_that_fails_leaves_the_branch_and_no_ref(tmp_path, empty):
    master = Master(sqlite_url(tmp_path / "m.db"))
    first = master.jobtype("Blender", CODE)
    master.version(first, 10**8, CODE)

    done = jobtypes("import", master.url, "--into", empty)

    assert done.returncode == 1
    assert "99999999 can be kept" in done.stderr
    assert git(empty, "for-each-ref") == ""


def test_thousand_versions_come_within_a_minute_of_the_processor(tmp_path):
    master = Master(sqlite_url(tmp_path / "m.db"))
    with master.engine.begin() as connection:
        names = [{"id": n, "name": f"Job {n}"} for n in range(1, 51)]
        connection.execute(master.tables["jobtypes"].insert(), names)
        rows = [
            {"jobtype_id": n % 50 + 1, "version": n // 50 + 1, "code": f"{CODE}# {n}\n" * 100}
            for n in range(1000)
        ]
        connection.execute(master.tables["jobtype_versions"].insert(), rows)
    words = ["import", master.url, "--into", str(tmp_path / "repo.git")]
    limit = "import resource; resource.setrlimit(resource.RLIMIT_CPU, (60, 60))\n"
    code = f"{limit}from api.cli.main import main\nmain({words!r})"

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert "50 jobtypes, 1000 versions" in done.stdout, done.stderr
    assert not Repository(tmp_path / "repo.git").refs("refs/internal/")


def test_a_database_that_is_away_or_no_master_is_named_without_its_password(tmp_path):
    (tmp_path / "other.db").touch()
    for url, says in (
        ("postgresql://td:s3cret@127.0.0.1:1/pyfarm", "127.0.0.1"),
        ("mysql://td:s3cret@127.0.0.1:1/pyfarm", "127.0.0.1"),
        ("postgresql://127.0.0.1:1/pyfarm?user=td&password=s3cret", "127.0.0.1"),
        ("mysql://td:s3cret@127.0.0.1:1/pyfarm?foo=1", "correct what stands behind the ?"),
        (sqlite_url(tmp_path / "none.db"), "none.db can't be opened"),
        (sqlite_url(tmp_path / "other.db"), "no table jobtypes"),
        ("http://td:s3cret@127.0.0.1:1/api/v1", "127.0.0.1"),
        ("http://td:s3cret@127.0.0.1/api/v1", "has a user or password"),
        ("http://127.0.0.1:1/a b", "a b"),
        ("oracle://td:s3cret@host/x", "driver"),
        ("s3cret", "can't be read"),
    ):
        done = jobtypes("import", url, "--into", tmp_path / "r.git")

        assert done.returncode in (1, 3), done.stderr
        assert says in done.stderr
        assert "s3cret" not in done.stderr + done.stdout


def test_commands_start_without_sqlalchemy():
    script = (
        "import sys; sys.modules['sqlalchemy'] = None\n"
        "from api.cli.main import main; main(['import', 'sqlite:///x', '--into', 'y'])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert done.returncode == 3
    assert "pip install 'jobtype-repository[pyfarm]'" in done.stderr


def test_the_branch_of_the_sample_reads_as_a_farm(sample):
    farm = branch_farm(Store(sample).catalogue())

    assert {jobtype.name for jobtype in farm.jobtypes} >= {"Blender", "Maya"}
