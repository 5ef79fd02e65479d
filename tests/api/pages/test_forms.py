"""The pages by which people change something, sent as a browser without JavaScript does."""

from __future__ import annotations

import pytest

from api.app import create_app
from api.config import Config
from tests.support.branches import jobtype
from tests.support.form_studio import CODE, made_by_lena
from tests.support.git import git
from tests.support.plain_browser import PlainBrowser, listening

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
    texts = {"description": "One\n\ntwo", "success_subject": "Done\n"}
    made_by_lena(studio, "Kept", fail_body="\n\nleading lines", **texts)
    before = studio.api("jobtypes/Kept")
    lena = studio.browser("Lena Lead").open("/jobtypes/Kept/edit")

    lena.send("save", max_batch="3")

    assert studio.api("jobtypes/Kept") == {**before, "version": 2, "max_batch": 3}


def test_a_form_without_a_buttons_name_saves(studio):
    made_by_lena(studio, "Enter")
    lena = studio.browser("Lena Lead").open("/jobtypes/Enter/edit")

    lena.send(max_batch="4")

    assert "Released as Enter 2" in lena.text


def test_a_lead_sees_the_fault_next_to_the_field_and_loses_nothing(studio):
    made_by_lena(studio, "Fault")
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
        ({f"software.{n}": "x" for n in range(501)}, None, "more than 500 requirements"),
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
    assert lena.form("save").fields.items() >= fields.items()
    assert studio.last() == before


def test_a_check_says_what_saving_would_make_and_makes_nothing(studio):
    made_by_lena(studio, "Checked")
    lena = studio.browser("Lena Lead").open("/jobtypes/Checked/edit")
    objects = git(studio.repo, "count-objects")

    lena.send("check", max_batch="9", code=f"{CODE}# new\n")

    assert "Saving makes: Checked: version 2 (was 1)." in lena.text
    assert git(studio.repo, "count-objects") == objects
    lena.send("check", code=f"{CODE}# \u00e4\n")
    assert "ASCII" in lena.text


def test_two_who_save_at_once_both_keep_what_they_typed(studio):
    made_by_lena(studio, "Both")
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


def test_who_edits_while_the_last_version_goes_can_save_all_the_same(studio):
    made_by_lena(studio, "Only")
    lena = studio.browser("Lena Lead").open("/jobtypes/Only/edit")
    eve = studio.browser("Eve")
    eve.open("/jobtypes/Only/1/withdraw").send(reason="bad")
    eve.open("/jobtypes/Only/edit").send("save", code=f"{CODE}# 2\n")
    eve.open("/jobtypes/Only/2/withdraw").send(reason="bad, too")

    lena.send("save", code=f"{CODE}# mine\n")
    assert lena.status == 409
    assert "no version of it is in service" in lena.text
    lena.send("save")

    assert "Released as Only 3" in lena.text
    assert studio.api("jobtypes/Only")["code"] == f"{CODE}# mine\n"


def test_a_new_version_from_an_old_one(studio):
    made_by_lena(studio, "Old")
    lena = studio.browser("Lena Lead").open("/jobtypes/Old/edit")
    lena.send("save", code=f"{CODE}# second\n")

    lena.open("/jobtypes/Old/edit?from=1").send("save")

    assert "Released as Old 3" in lena.text
    assert studio.api("jobtypes/Old")["code"] == CODE
    assert lena.open("/jobtypes/Old/edit?from=9").status == 404
    assert lena.open("/jobtypes/Old/edit?from=x").status == 404


def test_a_save_by_choice_becomes_a_change_and_an_edit_is_added_to_it(studio):
    made_by_lena(studio, "Choice")
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


def test_a_save_that_changes_nothing_shows_no_release_of_others(studio):
    rob = studio.browser("Rob").open("/edit-software/blender")
    made_by_lena(studio, "Theirs")

    rob.send("save", message="I made it")

    assert rob.status == 200
    assert "Nothing is changed" in rob.text
    assert studio.last().startswith("Lena Lead: Theirs")
    rob.open("/jobtypes/Theirs/1/restore").send(reason="I made it")
    assert "Nothing is changed" in rob.text


# Withdrawing


def test_the_newest_version_is_one_that_is_not_withdrawn(studio):
    made_by_lena(studio, "Newest")
    eve = studio.browser("Eve")
    eve.open("/jobtypes/Newest/edit").send("save", code=f"{CODE}# 2\n")
    goes_back = "Newest goes back to the newest version that is left"
    assert goes_back in eve.open("/jobtypes/Newest/2/withdraw").text
    assert goes_back not in eve.open("/jobtypes/Newest/1/withdraw").text
    eve.open("/jobtypes/Newest/2/withdraw").send(reason="bad")

    assert "They get no version of Newest" in eve.open("/jobtypes/Newest/1/withdraw").text
    assert goes_back not in eve.open("/jobtypes/Newest/2/withdraw").text
    eve.open("/jobtypes/Newest/1/withdraw").send(reason="bad, too")
    for number in (1, 2):
        shown = eve.open(f"/jobtypes/Newest/{number}/restore").text
        assert "It becomes the newest" in shown
    eve.open("/jobtypes/Newest/2/restore").send(reason="good")
    assert "It becomes the newest" not in eve.open("/jobtypes/Newest/1/restore").text


def test_a_version_is_withdrawn_with_a_reason_and_comes_back(studio):
    made_by_lena(studio, "Gone")
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
    made_by_lena(studio, "Back", **{"software.0": "blender"})
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
