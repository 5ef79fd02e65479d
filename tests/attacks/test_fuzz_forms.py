"""Forms with made-up fields, to every page that takes one: an answer in words, and no fault."""

from __future__ import annotations

import random
import re
from urllib.parse import quote

import pytest

from api.app import create_app
from api.config import Config
from tests.support.demo import make_demo
from tests.support.depth import examples
from tests.support.git import git

HTML = {"Accept": "text/html"}

PATHS = (
    *("/new", "/jobtypes/Blender/edit", "/jobtypes/FFmpeg/edit", "/jobtypes/Maya/edit?change="),
    *("/jobtypes/Blender/edit?change=td/blender-quiet", "/jobtypes/Maya/edit?change=.."),
    *("/jobtypes/Blender/edit?from=9", "/jobtypes/Blender/edit?from=%00"),
    *(
        "/jobtypes/Blender/1/withdraw",
        "/jobtypes/Blender/2/restore",
        "/jobtypes/Blender/1/rollback",
        "/new-software",
    ),
    *("/edit-software/blender", "/edit-software/%2Fbin%2Ftouch", "/changes/td/blender-quiet"),
    *("/changes/td/blender-ten", "/changes/none", "/changes/%00", "/whose", "/login", "/logout"),
)
FIELDS = tuple(
    """
    name description classname max_batch batch_contiguous supports_tiling software.0 min.0 max.0
    software.1 min.1 max.1 code success_subject success_body fail_body message review base do
    version.0 rank.0 discovery_code.0 discovery_function_name.0 default delete.0 version.1 rank.1
    text path line commit number sure delete_branch reason next token
    """.split()  # noqa: SIM905
)
WORDS = (
    *("", " ", "\n\n", "x", "Blender", "Maya", "..", "/", "a/b", "\0", "\x1b[31m", "\u202e"),
    *("\u00e4", "\ud7ff", "\U0001f600", "\u0661", "9" * 30, "-1", "0", "1", "10", "1e9", "true"),
    *("<b>", "%00", "refs/heads/main", "main", "td/blender-quiet", "nothing", "x" * 300),
    *("jobtypes/Blender/code.py", "4" * 40, "blender", "4.2", "schema", "con", "a" * 64),
    *("class Job: pass\n", "def f(:\n", "'''" * 10, "x" * 70_000),
    *("check", "save", "delete", "merge", "comment", "approve", "close", "uncomment", "unapprove"),
)


@pytest.mark.deep
def test_no_form_has_a_fault_of_ours_for_an_answer(tmp_path):
    chosen = random.Random(1)
    branch = make_demo(tmp_path / "demo.git")
    client = create_app(Config(branch.path)).test_client()
    client.get("/new", headers=HTML)

    def proof() -> str:
        found = re.search(r'name="csrf" value="([^"]+)"', client.get("/new", headers=HTML).text)
        assert found
        return found[1]

    token = proof()
    for _ in range(examples(150)):
        path = chosen.choice(PATHS)
        if chosen.random() < 0.2:
            path = f"/jobtypes/{quote(chosen.choice(WORDS)[:80], safe='')}/edit"
        count = chosen.randrange(15)
        fields = {name: chosen.choice(WORDS) for name in chosen.sample(FIELDS, count)}
        fields["csrf"] = chosen.choice((*[token] * 9, "x"))

        answer = client.post(path, data=fields, headers=HTML)

        assert answer.status_code < 500, (path, fields)
        if fields["csrf"] == token and answer.status_code == 403:
            token = proof()  # They logged out.
    git(branch.path, "fsck", "--strict")
