"""Tables as JSON, for programs."""

from __future__ import annotations

import json

import pytest

from gitstore.branch.access import Role
from gitstore.branch.tokens import Tokens
from tests.support.commands import jobtypes

TABLES = {
    "list": ["list"],
    "log": ["log", "Nuke"],
    "changes": ["changes", "list"],
    "tokens": ["token", "list"],
}


@pytest.mark.parametrize("command", TABLES.values(), ids=TABLES)
def test_json_has_the_rows_of_the_table(sample, clone, command):
    worktree = clone(sample)
    worktree.write("jobtypes/Nuke/code.py", "class Nuke:\n    pass\n")
    worktree.push("origin", "HEAD:topic")
    Tokens(sample).create("ci", Role.WRITE, "ci@studio.example", ())

    table = jobtypes(*command, "--repo", sample).stdout.splitlines()
    done = jobtypes(*command, "--repo", sample, "--format", "json")

    rows = json.loads(done.stdout)
    assert done.returncode == 0
    assert len(rows) == len(table) - 1 > 0
    for row in rows:
        assert list(row) == table[0].lower().split()
        assert "-" not in row.values()
