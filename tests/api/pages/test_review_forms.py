"""Forms of reviews: proposals, merges, comments, logins."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from api.app import create_app
from api.config import Config
from tests.support.form_studio import CODE, Studio, form_studio, made_by_lena
from tests.support.plain_browser import PlainBrowser, listening


@pytest.fixture(scope="module")
def protected(tmp_path_factory) -> Iterator[Studio]:
    folder = tmp_path_factory.mktemp("protected")
    with form_studio(folder, protect=True, require_approvals=1) as made:
        yield made


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
    made_by_lena(studio, "Whose", message="Because")
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
    assert "over 200000 characters" in anybody.text
    assert len(anybody.form().fields["text"]) == 200_001
    anybody.send(text=text, csrf="")
    assert anybody.status == 403
    assert anybody.form().fields["text"] == text
    assert "Lena Lead" in anybody.send().text


def test_a_jobtype_that_is_broken_can_be_repaired(branch):
    files = {"code.py": b"class Job:\n    x = '\xe9'\n", "meta.yaml": b"max_batch: ten\n"}
    branch.commit({f"jobtypes/Broken/{n}": data.decode("latin-1") for n, data in files.items()})
    with listening(create_app(Config(branch.path))) as port:
        browser = PlainBrowser(port).open("/jobtypes/Broken")
        browser.open("/jobtypes/Broken/edit")
        assert "class Job" in browser.form("save").fields["code"]
        browser.send("save", code=CODE, classname="Job", max_batch="10")
        assert "Released as Broken 2" in browser.text
