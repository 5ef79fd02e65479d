"""The master's tables follow the branch: all of it, in one transaction, and nothing is lost."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import sqlalchemy as sa

from gitstore.branch.store import Store
from tests.support.branches import Branch, jobtype
from tests.support.commands import jobtypes
from tests.support.depth import examples
from tests.support.git import git
from tests.support.histories import Life
from tests.support.master import NEW, OLD, OLDEST, Master, sqlite_url
from tests.support.mirrors import check_history, in_service, mirrored, row_of, said


@pytest.fixture
def master(tmp_path) -> Master:
    return Master(sqlite_url(tmp_path / "m.db"))


@pytest.mark.parametrize("lacking", [NEW, OLD, OLDEST], ids=["newest", "older", "released"])
def test_new_tables_say_all_that_the_branch_does(tmp_path, sample, lacking):
    master = Master(sqlite_url(tmp_path / "m.db"), lacking)
    store = Store(sample)

    done = jobtypes("mirror", master.url, "--repo", sample)

    assert done.returncode == 0, done.stderr
    catalogue = store.catalogue()
    rows = {row["name"]: row for row in master.rows("jobtypes")}
    assert {j.name: j.id for j in catalogue.jobtypes()} == {n: r["id"] for n, r in rows.items()}
    for row in master.rows("jobtype_versions"):
        name = next(n for n, r in rows.items() if r["id"] == row["jobtype_id"])
        release = catalogue.release(name, row["version"])
        assert row["code"] == catalogue.code(release)
        assert row["max_batch"] == release.meta.max_batch
        assert rows[name]["description"] == release.meta.description
    again = jobtypes("mirror", master.url, "--repo", sample, "--check")
    assert again.returncode == 0, again.stdout


@pytest.mark.parametrize("lacking", [NEW, OLD, OLDEST], ids=["newest", "older", "released"])
@pytest.mark.deep
@pytest.mark.parametrize("seed", range(examples(1)))
def test_random_history_comes_to_the_same_step_by_step_and_at_once(tmp_path, seed, lacking):
    check_history(tmp_path, seed, [sqlite_url(tmp_path / f"{n}.db") for n in "ab"], lacking)


@contextmanager
def failing_at(number: int) -> Iterator[list[str]]:
    """Have the statement of that number fail, of those that are executed meanwhile."""
    executed: list[str] = []

    def before(connection, cursor, statement, *rest) -> None:
        executed.append(statement)
        if len(executed) == number:
            raise ConnectionError("the machine stops here")

    sa.event.listen(sa.Engine, "before_cursor_execute", before)
    try:
        yield executed
    finally:
        sa.event.remove(sa.Engine, "before_cursor_execute", before)


def test_stopped_between_any_two_statements_it_comes_to_the_same(tmp_path):
    slow, fast = (Master(sqlite_url(tmp_path / f"{name}.db")) for name in "ab")
    life = Life(tmp_path / "life.git", 7)
    for _ in range(4):
        life.step()
    mirrored(slow, life.branch)
    for _ in range(4):
        life.step()
    before, number = said(slow), 0
    while True:
        number += 1
        with failing_at(number) as executed:
            try:
                mirrored(slow, life.branch)
            except ConnectionError:
                assert len(executed) == number
            else:
                break
        assert said(slow) == before
    mirrored(fast, life.branch)

    assert number > 20
    assert said(slow) == said(fast)


def test_withdrawn_version_that_a_job_names_is_set_aside_and_comes_back(tmp_path, master):
    branch = Branch(tmp_path / "b.git")
    for mark in "123":
        branch.commit(jobtype("Blender", f"# {mark}\n"))
    mirrored(master, branch)
    row = row_of(master, "Blender", 3)
    master.job(row)

    branch.commit({"withdrawn.yaml": "Blender: [2, 3]\n"})
    mirrored(master, branch)
    assert in_service(master) == [("Blender", 1)]
    assert row_of(master, "~/1", 3) == row

    branch.commit({"withdrawn.yaml": None})
    mirrored(master, branch)
    assert in_service(master) == [("Blender", 1), ("Blender", 2), ("Blender", 3)]
    assert row_of(master, "Blender", 3) == row
    assert [r["name"] for r in master.rows("jobtypes")] == ["Blender"]


def test_what_is_set_aside_goes_when_no_job_names_it_any_more(tmp_path, master):
    branch = Branch(tmp_path / "b.git")
    branch.commit(jobtype("Blender"))
    mirrored(master, branch)
    job = master.job(row_of(master, "Blender", 1))
    branch.commit({"withdrawn.yaml": "Blender: [1]\n"})
    mirrored(master, branch)
    with master.engine.begin() as connection:
        connection.execute(master.tables["jobs"].delete().where(master.tables["jobs"].c.id == job))

    mirrored(master, branch)

    assert [row["name"] for row in master.rows("jobtypes")] == ["Blender"]
    assert master.rows("jobtype_versions") == []


def test_deleted_jobtype_that_a_job_names_is_renamed_with_what_was_set_aside(tmp_path, master):
    branch = Branch(tmp_path / "b.git")
    branch.commit(jobtype("Blender"))
    branch.commit(jobtype("Blender", "# 2\n"))
    branch.commit(jobtype("Other"))
    mirrored(master, branch)
    rows = [row_of(master, "Blender", number) for number in (1, 2)]
    for row in rows:
        master.job(row)
    branch.commit({"withdrawn.yaml": "Blender: [1]\n"})
    mirrored(master, branch)

    gone = {f"jobtypes/Blender/{file}": None for file in ("code.py", "meta.yaml")}
    branch.commit({**gone, "withdrawn.yaml": None})
    mirrored(master, branch)

    assert in_service(master) == [("Other", 1)]
    assert {r["name"]: r["id"] for r in master.rows("jobtypes")} == {"~/1": 1, "Other": 2}
    assert [row_of(master, "~/1", number) for number in (1, 2)] == rows
    branch.commit(jobtype("Blender", "# new\n"))
    mirrored(master, branch)
    assert in_service(master) == [("Blender", 3), ("Other", 1)]


def test_rename_keeps_the_row(tmp_path, master):
    branch = Branch(tmp_path / "b.git")
    files = jobtype("Old")
    branch.commit(files)
    mirrored(master, branch)
    row = row_of(master, "Old", 1)
    branch.commit({**dict.fromkeys(files), **jobtype("New")})

    mirrored(master, branch)

    assert row_of(master, "New", 1) == row
    assert len(master.rows("jobtypes")) == 1


def test_other_code_under_a_number_is_never_overwritten(tmp_path, master):
    branch = Branch(tmp_path / "b.git")
    branch.commit(jobtype("Blender"))
    branch.commit(jobtype("Other"))
    mirrored(master, branch)
    row = master.version(1, 2, "class Job: 'made on the master'\n")
    branch.commit({**jobtype("Blender", "# 2\n"), **jobtype("Other", "# 2\n")})

    done = jobtypes("mirror", master.url, "--repo", branch.path)

    assert done.returncode == 1
    says = "the tables have another version 2; withdraw it here and go on with 3"
    assert f"Blender: {says}" in done.stdout
    assert master.rows("jobtype_versions")[row - 1]["code"].endswith("'made on the master'\n")
    assert ("Other", 2) in in_service(master)
    branch.commit({"withdrawn.yaml": "Blender: [2]\n"})
    branch.commit(jobtype("Blender", "# 3\n"))
    assert jobtypes("mirror", master.url, "--repo", branch.path).returncode == 0
    assert ("Blender", 3) in in_service(master)
    assert ("Blender", 2) in in_service(master)


@pytest.mark.parametrize(
    ("table", "values", "says"),
    [
        ("jobtype_versions", {"code": "class Job:\n    pasS\n"}, "another version 1"),
        ("jobtype_versions", {"max_batch": 9}, "max_batch is 9 in the table and becomes 1"),
        ("jobtypes", {"description": "x"}, "description is 'x' in the table and becomes None"),
        ("software_versions", {"rank": 7}, "rank is 7 in the table and becomes 1"),
        ("software_versions", {"default": True}, "default is True in the table"),
    ],
)
def test_a_planted_drift_is_found_with_its_two_values(tmp_path, master, table, values, says):
    branch = Branch(tmp_path / "b.git")
    software = "versions:\n  - {version: '1', rank: 1}\n  - {version: '2', rank: 2}\n"
    branch.commit({**jobtype("Blender"), "software/maya.yaml": software})
    mirrored(master, branch)
    master.change(table, 1, **values)
    before = said(master)

    done = jobtypes("mirror", master.url, "--repo", branch.path, "--check")

    assert done.returncode == 1
    assert says in done.stdout
    assert "row 1" in done.stdout
    assert said(master) == before


def test_a_damaged_version_keeps_its_row_and_all_else_is_in_step(tmp_path, master):
    branch = Branch(tmp_path / "b.git")
    branch.commit(jobtype("Blender"))
    branch.commit({**jobtype("Blender", "# 2\n"), **jobtype("Nuke")})
    mirrored(master, branch)
    id = git(branch.path, "rev-parse", "main:jobtypes/Blender/code.py").strip()
    (branch.path / "objects" / id[:2] / id[2:]).unlink()
    branch.commit(jobtype("Nuke", "# new\n"))

    done = mirrored(master, branch, is_pruning=True)

    assert in_service(master) == [("Blender", 1), ("Blender", 2), ("Nuke", 1), ("Nuke", 2)]
    assert (done.conflicts, len(done.drift)) == ({}, 1)


def test_rows_of_others_are_reported_and_pruned_if_no_job_names_them(tmp_path, master):
    branch = Branch(tmp_path / "b.git")
    branch.commit({**jobtype("Blender"), "software/maya.yaml": "versions: []\n"})
    mirrored(master, branch)
    kept = master.jobtype("Kept", "x\n")
    master.job(row_of(master, "Kept", 1))
    master.jobtype("Mine", "x\n", "y\n")
    master.version(1, 7, "z\n")
    master.software("houdini", "13")

    found = jobtypes("mirror", master.url, "--repo", branch.path)
    assert found.returncode == 0
    for what in ("(Mine)", "(Kept)", "(Blender 7)", "(software houdini)"):
        assert f"{what}: is not in the branch" in found.stdout
    assert len(master.rows("jobtypes")) == 3

    jobtypes("mirror", master.url, "--repo", branch.path, "--prune")
    assert {row["id"] for row in master.rows("jobtypes")} == {1, kept}
    assert in_service(master) == [("Blender", 1), ("Kept", 1)]
    assert [row["software"] for row in master.rows("software")] == ["maya"]


def test_dry_run_prints_and_writes_nothing(tmp_path, master):
    branch = Branch(tmp_path / "b.git")
    branch.commit(jobtype("Blender"))

    done = jobtypes("mirror", master.url, "--repo", branch.path, "--dry-run")

    assert done.returncode == 0
    assert "jobtype_versions: insert Blender 1" in done.stdout
    assert master.rows("jobtypes") == []


def test_software_that_a_version_in_service_still_requires_stays(tmp_path, master):
    branch = Branch(tmp_path / "b.git")
    software = "versions:\n  - {version: '1', rank: 1}\n  - {version: '2', rank: 2}\n"
    needs = "requirements: [{software: maya, min_version: '1'}]\n"
    branch.commit({**jobtype("Blender", meta=needs), "software/maya.yaml": software})
    mirrored(master, branch)
    branch.commit({**jobtype("Blender", "# 2\n"), "software/maya.yaml": None})

    mirrored(master, branch)

    assert said(master)["versions"][0]["needs"] == [("maya", "1", None)]
    assert [v["version"] for v in said(master)["software versions"]] == ["1"]
    branch.commit({"withdrawn.yaml": "Blender: [1]\n"})
    mirrored(master, branch)
    assert said(master)["software"] == []


def test_software_that_agents_have_is_kept_and_reported(tmp_path, master):
    branch = Branch(tmp_path / "b.git")
    branch.commit({"software/maya.yaml": "versions:\n  - {version: '1', rank: 1}\n"})
    mirrored(master, branch)
    master.add("agent_software_version_associations", agent_id="a", software_version_id=1)
    branch.commit({"software/maya.yaml": "versions:\n  - {version: '2', rank: 1}\n"})

    done = mirrored(master, branch)

    rows = {row["version"]: row["rank"] for row in master.rows("software_versions")}
    assert rows == {"1": 0, "2": 1}
    assert "still named by jobs, agents" in done.drift[0]


def test_preview_is_a_jobtype_of_its_own_until_the_next_run(tmp_path, master):
    branch = Branch(tmp_path / "b.git")
    branch.commit(jobtype("Blender"))
    side = branch.side(jobtype("Blender", "# try\n"))

    done = jobtypes("mirror", master.url, "--repo", branch.path, "--preview", side)

    assert done.returncode == 0, done.stderr
    name = next(r["name"] for r in master.rows("jobtypes") if r["name"] != "Blender")
    tree = branch.repository.entries(branch.repository.commit(side).tree)["jobtypes"]
    assert name == f"Blender~{branch.repository.entries(tree.id)['Blender'].id[:12]}"
    assert master.rows("jobtype_versions")[1]["code"].endswith("# try\n")
    jobtypes("mirror", master.url, "--repo", branch.path)
    assert [row["name"] for row in master.rows("jobtypes")] == ["Blender"]


def test_older_service_does_not_take_the_tables_back(tmp_path, master, clone):
    branch = Branch(tmp_path / "b.git")
    branch.commit(jobtype("Blender"))
    behind = clone(branch.path, "--bare").path
    branch.commit({"withdrawn.yaml": "Blender: [1]\n"})
    mirrored(master, branch)

    done = jobtypes("mirror", master.url, "--repo", behind)

    assert done.returncode == 3
    assert "in step with the later commit" in done.stderr
    assert in_service(master) == []
    other = Branch(tmp_path / "other.git")
    for mark in "123":
        other.commit(jobtype("Nuke", f"# {mark}\n"))
    refused = jobtypes("mirror", master.url, "--repo", other.path)
    assert "follow another history" in refused.stderr


def test_imported_master_is_in_step_at_once_but_for_what_was_changed(tmp_path, master):
    maya = master.software("maya", "2014", "2015")
    id = master.jobtype("Blender", "class Job:\r\n    pass\r\n", "class Job:\n    x = 1\n")
    master.version(id, 5, "print 'x'\n", classname=None, max_batch=None)
    master.need(2, maya[""], maya["2014"])
    repo = tmp_path / "repo.git"
    jobtypes("import", master.url, "--into", repo)
    before = said(master)

    done = jobtypes("mirror", master.url, "--repo", repo)

    assert done.returncode == 0, done.stdout
    for row in (*before["versions"], *said(master)["versions"]):
        row["supports_tiling"] = bool(row["supports_tiling"])
    assert said(master)["software versions"] == before["software versions"]
    assert [row["code"] for row in said(master)["versions"]] == [
        row["code"] for row in before["versions"]
    ]
