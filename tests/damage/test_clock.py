from __future__ import annotations

from api.app import create_app
from api.config import Config
from tests.support.branches import Branch, jobtype
from tests.support.rest import code

DATES = ("2040-01-01T00:00:00+0000", "1980-01-01T00:00:00+0000", "2030-06-01T00:00:00+1400")
PATH = "/api/v1/jobtypes/X"


def test_numbers_and_order_do_not_depend_on_the_clock(branch: Branch, clone, monkeypatch):
    branch.commit(jobtype("X"))
    client = create_app(Config(branch.path)).test_client()
    worktree = clone(branch.path)
    wanted = [client.get(f"{PATH}/versions/1/code").data.decode()]

    for date in DATES:
        for who in ("AUTHOR", "COMMITTER"):
            monkeypatch.setenv(f"GIT_{who}_DATE", date)
        worktree.git("pull", "--quiet", "--ff-only")
        worktree.write("jobtypes/X/code.py", code(date))
        assert worktree.push().returncode == 0
        sent = {"name": "X", "classname": "Job", "code": code(f"after {date}")}
        assert client.put(PATH, json=sent).json["version"] == len(wanted) + 2
        wanted += [code(date), sent["code"]]

    again = create_app(Config(branch.path)).test_client()
    for asked in (client, again):
        assert asked.get(PATH).json["version"] == len(wanted)
        for number, text in enumerate(wanted, 1):
            assert asked.get(f"{PATH}/versions/{number}/code").data.decode() == text
