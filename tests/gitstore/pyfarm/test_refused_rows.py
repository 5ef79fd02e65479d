"""What a master's tables can't hold keeps nothing else out of step."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from tests.support.branches import Branch, jobtype
from tests.support.commands import jobtypes
from tests.support.master import Master, sqlite_url
from tests.support.mirrors import in_service, mirrored, said

SNOWMAN = "# ☃\n"
SOFTWARE = "versions:\n  - {version: '1', rank: 1}\n"


@pytest.fixture
def master(tmp_path) -> Master:
    """Tables that are as strict as MySQL's: names are equal in any case, and text is Latin."""
    master = Master(sqlite_url(tmp_path / "m.db"))
    with master.engine.begin() as connection:
        for sql in (
            "CREATE UNIQUE INDEX a ON software (software COLLATE NOCASE)",
            "CREATE UNIQUE INDEX b ON jobtypes (name COLLATE NOCASE)",
            *(
                f"CREATE TRIGGER {event}_{table} BEFORE {event} ON {table}"
                f" WHEN instr(NEW.{column}, char(9731)) OR instr(NEW.{column}, 'Č')"
                " BEGIN SELECT RAISE(ABORT, 'Incorrect string value'); END"
                for event in ("INSERT", "UPDATE")
                for table, column in (("jobtypes", "name"), ("jobtype_versions", "code"))
            ),
        ):
            connection.execute(sa.text(sql))
    return master


def needing(software: str) -> str:
    return f"requirements: [{{software: {software}, min_version: '1'}}]\n"


def test_what_the_tables_cannot_hold_is_left_and_all_else_is_in_step(tmp_path, master):
    branch = Branch(tmp_path / "b.git")
    branch.commit({**jobtype("Bad"), **jobtype("Good"), "software/maya.yaml": SOFTWARE})
    mirrored(master, branch)
    branch.commit({**jobtype("Bad", SNOWMAN, "description: new\n"), **jobtype("Good", "# 2\n")})
    branch.commit({"software/Maya.yaml": SOFTWARE})
    branch.commit(
        {**jobtype("Needs", meta=needing("Maya")), **jobtype("Sees", meta=needing("maya"))}
    )

    done = mirrored(master, branch)

    assert done.conflicts.keys() == {"Bad", "Needs", "software Maya"}
    assert "the tables can't hold it: Incorrect string value" in done.conflicts["Bad"]
    assert done.conflicts["Needs"].startswith("version 1 requires Maya, which the tables")
    assert in_service(master) == [("Bad", 1), ("Good", 1), ("Good", 2), ("Sees", 1)]
    assert {row["description"] for row in master.rows("jobtypes")} == {None}
    assert said(master)["software"] == ["maya"]
    again = mirrored(master, branch)
    assert (again.changes, again.conflicts) == ((), done.conflicts)
    told = jobtypes("mirror", master.url, "--repo", branch.path)
    assert (told.returncode, "3 things are not in step" in told.stdout) == (1, True)
    branch.commit({"withdrawn.yaml": "Bad: [2]\nNeeds: [1]\n", "software/Maya.yaml": None})
    assert mirrored(master, branch).conflicts == {}


@pytest.mark.parametrize(("last", "says"), [("Č", "can't hold it"), ("C", "another jobtype of")])
def test_a_name_that_a_row_cannot_have_keeps_no_other_row_from_its_name(
    tmp_path, master, last, says
):
    branch = Branch(tmp_path / "b.git")
    for name in ("A", "B", "D"):
        branch.commit(jobtype(name, f"# {name}\n"))
    mirrored(master, branch)
    master.jobtype("C", "class Job: pass\n")
    for old, new in (("B", last), ("D", "E")):
        branch.commit({**dict.fromkeys(jobtype(old)), **jobtype(new, f"# {old}\n")})

    done = mirrored(master, branch)

    assert says in done.conflicts[last]
    assert {row["name"] for row in master.rows("jobtypes")} == {"A", "B", "C", "E"}
