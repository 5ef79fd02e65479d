"""Tables as JSON, for programs."""

from __future__ import annotations

import json

from gitstore.branch.access import Role
from gitstore.branch.tokens import Tokens
from tests.support.commands import jobtypes


def test_json_has_the_rows_of_the_table(sample):
    command = ("token", "list")
    Tokens(sample).create("ci", Role.WRITE, "ci@studio.example", ())

    table = jobtypes(*command, "--repo", sample).stdout.splitlines()
    done = jobtypes(*command, "--repo", sample, "--format", "json")

    rows = json.loads(done.stdout)
    assert done.returncode == 0
    assert len(rows) == len(table) - 1 > 0
    for row in rows:
        assert list(row) == table[0].lower().split()
        assert "-" not in row.values()
