"""The pages by which people change something, sent as a browser without JavaScript does."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from api.app import create_app
from api.config import Config
from gitstore.branch.access import Role
from gitstore.branch.setup import create_repository, sample_path
from gitstore.branch.tokens import Tokens
from tests.support.branches import jobtype
from tests.support.git import git
from tests.support.plain_browser import PlainBrowser, listening

ROLES = {"Lena Lead": Role.WRITE, "Rob": Role.WRITE, "Eve": Role.ADMIN, "Di": Role.READ}

CODE = "class Job:\n    pass\n"


@dataclass
class Studio:
    """A service with tokens, and browsers of people who are logged in."""

    repo: Path
    port: int
    secrets: dict[str, str]
    browsers: dict[str, PlainBrowser] = field(default_factory=dict)

    def browser(self, name: str) -> PlainBrowser:
        if name not in self.browsers:
            self.browsers[name] = PlainBrowser(self.port).log_in(self.secrets[name])
        return self.browsers[name]

    def api(self, path: str) -> object:
        answer = PlainBrowser(self.port).request("GET", f"/api/v1/{path}")
        assert answer.status == 200, answer.body
        return answer.json

    def last(self) -> str:
        return git(self.repo, "log", "-1", "--format=%an: %s", "main").strip()


def studio_at(folder: Path, **settings: object) -> Iterator[Studio]:
    repo = folder / "served.git"
    create_repository(repo, "main", sample_path())
    tokens = Tokens(repo)
    secrets = {
        name: tokens.create(name, role, f"{name[:2].lower()}@studio.example", ())
        for name, role in ROLES.items()
    }
    with listening(create_app(Config(repo, **settings))) as port:  # type: ignore[arg-type]
        yield Studio(repo, port, secrets)


@pytest.fixture(scope="module")
def studio(tmp_path_factory) -> Iterator[Studio]:
    yield from studio_at(tmp_path_factory.mktemp("studio"))


@pytest.fixture(scope="module")
def protected(tmp_path_factory) -> Iterator[Studio]:
    yield from studio_at(tmp_path_factory.mktemp("protected"), protect=True, require_approvals=1)


def make(studio: Studio, name: str, **fields: str) -> PlainBrowser:
    """The browser of Lena Lead, who makes the jobtype *name*."""
    lena = studio.browser("Lena Lead").open("/new")
    lena.send("save", **{"name": name, "classname": "Job", "code": CODE, **fields})
    assert lena.status == 200, lena.text
    assert lena.path.startswith("/released/"), lena.text
    return lena


# Jobtypes


def test_a_new_jobtype_has_all_that_was_typed(studio):
    typed = {
        "description": "What & why,\nin <two> lines",
        "max_batch": "7",
        "supports_tiling": "true",
        "success_subject": "Done: \u00e4\u4e2d",
        "success_body": "Well\n\n  done",
        "fail_subject": "No",
        "fail_body": "Sorry",
        "software.0": "blender",
        "min.0": "4.2",
        "code": "\n# first\nclass Job:\n    text = '<b>&amp;</b>'\n\n",
        "message": "Because of <it>",
    }
    lena = studio.browser("Lena Lead").open("/new")
    lena.send("save", name="Typed", classname="Job", batch_contiguous=None, **typed)

    assert "Released as Typed 1" in lena.text
    made = studio.api("jobtypes/Typed")
    for name in ("description", "success_subject", "success_body", "fail_subject", "code"):
        assert made[name] == typed[name], name
    assert [made[n] for n in ("max_batch", "batch_contiguous", "supports_tiling")] == [
        *(7, False, True),
    ]
    assert [(r["software"], r["min_version"]) for r in made["software_requirements"]] == [
        ("blender", "4.2")
    ]
    assert studio.last() == "Lena Lead: Because of <it>"


def test_an_edit_that_changes_one_field_changes_nothing_else(studio):
    make(studio, "Kept", description="One\n\ntwo", fail_body="\n\nleading lines")
    before = studio.api("jobtypes/Kept")
    lena = studio.browser("Lena Lead").open("/jobtypes/Kept/edit")

    lena.send("save", max_batch="3")

    assert studio.api("jobtypes/Kept") == {**before, "version": 2, "max_batch": 3}


def test_a_form_without_a_buttons_name_saves(studio):
    make(studio, "Enter")
    lena = studio.browser("Lena Lead").open("/jobtypes/Enter/edit")

    lena.send(max_batch="4")

    assert "Released as Enter 2" in lena.text


def test_a_lead_sees_the_fault_next_to_the_field_and_loses_nothing(studio):
    make(studio, "Fault")
    lena = studio.browser("Lena Lead").open("/jobtypes/Fault/edit")
    typed = {"max_batch": "ten", "description": "long text", "code": "class Job:\n  x = (\n"}

    lena.send("check", **typed)

    assert lena.status == 400
    assert 'id="max_batch-problem"' in lena.page.body.decode()
    assert lena.text.count("max_batch must be an integer, not 'ten'") == 2
    assert "code.py, line 2" in lena.text
    assert {n: lena.form("save").fields[n] for n in typed} == typed
    lena.send("save", max_batch="10", code=CODE)
    assert "Released as Fault 2" in lena.text
    assert studio.api("jobtypes/Fault")["description"] == "long text"


@pytest.mark.parametrize(
    ("fields", "field", "sentence"),
    [
        ({"max_batch": "0"}, "max_batch", "max_batch is 0; at least 1 is wanted"),
        ({"classname": "x" * 65}, "classname", "64 characters is the limit"),
        ({"classname": "Other"}, None, "Other"),
        ({"software.0": "nothing"}, "software.0", "nothing"),
        ({"software.0": "blender", "min.0": "1000"}, "min.0", "1000"),
        ({"software.0": "blender", "software.1": "blender"}, None, "blender twice"),
        ({"name": "a/b"}, "name", "'/'"),
        ({"name": "Blender"}, None, "exists; PUT a new version"),
        ({"message": "x" * 1001}, "message", "over 1000 characters"),
        ({"description": "\x01"}, "description", "U+0001"),
    ],
)
def test_what_can_not_be_saved_is_said_in_the_words_of_the_api(studio, fields, field, sentence):
    lena = studio.browser("Lena Lead").open("/new")
    before = studio.last()

    lena.send("save", **{"name": "Bad", "classname": "Job", "code": CODE, **fields})

    assert 400 <= lena.status < 500, lena.text
    assert sentence in lena.text
    if field:
        assert f'id="{field}-problem"' in lena.page.body.decode()
    assert studio.last() == before


def test_a_check_says_what_saving_would_make_and_makes_nothing(studio):
    make(studio, "Checked")
    lena = studio.browser("Lena Lead").open("/jobtypes/Checked/edit")
    objects = git(studio.repo, "count-objects")

    lena.send("check", max_batch="9", code=f"{CODE}# new\n")

    assert "Saving makes: Checked: version 2 (was 1)." in lena.text
    assert git(studio.repo, "count-objects") == objects
    lena.send("check", code=f"{CODE}# \u00e4\n")
    assert "ASCII" in lena.text


def test_two_who_save_at_once_both_keep_what_they_typed(studio):
    make(studio, "Both")
    lena = studio.browser("Lena Lead").open("/jobtypes/Both/edit")
    rob = studio.browser("Rob").open("/jobtypes/Both/edit")
    lena.send("save", max_batch="5", code=f"{CODE}# lena's\n")

    rob.send("save", max_batch="6", code=f"{CODE}# rob's\n")

    assert rob.status == 409
    assert "Somebody else saved Both meanwhile: Lena Lead" in rob.text
    assert "-# lena's" in rob.text
    assert "+# rob's" in rob.text
    assert rob.form("save").fields["code"] == f"{CODE}# rob's\n"
    assert studio.api("jobtypes/Both")["max_batch"] == 5
    rob.send("save")
    assert "Released as Both 3" in rob.text
    assert studio.api("jobtypes/Both")["max_batch"] == 6


def test_a_new_version_from_an_old_one(studio):
    make(studio, "Old")
    lena = studio.browser("Lena Lead").open("/jobtypes/Old/edit")
    lena.send("save", code=f"{CODE}# second\n")

    lena.open("/jobtypes/Old/edit?from=1").send("save")

    assert "Released as Old 3" in lena.text
    assert studio.api("jobtypes/Old")["code"] == CODE
    assert lena.open("/jobtypes/Old/edit?from=9").status == 404
    assert lena.open("/jobtypes/Old/edit?from=x").status == 404


def test_a_save_by_choice_becomes_a_change_and_an_edit_is_added_to_it(studio):
    make(studio, "Choice")
    lena = studio.browser("Lena Lead").open("/jobtypes/Choice/edit")

    lena.send("save", review="true", max_batch="8")
    assert lena.path.startswith("/changes/web/Lena_Lead/Choice-1")
    rob = studio.browser("Rob").open("/jobtypes/Choice/edit?change=web/Lena_Lead/Choice-1")
    assert rob.form("save").fields["max_batch"] == "8"
    rob.send("save", description="Rob's")
    assert rob.path.startswith("/changes/web/Lena_Lead/Choice-1")
    lena.open("/jobtypes/Choice/edit").send("save", review="true", max_batch="9")
    assert lena.path.startswith("/changes/web/Lena_Lead/Choice-2")

    assert studio.api("jobtypes/Choice")["version"] == 1
    authors = git(studio.repo, "log", "--format=%an", "main..web/Lena_Lead/Choice-1").split("\n")
    assert authors[:2] == ["Rob", "Lena Lead"]


# Withdrawing


def test_a_version_is_withdrawn_with_a_reason_and_comes_back(studio):
    make(studio, "Gone")
    studio.browser("Lena Lead").open("/jobtypes/Gone/edit").send("save", code=f"{CODE}# 2\n")
    eve = studio.browser("Eve").open("/jobtypes/Gone/2/withdraw")

    eve.send(reason=" ")
    assert eve.status == 400
    assert "the reason is empty" in eve.text
    eve.send(reason="It eats frames")
    assert eve.status == 200, eve.text
    assert studio.last() == "Eve: It eats frames"
    assert studio.api("jobtypes/Gone")["version"] == 1
    assert "It eats frames" in eve.open("/api/v1/jobtypes/Gone/versions/2").text
    eve.open("/jobtypes/Gone/2/restore").send(reason="It was the disk")
    assert studio.api("jobtypes/Gone")["version"] == 2
    assert studio.api("jobtypes/Gone/versions/") == [1, 2]
    lena = studio.browser("Lena Lead").open("/jobtypes/Gone/1/withdraw")
    lena.send(reason="I want to")
    assert lena.status == 403
    assert "role admin" in lena.text
    assert lena.form().fields["reason"] == "I want to"
    assert lena.open("/jobtypes/Gone/9/withdraw").status == 404


def test_an_old_version_is_rolled_back_to_with_a_reason(studio):
    make(studio, "Back", **{"software.0": "blender"})
    lena = studio.browser("Lena Lead").open("/jobtypes/Back/edit")
    lena.send("save", code=f"{CODE}# 2\n")
    lena.open("/jobtypes/Back/1")
    assert 'href="/jobtypes/Back/1/rollback"' in lena.page.body.decode()
    assert "rollback" not in lena.open("/jobtypes/Back/2").page.body.decode()

    lena.open("/jobtypes/Back/1/rollback").send(reason="")
    assert lena.status == 400
    assert "the reason is empty" in lena.text
    lena.send(reason="It eats <frames>")

    assert "Released as Back 3" in lena.text
    assert studio.api("jobtypes/Back")["code"] == CODE
    assert studio.last() == "Lena Lead: Back: roll back to version 1, version 3"
    assert "It eats <frames>" in lena.open("/jobtypes/Back/3").text
    lena.open("/jobtypes/Back/3/rollback").send(reason="again")
    assert lena.status == 409
    assert "version 3 is the newest of Back already" in lena.text
    assert lena.form().fields["reason"] == "again"
    assert lena.open("/jobtypes/Back/9/rollback").status == 404


def test_what_keeps_an_old_version_from_coming_back_is_named_by_file_and_line(branch):
    meta = "requirements:\n  - software: maya\n"
    branch.commit({**jobtype("Dry", meta=meta), "software/maya.yaml": "versions: []\n"})
    branch.commit({**jobtype("Dry"), "software/maya.yaml": None})
    branch.commit(jobtype("Dry", "print 'Python 2'\n"))
    branch.commit(jobtype("Dry", "    n = 4\n"))
    with listening(create_app(Config(branch.path))) as port:
        browser = PlainBrowser(port)
        browser.open("/jobtypes/Dry/1/rollback").send(reason="Back")
        assert browser.status == 404
        assert "jobtypes/Dry/meta.yaml:3: the software maya is not in the catal" in browser.text
        browser.open("/jobtypes/Dry/3/rollback").send(reason="Back")
        assert browser.status == 400
        assert "jobtypes/Dry/code.py:3:" in browser.text


# Software


def test_a_software_gets_versions_an_order_a_default_and_discovery_code(studio):
    lena = studio.browser("Lena Lead").open("/new-software")
    found = "def found():\n    return True\n"
    lena.send(
        "save",
        **{"name": "gaffer", "version.0": "1.4", "version.1": "1.5", "default": "1"},
        **{"discovery_code.1": found, "discovery_function_name.1": "found"},
    )
    assert lena.status == 200, lena.text
    rows = studio.api("software/gaffer/versions/")
    assert [(r["version"], r["rank"]) for r in rows] == [("1.4", 100), ("1.5", 200)]
    assert studio.api("software/gaffer/versions/1.5")["discovery_function_name"] == "found"

    lena.open("/edit-software/gaffer")
    form = lena.form("save")
    assert (form.fields["default"], form.fields["discovery_code.1"]) == ("1", found)
    lena.send("save", **{"rank.0": "300", "version.2": "1.6", "default": "0"})
    rows = studio.api("software/gaffer/versions/")
    assert [r["version"] for r in rows] == ["1.5", "1.4", "1.6"]
    lena.open("/edit-software/gaffer").send("save", **{"delete.0": "true"})
    assert [r["version"] for r in studio.api("software/gaffer/versions/")] == ["1.4", "1.6"]


@pytest.mark.parametrize(
    ("fields", "field", "sentence"),
    [
        ({"version.0": ""}, "version.0", "empty"),
        ({"rank.0": "high"}, "rank.0", "must be an integer, not 'high'"),
        ({"rank.1": "100"}, None, "rank 100 twice"),
        ({"version.1": "1"}, None, "version 1 twice"),
        ({"version.0": "a/code/"}, None, "'/'"),
        ({"discovery_code.0": "def found(:"}, "discovery_code.0", "error"),
        ({"name": "schema"}, "name", "route of the API"),
        ({"name": "12"}, "name", "digits"),
    ],
)
def test_a_software_that_can_not_be_is_refused_and_shown_again(studio, fields, field, sentence):
    lena = studio.browser("Lena Lead").open("/new-software")
    typed = {"name": "odd", "version.0": "1", "rank.0": "100", "version.1": "2", "rank.1": "200"}

    lena.send("save", **{**typed, **fields})

    assert 400 <= lena.status < 500, lena.text
    assert sentence in lena.text
    if field:
        assert f'id="{field}-problem"' in lena.page.body.decode()
    assert lena.form("save").fields["version.1"] == fields.get("version.1", "2")


def test_what_a_jobtype_requires_stays_and_a_conflict_shows_both(studio):
    make(studio, "Needs", **{"software.0": "blender", "min.0": "4.2"})
    lena = studio.browser("Lena Lead").open("/edit-software/blender")
    place = next(n for n, v in lena.form("save").fields.items() if v == "4.2").split(".")[1]
    lena.send("save", **{f"delete.{place}": "true"})
    assert lena.status == 409
    assert "requires" in lena.text
    eve = studio.browser("Eve").open("/edit-software/blender")
    eve.send("delete")
    assert eve.status == 409

    lena.open("/edit-software/blender")
    rob = studio.browser("Rob").open("/edit-software/blender")
    rob.send("save", **{"version.9": "x", "rank.0": "50"})
    lena.send("save", **{"rank.0": "60"})
    assert lena.status == 412
    assert "What is saved now" in lena.text
    assert lena.form("save").fields["rank.0"] == "60"
    lena.send("save")
    assert lena.status == 200


# Reviews


def test_a_protected_branch_is_written_by_review(protected):
    lena = protected.browser("Lena Lead").open("/jobtypes/Blender/edit")
    assert "becomes a change" in lena.text
    lena.send("save", max_batch="4", message="Fewer frames")
    branch = "web/Lena_Lead/Blender-1"
    assert lena.path == f"/changes/{branch}"
    rob = protected.browser("Rob").open(lena.path)

    rob.send("comment", text="Why <4>?", path="jobtypes/Blender/meta.yaml", line="3")
    assert rob.path.endswith("#comment-1")
    assert "Why <4>?" in rob.text
    assert "Why &lt;4&gt;?" in rob.page.body.decode()
    rob.send("merge")
    assert rob.status == 403
    assert "0 of 1 approvals" in rob.text
    lena.open(f"/changes/{branch}").send("approve")
    assert lena.status == 403
    lena.open(f"/jobtypes/Blender/edit?change={branch}").send("save", max_batch="5")
    assert lena.path == f"/changes/{branch}"
    rob.open(f"/changes/{branch}").send("approve")
    assert "1 of 1 approvals" in rob.text
    rob.send("merge")

    assert "Released as Blender 2" in rob.text
    assert protected.api("jobtypes/Blender")["max_batch"] == 5
    assert [c["text"] for c in protected.api(f"changes/{branch}/comments")] == ["Why <4>?"]


def test_a_rollback_of_a_protected_branch_becomes_a_change(protected):
    newest = protected.api("jobtypes/Houdini")["version"]
    eve = protected.browser("Eve").open("/jobtypes/Houdini/edit")
    eve.send("save", max_batch="9")
    assert f"Released as Houdini {newest + 1}" in eve.text
    lena = protected.browser("Lena Lead").open(f"/jobtypes/Houdini/{newest}/rollback")
    assert "This becomes a change" in lena.text

    lena.send(reason="It eats frames")

    assert lena.path.startswith("/changes/web/Lena_Lead/Houdini-")
    assert f"roll back to version {newest}" in lena.text
    assert protected.api("jobtypes/Houdini")["version"] == newest + 1


def test_a_merge_is_of_the_commit_that_was_looked_at(protected):
    lena = protected.browser("Lena Lead").open("/jobtypes/Nuke/edit")
    lena.send("save", max_batch="2")
    branch = lena.path.removeprefix("/changes/")
    eve = protected.browser("Eve").open(lena.path)
    lena.open(f"/jobtypes/Nuke/edit?change={branch}").send("save", max_batch="3")

    eve.send("merge")

    assert eve.status == 409
    assert "look again" in eve.text
    assert protected.api("jobtypes/Nuke")["version"] == 1


def test_a_comment_that_can_not_be_keeps_its_text_and_a_change_is_closed_with_care(protected):
    lena = protected.browser("Lena Lead").open("/jobtypes/Maya/edit")
    lena.send("save", max_batch="2")
    page = lena.path

    lena.send("comment", text="Long <text>", path="jobtypes/Maya/code.py", line="999999")
    assert lena.status == 404
    assert lena.form("comment").fields["text"] == "Long <text>"
    lena.send("comment", line="1")
    assert "Long <text>" in lena.text
    lena.send("uncomment")
    assert "Long <text>" not in lena.text
    lena.open(page).send("close")
    assert lena.status == 400
    rob = protected.browser("Rob").open(page)
    rob.send("close", sure="true")
    assert rob.status == 403
    lena.open(page).send("close", sure="true")
    assert lena.path == "/changes/"
    assert lena.open(page).status == 404


def test_who_may_only_read_is_led_to_the_login(studio):
    di = studio.browser("Di").open("/jobtypes/Blender/edit")
    assert "You may only read" in di.text
    di.send("save")
    assert di.status == 403
    anybody = PlainBrowser(studio.port).open("/jobtypes/Blender/edit")
    anybody.send("save")
    assert anybody.status == 401
    link = re.search(r'href="(/login\?next=[^"]+)">Log in</a></p>', anybody.page.body.decode())
    assert link
    anybody.open(link[1]).send(token=studio.secrets["Rob"])
    assert anybody.path == "/jobtypes/Blender/edit"


def test_without_tokens_nobody_logs_in_and_forms_are_proven_all_the_same(sample):
    with listening(create_app(Config(sample))) as port:
        browser = PlainBrowser(port).open("/login")
        assert "Nobody needs to log in here" in browser.text
        assert "Log in" not in browser.open("/").text
        browser.open("/jobtypes/Blender/edit").send("save", max_batch="3")
        assert "Released as Blender 2" in browser.text
        browser.open("/jobtypes/Blender/edit").send("save", review="true")
        assert browser.path == "/changes/web/anybody/Blender-1"
        browser.open("/jobtypes/Blender/edit").send("save", csrf="0" * 64)
        assert browser.status == 403


def test_a_read_only_service_takes_no_form(sample):
    with listening(create_app(Config(sample, read_only=True))) as port:
        browser = PlainBrowser(port).open("/jobtypes/Blender/edit")
        browser.send("save")
        assert browser.status == 403
        assert "read-only" in browser.text


def test_a_traceback_leads_to_its_author_and_reading_is_enough(studio):
    make(studio, "Whose", message="Because")
    text = 'File "/c/Whose_Job_v1.py", line 2, in <module>\nAssertionError'
    for browser in (studio.browser("Di"), studio.browser("Rob")):
        browser.open("/whose").send(text=text)
        assert browser.status == 200
        assert "Whose, version 1, line 2" in browser.text
        assert "Lena Lead" in browser.text
        assert "the newest version still has it" in browser.text
        assert browser.form().fields["text"] == text
    anybody = PlainBrowser(studio.port).open("/whose?text=Whose_Job_v1.py:1")
    assert "Because" in anybody.text
    assert "No file of a jobtype" in anybody.open("/whose?text=nothing").text
    assert anybody.open("/whose").send(text="x" * 200_001).status == 400


def test_a_jobtype_that_is_broken_can_be_repaired(branch):
    files = {"code.py": b"class Job:\n    x = '\xe9'\n", "meta.yaml": b"max_batch: ten\n"}
    branch.commit({f"jobtypes/Broken/{n}": data.decode("latin-1") for n, data in files.items()})
    with listening(create_app(Config(branch.path))) as port:
        browser = PlainBrowser(port).open("/jobtypes/Broken")
        browser.open("/jobtypes/Broken/edit")
        assert "class Job" in browser.form("save").fields["code"]
        browser.send("save", code=CODE, classname="Job", max_batch="10")
        assert "Released as Broken 2" in browser.text
